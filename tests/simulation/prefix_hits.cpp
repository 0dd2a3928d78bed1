// A developer's tool: prompt tokens found in a cache in which every prompt is put on arrival, for
// each trace named, with blocks of 16 tokens and of the trace's own runs, and the time that takes.
// A number as first argument is the cache's size in tokens; without it nothing is forgotten.
#include <fmt/core.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "simulation/kv_pool.hpp"
#include "simulation/traffic.hpp"

namespace portolan::simulation {
namespace {

void hits(const std::vector<Request>& requests, std::int64_t cache_tokens,
          std::int32_t block_tokens, bool compute_one) {
  KvPool pool(cache_tokens / block_tokens, block_tokens, true);
  std::int64_t found = 0;
  const auto start = std::chrono::steady_clock::now();
  for (const Request& request : requests) {
    const Content content{.ids = request.ids,
                          .id_tokens = request.id_tokens,
                          .owner = request.index,
                          .named_tokens = request.input_tokens};
    const std::int64_t blocks = request.input_tokens / block_tokens;
    if (blocks > pool.total_blocks()) continue;
    KvPool::Holding holding;
    const KvPool::Hit hit =
        pool.find(content, (request.input_tokens - (compute_one ? 1 : 0)) / block_tokens);
    found += hit.blocks * block_tokens;
    pool.take(holding, content, hit);
    pool.grow(holding, blocks);
    pool.index(holding, content, request.input_tokens);
    pool.release(holding);
  }
  const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
  fmt::print("  blocks of {:3}{}: {} tokens found, {} blocks cached, {:.0f} ns per request\n",
             block_tokens, compute_one ? ", one token computed" : "", found, pool.cached_blocks(),
             time.count() / static_cast<double>(requests.size()));
  if (const std::string fault = pool.inconsistency(); !fault.empty()) fmt::print("  {}\n", fault);
}

int print(const std::string& path, std::int64_t cache_tokens) {
  std::vector<Request> requests;
  auto source = open_trace({.path = path});
  if (!source) {
    fmt::print(stderr, "{}", format_error(source.error()));
    return 1;
  }
  for (Request request;;) {
    const Result<bool> more = (*source)->next(request);
    if (!more) {
      fmt::print(stderr, "{}", format_error(more.error()));
      return 1;
    }
    if (!*more) break;
    requests.push_back(request);
  }
  if (requests.empty()) return 0;
  fmt::print("{}: {} requests\n", path, requests.size());
  for (const bool one : {false, true}) {
    hits(requests, cache_tokens, 16, one);
    if (requests.front().id_tokens > 16) {
      hits(requests, cache_tokens, requests.front().id_tokens, one);
    }
  }
  return 0;
}

}  // namespace
}  // namespace portolan::simulation

int main(int argc, char** argv) {
  std::int64_t cache_tokens = std::int64_t{1} << 40;
  int status = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (i == 1 && argument.find_first_not_of("0123456789") == std::string::npos) {
      cache_tokens = std::strtoll(argv[i], nullptr, 10);
      continue;
    }
    status |= portolan::simulation::print(argument, cache_tokens);
  }
  return status;
}
