// The three products of a linear layer in training: forward, and the gradients of its input and of
// its weights.
#pragma once

#include "cost/roofline.hpp"
#include "training/tables.hpp"

namespace portolan::training {

/// Seconds of each.
struct Work {
  double forward = 0, input_gradient = 0, weight_gradient = 0;
};

Work dense(const cost::Machine& machine, const cost::Linear& linear, double tokens);

/// Routed experts as one product per rank: the rows of its experts end to end, every expert's
/// weights read once. Tiles of 128 rows are half empty at the end of each expert.
Work grouped(const cost::Machine& machine, const Product& product, double tokens, double ep);

/// Time over that of a product whose sides are multiples of 64 elements, 16 bit each, when every
/// halving of the largest power of two that divides a side costs `penalty`.
double misalignment(double a, double b, double penalty);

}  // namespace portolan::training
