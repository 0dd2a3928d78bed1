#include "model/embedded.hpp"

extern "C" const unsigned char models_jsonl_begin[], models_jsonl_end[];

namespace portolan::model {

std::string_view embedded_models() {
  return {reinterpret_cast<const char*>(models_jsonl_begin),
          static_cast<std::size_t>(models_jsonl_end - models_jsonl_begin)};
}

}  // namespace portolan::model
