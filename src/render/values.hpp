// Field tables shared by the files that describe results: what each verb's `result` holds.
#pragma once

#include <vector>

#include "app/execute.hpp"
#include "render/fields.hpp"

namespace portolan::render {

io::Value result_of(const app::EstimateAnswer& answer);
io::Value result_of(const app::PlanAnswer& answer, bool timing);
io::Value result_of(const app::OffersAnswer& answer);
io::Value result_of(const app::GpusAnswer& answer);
io::Value result_of(const app::ModelsAnswer& answer);
io::Value result_of(const app::ProvidersAnswer& answer);
io::Value result_of(const app::ArticleAnswer& answer);
io::Value result_of(const app::ValidateAnswer& answer);
io::Value result_of(const app::CalibrateAnswer& answer);
io::Value result_of(const app::SimulateAnswer& answer, bool timing);

std::vector<FieldInfo> estimate_fields();
std::vector<FieldInfo> plan_fields();
std::vector<FieldInfo> offers_fields();
std::vector<FieldInfo> gpus_fields();
std::vector<FieldInfo> models_fields();
std::vector<FieldInfo> providers_fields();
std::vector<FieldInfo> article_fields();
std::vector<FieldInfo> validate_fields();  // of the article and of measured points
std::vector<FieldInfo> calibrate_fields();
std::vector<FieldInfo> simulate_fields();

// Short forms for getters.
template <class Q>
io::Value raw(Q quantity) {
  return io::Value(quantity.raw());
}
template <class Q>
io::Value raw(const std::optional<Q>& quantity) {
  return quantity ? io::Value(quantity->raw()) : io::Value();
}
/// Whole numbers stay whole in JSON below 2^53.
io::Value whole(double value);
inline io::Value whole_bytes(Bytes bytes) { return whole(bytes.raw()); }
io::Value money(const std::optional<Money>& amount);
io::Value text_or_null(const std::string& text);
io::Value strings(const std::vector<std::string>& list);
io::Value count(std::size_t n);
io::Value date_or_null(const std::optional<Date>& date);
/// Prices that came through arithmetic: nine decimals at most, so that 3.67339 does not print
/// as 3.6733900000000004.
io::Value usd(double dollars);
io::Value usd(const std::optional<double>& dollars);

}  // namespace portolan::render
