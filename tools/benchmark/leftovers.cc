#include "tools/benchmark/leftovers.h"

#include <chrono>
#include <fstream>
#include <optional>
#include <sstream>

#include "node/runtime/runtime.h"
#include "tools/failsim/errors.h"
#include "tools/failsim/json.h"
#include "tools/failsim/tasks.h"

namespace failsim::bench {

namespace json = boost::json;

namespace {

constexpr std::size_t kDescriptorsThatMove = 8;  // clients, and the files of the store
constexpr unsigned kListening = 0x0A;            // of /proc/net/tcp

std::size_t entries_in(const cli::fs::path& directory) {
  std::error_code error;
  std::size_t count = 0;
  for (cli::fs::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    ++count;
  }
  return count;
}

// The numbers of the sockets that the process has open.
std::set<std::string> sockets_of(const cli::fs::path& process) {
  std::set<std::string> sockets;
  std::error_code error;
  for (cli::fs::directory_iterator at(process / "fd", error), end; !error && at != end;
       at.increment(error)) {
    std::error_code gone;
    const std::string target = cli::fs::read_symlink(at->path(), gone).string();
    if (!target.starts_with("socket:[")) continue;
    sockets.insert(target.substr(8, target.size() - 9));
  }
  return sockets;
}

unsigned port_of(const std::string& address) {
  return static_cast<unsigned>(std::stoul(address.substr(address.find(':') + 1), nullptr, 16));
}

std::size_t data_connections(const cli::fs::path& process) {
  const std::set<std::string> sockets = sockets_of(process);
  std::ifstream file(process / "net" / "tcp");
  std::string line;
  std::getline(file, line);  // the names of the columns
  std::size_t count = 0;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string number, local, remote, state, skipped, inode;
    fields >> number >> local >> remote >> state;
    for (int i = 0; i < 5; ++i) fields >> skipped;
    fields >> inode;
    const bool is_data = port_of(local) == node::kDataPort || port_of(remote) == node::kDataPort;
    if (is_data && std::stoul(state, nullptr, 16) != kListening && sockets.contains(inode)) ++count;
  }
  return count;
}

// "000123.sst" and "000124.sst" are of one kind.
std::set<std::string> kinds_of_files(const cli::fs::path& directory) {
  std::set<std::string> kinds;
  std::error_code error;
  for (cli::fs::recursive_directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    std::string name = cli::fs::relative(at->path(), directory, error).string();
    std::erase_if(name, [](char letter) { return letter >= '0' && letter <= '9'; });
    kinds.insert(std::move(name));
  }
  return kinds;
}

// What a store and a recording make as they go on.
bool comes_with_time(const std::string& kind) {
  for (const char* end : {".sst", ".log", ".fsrec", ".fsobs", ".dbtmp"}) {
    if (kind.ends_with(end)) return true;
  }
  const std::string name = kind.substr(kind.rfind('/') + 1);
  return name.starts_with("LOG") || name.starts_with("MANIFEST") || name.starts_with("OPTIONS");
}

}  // namespace

Footprint footprint_of(const cli::ClusterDirectory& cluster, cli::Client& client,
                       const std::string& node) {
  const std::optional<cli::RunningProcesses> running = cluster.processes();
  const cli::RunningChild* child = running ? running->find(node) : nullptr;
  if (child == nullptr) cli::fail(Code::kNodeDown, node + " does not run.", "");
  const cli::fs::path process = cli::fs::path("/proc") / std::to_string(child->process.pid);
  const auto get = [&client](const std::string& target) {
    return cli::patient_poll(client, target, std::chrono::milliseconds(0));
  };
  Footprint found;
  const json::value vms = get("/v1/vms");
  for (const json::value& row : vms.as_array()) {
    const json::object& vm = row.as_object();
    if (cli::text_in(vm, "owner_node") != node) continue;
    found.memory_of_vms += cli::number_in(vm, "memory_bytes");
  }
  found.threads = entries_in(process / "task");
  found.descriptors = entries_in(process / "fd");
  found.data_connections = data_connections(process);
  found.files = kinds_of_files(cluster.path() / node);
  const json::value row = get("/v1/nodes/" + node);
  found.memory_in_use = cli::number_in(row.as_object(), "memory_in_use_bytes");
  return found;
}

std::string left_behind(const std::string& node, const Footprint& before, const Footprint& now) {
  const auto more = [&](const char* what, std::size_t then, std::size_t there) {
    return node + " has " + std::to_string(there) + " " + what + " and had " + std::to_string(then);
  };
  if (now.data_connections > 0) return more("connections of migrations", 0, now.data_connections);
  if (now.threads > before.threads) return more("threads", before.threads, now.threads);
  if (now.descriptors > before.descriptors + kDescriptorsThatMove) {
    return more("descriptors", before.descriptors, now.descriptors);
  }
  if (now.memory_in_use != now.memory_of_vms) {
    return node + " has " + std::to_string(now.memory_in_use) +
           " bytes of memory in use, and its VMs have " + std::to_string(now.memory_of_vms);
  }
  for (const std::string& kind : now.files) {
    if (before.files.contains(kind) || comes_with_time(kind)) continue;
    return node + " has a file \"" + kind + "\" (numbers left out) that was not there";
  }
  return "";
}

}  // namespace failsim::bench
