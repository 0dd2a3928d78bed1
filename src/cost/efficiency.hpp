// The measured shares of datasheet figures that kernels reach, per accelerator family, as one table
// with sources.
#pragma once

#include <span>
#include <string_view>

#include "hardware/accelerator.hpp"
#include "model/numeric_format.hpp"

namespace portolan::cost {

/// Kernel constants of one family (cost-model.md §5-§8). A share is attained over datasheet, a
/// floor is per kernel launch. Range: the shares describe large, warm kernels in CUDA graphs (or
/// the vendor's like); floors are medians over small shapes.
struct KernelFamily {
  std::string_view
      id_prefix;  // matches accelerator ids that start so; empty = matches by architecture
  std::string_view architecture;  // "hopper"
  bool hbm = true;                // memory kind of the part the constants were measured on
  double bf16 = 0, fp8 = 0, fp4 = 0,
         int8 = 0;         // e_c when the accelerator table has no measured ceiling; 0 = unknown
  double bandwidth = 0.8;  // e_m of linear layers
  double knee = 3;         // p
  double launch_us = 4;    // t_0
  double short_k = 100;    // k_0: compute slows by (k + k_0)/k
  double wave_exponent = 0.8;      // of the tile and wave quantisation
  double prefill_attention = 0.6;  // e_c of context attention at head dimension 128
  double decode_attention = 0.85;  // e_m of decode attention
  double decode_attention_us = 9;  // its floor
  std::string_view source, date;
};

/// The family of an accelerator, or the general row (id_prefix and architecture empty) when none is
/// known.
const KernelFamily& kernel_family(const hardware::Accelerator& accelerator);
bool is_general(const KernelFamily& family);

/// Share of the bf16 attention rate that context attention reaches at a head dimension, relative to
/// dimension 128.
double head_dimension_factor(double head_dimension);

/// Grouped products of mixtures of experts: attained shares of the dense peak and of bandwidth,
/// floor per product.
struct GroupedShares {
  double compute = 0.45, bandwidth = 0.82;
  double floor_us = 10;
};
GroupedShares grouped_shares(model::Format format, model::Compute compute);
/// Knee of grouped products: memory and compute phases of the experts overlap little.
inline constexpr double kGroupedKnee = 1.5;

/// Bus bandwidth inside one node as a share of the link's one-way rate, and floors, by collective
/// and number of ranks.
struct LinkShares {
  std::string_view architecture;
  double all_reduce[3] = {};  // at 2, 4, 8 and more ranks
  double all_gather[3] = {};  // also reduce-scatter
  double all_to_all[3] = {};
  double all_reduce_floor_us = 5;  // the engine's own kernel inside a graph
  double floor_us = 10;            // NCCL-class floor of the other collectives at 8 ranks
  std::string_view source, date;
};
std::span<const LinkShares> switched_link_shares();
const LinkShares& switched_shares(std::string_view architecture);

}  // namespace portolan::cost
