#include "cluster/effects_hash.h"

#include <optional>
#include <string_view>
#include <type_traits>
#include <vector>

#include "cluster/state/field_hash.h"

namespace failsim {
namespace {

// One hash under way. Everything of variable length is preceded by its length. The larger structs
// are taken apart by name: a new field does not compile until it is hashed.
class EffectsHash {
 public:
  explicit EffectsHash(std::uint64_t hash) : hash_(hash) {}

  std::uint64_t value() const { return hash_; }

  void add(const Effects& effects) {
    const auto& [send_now, durable, sequence, after, guests, transfers, lease_until, trace,
                 new_events] = effects;
    add_all(send_now);
    add(durable);
    add(sequence);
    add_all(after);
    add_all(guests);
    add_all(transfers);
    add_optional(lease_until);
    add_all(trace);
    add_all(new_events);
  }

 private:
  template <typename Number>
  requires std::is_integral_v<Number> || std::is_enum_v<Number>
  void add(Number number) { hash_ = hash_number(static_cast<std::uint64_t>(number), hash_); }
  void add(std::string_view text) { hash_ = hash_bytes(text, hash_); }
  void add(const google::protobuf::Message& message) { hash_ = hash_fields(message, hash_); }
  void add(const EntryPtr& entry) { hash_ = hash_fields(*entry, hash_); }
  void add(const Epoch& epoch) {
    add(epoch.recovery);
    add(epoch.counter);
  }

  template <typename... Items>
  void add_each(const Items&... items) {
    (add(items), ...);
  }
  template <typename Item>
  void add_all(const std::vector<Item>& items) {
    add(items.size());
    for (const Item& item : items) add(item);
  }
  template <typename Item>
  void add_optional(const std::optional<Item>& item) {
    add(item.has_value());
    if (item) add(*item);
  }

  void add(const DurableBatch& batch) {
    const auto& [hard_state, truncate_from, append, log_start, replace_rows, rows, applied, synced,
                 retired] = batch;
    add_optional(hard_state);
    add(truncate_from);
    add_all(append);
    add_optional(log_start);
    add(replace_rows);
    add_all(rows);
    add_optional(applied);
    add(synced);
    add(retired);
  }
  void add(const RowChange& row) {
    add(std::string_view(row.key));
    add(row.value.has_value());
    if (row.value) add(std::string_view(*row.value));
  }

  void add(const After& after) {
    add(after.index());
    std::visit([this](const auto& what) { add(what); }, after);
  }
  void add(const ReplyToClient& reply) {
    add(reply.token);
    add(reply.reply);
  }
  void add(const ReadAllowed& allowed) {
    add(allowed.token);
    add(allowed.code);
  }

  void add(const GuestOrder& order) {
    const auto& [vm, epoch, boot_id, want, origin, image_job, image_attempt, config] = order;
    add_each(std::string_view(vm), epoch, boot_id, want, origin, image_job, image_attempt, config);
  }
  void add(const TransferOrder& order) {
    const auto& [vm, job, attempt, role, stage, peer, epoch, boot_id, config, parameters,
                 is_suspended, post_copy] = order;
    add_each(std::string_view(vm), job, attempt, role, stage, peer, epoch, boot_id, config,
             parameters, is_suspended, post_copy);
  }
  void add(const Fact& fact) {
    add(std::string_view(fact.kind));
    add(std::string_view(fact.text));
  }

  std::uint64_t hash_;
};

}  // namespace

std::uint64_t hash_effects(const Effects& effects, std::uint64_t hash) {
  EffectsHash under_way(hash);
  under_way.add(effects);
  return under_way.value();
}

}  // namespace failsim
