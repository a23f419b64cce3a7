#include "cluster/migration/dirty_pieces.h"

#include <algorithm>
#include <cassert>

#include "cluster/wide.h"

namespace failsim {
namespace {

constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;

}  // namespace

DirtyPieces::DirtyPieces(const DirtyHabit& habit, std::uint64_t memory_bytes, std::size_t pieces)
    : habit_(habit) {
  const std::uint64_t size = std::min(habit.working_set_bytes(), memory_bytes);
  pieces_.reserve(pieces + 1);  // the rest of memory is one more
  for (std::size_t i = 0; i < pieces && size > 0; ++i) {
    const auto first = static_cast<std::uint64_t>(Wide{size} * i / pieces);
    pieces_.push_back({first, static_cast<std::uint64_t>(Wide{size} * (i + 1) / pieces)});
  }
  if (memory_bytes > size) pieces_.push_back({size, memory_bytes});
}

void DirtyPieces::execute(Duration elapsed) {
  assert(elapsed >= 0);
  const Wide gone =
      Wide{habit_.steps_per_second()} * static_cast<std::uint64_t>(elapsed) + step_fraction_;
  steps_ += std::min(saturate(gone / kNanosecondsPerSecond), ~steps_);
  step_fraction_ = static_cast<std::uint64_t>(gone % kNanosecondsPerSecond);
}

std::uint64_t DirtyPieces::dirty_bytes_of(std::size_t piece) const {
  const Piece& part = pieces_[piece];
  if (!part.was_taken) return part.end - part.first;
  if (part.first >= habit_.working_set_bytes()) return 0;
  return habit_.dirty_bytes(part.first, part.end, part.clean_since, steps_);
}

std::uint64_t DirtyPieces::dirty_bytes() const {
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < pieces_.size(); ++i) bytes += dirty_bytes_of(i);
  return bytes;
}

std::uint64_t DirtyPieces::take(std::size_t piece) {
  const std::uint64_t bytes = dirty_bytes_of(piece);
  pieces_[piece].was_taken = true;
  pieces_[piece].clean_since = steps_;
  return bytes;
}

}  // namespace failsim
