// What is wrong with a disk: any number of rules, each taken away by its own number.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "cluster/random.h"
#include "cluster/time.h"

namespace failsim::sim {

struct StorageRule {
  enum class Does { kStall, kSlow, kFail };
  Does does = Does::kStall;
  Duration delay_min = 0;        // slow: a sync takes so much longer
  Duration delay_max = 0;        // the shorter if smaller
  std::string error = {};        // fail: what the writes fail with
  std::uint64_t bytes_left = 0;  // fail: what still succeeds
};

class StorageRules {
 public:
  using Id = std::uint64_t;

  Id add(StorageRule rule) {
    rules_.emplace(++last_, std::move(rule));
    return last_;
  }
  void remove(Id id) { rules_.erase(id); }

  bool is_stalled() const { return has(StorageRule::Does::kStall); }
  bool is_failing() const { return has(StorageRule::Does::kFail); }

  // Of one sync. Draws only when something is slow.
  Duration added(Random& random) const {
    Duration sum = 0;
    for (const auto& [id, rule] : rules_) {
      if (rule.does != StorageRule::Does::kSlow) continue;
      const Duration span = std::max(rule.delay_max, rule.delay_min) - rule.delay_min;
      sum += rule.delay_min +
             static_cast<Duration>(random.below(static_cast<std::uint64_t>(span) + 1));
    }
    return sum;
  }

  // So many bytes are to be written: the error if they no longer go.
  std::optional<std::string> take(std::uint64_t bytes) {
    std::optional<std::string> error;
    for (auto& [id, rule] : rules_) {
      if (rule.does != StorageRule::Does::kFail) continue;
      if (rule.bytes_left < bytes) error = rule.error;
      rule.bytes_left -= std::min(rule.bytes_left, bytes);
    }
    return error;
  }

 private:
  bool has(StorageRule::Does does) const {
    return std::any_of(rules_.begin(), rules_.end(),
                       [does](const auto& entry) { return entry.second.does == does; });
  }

  std::map<Id, StorageRule> rules_;
  Id last_ = 0;
};

}  // namespace failsim::sim
