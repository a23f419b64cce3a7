// events: what happened, one line each.
#include <limits>

#include "tools/failsim/tasks.h"
#include "tools/failsim/verb.h"

namespace failsim::cli {
namespace {

constexpr std::chrono::milliseconds kFollowWait{25'000};
constexpr std::size_t kPage = 1000;

std::string event_line(const json::object& event) {
  std::string line = plain_in(event, "number") + "  " + plain_in(event, "time") + "  " +
                     plain_in(event, "node") + "  " + plain_in(event, "kind") + "  " +
                     plain_in(event, "object");
  for (const auto& field : event) {
    const std::string key(field.key().data(), field.key().size());
    const bool shown = key == "number" || key == "time" || key == "node" || key == "kind" ||
                       key == "object" || key == "vm";
    if (!shown) line += "  " + key + "=" + plain(field.value());
  }
  return line;
}

// Prints the events after `since`; returns the number of the last one.
std::uint64_t print_events(Context& context, std::uint64_t since, std::chrono::milliseconds wait,
                           bool& more) {
  const json::value events = patient_poll(
      context.client(),
      "/v1/events?since=" + std::to_string(since) + "&limit=" + std::to_string(kPage), wait);
  more = false;
  if (!events.is_array()) return since;
  for (const json::value& value : events.get_array()) {
    if (!value.is_object()) continue;
    since = std::max(since, number_in(value.get_object(), "number"));
    if (context.json()) {
      context.output().data(value);
    } else {
      context.output().line(event_line(value.get_object()));
    }
  }
  more = events.get_array().size() >= kPage;
  return since;
}

int events(Context& context, const Arguments& arguments) {
  const bool follow = arguments.flag("--follow");
  std::uint64_t since = arguments.count("--since", 0, std::numeric_limits<std::uint64_t>::max());
  bool more = true;
  while (more || follow) {
    since = print_events(context, since, more ? std::chrono::milliseconds(0) : kFollowWait, more);
  }
  return 0;
}

}  // namespace

std::vector<Verb> event_verbs() {
  return {{"events",
           "Print what happened in the cluster, one event a line",
           {option("--since", "NUMBER", "Only events with a greater number", "0"),
            flag("--follow", "Go on, and print each new event")},
           "  failsim events\n  failsim events --follow --output json\n",
           events}};
}

}  // namespace failsim::cli
