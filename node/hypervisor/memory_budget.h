// What guests and reservations of a node may use, counted in bytes. A reservation is made before
// memory is mapped and given back after it is unmapped.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace failsim::node {

class MemoryBudget {
 public:
  explicit MemoryBudget(std::uint64_t bytes) : total_(bytes) {}

  enum class Answer {
    kGranted,
    kSoon,    // enough is on its way back: ask again in a moment
    kRefused  // it does not fit
  };
  Answer reserve(std::uint64_t bytes);
  // The memory is not used any more and its unmapping has begun.
  void begin_release(std::uint64_t bytes);
  void end_release(std::uint64_t bytes);
  // So much is taken by somebody else; what is reserved already stays.
  void set_pressure(std::uint64_t bytes);

  std::uint64_t free() const;
  // One sentence for a refusal: who needs how much, and how much there is.
  std::string refusal(const std::string& node, const std::string& vm, std::uint64_t bytes) const;

 private:
  const std::uint64_t total_;
  mutable std::mutex mutex_;
  std::uint64_t used_ = 0;  // includes returning_
  std::uint64_t returning_ = 0;
  std::uint64_t pressure_ = 0;

  std::uint64_t unused() const;  // the mutex is held
};

}  // namespace failsim::node
