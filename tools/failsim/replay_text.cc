#include "tools/failsim/replay_text.h"


#include "cluster/proto/command.pb.h"

namespace failsim::cli {
namespace {

std::string braced(const google::protobuf::Message& message) {
  return "{ " + message.ShortDebugString() + " }";
}

std::string epoch_text(const Epoch& epoch) {
  return "epoch " + to_string(epoch);
}

// An entry with its command decoded.
std::string entry_text(const pb::LogEntry& entry) {
  const std::string place =
      "entry " + std::to_string(entry.index()) + " of term " + std::to_string(entry.term());
  if (entry.command().empty()) return place;
  pb::Command command;
  if (!command.ParseFromString(entry.command())) return place + ", which cannot be decoded";
  return place + " " + braced(command);
}

// The name of what a message carries, and the rest of it: entries are told one by one.
std::string message_text(const pb::PeerMessage& message) {
  pb::PeerMessage body = message;
  body.clear_version();
  body.clear_cluster_id();
  body.clear_recovery_epoch();
  body.clear_from();
  body.clear_to();
  body.clear_incarnation();
  std::string entries;
  if (body.raft().has_append()) {
    for (const pb::LogEntry& entry : body.raft().append().entries()) {
      entries += ", " + entry_text(entry);
    }
    body.mutable_raft()->mutable_append()->clear_entries();
  }
  return braced(body) + entries;
}

struct EventText {
  std::string operator()(const Tick&) const { return "tick"; }
  std::string operator()(const MessageReceived& event) const {
    return "message from " + node_name(event.message.from()) + " " + message_text(event.message);
  }
  std::string operator()(const ClientAsks& event) const {
    return "client " + std::to_string(event.token) + " asks " + braced(event.request);
  }
  std::string operator()(const ClientReads& event) const {
    return "client " + std::to_string(event.token) + " reads";
  }
  std::string operator()(const GuestReport& event) const {
    return "guest " + event.vm + " is " + pb::GuestCondition_Name(event.condition) + ", " +
           epoch_text(event.epoch) + ", boot " + std::to_string(event.boot_id) +
           (event.error.empty() ? "" : ": " + event.error);
  }
  std::string operator()(const TransferReport& event) const {
    return "transfer of " + event.vm + " is " + pb::TransferStatus_Name(event.status) + ", job " +
           std::to_string(event.job) + ", attempt " + std::to_string(event.attempt) + " " +
           braced(event.statistics) + (event.error.empty() ? "" : ": " + event.error);
  }
  std::string operator()(const Persisted& event) const {
    return "persisted " + std::to_string(event.sequence);
  }
  std::string operator()(const StorageFailed& event) const {
    return "storage failed: " + event.reason;
  }
  std::string operator()(const ProcessDied& event) const {
    return "process " + std::to_string(event.instance) + " of " + node_name(event.node) + " died";
  }
  std::string operator()(const Leaving&) const { return "leaving"; }
};

struct AfterText {
  std::string operator()(const pb::PeerMessage& message) const {
    return "to " + node_name(message.to()) + " " + message_text(message);
  }
  std::string operator()(const ReplyToClient& reply) const {
    return "reply to client " + std::to_string(reply.token) + " " + braced(reply.reply);
  }
  std::string operator()(const ReadAllowed& allowed) const {
    return "read of client " + std::to_string(allowed.token) + " answered with code " +
           std::to_string(allowed.code);
  }
};

std::string order_text(const GuestOrder& order) {
  return "guest " + order.vm + " should be " + pb::GuestWant_Name(order.want) + " from " +
         pb::GuestOrigin_Name(order.origin) + ", " + epoch_text(order.epoch) + ", boot " +
         std::to_string(order.boot_id) + ", image " + std::to_string(order.image_job) + "." +
         std::to_string(order.image_attempt) + " " + braced(order.config);
}

std::string order_text(const TransferOrder& order) {
  static constexpr const char* kStages[] = {"prepare", "stream", "finish", "drop"};
  return std::string("transfer: ") + kStages[static_cast<std::size_t>(order.stage)] + " as " +
         (order.role == TransferRole::kSource ? "source" : "target") + " of " + order.vm +
         ", job " + std::to_string(order.job) + ", attempt " + std::to_string(order.attempt) +
         ", peer " + node_name(order.peer) + ", " + epoch_text(order.epoch) + ", boot " +
         std::to_string(order.boot_id) + " " + braced(order.parameters);
}

void add_durable(const DurableBatch& durable, std::vector<std::string>& lines) {
  if (durable.hard_state) lines.push_back("store: hard state " + braced(*durable.hard_state));
  if (durable.truncate_from != 0) {
    lines.push_back("store: no entries from " + std::to_string(durable.truncate_from) + " on");
  }
  for (const EntryPtr& entry : durable.append) lines.push_back("store: " + entry_text(*entry));
  if (durable.log_start) lines.push_back("store: log start " + braced(*durable.log_start));
  if (durable.replace_rows) lines.push_back("store: rows of a snapshot replace all others");
  for (const RowChange& row : durable.rows) {
    lines.push_back("store: row " + row.key +
                    (row.value ? ", " + std::to_string(row.value->size()) + " bytes" : " is gone"));
  }
  if (durable.applied) lines.push_back("store: applied " + std::to_string(*durable.applied));
}

// "2 messages" with what came before it, unless there are none.
void count(std::string& text, std::size_t number, const std::string& one, const std::string& many) {
  if (number == 0) return;
  text += (text.empty() ? "" : ", ") + std::to_string(number) + " " + (number == 1 ? one : many);
}

}  // namespace

std::string event_text(const Event& event) {
  return std::visit(EventText{}, event);
}

std::string effects_summary(const Effects& effects) {
  std::string text;
  count(text, effects.send_now.size(), "message", "messages");
  count(text, effects.durable.append.size(), "entry", "entries");
  count(text, effects.durable.rows.size(), "row", "rows");
  count(text, effects.after.size(), "answer", "answers");
  count(text, effects.guests.size(), "guest order", "guest orders");
  count(text, effects.transfers.size(), "transfer order", "transfer orders");
  count(text, effects.new_events.size(), "event of record", "events of record");
  if (effects.durable.applied) {
    text += (text.empty() ? "" : ", ") + ("applied " + std::to_string(*effects.durable.applied));
  }
  if (effects.lease_until) text += text.empty() ? "a lease" : ", a lease";
  for (const Fact& fact : effects.trace) {
    text += (text.empty() ? "" : ", ") + fact.kind + ": " + fact.text;
  }
  return text.empty() ? "nothing" : text;
}

std::vector<std::string> effects_lines(const Effects& effects) {
  std::vector<std::string> lines;
  for (const pb::PeerMessage& message : effects.send_now) {
    lines.push_back("now " + AfterText{}(message));
  }
  if (effects.lease_until) {
    lines.push_back("lease until " + seconds_text(*effects.lease_until));
  }
  for (const TransferOrder& order : effects.transfers) lines.push_back(order_text(order));
  for (const GuestOrder& order : effects.guests) lines.push_back(order_text(order));
  add_durable(effects.durable, lines);
  if (effects.sequence != 0) lines.push_back("sequence " + std::to_string(effects.sequence));
  for (const After& after : effects.after) {
    lines.push_back("then " + std::visit(AfterText{}, after));
  }
  for (const std::uint64_t number : effects.new_events) {
    lines.push_back("event of record " + std::to_string(number));
  }
  for (const Fact& fact : effects.trace) lines.push_back("fact " + fact.kind + ": " + fact.text);
  return lines;
}

std::string seconds_text(Duration duration) {
  const std::string nanoseconds = std::to_string(duration % kSecond);
  return std::to_string(duration / kSecond) + "." + std::string(9 - nanoseconds.size(), '0') +
         nanoseconds + " s";
}

}  // namespace failsim::cli
