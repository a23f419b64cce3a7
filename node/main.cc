// failsim-node: one node of a cluster, the formatting of its store, and the shared volume.
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <rocksdb/env.h>
#include <signal.h>

#include "node/api/arguments.h"
#include "node/faults/faulty_disk.h"
#include "node/faults/switchboard.h"
#include "node/hypervisor/hypervisor.h"
#include "node/runtime/log.h"
#include "node/runtime/node_files.h"
#include "node/runtime/recorder.h"
#include "node/runtime/runtime.h"
#include "node/volume/volume_main.h"
#include "storage/directory_lock.h"
#include "storage/failpoint_board.h"
#include "storage/recording.h"
#include "storage/rocks_store.h"

namespace failsim::node {
namespace {

constexpr int kExitUsage = 64;

struct FormatOptions {
  std::string directory;
  NodeId node = kNoNode;
  std::string bootstrap_file;
};

struct DumpOptions {
  std::string directory;
  std::string file;
};

struct RunOptions {
  std::string directory;
  std::string token_file;
  std::string volume;
  std::optional<std::uint32_t> instance;
  bool record = false;
  std::uint64_t record_limit_bytes = kDefaultRecordLimitBytes;
  bool faults = false;
  int api_socket = -1;
};

int refuse(const Error& error) {
  const std::string next = error.next.empty() ? "" : " " + error.next;
  std::fprintf(stderr, "failsim-node: %s%s\n", error.message.c_str(), next.c_str());
  return kExitRefused;
}

std::string store_path(const std::string& directory) {
  return directory + "/db";
}

const pb::Bootstrap::Node* find_node(const pb::Bootstrap& bootstrap, NodeId id) {
  for (const auto& node : bootstrap.nodes()) {
    if (node.id() == id) return &node;
  }
  return nullptr;
}

int format(const FormatOptions& options) {
  auto bootstrap = read_bootstrap(options.bootstrap_file);
  if (!bootstrap) return refuse(bootstrap.error());
  const pb::Bootstrap::Node* const own = find_node(bootstrap.value(), options.node);
  if (own == nullptr) {
    return refuse({Code::kNodeNotFound,
                   "The bootstrap file " + options.bootstrap_file + " has no node " +
                       std::to_string(options.node) + ".",
                   "Give the number of a node it has."});
  }
  std::error_code failure;
  std::filesystem::create_directories(options.directory, failure);
  if (failure) {
    return refuse({Code::kWriteFault,
                   "The node directory " + options.directory +
                       " cannot be created: " + failure.message() + ".",
                   "Choose another one."});
  }
  auto lock = DirectoryLock::acquire(options.directory, "a node");
  if (!lock) return refuse(lock.error());
  StoreIdentity identity;
  identity.node = options.node;
  identity.store_id = own->store_id();
  identity.bootstrap = bootstrap.value();
  if (auto error = RocksStore::format(store_path(options.directory), identity)) {
    return refuse(*error);
  }
  return kExitDone;
}

// Changes nothing, and may be done while the node runs.
int dump(const DumpOptions& options) {
  const auto content = RocksStore::look(store_path(options.directory));
  if (!content) return refuse(content.error());
  const StoreIdentity& identity = content.value().identity;
  MemberConfig config;
  config.self = identity.node;
  config.store_id = identity.store_id;
  config.bootstrap = identity.bootstrap;
  const auto error = write_file_atomically(
      options.file, encode_recording_start(config, content.value().recovered, 0));
  return error ? refuse(*error) : kExitDone;
}

// Where the node's directory lies among the others.
std::string cluster_directory(const std::string& directory) {
  const auto path = std::filesystem::absolute(directory).lexically_normal();
  const auto place = path.filename().empty() ? path.parent_path() : path;
  return place.parent_path().string();
}

std::optional<Error> misplaced(const std::string& directory, const std::string& why) {
  return Error{Code::kInvalidData,
               "The store in " + directory + " does not belong here: " + why + ".",
               "Put each node's directory back to its own place, or format a new store."};
}

// A directory that was copied or moved must not vote or run guests under a name that is not its
// own.
std::optional<Error> wrong_store(const std::string& directory, const StoreIdentity& identity) {
  const pb::Bootstrap::Node* const own = find_node(identity.bootstrap, identity.node);
  if (own == nullptr || own->store_id() != identity.store_id) {
    return misplaced(directory, "it is not the store its cluster was formed with for " +
                                    node_name(identity.node));
  }
  const auto path = std::filesystem::absolute(directory).lexically_normal();
  const auto place = path.filename().empty() ? path.parent_path() : path;
  const std::string place_name = place.filename().string();
  if (place_name.rfind("node-", 0) == 0 && place_name != node_name(identity.node)) {
    return misplaced(directory, "it is the one of " + node_name(identity.node));
  }
  const std::string bootstrap_file = (place.parent_path() / "bootstrap.json").string();
  if (!std::filesystem::exists(bootstrap_file)) return std::nullopt;
  const auto bootstrap = read_bootstrap(bootstrap_file);
  if (!bootstrap) return bootstrap.error();
  if (bootstrap.value().cluster_id() != identity.bootstrap.cluster_id()) {
    return misplaced(directory, "it is of the cluster '" + identity.bootstrap.cluster_name() +
                                    "', not of the one described in " + bootstrap_file);
  }
  return std::nullopt;
}

// "127.1.2.254:3260".
bool parse_endpoint(const std::string& text, std::string& address, std::uint16_t& port) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return false;
  const auto number = parse_number(text.substr(colon + 1), 65535);
  if (!number || *number == 0) return false;
  address = text.substr(0, colon);
  port = static_cast<std::uint16_t>(*number);
  return true;
}

int run(const RunOptions& options) {
  defer_leaving();
  RuntimeConfig config;
  config.directory = options.directory;
  if (!parse_endpoint(options.volume, config.volume_address, config.volume_port)) {
    return refuse({Code::kInvalidParameter,
                   "The volume's endpoint '" + options.volume + "' is not ADDRESS:PORT.",
                   "Give for example --volume 127.1.1.254:3260."});
  }
  auto token = read_token(options.token_file);
  if (!token) return refuse(token.error());
  config.token = token.take();
  if (!std::filesystem::is_directory(options.directory)) {
    return refuse({Code::kNotFound, "There is no node directory " + options.directory + ".",
                   "Format a store there with 'failsim-node format', or check the path."});
  }
  auto lock = DirectoryLock::acquire(options.directory, "a node");
  if (!lock) return refuse(lock.error());
  std::optional<Switchboard> switchboard;
  std::unique_ptr<FailpointBoard> failpoints;
  std::unique_ptr<rocksdb::Env> disk;
  RocksStoreOptions store_options;
  if (options.faults) {
    switchboard.emplace(true_boottime_now, std::random_device()());
    disk = faulty_disk(*switchboard);
    store_options.env = disk.get();
    config.faults = &*switchboard;
    auto board = FailpointBoard::open(cluster_directory(options.directory));
    if (!board) return refuse(board.error());
    failpoints = board.take();
    config.failpoints = failpoints.get();
  }
  const std::uint32_t instance = options.instance ? *options.instance : std::random_device()();
  store_options.instance = instance;
  auto opened = RocksStore::open(store_path(options.directory), store_options);
  if (!opened) return refuse(opened.error());
  const std::unique_ptr<RocksStore> store = opened.take();
  if (auto error = wrong_store(options.directory, store->identity())) return refuse(*error);
  const auto recovered = store->recover();
  if (!recovered) return refuse(recovered.error());
  if (switchboard) {
    std::vector<NodeId> nodes;
    for (const auto& node : store->identity().bootstrap.nodes()) nodes.push_back(node.id());
    switchboard->set_place(store->identity().node, std::move(nodes));
  }
  config.incarnation = (store->identity().starts << 32) | instance;
  config.api_socket = options.api_socket;
  if (options.record) config.record_limit_bytes = options.record_limit_bytes;
  const auto exit_code = run_node(config, *store, recovered.value());
  return exit_code ? exit_code.value() : refuse(exit_code.error());
}

int main_of(int argc, char** argv) {
  CLI::App app{"One node of a failsim cluster, or its shared volume.", "failsim-node"};
  app.set_version_flag("--version", "failsim-node " FAILSIM_VERSION);
  app.require_subcommand(1);

  FormatOptions format_options;
  CLI::App* const format_verb = app.add_subcommand("format", "Format the store of a node, once");
  format_verb->add_option("--dir", format_options.directory, "Directory of the node")->required();
  format_verb->add_option("--node", format_options.node, "Number of the node")->required();
  format_verb
      ->add_option("--bootstrap", format_options.bootstrap_file, "The cluster's bootstrap.json")
      ->required();

  DumpOptions dump_options;
  CLI::App* const dump_verb = app.add_subcommand(
      "dump", "Write what the store of a node holds into a file, as the beginning of a recording");
  dump_verb->add_option("--dir", dump_options.directory, "Directory of the node")->required();
  dump_verb->add_option("--to", dump_options.file, "The file")->required();

  RunOptions run_options;
  CLI::App* const run_verb = app.add_subcommand("run", "Run a node in the foreground");
  run_verb->add_option("--dir", run_options.directory, "Directory of the node")->required();
  run_verb->add_option("--token-file", run_options.token_file, "File with the interface's token")
      ->required();
  run_verb->add_option("--volume", run_options.volume, "ADDRESS:PORT of the shared volume")
      ->required();
  run_verb->add_option("--instance", run_options.instance,
                       "Number of this start, by which its end is reported");
  run_verb->add_flag("--record", run_options.record,
                     "Record every event in the node's directory, for 'failsim replay'");
  run_verb
      ->add_option("--record-limit", run_options.record_limit_bytes,
                   "Bytes of a recording, at which it stops [268435456]")
      ->check(CLI::PositiveNumber);

  run_verb->add_flag("--faults", run_options.faults, "Let faults be injected into this process");
  run_verb
      ->add_option("--api-socket", run_options.api_socket,
                   "Descriptor of an inherited socket that listens for the HTTP interface")
      ->check(CLI::NonNegativeNumber);

  // Taken before; here only so that the help tells of it.
  app.add_subcommand("volume", "Run the shared volume in the foreground");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  if (*format_verb) return format(format_options);
  return *dump_verb ? dump(dump_options) : run(run_options);
}

}  // namespace
}  // namespace failsim::node

int main(int argc, char** argv) {
  // A peer that hangs up and a file that may not grow are errors of the call, not of the process.
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  try {
    if (argc > 1 && std::string(argv[1]) == "volume") {
      return failsim::node::volume_main(argc - 1, argv + 1);
    }
    return failsim::node::main_of(argc, argv);
  } catch (const std::exception& exception) {
    failsim::node::log(failsim::node::Level::kError,
                       std::string("The process cannot go on: ") + exception.what());
    return failsim::node::kExitRefused;
  }
}
