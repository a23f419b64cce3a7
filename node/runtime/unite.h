// Group commit: several batches written as one.
#pragma once

#include <cstddef>

#include "cluster/durable.h"

namespace failsim::node {

// Whether `next`, written together with `first` as one batch, has the effect of both in a row. Not
// with a snapshot on either side: it replaces what the other only adds to.
bool can_unite(const DurableBatch& first, const DurableBatch& next);

// Makes `first` both batches in a row; can_unite must hold.
void unite(DurableBatch& first, DurableBatch next);

// About how much memory a batch holds.
std::size_t byte_size(const DurableBatch& batch);

}  // namespace failsim::node
