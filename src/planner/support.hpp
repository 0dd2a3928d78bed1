// Which engine runs a job on an accelerator in a number format, and how sure that is (R60, R70).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "hardware/accelerator.hpp"
#include "market/offer.hpp"
#include "model/architecture.hpp"

namespace portolan::planner {

/// The engine that was chosen.
struct Support {
  const market::EngineSupport* row = nullptr;
  bool as_fp16 = false;  // bf16 weights computed in fp16: the part has no bf16
};

enum class Unsupported : std::uint8_t { kEngine, kFormat };
struct NoSupport {
  Unsupported what = Unsupported::kEngine;
  std::string lacked, change;
};

/// The word the engine table uses for a format: bf16, fp16, fp32, fp8, int8, int4, fp4; empty for
/// exact tensor sizes (GGUF), which any engine that reads the file computes in its own way.
std::string_view support_word(model::Format format);

/// `job`: "serve" or "train". Without a wanted engine those whose behaviour is modelled come first
/// (vLLM and its plug-ins; Megatron-LM, whose parallel axes the training search walks), then the
/// surest. A row for the architecture shadows the vendor's "*".
std::variant<Support, NoSupport> find_support(std::span<const market::EngineSupport> table,
                                              std::string_view job,
                                              const hardware::Accelerator& accelerator,
                                              model::Format format,
                                              const std::optional<std::string>& wanted_engine);

}  // namespace portolan::planner
