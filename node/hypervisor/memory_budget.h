// What guests and reservations of a node may use, counted in bytes. A reservation is made before
// memory is mapped and given back after it is unmapped.
#pragma once

#include <cstdint>
#include <functional>
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

  // What is kept for a VM that may return (kept_pages.h) stays reserved, but counts as free: when
  // it is wanted `make_room` is called, from any thread, with the bytes that are missing.
  using MakeRoom = std::function<void(std::uint64_t bytes)>;
  void set_keeper(MakeRoom make_room);
  // False if there is no room for it.
  bool keep(std::uint64_t bytes);
  // It is used again; false if it does not fit any more.
  bool take_kept(std::uint64_t bytes);
  // It is not kept any more, and its release begins.
  void drop_kept(std::uint64_t bytes);

  std::uint64_t free() const;
  std::uint64_t kept() const;
  // One sentence for a refusal: who needs how much, and how much there is.
  std::string refusal(const std::string& node, const std::string& vm, std::uint64_t bytes) const;

 private:
  const std::uint64_t total_;
  mutable std::mutex mutex_;
  std::uint64_t used_ = 0;  // includes returning_ and kept_
  std::uint64_t returning_ = 0;
  std::uint64_t kept_ = 0;
  std::uint64_t pressure_ = 0;
  MakeRoom make_room_;

  std::uint64_t unused() const;    // the mutex is held
  std::uint64_t in_reach() const;  // also what is kept or on its way back; likewise
};

}  // namespace failsim::node
