// Share of wall time that is progress when accelerators fail and checkpoints cost time (training.md
// §10).
#pragma once

#include "base/quantity.hpp"

namespace portolan::training {

/// Unexpected and planned interruptions per accelerator-hour: 466 in 54 days on 16,384 H100 of
/// which 419 unexpected; the rate counts the unexpected (Llama 3, arXiv 2407.21783 §3.3.4,
/// 2024-07-23).
inline constexpr double kFailuresPerAcceleratorHour = 419.0 / (54.0 * 24.0 * 16384.0);
/// Detect, restart, reload, warm up. Estimate: Llama 3 reports over 90 % effective time at 7.8
/// unexpected stops a day, so all that one stop costs is under 19 min, lost work since the
/// checkpoint included; 10 min of it are taken as the restart.
inline constexpr Seconds kRestart{600.0};
/// Sustained checkpoint write bandwidth per accelerator: 2 TB/s for 16,384 (arXiv 2407.21783
/// §3.3.1, 2024-07-23).
inline constexpr BytesPerSecond kCheckpointBandwidthPerAccelerator{2e12 / 16384.0};
/// Bytes of a checkpoint per trained parameter: 16-bit weights, fp32 master and two moments
/// (training.md §10; Llama-3-8B 112 GB).
inline constexpr double kCheckpointBytesPerParameter = 14;

struct Goodput {
  double share = 1;     // in (0, 1]
  Seconds interval{0};  // between checkpoints; infinite when nothing fails
};

/// Exponential failures with mean M, checkpoint cost C, restart cost R, interval τ:
///   G(τ) = τ / (M · e^(R/M) · (e^((τ+C)/M) − 1)),
/// maximised over τ exactly: the optimum solves 1 − τ/M = e^(−(τ+C)/M).
Goodput goodput(Seconds checkpoint, Seconds mean_time_between_failures, Seconds restart);
/// G of a given interval.
double goodput_of_interval(Seconds interval, Seconds checkpoint, Seconds mean_time_between_failures,
                           Seconds restart);

/// First-order optimum √(2CM) (Young 1974) and its refinement (Daly 2006); checks on the exact
/// optimum.
Seconds young_interval(Seconds checkpoint, Seconds mean_time_between_failures);
Seconds daly_interval(Seconds checkpoint, Seconds mean_time_between_failures);

}  // namespace portolan::training
