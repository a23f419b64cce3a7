#include "node/volume/volume_main.h"

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>
#include <unistd.h>

#include "node/volume/volume_server.h"
#include "storage/observations.h"
#include "storage/volume.h"
#include "storage/volume_files.h"

namespace failsim::node {
namespace {

constexpr int kExitRefused = 1;
constexpr int kExitUsage = 64;
constexpr int kExitDiskFailed = 74;

struct Endpoint {
  std::string address;
  std::uint16_t port = 0;
};

std::optional<Endpoint> parse_endpoint(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  Endpoint endpoint{text.substr(0, colon), 0};
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, endpoint.port);
  if (error != std::errc() || rest != end) return std::nullopt;
  return endpoint;
}

int refuse(const Error& error, int exit_code = kExitRefused) {
  std::fprintf(stderr, "failsim-node: %s %s\n", error.message.c_str(), error.next.c_str());
  return exit_code;
}

int check(const std::string& directory) {
  const auto journals = VolumeFiles::read_journals(directory);
  if (!journals) return refuse(journals.error());
  std::size_t records = 0;
  int exit_code = 0;
  for (const auto& [vm, journal] : journals.value()) {
    records += journal.size();
    if (const auto wrong = check_journal(journal)) {
      std::printf("VM '%s': %s\n", vm.c_str(), wrong->c_str());
      exit_code = kExitRefused;
    }
  }
  std::printf("%zu journals with %zu records: %s\n", journals.value().size(), records,
              exit_code == 0 ? "in order" : "not in order");
  return exit_code;
}

// A file of its own for each start: named by the time, because nothing here counts the starts.
Result<std::unique_ptr<ObservationLog>> observation_log(const std::string& directory,
                                                        std::uint64_t limit_bytes) {
  if (limit_bytes == 0) return std::unique_ptr<ObservationLog>();
  const auto number = static_cast<std::uint64_t>(observation_clock());
  return ObservationLog::create(directory + "/" + observations_name(number), limit_bytes, kNoNode,
                                0);
}

int serve(const std::string& directory, const Endpoint& endpoint,
          std::uint64_t record_limit_bytes) {
  auto disk = VolumeFiles::open(directory);
  if (!disk) return refuse(disk.error());
  auto opened = Volume::open(*disk.value());
  if (!opened) return refuse(opened.error());
  const std::unique_ptr<Volume> volume = opened.take();
  const auto observations = observation_log(directory, record_limit_bytes);
  if (!observations) return refuse(observations.error());
  auto server =
      VolumeServer::open(*volume, endpoint.address, endpoint.port, observations.value().get());
  if (!server) return refuse(server.error());

  server.value()->stop_on_signals();
  std::printf("volume ready on %s:%u, pid %ld, %zu VMs\n", endpoint.address.c_str(),
              unsigned{server.value()->port()}, static_cast<long>(::getpid()), volume->vm_count());
  std::fflush(stdout);
  if (const auto error = server.value()->run()) return refuse(*error, kExitDiskFailed);
  return 0;
}

}  // namespace

int volume_main(int argc, char** argv) {
  CLI::App app{"The cluster shared volume: the only writer of the VMs' files.",
               "failsim-node volume"};
  std::string directory;
  std::string listen;
  bool only_check = false;
  std::uint64_t record_limit_bytes = 0;
  app.add_option("--dir", directory, "Directory of the volume; created if it is missing")
      ->required();
  CLI::Option* const listen_option = app.add_option("--listen", listen, "ADDRESS:PORT to serve on");
  app.add_option("--record-limit", record_limit_bytes,
                 "Write down what is written, up to so many bytes; 0 = do not [0]");
  app.add_flag("--check", only_check, "Only check the journals")->excludes(listen_option);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  if (only_check) return check(directory);
  const std::optional<Endpoint> endpoint = parse_endpoint(listen);
  if (!endpoint) {
    return refuse({Code::kInvalidParameter, "'" + listen + "' is not ADDRESS:PORT.",
                   "Give for example --listen 127.0.0.1:3260."},
                  kExitUsage);
  }
  return serve(directory, *endpoint, record_limit_bytes);
}

}  // namespace failsim::node
