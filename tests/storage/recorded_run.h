// A member that is taken through some steps, and the recording of it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "cluster/effects_hash.h"
#include "cluster/member.h"
#include "cluster/state/field_hash.h"
#include "storage/recording.h"

namespace failsim {

class RecordedRun {
 public:
  // node-1 of a cluster of this size; one node alone leads after its first deadlines.
  explicit RecordedRun(std::uint32_t nodes = 1)
      : config_(config_of(nodes)), member_(config_, Recovered(), now_) {
    bytes_ = encode_recording_start(config_, Recovered(), now_);
  }

  // Records the step, takes it, records what came of it.
  void step(Duration later, const Event& event) {
    now_ += later;
    bytes_ += encode_recorded_step(now_, event);
    Effects effects;
    member_.step(now_, event, effects);
    hash_ = hash_effects(effects, hash_);
    bytes_ += encode_recorded_hash(hash_);
    ++steps_;
    if (effects.sequence != 0 && !effects.durable.empty()) unwritten_ = effects.sequence;
  }
  // A step that is recorded and never taken.
  void begin_step(const Event& event) { bytes_ += encode_recorded_step(now_, event), ++steps_; }

  // Ticks at the deadlines, on a disk that is as slow as the member's patience.
  void run(int ticks) {
    for (int i = 0; i < ticks; ++i) {
      step(member_.next_deadline() - now_, Tick{});
      if (unwritten_ != 0) step(kMillisecond, Persisted{std::exchange(unwritten_, 0)});
    }
  }
  void create_vm(const std::string& name) {
    ClientAsks asks{++token_, {}};
    asks.request.set_client("test");
    asks.request.set_sequence(token_);
    asks.request.mutable_create_vm()->set_name(name);
    asks.request.mutable_create_vm()->mutable_config()->set_memory_bytes(1 << 20);
    asks.request.mutable_create_vm()->set_owner(1);
    step(kMillisecond, asks);
  }

  const std::string& bytes() const { return bytes_; }
  const Member& member() const { return member_; }
  const MemberConfig& config() const { return config_; }
  std::uint64_t hash() const { return hash_; }
  std::size_t steps() const { return steps_; }
  Time now() const { return now_; }

 private:
  static MemberConfig config_of(std::uint32_t nodes) {
    MemberConfig config;
    config.self = 1;
    config.incarnation = (std::uint64_t{7} << 32) | 4711;
    config.store_id = 101;
    config.random_seed = 5;
    config.wall_time_origin_ns = 1'700'000'000 * kSecond;
    config.bootstrap.set_format(1);
    config.bootstrap.set_cluster_id(99);
    config.bootstrap.set_cluster_name("recorded");
    config.bootstrap.set_recovery_epoch(1);
    for (NodeId id = 1; id <= nodes; ++id) {
      auto& node = *config.bootstrap.add_nodes();
      node.set_id(id);
      node.set_store_id(100 + id);
      node.set_memory_bytes(std::uint64_t{1} << 30);
    }
    return config;
  }

  Time now_ = 10 * kSecond;
  MemberConfig config_;
  Member member_;
  std::string bytes_;
  std::uint64_t hash_ = kHashSeed;
  std::size_t steps_ = 0;
  std::uint64_t unwritten_ = 0;
  std::uint64_t token_ = 0;
};

}  // namespace failsim
