#include "tools/failsim/directory.h"

#include <boost/json/serialize.hpp>

#include "tools/failsim/errors.h"

namespace failsim::cli {
namespace {

json::value pid_or_null(const RunningProcesses& processes, const std::string& name) {
  const RunningChild* child = processes.find(name);
  if (child == nullptr || !is_alive(child->process)) return nullptr;
  return child->process.pid;
}

std::string node_name(std::uint32_t node) {
  return "node-" + std::to_string(node);
}

}  // namespace

std::string ClusterDescription::node_address(std::uint32_t node) const {
  return subnet + "." + std::to_string(node);
}

std::optional<std::uint32_t> ClusterDescription::node_named(const std::string& wanted) const {
  for (std::uint32_t node = 1; node <= nodes; ++node) {
    if (node_name(node) == wanted) return node;
  }
  return std::nullopt;
}

const RunningChild* RunningProcesses::find(const std::string& name) const {
  for (const RunningChild& child : children) {
    if (child.name == name) return &child;
  }
  return nullptr;
}

std::optional<ClusterDescription> ClusterDirectory::description() const {
  const std::optional<std::string> text = read_file(cluster_file());
  if (!text) return std::nullopt;
  const std::optional<json::object> object = parse_object(*text);
  const ClusterDescription found =
      object ? ClusterDescription{text_in(*object, "name"), text_in(*object, "subnet"),
                                  static_cast<std::uint32_t>(number_in(*object, "nodes")),
                                  number_in(*object, "node_memory_bytes"),
                                  number_in(*object, "record_limit_bytes")}
             : ClusterDescription{};
  if (found.name.empty() || found.subnet.empty() || found.nodes == 0 ||
      found.nodes > kMaximumNodes) {
    fail(Code::kInvalidData, cluster_file().string() + " does not describe a cluster.",
         "Restore the file, or create a cluster in another directory.");
  }
  return found;
}

void ClusterDirectory::write_description(const ClusterDescription& description) const {
  const json::object object = {{"format", 1},
                               {"name", description.name},
                               {"subnet", description.subnet},
                               {"nodes", description.nodes},
                               {"node_memory_bytes", description.node_memory_bytes},
                               {"record_limit_bytes", description.record_limit_bytes}};
  replace_file(cluster_file(), json::serialize(object) + "\n");
}

std::optional<RunningProcesses> ClusterDirectory::processes() const {
  const std::optional<std::string> text = read_file(processes_file());
  const std::optional<json::object> object = text ? parse_object(*text) : std::nullopt;
  if (!object) return std::nullopt;
  RunningProcesses running;
  running.supervisor = mark_from_json(object_in(*object, "supervisor"));
  for (const json::value& child : array_in(*object, "children")) {
    if (!child.is_object()) continue;
    const json::object& row = child.get_object();
    running.children.push_back({text_in(row, "name"), mark_from_json(object_in(row, "process")),
                                static_cast<std::uint32_t>(number_in(row, "instance"))});
  }
  return running;
}

void ClusterDirectory::write_processes(const RunningProcesses& processes) const {
  json::array children;
  for (const RunningChild& child : processes.children) {
    children.push_back(json::object{
        {"name", child.name}, {"process", to_json(child.process)}, {"instance", child.instance}});
  }
  const json::object object = {{"supervisor", to_json(processes.supervisor)},
                               {"children", std::move(children)}};
  replace_file(processes_file(), json::serialize(object) + "\n");
}

std::optional<RunningProcesses> ClusterDirectory::supervised() const {
  std::optional<RunningProcesses> running = processes();
  if (running && !is_alive(running->supervisor)) return std::nullopt;
  return running;
}

std::string ClusterDirectory::token() const {
  std::optional<std::string> text = read_file(token_file());
  if (!text) {
    fail(Code::kAccessDenied, "The token of the cluster is missing: " + token_file().string() + ".",
         "Restore the file, or create a cluster in another directory.");
  }
  while (!text->empty() && text->back() == '\n') text->pop_back();
  return *text;
}

json::object endpoints_of(const ClusterDirectory& directory, const ClusterDescription& description,
                          const RunningProcesses& processes) {
  json::array nodes;
  for (std::uint32_t node = 1; node <= description.nodes; ++node) {
    nodes.push_back(json::object{{"name", node_name(node)},
                                 {"address", description.node_address(node)},
                                 {"api_port", kApiPort},
                                 {"pid", pid_or_null(processes, node_name(node))}});
  }
  return {{"cluster", description.name},
          {"directory", directory.path().string()},
          {"token_file", directory.token_file().string()},
          {"volume", json::object{{"address", description.volume_address()},
                                  {"port", kVolumePort},
                                  {"pid", pid_or_null(processes, "volume")}}},
          {"nodes", std::move(nodes)}};
}

}  // namespace failsim::cli
