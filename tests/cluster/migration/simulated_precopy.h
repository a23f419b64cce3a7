// A guest that writes pages, and the rounds that send them: GuestModel, DirtyBitmap and
// PrecopyRound in steps of a few pages, or the closed form of a modelled guest. Nothing of it is
// estimated.
#pragma once

#include <cstdint>
#include <optional>

#include "cluster/migration/precopy.h"
#include "cluster/migration/precopy_policy.h"
#include "cluster/migration/transfer_rate.h"
#include "cluster/vm/guest_model.h"

namespace failsim {

class SimulatedPrecopy {
 public:
  SimulatedPrecopy(const pb::VmConfig& config, std::uint64_t link_bytes_per_second,
                   std::uint64_t seed)
      : config_(config),
        rate_(link_bytes_per_second),
        guest_(config, state_of(config, seed)),
        dirty_(pages_of(config)),
        modelled_(modelled_memory_of(config, seed)) {
    dirty_.set_all();
  }
  // Where a sequential guest of this seed goes on.
  static std::uint64_t position_of(const pb::VmConfig& config, std::uint64_t seed) {
    return state_of(config, seed).next_sequential_page * kPageBytes;
  }

  RoundEnd round() { return config_.modelled() ? modelled_round() : paged_round(); }

  // Until the policy says something else than kContinue.
  PrecopyDecision run(PrecopyPolicy& policy) {
    for (;;) {
      const RoundEnd end = round();
      total_ += end.duration;
      sent_ += end.bytes_sent;
      left_ = end.dirty_bytes;
      const PrecopyDecision decision = policy.round_ended(end);
      if (!told_at_round_ && !policy.not_converging().empty()) told_at_round_ = policy.rounds();
      if (decision != PrecopyDecision::kContinue) return decision;
      throttle_percent_ = policy.throttle_percent();
    }
  }

  void set_dirty_rate(std::uint64_t bytes_per_second) { guest_.set_dirty_rate(bytes_per_second); }
  std::uint64_t sent_bytes() const { return sent_; }

  Duration elapsed() const { return total_; }
  Duration downtime(const PrecopySettings& settings) const {
    return time_to_send(left_, rate_) + expected_fixed_downtime(settings.downtime_limit);
  }
  std::optional<std::uint32_t> told_at_round() const { return told_at_round_; }

 private:
  static constexpr std::uint64_t kPiece = 16 * kPageBytes;

  RoundEnd paged_round() {
    RoundEnd end;
    PrecopyRound pages;
    PageRuns runs;
    while (pages.take(dirty_, kPiece, runs)) {
      const Duration time = time_to_send(runs.pages * kPageBytes, rate_);
      guest_.execute(time * (100 - Duration{throttle_percent_}) / 100, ~std::uint64_t{0},
                     [this](std::uint64_t page, std::uint32_t) { dirty_.set(page); });
      end.duration += time;
      runs.clear();
    }
    end.bytes_sent = pages.bytes_taken();
    end.dirty_bytes = dirty_.count() * kPageBytes;
    return end;
  }

  RoundEnd modelled_round() {
    RoundEnd end;
    modelled_.set_steps_per_second(config_.dirty_bytes_per_second() * (100 - throttle_percent_) /
                                   100);
    for (std::size_t i = 0; i < modelled_.count(); ++i) {
      const std::uint64_t bytes = modelled_.take(i);
      const Duration time = time_to_send(bytes, rate_);
      modelled_.execute(time);
      end.bytes_sent += bytes;
      end.duration += time;
    }
    end.dirty_bytes = modelled_.dirty_bytes();
    return end;
  }

  static DeviceState state_of(const pb::VmConfig& config, std::uint64_t seed) {
    DeviceState state = fresh_device_state(config, seed, 0, false);
    state.next_sequential_page = seed % working_set_pages_of(config);
    return state;
  }

  // The closed form of the same guest: one that sweeps is where it would be with pages.
  static DirtyPieces modelled_memory_of(const pb::VmConfig& config, std::uint64_t seed) {
    if (config.pattern() != pb::PATTERN_SEQUENTIAL) return modelled_memory(config);
    return {DirtyHabit::sweep(habit_of(config).in_numbers(), position_of(config, seed)),
            config.memory_bytes()};
  }

  pb::VmConfig config_;
  std::uint64_t rate_;
  GuestModel guest_;
  DirtyBitmap dirty_;
  DirtyPieces modelled_;
  Duration total_ = 0;
  std::uint32_t throttle_percent_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t left_ = 0;
  std::optional<std::uint32_t> told_at_round_;
};

}  // namespace failsim
