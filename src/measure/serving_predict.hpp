// What the model says about one measured serving row: from the names in the row to a compiled step
// and the closed form or finite run that its load calls for. Inside measure/.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cost/engine.hpp"
#include "cost/profile.hpp"
#include "cost/step.hpp"
#include "hardware/accelerator.hpp"
#include "measure/serving_answer.hpp"
#include "measure/serving_point.hpp"
#include "measure/serving_row.hpp"
#include "measure/serving_rows.hpp"
#include "measure/serving_simulate.hpp"
#include "model/library.hpp"

namespace portolan::measure {

/// Metrics by contract name in the unit of the columns, with the evidence behind them.
struct ServingPrediction {
  std::map<std::string, double> figures;
  cost::Tier tier = cost::Tier::kDatasheet;
  cost::ErrorBand band;
  std::optional<PredictedRun> run;       // static batches and offline runs
  const cost::Engine* engine = nullptr;  // lives as long as the predictor
  bool stand_in = false;                 // nobody has a record of the row's own engine
  bool simulated = false;                // else in closed form
  bool saturated = false;                // more came than could be done
};

/// A model name of a table as the library may know it: organisations, brackets, blanks,
/// quantisation suffixes and a "v" before a version are variants of spelling.
Result<model::Model> find_model(const model::Library& library, std::string_view name);

/// The accelerator a table names; text in brackets is no part of it.
Result<hardware::Resolved> find_accelerator(const hardware::Accelerators& accelerators,
                                            std::string_view name);

/// The engine record of a row on an accelerator of a vendor: by its version, or where none is
/// stated by the row's date; records of `profile` first. nullptr: a family nobody has a record of.
const cost::Engine* find_row_engine(const ServingRow& row, std::string_view vendor,
                                    const cost::Profile& profile = cost::shipped_profile());

/// Tensor, pipeline and expert parallelism of a row, and how many replicas share its load. Columns
/// first, then `parallelism=` of the notes, then all accelerators as one tensor-parallel group.
struct RowLayout {
  int tp = 1, pp = 1, ep = 1;
  double replicas = 1;
};
RowLayout row_layout(const ServingRow& row, bool mixture_of_experts);

/// Predicts rows one by one; compiled steps are kept, so that tables of thousands of rows over tens
/// of configurations take seconds. Not for several threads at once.
class ServingPredictor {
 public:
  /// The references must outlive the predictor.
  ServingPredictor(const model::Library& library, const hardware::Accelerators& accelerators,
                   const ServingOptions& options);
  ~ServingPredictor();
  ServingPredictor(const ServingPredictor&) = delete;
  ServingPredictor& operator=(const ServingPredictor&) = delete;

  /// `stages`: the rows of the stages this row is the sum of ("stage=all"); empty otherwise.
  /// Errors say why the row cannot be answered.
  Result<ServingPrediction> predict(const ServingRow& row,
                                    std::span<const ServingRow* const> stages);
  /// The row as a point whose engine can be exchanged: open and closed loops. Errors: as above, and
  /// for loads that are not one operating point (static batches, offline runs, bursts).
  Result<ServingPoint> point(const ServingRow& row);
  /// "dense", "moe", or "unknown" where the model is.
  std::string kind(const ServingRow& row);
  /// "vllm-0.15", or the row's own words where no record is known.
  std::string engine_label(const ServingRow& row) const;

 private:
  struct Deployed;
  struct Placed;
  Result<Placed> place(const ServingRow& row);
  /// A row of a rate, alone; kept.
  Result<const SimulatedLoad*> simulated(const ServingRow& row);
  [[nodiscard]] const cost::Profile& profile() const {
    return options_.profile != nullptr ? *options_.profile : cost::shipped_profile();
  }
  Result<const model::Model*> model(const std::string& name);
  Result<std::shared_ptr<const Deployed>> deployed(const ServingRow& row);

  const model::Library& library_;
  const hardware::Accelerators& accelerators_;
  ServingOptions options_;
  std::map<std::string, Result<model::Model>> models_;
  std::map<std::string, Result<std::shared_ptr<const Deployed>>> deployed_;
  std::map<std::string, Result<SimulatedLoad>> simulated_;
};

}  // namespace portolan::measure
