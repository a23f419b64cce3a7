#include "tools/benchmark/qemu_peer.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cluster/random.h"
#include "tools/benchmark/command.h"
#include "tools/benchmark/process_figures.h"
#include "tools/benchmark/process_pair.h"
#include "tools/failsim/json.h"

namespace failsim::bench {
namespace {

namespace json = boost::json;

constexpr double kBytesPerGib = 1024.0 * 1024.0 * 1024.0;
constexpr std::uint64_t kFastest = std::uint64_t{100} << 30;  // QEMU's limit is 128 MiB/s otherwise
constexpr std::uint32_t kSweepFrom = 16u << 20;
constexpr std::uint32_t kPassCounter = 0x8000;
constexpr auto kPatience = std::chrono::seconds(60);
constexpr auto kLookEvery = std::chrono::milliseconds(5);

Error failed(const std::string& what) {
  return {Code::kOperationAborted, "The measurement of QEMU's live migration failed: " + what + ".",
          "Run qemu-system-x86_64 by hand to see whether it works here."};
}

// Until it is so, or patience is over.
template <typename Test>
bool await(Test is_so) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!is_so()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(kLookEvery);
  }
  return true;
}

// A network with nothing but loopback, where the default congestion control is that of the other
// measurements; what is started while it exists lives in it.
class OwnNetwork {
 public:
  OwnNetwork() : former_(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) {
    if (former_ < 0 || ::unshare(CLONE_NEWNET) != 0) return;
    is_own_ = true;
    const int any = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    ::ioctl(any, SIOCSIFFLAGS, &request);
    ::close(any);
    std::ofstream("/proc/sys/net/ipv4/tcp_congestion_control") << "reno";
  }
  ~OwnNetwork() {
    if (is_own_) ::setns(former_, CLONE_NEWNET);
    if (former_ >= 0) ::close(former_);
  }
  OwnNetwork(const OwnNetwork&) = delete;
  OwnNetwork& operator=(const OwnNetwork&) = delete;

 private:
  int former_;
  bool is_own_ = false;
};

// QEMU's monitor: one command at a time.
class Monitor {
 public:
  ~Monitor() {
    if (socket_ >= 0) ::close(socket_);
  }
  bool connect(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const bool connected = await([&] {
      if (socket_ >= 0) ::close(socket_);
      socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      return ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    });
    const timeval patience{30, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return connected && !line().empty() && call("qmp_capabilities").has_value();
  }
  // What it returned; nothing if it refused, or has gone.
  std::optional<json::object> call(const std::string& command, json::object arguments = {}) {
    const std::string text =
        json::serialize(json::object{{"execute", command}, {"arguments", std::move(arguments)}}) +
        "\n";
    if (::send(socket_, text.data(), text.size(), MSG_NOSIGNAL) < 0) return std::nullopt;
    for (;;) {
      const std::string said = line();
      if (said.empty()) return std::nullopt;
      const json::object answer = cli::parse_object(said).value_or(json::object{});
      if (answer.contains("return")) return cli::object_in(answer, "return");
      if (answer.contains("error")) return std::nullopt;
    }  // an event
  }

 private:
  std::string line() {
    for (;;) {
      const std::size_t end = bytes_.find('\n');
      if (end != std::string::npos) {
        std::string text = bytes_.substr(0, end + 1);
        bytes_.erase(0, end + 1);
        return text;
      }
      std::array<char, 4096> piece;
      const ssize_t got = ::recv(socket_, piece.data(), piece.size(), 0);
      if (got <= 0) return "";
      bytes_.append(piece.data(), static_cast<std::size_t>(got));
    }
  }

  int socket_ = -1;
  std::string bytes_;
};

void put(std::uint32_t number, std::vector<std::uint8_t>& out) {
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<std::uint8_t>(number >> (8 * i)));
}

// A multiboot image: adds one to a word of each page of the working set, for ever, and counts the
// passes.
std::vector<std::uint8_t> sweeping_guest(std::uint64_t working_set_bytes) {
  constexpr std::uint32_t kMagic = 0x1badb002;
  constexpr std::uint32_t kFlags = 1u << 16;  // the addresses are here
  constexpr std::uint32_t kLoadAt = 0x100000;
  constexpr std::uint32_t kHeaderBytes = 32;
  const auto end = kSweepFrom + static_cast<std::uint32_t>(working_set_bytes);
  std::vector<std::uint8_t> image;
  for (const std::uint32_t word :
       {kMagic, kFlags, 0u - kMagic - kFlags, kLoadAt, kLoadAt, 0u, 0u, kLoadAt + kHeaderBytes}) {
    put(word, image);
  }
  image.push_back(0xb8);  // again: mov eax, kSweepFrom
  put(kSweepFrom, image);
  image.insert(image.end(), {0xff, 0x00, 0x05});  // next: inc [eax]; add eax, 4096
  put(4096, image);
  image.push_back(0x3d);  // cmp eax, end
  put(end, image);
  image.insert(image.end(), {0x72, 0xf2, 0xff, 0x05});  // jb next; inc [kPassCounter]
  put(kPassCounter, image);
  image.insert(image.end(), {0xeb, 0xe5});  // jmp again
  return image;
}

class Qemu {
 public:
  Qemu(std::string name, const BulkOptions& options, const std::string& directory)
      : name_(std::move(name)),
        options_(options),
        directory_(directory),
        ram_("/dev/shm/failsim-bench-" + std::to_string(::getpid()) + "-" + name_) {}
  ~Qemu() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      wait_for_command(pid_);
    }
    std::error_code ignored;  // there may be none
    std::filesystem::remove(ram_, ignored);
  }
  Qemu(const Qemu&) = delete;
  Qemu& operator=(const Qemu&) = delete;

  bool fill_ram() const {
    const int file = ::open(ram_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ::ftruncate(file, static_cast<off_t>(options_.bytes)) != 0) return false;
    void* at = ::mmap(nullptr, options_.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    if (at == MAP_FAILED) return false;
    Random random(options_.bytes);
    auto* words = static_cast<std::uint64_t*>(at);
    for (std::size_t i = 0; i < options_.bytes / sizeof *words; ++i) words[i] = random.next();
    ::munmap(at, options_.bytes);
    return true;
  }

  bool start(bool is_target) {
    const std::string size = std::to_string(options_.bytes);
    const bool is_zero = options_.content == Content::kZero;
    std::string memory =
        is_zero ? "memory-backend-ram,id=ram,size=" + size
                : "memory-backend-file,id=ram,size=" + size + ",mem-path=" + ram_ + ",share=on";
    if (is_target && !options_.is_cold && !is_zero) memory += ",prealloc=on";
    const std::string monitor = directory_ + "/" + name_ + ".qmp";
    std::vector<std::string> words = {"qemu-system-x86_64",
                                      "-machine",
                                      "pc,memory-backend=ram",
                                      "-accel",
                                      "tcg",
                                      "-nodefaults",
                                      "-display",
                                      "none",
                                      "-object",
                                      memory,
                                      "-m",
                                      std::to_string(options_.bytes >> 20),
                                      "-kernel",
                                      directory_ + "/guest",
                                      "-qmp",
                                      "unix:" + monitor + ",server=on,wait=off",
                                      "-S"};
    if (is_target) words.insert(words.end(), {"-incoming", "defer"});
    pid_ = start_command(words);
    if (!monitor_.connect(monitor)) return false;
    json::object parameters = {{"max-bandwidth", kFastest}, {"downtime-limit", 300}};
    if (options_.streams > 1) {
      parameters["multifd-channels"] = options_.streams;
      const json::object multifd = {{"capability", "multifd"}, {"state", true}};
      if (!monitor_.call("migrate-set-capabilities", {{"capabilities", json::array{multifd}}})) {
        return false;
      }
    }
    return monitor_.call("migrate-set-parameters", std::move(parameters)).has_value();
  }

  // The guest sweeps.
  bool run() {
    if (!monitor_.call("cont")) return false;
    // The firmware may write there before the guest does: only what rises steadily is a counter.
    std::uint32_t last = passes();
    int steps = 0;
    return await([&] {
      const std::uint32_t now = passes();
      if (now - last > 1'000'000) steps = 0;
      if (now != last) ++steps;
      last = now;
      return steps > 10;
    });
  }

  std::optional<json::object> call(const std::string& command, json::object arguments = {}) {
    return monitor_.call(command, std::move(arguments));
  }
  double cpu() const { return cpu_seconds(pid_); }

 private:
  std::uint32_t passes() const {
    std::uint32_t count = 0;
    const int file = ::open(ram_.c_str(), O_RDONLY | O_CLOEXEC);
    if (::pread(file, &count, sizeof count, kPassCounter) < 0) count = 0;
    ::close(file);
    return count;
  }

  const std::string name_;
  const BulkOptions options_;
  const std::string directory_;
  const std::string ram_;
  pid_t pid_ = -1;
  Monitor monitor_;
};

Result<BulkFigure> migrate(Qemu& source, Qemu& target, const BulkOptions& options) {
  const std::string uri = "tcp:" + options.target_address + ":" + std::to_string(options.port);
  if (!target.call("migrate-incoming", {{"uri", uri}})) return failed("the target does not listen");
  const double source_cpu = source.cpu();
  const double target_cpu = target.cpu();
  if (!source.call("migrate", {{"uri", uri}})) return failed("it refused to migrate");
  json::object state;
  const bool ended = await([&] {
    state = source.call("query-migrate").value_or(json::object{});
    const std::string status = cli::text_in(state, "status");
    // The times come a moment after the status.
    return status == "failed" || (status == "completed" && cli::number_in(state, "total-time") > 0);
  });
  if (!ended || cli::text_in(state, "status") != "completed") {
    return failed("it did not complete within a minute");
  }
  const double gib = static_cast<double>(options.bytes) / kBytesPerGib;
  BulkFigure figure;
  figure.seconds = static_cast<double>(cli::number_in(state, "total-time")) / 1000;
  figure.downtime_seconds = static_cast<double>(cli::number_in(state, "downtime")) / 1000;
  figure.gib_per_second = gib / figure.seconds;
  figure.source_cpu_seconds_per_gib = (source.cpu() - source_cpu) / gib;
  figure.target_cpu_seconds_per_gib = (target.cpu() - target_cpu) / gib;
  figure.bytes_sent = cli::number_in(cli::object_in(state, "ram"), "transferred");
  return figure;
}

Result<BulkFigure> measure_in(const std::string& directory, const BulkOptions& options) {
  const std::vector<std::uint8_t> guest = sweeping_guest(options.working_set_bytes);
  std::ofstream(directory + "/guest", std::ios::binary)
      .write(reinterpret_cast<const char*>(guest.data()),
             static_cast<std::streamsize>(guest.size()));
  Qemu source("source", options, directory);
  Qemu target("target", options, directory);
  if (options.content != Content::kZero && !source.fill_ram()) {
    return failed("its RAM cannot be made in /dev/shm");
  }
  const OwnNetwork network;
  if (!source.start(false) || !target.start(true)) return failed("it does not start");
  if (options.content == Content::kDirtying && !source.run()) {
    return failed("its guest does not run");
  }
  return migrate(source, target, options);
}

}  // namespace

std::optional<std::string> qemu_version() {
  const CommandResult said = run_command(
      {"sh", "-c", "command -v qemu-system-x86_64 >/dev/null && qemu-system-x86_64 --version"});
  constexpr std::string_view kBefore = "version ";
  const std::size_t at = said.output.find(kBefore);
  if (said.exit != 0 || at == std::string::npos) return std::nullopt;
  const std::size_t begin = at + kBefore.size();
  return "QEMU " + said.output.substr(begin, said.output.find_first_of(" \n", begin) - begin);
}

Result<BulkFigure> measure_qemu(const BulkOptions& options) {
  std::string directory = (std::filesystem::temp_directory_path() / "failsim-qemu-XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr) return failed("there is no place for its files");
  Result<BulkFigure> figure = measure_in(directory, options);
  std::filesystem::remove_all(directory);
  return figure;
}

}  // namespace failsim::bench
