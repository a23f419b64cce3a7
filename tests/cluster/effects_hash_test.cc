#include "cluster/effects_hash.h"

#include <functional>
#include <memory>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "cluster/state/field_hash.h"

namespace failsim {
namespace {

pb::PeerMessage message() {
  pb::PeerMessage message;
  message.set_from(1);
  message.set_to(2);
  message.mutable_heartbeat()->set_sequence(3);
  return message;
}

EntryPtr entry(Index index) {
  pb::LogEntry entry;
  entry.set_index(index);
  entry.set_command("c");
  return std::make_shared<const pb::LogEntry>(entry);
}

// One change each; no two of them want the same.
std::vector<std::function<void(Effects&)>> changes() {
  using E = Effects;
  return {
      [](E& e) { e.send_now.push_back(message()); },
      [](E& e) {
        e.send_now = {message(), message()};
      },
      [](E& e) { e.after.push_back(message()); },
      [](E& e) {
        e.after.push_back(ReplyToClient{1, {}});
      },
      [](E& e) {
        e.after.push_back(ReplyToClient{2, {}});
      },
      [](E& e) {
        e.after.push_back(ReadAllowed{1, 0});
      },
      [](E& e) {
        e.after.push_back(ReadAllowed{1, 21});
      },
      [](E& e) { e.durable.hard_state.emplace(); },
      [](E& e) { e.durable.hard_state.emplace().set_term(1); },
      [](E& e) { e.durable.truncate_from = 4; },
      [](E& e) { e.durable.append = {entry(1)}; },
      [](E& e) { e.durable.append = {entry(2)}; },
      [](E& e) { e.durable.log_start.emplace(); },
      [](E& e) { e.durable.replace_rows = true; },
      [](E& e) {
        e.durable.rows = {{"key", "value"}};
      },
      [](E& e) {
        e.durable.rows = {{"keyv", "alue"}};
      },
      [](E& e) {
        e.durable.rows = {{"key", ""}};
      },
      [](E& e) {
        e.durable.rows = {{"key", std::nullopt}};
      },
      [](E& e) { e.durable.applied = 0; },
      [](E& e) { e.durable.applied = 1; },
      [](E& e) { e.durable.synced = 1; },
      [](E& e) { e.durable.retired = true; },
      [](E& e) { e.sequence = 1; },
      [](E& e) { e.guests.push_back({}); },
      [](E& e) { e.guests.emplace_back().vm = "web"; },
      [](E& e) {
        e.guests.emplace_back().epoch = {0, 1};
      },
      [](E& e) {
        e.guests.emplace_back().epoch = {1, 0};
      },
      [](E& e) { e.guests.emplace_back().boot_id = 1; },
      [](E& e) { e.guests.emplace_back().want = pb::GUEST_FROZEN; },
      [](E& e) { e.guests.emplace_back().origin = pb::ORIGIN_IMAGE; },
      [](E& e) { e.guests.emplace_back().image_job = 1; },
      [](E& e) { e.guests.emplace_back().image_attempt = 1; },
      [](E& e) { e.guests.emplace_back().config.set_memory_bytes(1); },
      [](E& e) { e.transfers.push_back({}); },
      [](E& e) { e.transfers.emplace_back().vm = "web"; },
      [](E& e) { e.transfers.emplace_back().job = 1; },
      [](E& e) { e.transfers.emplace_back().attempt = 1; },
      [](E& e) { e.transfers.emplace_back().role = TransferRole::kTarget; },
      [](E& e) { e.transfers.emplace_back().stage = TransferStage::kStream; },
      [](E& e) { e.transfers.emplace_back().peer = 1; },
      [](E& e) {
        e.transfers.emplace_back().epoch = {0, 1};
      },
      [](E& e) { e.transfers.emplace_back().boot_id = 1; },
      [](E& e) { e.transfers.emplace_back().config.set_memory_bytes(1); },
      [](E& e) { e.transfers.emplace_back().parameters.set_max_rounds(1); },
      [](E& e) { e.transfers.emplace_back().is_suspended = true; },
      [](E& e) { e.transfers.emplace_back().post_copy = true; },
      [](E& e) { e.lease_until = 0; },
      [](E& e) { e.lease_until = kSecond; },
      [](E& e) {
        e.trace = {{"kind", "text"}};
      },
      [](E& e) {
        e.trace = {{"text", "kind"}};
      },
      [](E& e) { e.new_events = {1}; },
      [](E& e) {
        e.new_events = {1, 2};
      },
  };
}

TEST(EffectsHash, TellsEveryFieldApart) {
  std::set<std::uint64_t> hashes = {hash_effects(Effects(), kHashSeed)};
  for (const auto& change : changes()) {
    Effects effects;
    change(effects);
    EXPECT_TRUE(hashes.insert(hash_effects(effects, kHashSeed)).second)
        << "change " << hashes.size() << " is not seen";
  }
}

TEST(EffectsHash, IsAChain) {
  Effects first;
  first.sequence = 1;
  Effects second;
  second.sequence = 2;
  const auto chain = [](const Effects& a, const Effects& b) {
    return hash_effects(b, hash_effects(a, kHashSeed));
  };
  EXPECT_EQ(chain(first, second), chain(first, second));
  EXPECT_NE(chain(first, second), chain(second, first));
  EXPECT_NE(chain(first, second), chain(first, first));
}

// The number is part of recordings: another one means another kRecordingFormat.
TEST(EffectsHash, IsTheSameOnEveryMachine) {
  Effects effects;
  effects.send_now.push_back(message());
  effects.durable.append = {entry(1)};
  effects.lease_until = kSecond;
  EXPECT_EQ(hash_effects(effects, kHashSeed), 0x3bf4bd17c089054au);
}

}  // namespace
}  // namespace failsim
