#include "cluster/raft/log.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <memory>
#include <utility>

#include "cluster/raft/checksum.h"

namespace failsim::raft {
namespace {

// What an entry costs in a message beside its command.
constexpr std::size_t kEntryOverhead = 32;

}  // namespace

Log::Log(const pb::LogStart& start, const std::vector<EntryPtr>& entries) : start_(start) {
  for (const EntryPtr& entry : entries) append(entry);
}

Term Log::term_at(Index index) const {
  assert(knows(index));
  return index == start_.index() ? start_.term() : entry(index)->term();
}

std::uint32_t Log::checksum_at(Index index) const {
  assert(knows(index));
  return index == start_.index() ? start_.checksum() : entry(index)->checksum();
}

pb::LogStart Log::position_of(Index index) const {
  pb::LogStart position;
  position.set_index(index);
  position.set_term(term_at(index));
  position.set_checksum(checksum_at(index));
  return position;
}

EntryPtr Log::entry(Index index) const {
  if (index < first_index() || index > last_index()) return nullptr;
  return entries_[index - first_index()];
}

Index Log::first_of_term(Term term) const {
  const auto found = std::partition_point(entries_.begin(), entries_.end(),
                                          [&](const EntryPtr& e) { return e->term() < term; });
  return first_index() + static_cast<Index>(found - entries_.begin());
}

Index Log::last_of_term(Term term) const {
  return first_of_term(term + 1) - 1;
}

Index Log::last_within(Index from, std::size_t max_bytes) const {
  Index last = from - 1;
  std::size_t bytes = 0;
  while (last < last_index()) {
    bytes += entry(last + 1)->command().size() + kEntryOverhead;
    if (bytes > max_bytes && last >= from) break;
    ++last;
  }
  return last;
}

EntryPtr Log::append(Term term, std::string command) {
  auto entry = std::make_shared<pb::LogEntry>();
  entry->set_term(term);
  entry->set_index(last_index() + 1);
  entry->set_command(std::move(command));
  entry->set_checksum(chain_checksum(checksum_at(last_index()), *entry));
  entries_.push_back(entry);
  return entry;
}

void Log::append(EntryPtr entry) {
  assert(entry->index() == last_index() + 1);
  assert(entry->term() >= last_term());
  assert(entry->checksum() == chain_checksum(checksum_at(last_index()), *entry));
  entries_.push_back(std::move(entry));
}

void Log::truncate_from(Index index) {
  assert(index >= first_index());
  while (last_index() >= index) entries_.pop_back();
}

void Log::compact(Index index) {
  assert(knows(index));
  const pb::LogStart start = position_of(index);
  const auto count = static_cast<std::ptrdiff_t>(index - start_.index());
  entries_.erase(entries_.begin(), entries_.begin() + count);
  start_ = start;
}

void Log::reset(const pb::LogStart& start) {
  entries_.clear();
  start_ = start;
}

}  // namespace failsim::raft
