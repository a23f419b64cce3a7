#include "tools/scenario/event_text.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "cluster/ids.h"

namespace failsim::scenario {
namespace {

// Prose, random names, measurements; and what the object says already.
constexpr std::array<std::string_view, 13> kNotPinned = {
    "reason",         "detail",          "vm",         "vm_id",       "epoch",
    "memory_bytes",   "rounds",          "bytes_sent", "downtime_us", "missing_bytes",
    "followed_pages", "requested_pages", "stalled_us"};

std::string value_text(const pb::EventRecord::Field& field) {
  switch (field.value_case()) {
    case pb::EventRecord::Field::kText:
      return field.text();
    case pb::EventRecord::Field::kNumber:
      return std::to_string(field.number());
    case pb::EventRecord::Field::kNamed:
      return field.named().name();
    case pb::EventRecord::Field::kFlag:
      return field.flag() ? "true" : "false";
    case pb::EventRecord::Field::VALUE_NOT_SET:
      break;
  }
  return "";
}

std::string text_of(const pb::EventRecord& event, std::string_view name) {
  for (const pb::EventRecord::Field& field : event.fields()) {
    if (field.name() == name) return value_text(field);
  }
  return "";
}

bool is_pinned(const std::string& name) {
  return name != "from" && name != "to" &&
         std::find(kNotPinned.begin(), kNotPinned.end(), name) == kNotPinned.end();
}

}  // namespace

std::string event_text(const pb::EventRecord& event) {
  std::string line = event.kind() + " " + event.object();
  const std::string to = text_of(event, "to");
  if (!to.empty()) line += " " + text_of(event, "from") + " -> " + to;
  if (event.node() != kNoNode) line += " @" + node_name(event.node());
  for (const pb::EventRecord::Field& field : event.fields()) {
    if (is_pinned(field.name())) line += " " + field.name() + "=" + value_text(field);
  }
  return line;
}

}  // namespace failsim::scenario
