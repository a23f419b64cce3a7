#include "node/api/metrics.h"

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

namespace failsim::node {
namespace {

namespace json = boost::json;

// Name, what it says, and the field of the migration it is read from. Those of milliseconds are
// told in seconds, as is the custom there.
struct Metric {
  std::string_view name;
  std::string_view help;
  std::string_view field;
  bool is_ms = false;
};
constexpr Metric kMetrics[] = {
    {"progress_percent", "How far it is; never falls.", "migration_progress"},
    {"rounds", "Rounds of pre-copy that have ended.", "rounds"},
    {"sent_bytes", "Bytes sent.", "bytes_sent"},
    {"remaining_bytes", "Bytes to be sent, as far as it is known now.", "bytes_remaining"},
    {"dirty_bytes_per_second", "What the guest writes at full speed.", "dirty_bytes_per_second"},
    {"working_set_bytes", "In so much memory.", "working_set_bytes"},
    {"link_bytes_per_second", "What the link carries.", "sent_bytes_per_second"},
    {"throttle_percent", "Of the guest's time taken from it.", "throttle_percent"},
    {"expected_total_seconds", "Of the whole; 0 = not known yet.", "expected_total_ms", true},
    {"expected_downtime_seconds", "Of a switch; 0 = not known yet.", "expected_downtime_ms", true},
    {"total_seconds", "How long it took; 0 = it goes on.", "total_ms", true},
    {"downtime_seconds", "How long the guest stood still.", "downtime_ms", true},
};

std::string escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\' || c == '"') escaped += '\\';
    escaped += c == '\n' ? ' ' : c;
  }
  return escaped;
}

std::string in_seconds(std::int64_t milliseconds) {
  std::string thousandths = std::to_string(milliseconds % 1000);
  thousandths.insert(0, 3 - thousandths.size(), '0');
  return std::to_string(milliseconds / 1000) + "." + thousandths;
}

std::string sample(std::string_view name, const json::object& migration,
                   const std::string& number) {
  const auto label = [&](std::string_view field) {
    return "\"" + escaped(migration.at(field).as_string()) + "\"";
  };
  return "failsim_migration_" + std::string(name) + "{vm=" + label("vm") +
         ",from=" + label("from") + ",to=" + label("to") + "} " + number + "\n";
}

std::string heading(std::string_view name, std::string_view help) {
  const std::string full = "failsim_migration_" + std::string(name);
  return "# HELP " + full + " " + std::string(help) + "\n# TYPE " + full + " gauge\n";
}

}  // namespace

std::string migration_metrics(const ClusterState& state,
                              const std::function<render::Live(const std::string& vm)>& live_of) {
  std::map<std::string, json::object> newest;
  for (const auto& [id, task] : state.tasks()) {
    if (!task->has_job()) continue;
    const std::string& vm = task->job().vm();
    const render::Live live = task->complete() ? std::nullopt : live_of(vm);
    newest[vm] = render::migration(state, *task, live);
  }
  std::string text;
  for (const Metric& metric : kMetrics) {
    text += heading(metric.name, metric.help);
    for (const auto& [vm, migration] : newest) {
      const auto number = migration.at(metric.field).to_number<std::int64_t>();
      text += sample(metric.name, migration,
                     metric.is_ms ? in_seconds(number) : std::to_string(number));
    }
  }
  text += heading("under_way", "1 while it goes on.");
  for (const auto& [vm, migration] : newest) {
    text += sample("under_way", migration, migration.at("is_complete").as_bool() ? "0" : "1");
  }
  text += heading("not_converging", "1 if the rest will not fit the downtime limit.");
  for (const auto& [vm, migration] : newest) {
    const bool converges = migration.at("not_converging").as_string().empty();
    text += sample("not_converging", migration, converges ? "0" : "1");
  }
  return text;
}

}  // namespace failsim::node
