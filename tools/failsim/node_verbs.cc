// node list, show, kill, start and stop.
#include <csignal>

#include "cluster/units.h"
#include "tools/failsim/nodes.h"
#include "tools/failsim/verb.h"

namespace failsim::cli {
namespace {

// Without any answer the processes still tell something: a dead one is Down.
json::array nodes_from_directory(const ClusterDirectory& directory,
                                 const ClusterDescription& description) {
  json::array nodes;
  for (std::uint32_t id = 1; id <= description.nodes; ++id) {
    const std::string name = "node-" + std::to_string(id);
    const bool alive = process_of_node(directory, name).has_value();
    nodes.push_back(
        json::object{{"name", name},
                     {"id", id},
                     {"state", alive ? enumeration(3, "Joining") : enumeration(1, "Down")},
                     {"address", description.node_address(id)}});
  }
  return nodes;
}

// The fullest list that can be had: of the whole cluster, of one node without quorum, of the files.
json::array list_of_nodes(Context& context) {
  json::value nodes;
  for (const char* target : {"/v1/nodes", "/v1/status"}) {
    try {
      nodes = context.client().get(target);
      if (nodes.is_object()) nodes = array_in(nodes.get_object(), "nodes");
      break;
    } catch (const Failure& failure) {
      const bool absent =
          failure.error.code == Code::kConnectionRefused || failure.error.code == Code::kNoQuorum ||
          failure.error.code == Code::kNotReady || failure.error.code == Code::kTimeout;
      if (!absent) throw;
    }
  }
  if (!nodes.is_array()) nodes = nodes_from_directory(context.directory(), context.description());
  add_process_ids(context.directory(), nodes);
  return nodes.get_array();
}

int list(Context& context, const Arguments&) {
  const json::array nodes = list_of_nodes(context);
  if (context.json()) {
    context.output().data(nodes);
  } else {
    context.output().table_of(nodes, {"name", "state", "pid", "address", "vms"});
  }
  return 0;
}

int show(Context& context, const Arguments& arguments) {
  const std::string name = arguments.text("NODE");
  node_number(context.description(), name);
  for (const json::value& node : list_of_nodes(context)) {
    if (text_in(node.as_object(), "name") != name) continue;
    if (context.json()) {
      context.output().data(node);
    } else {
      context.output().fields(node.as_object());
    }
    return 0;
  }
  fail(Code::kNodeNotFound, "The cluster does not list " + name + ".", "See: failsim node list");
}

void report(Context& context, const std::string& name, pid_t pid, const std::string& what) {
  context.output().message(name + " (process " + std::to_string(pid) + ") " + what + ".");
  if (context.json()) context.output().data(json::object{{"node", name}, {"pid", pid}});
}

int end(Context& context, const Arguments& arguments, int signal, const std::string& what) {
  const std::string name = arguments.text("NODE");
  node_number(context.description(), name);
  report(context, name, end_node(context.directory(), name, signal), what);
  return 0;
}

int kill(Context& context, const Arguments& arguments) {
  return end(context, arguments, SIGKILL, "was killed");
}

int stop(Context& context, const Arguments& arguments) {
  return end(context, arguments, SIGTERM, "has stopped");
}

int start(Context& context, const Arguments& arguments) {
  const std::string name = arguments.text("NODE");
  const ClusterDescription description = context.description();
  const pid_t pid = start_node(context.directory(), description, node_number(description, name),
                               context.options().time_limit);
  report(context, name, pid, "answers");
  return 0;
}

}  // namespace

std::vector<Verb> node_verbs() {
  const Argument node = positional("NODE", "The name of a node, for example node-2");
  return {
      {"node", "Nodes: list, show, kill, start, stop", {}, "  failsim node list\n", nullptr},
      {"node list", "List the nodes", {}, "  failsim node list --output json\n", list},
      {"node show", "Show one node", {node}, "  failsim node show node-1\n", show},
      {"node kill",
       "Kill a node's process (SIGKILL) and wait until it is gone",
       {node},
       "  failsim node kill node-2\n",
       kill},
      {"node start",
       "Start a node's process again and wait until it answers",
       {node},
       "  failsim node start node-2\n",
       start},
      {"node stop",
       "Ask a node to leave (SIGTERM) and wait until it is gone",
       {node},
       "  failsim node stop node-2\n",
       stop},
  };
}

}  // namespace failsim::cli
