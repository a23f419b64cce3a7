// up, down, ps, status and logs.
#include <chrono>
#include <iostream>
#include <thread>

#include <boost/json/serialize.hpp>
#include <unistd.h>

#include "cluster/units.h"
#include "tools/failsim/launcher.h"
#include "tools/failsim/nodes.h"
#include "tools/failsim/registry.h"
#include "tools/failsim/verb.h"
#include "tools/failsim/vm_table.h"

namespace failsim::cli {
namespace {

constexpr std::chrono::milliseconds kWatchPause{500};
constexpr std::uint64_t kSmallestRecordLimit = std::uint64_t{1} << 20;

std::string cluster_name(const Context& context, const Arguments& arguments) {
  if (arguments.given("--name")) return arguments.text("--name");
  return context.options().cluster.empty() ? "failsim" : context.options().cluster;
}

std::optional<std::uint64_t> record_limit(const Arguments& arguments) {
  const bool limited = arguments.given("--record-limit");
  if (arguments.flag("--no-record")) {
    if (!arguments.flag("--record") && !limited) return 0;
    fail_usage("--no-record contradicts --record and --record-limit.", "Give one of them.");
  }
  if (!arguments.flag("--record") && !limited) return std::nullopt;
  const std::uint64_t limit = arguments.size("--record-limit");
  if (limit >= kSmallestRecordLimit) return limit;
  fail_usage("--record-limit: a recording needs at least " + show_size(kSmallestRecordLimit) + ".",
             "Write it like --record-limit 256MiB.");
}

LaunchOptions launch_options(const Context& context, const Arguments& arguments) {
  const std::string name = cluster_name(context, arguments);
  check_name("cluster", name);
  const fs::path directory = context.options().directory.empty()
                                 ? default_directory(name)
                                 : fs::path(context.options().directory);
  LaunchOptions options{ClusterDirectory(fs::absolute(directory).lexically_normal()), {}};
  options.birth.name = name;
  options.birth.nodes = static_cast<std::uint32_t>(arguments.count("--nodes", 1, kMaximumNodes));
  options.birth.node_memory_bytes = arguments.size("--node-memory");
  if (options.birth.node_memory_bytes < (std::uint64_t{1} << 20)) {
    fail_usage("--node-memory: a node needs at least 1 MiB.", "Write it like --node-memory 4GiB.");
  }
  options.birth.properties = arguments.all("--set");
  options.name_given = arguments.given("--name");
  options.nodes_given = arguments.given("--nodes");
  options.node_memory_given = arguments.given("--node-memory");
  options.record_limit_bytes = record_limit(arguments);
  options.faults = arguments.flag("--faults");
  options.netns = arguments.flag("--netns");
  return options;
}

void show_ready(Context& context, const json::object& endpoints) {
  if (context.json()) return context.output().data(endpoints);
  const json::array& nodes = array_in(endpoints, "nodes");
  context.output().table_of(nodes, {"name", "address", "api_port", "pid"});
  const bool only = Registry(state_directory()).running().size() == 1;
  const std::string failsim =
      only ? "  failsim " : "  failsim --dir " + text_in(endpoints, "directory") + " ";
  context.output().message(
      "Cluster " + text_in(endpoints, "cluster") + " is ready in " +
      text_in(endpoints, "directory") + ". Next:\n" + failsim + "vm create web --start\n" +
      (nodes.size() > 1 ? failsim + "migrate web --to node-2\n" : "") + failsim + "status --watch");
}

int up(Context& context, const Arguments& arguments) {
  const LaunchOptions options = launch_options(context, arguments);
  const auto ready = [&](const json::object& endpoints) { show_ready(context, endpoints); };
  if (!arguments.flag("--detach")) return launch_in_foreground(options, !context.json(), ready);
  ready(launch_in_background(options, Life::kUntilDown));
  return 0;
}

int down(Context& context, const Arguments&) {
  const ClusterDirectory directory = context.directory();
  const ClusterDescription description = context.description();
  const bool ran = take_down(directory);
  context.output().message(ran ? "Cluster " + description.name + " is down; " +
                                     directory.path().string() + " keeps its state."
                               : "Cluster " + description.name + " was not running.");
  if (context.json()) {
    context.output().data(json::object{{"cluster", description.name},
                                       {"directory", directory.path().string()},
                                       {"was_running", ran}});
  }
  return 0;
}

int ps(Context& context, const Arguments&) {
  json::array rows;
  for (const RunningCluster& cluster : Registry(state_directory()).running()) {
    const bool ready = fs::exists(ClusterDirectory(cluster.directory).endpoints_file());
    rows.push_back(json::object{{"name", cluster.name},
                                {"nodes", cluster.nodes},
                                {"pid", cluster.supervisor.pid},
                                {"ready", ready},
                                {"directory", cluster.directory.string()}});
  }
  if (context.json()) {
    context.output().data(rows);
  } else if (rows.empty()) {
    context.output().message("No cluster is running. Start one with: failsim up --detach");
  } else {
    context.output().table_of(rows, {"name", "nodes", "pid", "ready", "directory"});
  }
  return 0;
}

json::object read_status(Context& context) {
  json::value answer = context.client().get("/v1/status");
  json::object status = answer.is_object() ? std::move(answer.get_object()) : json::object{};
  add_process_ids(context.directory(), status["nodes"]);
  // Only a leader vouches for them; whoever asks for the status may want to know why there is none.
  status["vms"] = nullptr;
  if (!flag_in(status, "quorum") || is_null_in(status, "leader")) return status;
  try {
    status["vms"] = context.client().get("/v1/vms");
  } catch (const Failure& failure) {  // it was lost this moment
    const Code code = failure.error.code;
    if (code != Code::kNotReady && code != Code::kNoQuorum) throw;
  }
  return status;
}

std::string status_text(const json::object& status) {
  std::string text = "cluster " + plain_in(status, "cluster") + ", quorum " +
                     plain_in(status, "quorum") + ", leader " + plain_in(status, "leader") + "\n";
  std::vector<std::vector<std::string>> rows;
  for (const json::value& node : array_in(status, "nodes")) {
    const json::object& row = node.as_object();
    rows.push_back({plain_in(row, "name"), plain_in(row, "state"), plain_in(row, "pid"),
                    plain_in(row, "address")});
  }
  text += format_table({"NODE", "STATE", "PID", "ADDRESS"}, rows);
  if (is_null_in(status, "vms")) return text + "\nWithout a leader nobody vouches for the VMs.\n";
  const json::array& vms = array_in(status, "vms");
  return vms.empty() ? text : text + "\n" + vm_table(vms);
}

// One line: what a log wants.
std::string status_line(const json::object& status) {
  std::string line =
      "quorum " + plain_in(status, "quorum") + ", leader " + plain_in(status, "leader");
  for (const json::value& node : array_in(status, "nodes")) {
    line += ", " + plain_in(node.as_object(), "name") + " " + plain_in(node.as_object(), "state");
  }
  for (const json::value& vm : array_in(status, "vms")) line += ", " + vm_phrase(vm.as_object());
  return line;
}

// The status, or the reason why there is none.
json::object status_or_error(Context& context) {
  try {
    return read_status(context);
  } catch (const Failure& failure) {
    return {{"error", to_json(failure.error)}};
  }
}

[[noreturn]] void watch_status(Context& context) {
  const bool terminal = !context.json() && ::isatty(STDOUT_FILENO) == 1;
  context.client();  // a cluster that does not exist is an error, one that is away is a state
  std::string shown;
  while (true) {
    const json::object status = status_or_error(context);
    const bool error = status.contains("error");
    std::string text;
    if (context.json()) {
      text = json::serialize(status);
    } else if (error) {
      text = text_in(object_in(status, "error"), "message");
    } else {
      text = terminal ? status_text(status) : status_line(status);
    }
    if (text != shown) {
      std::cout << (terminal ? "\x1b[H\x1b[2J" : "") << text << (terminal ? "" : "\n")
                << std::flush;
    }
    shown = text;
    std::this_thread::sleep_for(kWatchPause);
  }
}

int status(Context& context, const Arguments& arguments) {
  if (arguments.flag("--watch")) watch_status(context);
  const json::object found = read_status(context);
  if (context.json()) {
    context.output().data(found);
  } else {
    std::cout << status_text(found) << std::flush;
  }
  return 0;
}

void print_log(Context& context, const std::string& node, const std::string& text, bool prefix) {
  std::size_t start = 0;
  while (start < text.size()) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    const std::string line = text.substr(start, end - start);
    if (context.json()) {
      context.output().data(json::object{{"node", node}, {"line", line}});
    } else {
      std::cout << (prefix ? node + " | " : "") << line << "\n";
    }
    start = end + 1;
  }
  std::cout << std::flush;
}

int logs(Context& context, const Arguments& arguments) {
  const ClusterDirectory directory = context.directory();
  const ClusterDescription description = context.description();
  const bool all = !arguments.given("NODE");
  const std::uint32_t only = all ? 0 : node_number(description, arguments.text("NODE"));
  for (std::uint32_t node = 1; node <= description.nodes; ++node) {
    if (!all && node != only) continue;
    print_log(context, "node-" + std::to_string(node),
              read_file(directory.node_log(node)).value_or(""), all);
  }
  return 0;
}

}  // namespace

std::vector<Verb> cluster_verbs() {
  return {
      {"up",
       "Start a cluster, and create it if there is none",
       {option("-n,--nodes", "COUNT", "How many nodes a new cluster has", "3"),
        option("--name", "NAME", "The name of the cluster (default: failsim)"),
        flag("--detach", "Return when every node is Up and there is a leader"),
        repeated_option("--set", "NAME=VALUE", "A property of a new cluster; may be repeated"),
        option("--node-memory", "SIZE", "What the VMs of a node of a new cluster may use", "4GiB"),
        flag("--faults", "Let faults be injected into it (see: failsim fault --help)"),
        flag("--netns",
             "Give each process a network namespace; faults of the network hit packets (root)"),
        flag("--record", "Record every event of every node from now on, for `failsim replay`"),
        option("--record-limit", "SIZE", "As --record; a node's recording stops at this size",
               "256MiB"),
        flag("--no-record", "Record no longer what was recorded so far")},
       "  failsim up --detach\n"
       "  failsim up -n 5 --name lab --detach\n"
       "  failsim up --dir ./c1 --set SameSubnetDelay=250 --set SameSubnetThreshold=3\n"
       "  failsim up --faults --detach\n"
       "  failsim up --faults --netns --detach\n"
       "  failsim up --record --detach\n",
       up},
      {"down",
       "Stop every process of a cluster; its directory is kept",
       {},
       "  failsim down\n  failsim down --cluster lab\n",
       down},
      {"ps", "List the clusters that run", {}, "  failsim ps\n", ps},
      {"status",
       "Show quorum, leader, nodes and VMs",
       {flag("--watch", "Go on, and show every change")},
       "  failsim status\n  failsim status --watch\n  failsim status --output json\n",
       status},
      {"logs",
       "Print the logs of the nodes",
       {optional_positional("NODE", "Only this node")},
       "  failsim logs\n  failsim logs node-2\n",
       logs},
  };
}

}  // namespace failsim::cli
