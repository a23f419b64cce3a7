// What is wrong on a machine with the work of its hypervisor. It belongs to the machine, not to the
// process: a process that is started again meets the same.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace failsim::sim {

// A step that fails once.
enum class HostStep {
  kPrepare,    // the target says no in Setup
  kStart,      // a guest does not boot
  kSave,       // a saved state cannot be written
  kResume,     // an image does not become a guest
  kKeepPage,   // the sender loses one dirty page: the check of the pages has to see it
  kFindMemory  // the target finds no memory in Setup
};
inline constexpr std::size_t kHostSteps = 6;

class HostFaults {
 public:
  using Id = std::uint64_t;

  // The next such step fails.
  Id fail(HostStep step) {
    waiting_[at(step)].push_back(++last_);
    return last_;
  }
  void forget(Id id) {
    for (std::vector<Id>& ids : waiting_) std::erase(ids, id);
  }
  // Whether this step fails; it will not a second time.
  bool strikes(HostStep step) {
    std::vector<Id>& ids = waiting_[at(step)];
    if (ids.empty()) return false;
    ids.erase(ids.begin());
    return true;
  }

  // Memory that somebody else has taken.
  void take_memory(std::uint64_t bytes) { taken_bytes_ += bytes; }
  void give_memory(std::uint64_t bytes) { taken_bytes_ -= bytes; }
  std::uint64_t taken_bytes() const { return taken_bytes_; }

 private:
  static std::size_t at(HostStep step) { return static_cast<std::size_t>(step); }

  std::array<std::vector<Id>, kHostSteps> waiting_;
  Id last_ = 0;
  std::uint64_t taken_bytes_ = 0;
};

// VMs whose guests write at another rate than configured, wherever they run: the newest counts.
class DirtyRates {
 public:
  using Id = std::uint64_t;

  Id set(const std::string& vm, std::uint64_t bytes_per_second) {
    rates_[vm][++last_] = bytes_per_second;
    return last_;
  }
  void forget(const std::string& vm, Id id) {
    rates_[vm].erase(id);
    if (rates_[vm].empty()) rates_.erase(vm);
  }
  std::uint64_t rate(const std::string& vm, std::uint64_t configured) const {
    const auto found = rates_.find(vm);
    return found == rates_.end() ? configured : found->second.rbegin()->second;
  }

 private:
  std::map<std::string, std::map<Id, std::uint64_t>> rates_;
  Id last_ = 0;
};

}  // namespace failsim::sim
