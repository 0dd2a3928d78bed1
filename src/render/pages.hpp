// The people's form of each answer: one function per verb, called by format.cpp alone.
#pragma once

#include "render/page.hpp"

namespace portolan::render {

void write_page(Page& page, const app::EstimateAnswer& answer, const Options& options);
void write_page(Page& page, const app::PlanAnswer& answer, const Options& options);
void write_page(Page& page, const app::OffersAnswer& answer, const Options& options);
void write_page(Page& page, const app::GpusAnswer& answer, const Options& options);
void write_page(Page& page, const app::ModelsAnswer& answer, const Options& options);
void write_page(Page& page, const app::ProvidersAnswer& answer, const Options& options);
void write_page(Page& page, const app::ArticleAnswer& answer, const Options& options);
void write_page(Page& page, const app::ValidateAnswer& answer, const Options& options);
void write_page(Page& page, const app::CalibrateAnswer& answer, const Options& options);
void write_page(Page& page, const app::SimulateAnswer& answer, const Options& options);

/// Derivation trees as indented text.
void write_derivations(Page& page, const std::vector<Derivation>& derivations);

}  // namespace portolan::render
