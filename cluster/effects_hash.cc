#include "cluster/effects_hash.h"

#include <optional>
#include <string_view>
#include <type_traits>
#include <vector>

#include "cluster/state/field_hash.h"

namespace failsim {
namespace {

// One hash under way. Everything of variable length is preceded by its length.
class EffectsHash {
 public:
  explicit EffectsHash(std::uint64_t hash) : hash_(hash) {}

  std::uint64_t value() const { return hash_; }

  void add(const Effects& effects) {
    add_all(effects.send_now);
    add(effects.durable);
    add(effects.sequence);
    add_all(effects.after);
    add_all(effects.guests);
    add_all(effects.transfers);
    add_optional(effects.lease_until);
    add_all(effects.trace);
    add_all(effects.new_events);
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
    add_optional(batch.hard_state);
    add(batch.truncate_from);
    add_all(batch.append);
    add_optional(batch.log_start);
    add(batch.replace_rows);
    add_all(batch.rows);
    add_optional(batch.applied);
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
    add(std::string_view(order.vm));
    add(order.epoch);
    add(order.boot_id);
    add(order.want);
    add(order.origin);
    add(order.image_job);
    add(order.image_attempt);
    add(order.config);
  }
  void add(const TransferOrder& order) {
    add(std::string_view(order.vm));
    add(order.job);
    add(order.attempt);
    add(order.role);
    add(order.stage);
    add(order.peer);
    add(order.epoch);
    add(order.boot_id);
    add(order.config);
    add(order.parameters);
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
