#include "cluster/migration/precopy_course.h"

#include "cluster/migration/transfer_rate.h"

namespace failsim {
namespace {

constexpr std::size_t kPieces = 32;

}  // namespace

// A guest that is read at once is one piece.
PrecopyCourse::PrecopyCourse(const DirtyModel& guest, DirtyReading reading,
                             std::uint64_t link_bytes_per_second)
    : guest_(guest),
      link_bytes_per_second_(link_bytes_per_second),
      clean_since_(reading == DirtyReading::kPageByPage ? kPieces : 1, 0) {}

CourseRound PrecopyCourse::first_round(std::uint64_t memory_bytes) {
  const std::uint64_t piece = guest_.working_set_bytes / clean_since_.size();
  for (std::size_t i = 0; i < clean_since_.size(); ++i) {
    clean_since_[i] = time_to_send(piece * i, link_bytes_per_second_);
  }
  now_ = time_to_send(memory_bytes, link_bytes_per_second_);
  return {memory_bytes, now_, dirty_bytes()};
}

void PrecopyCourse::begin_behind(Duration round) {
  const auto pieces = static_cast<Duration>(clean_since_.size());
  for (Duration i = 0; i < pieces; ++i) {
    clean_since_[static_cast<std::size_t>(i)] = round / pieces * i;
  }
  now_ = round;
}

CourseRound PrecopyCourse::next_round() {
  const Duration began = now_;
  std::uint64_t sent = 0;
  for (std::size_t i = 0; i < clean_since_.size(); ++i) {
    const std::uint64_t bytes = dirty_bytes_of(i);
    clean_since_[i] = now_;
    now_ = add(now_, time_to_send(bytes, link_bytes_per_second_));
    sent += bytes;
  }
  return {sent, now_ - began, dirty_bytes()};
}

std::uint64_t PrecopyCourse::dirty_bytes() const {
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < clean_since_.size(); ++i) bytes += dirty_bytes_of(i);
  return bytes;
}

std::uint64_t PrecopyCourse::dirty_bytes_of(std::size_t piece) const {
  return guest_.dirty_bytes(now_ - clean_since_[piece]) / clean_since_.size();
}

}  // namespace failsim
