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
        guest_(config, fresh_device_state(config, seed, 0, false)),
        dirty_(pages_of(config)) {
    dirty_.set_all();
  }

  DirtyReading reading() const {
    return config_.modelled() ? DirtyReading::kAtOnce : DirtyReading::kPageByPage;
  }

  RoundEnd round() { return config_.modelled() ? modelled_round() : paged_round(); }

  // Until the policy says something else than kContinue.
  PrecopyDecision run(PrecopyPolicy& policy) {
    for (;;) {
      const RoundEnd end = round();
      total_ += end.duration;
      left_ = end.dirty_bytes;
      const PrecopyDecision decision = policy.round_ended(end);
      if (!told_at_round_ && !policy.not_converging().empty()) told_at_round_ = policy.rounds();
      if (decision != PrecopyDecision::kContinue) return decision;
    }
  }

  void set_dirty_rate(std::uint64_t bytes_per_second) { guest_.set_dirty_rate(bytes_per_second); }

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
      guest_.execute(time, ~std::uint64_t{0},
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
    end.bytes_sent = is_first_ ? config_.memory_bytes() : left_;
    is_first_ = false;
    end.duration = time_to_send(end.bytes_sent, rate_);
    end.dirty_bytes = expected_dirty_bytes(config_, end.duration);
    left_ = end.dirty_bytes;
    return end;
  }

  pb::VmConfig config_;
  std::uint64_t rate_;
  GuestModel guest_;
  DirtyBitmap dirty_;
  Duration total_ = 0;
  bool is_first_ = true;
  std::uint64_t left_ = 0;
  std::optional<std::uint32_t> told_at_round_;
};

}  // namespace failsim
