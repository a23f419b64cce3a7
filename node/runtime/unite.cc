#include "node/runtime/unite.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

namespace failsim::node {
namespace {

// What `first` was about to append and `next` truncates again is never written.
void truncate(DurableBatch& first, Index from) {
  if (from == 0) return;
  const bool reaches_store = first.append.empty() || from <= first.append.front()->index();
  const auto kept = std::find_if(first.append.begin(), first.append.end(),
                                 [from](const EntryPtr& entry) { return entry->index() >= from; });
  first.append.erase(kept, first.append.end());
  if (!reaches_store) return;
  first.truncate_from = first.truncate_from == 0 ? from : std::min(first.truncate_from, from);
}

}  // namespace

bool can_unite(const DurableBatch& first, const DurableBatch& next) {
  return !first.replace_rows && !next.replace_rows;
}

void unite(DurableBatch& first, DurableBatch next) {
  assert(can_unite(first, next));
  truncate(first, next.truncate_from);
  std::move(next.append.begin(), next.append.end(), std::back_inserter(first.append));
  if (next.hard_state) first.hard_state = std::move(next.hard_state);
  if (next.log_start) first.log_start = std::move(next.log_start);
  std::move(next.rows.begin(), next.rows.end(), std::back_inserter(first.rows));
  if (next.applied) first.applied = next.applied;
  first.synced = std::max(first.synced, next.synced);
  first.retired |= next.retired;
}

std::size_t byte_size(const DurableBatch& batch) {
  std::size_t bytes = sizeof batch;
  for (const EntryPtr& entry : batch.append) bytes += 64 + entry->command().size();
  for (const RowChange& row : batch.rows) {
    bytes += 64 + row.key.size() + (row.value ? row.value->size() : 0);
  }
  return bytes;
}

}  // namespace failsim::node
