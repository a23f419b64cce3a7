#include "tools/benchmark/mover.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cluster/random.h"
#include "tools/benchmark/process_pair.h"

namespace failsim::bench {
namespace {

constexpr std::size_t kCallBytes = std::size_t{1} << 20;
constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;
constexpr double kBytesPerGib = 1024.0 * 1024.0 * 1024.0;

// Memory filled with incompressible bytes: distinct, present, and not in the cache.
class WarmMemory {
 public:
  explicit WarmMemory(std::size_t bytes) : mapped_(bytes + kHugePageBytes) {
    mapping_ = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping_ == MAP_FAILED) return;
    const auto address = reinterpret_cast<std::uintptr_t>(mapping_);
    start_ = static_cast<std::byte*>(mapping_) +
             (kHugePageBytes - address % kHugePageBytes) % kHugePageBytes;
    madvise(start_, bytes, MADV_HUGEPAGE);
    Random random(bytes);
    auto* words = reinterpret_cast<std::uint64_t*>(start_);
    for (std::size_t i = 0; i < bytes / sizeof(std::uint64_t); ++i) words[i] = random.next();
  }
  ~WarmMemory() {
    if (valid()) munmap(mapping_, mapped_);
  }
  WarmMemory(const WarmMemory&) = delete;
  WarmMemory& operator=(const WarmMemory&) = delete;

  bool valid() const { return mapping_ != MAP_FAILED; }
  std::byte* start() const { return start_; }

 private:
  std::size_t mapped_;
  void* mapping_;
  std::byte* start_ = nullptr;
};

sockaddr_in address_of(const std::string& text, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  inet_pton(AF_INET, text.c_str(), &address.sin_addr);
  return address;
}

void tune(int socket_number) {
  const std::string_view control = "reno";  // the same as the data path of a migration
  setsockopt(socket_number, IPPROTO_TCP, TCP_CONGESTION, control.data(),
             static_cast<socklen_t>(control.size()));
  const int on = 1;
  setsockopt(socket_number, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// Writes or reads `bytes`, at most kCallBytes a call.
template <typename Call>
bool move_all(std::byte* memory, std::size_t bytes, Call call) {
  while (bytes > 0) {
    const ssize_t moved = call(memory, std::min(bytes, kCallBytes));
    if (moved <= 0) {
      if (moved < 0 && errno == EINTR) continue;
      return false;
    }
    memory += moved;
    bytes -= static_cast<std::size_t>(moved);
  }
  return true;
}

// One thread a stream, each with its part of the memory.
template <typename Call>
bool move_streams(const std::vector<int>& sockets, std::byte* memory, std::size_t bytes,
                  Call call) {
  std::vector<std::thread> threads;
  std::vector<char> good(sockets.size(), 0);
  const std::size_t part = bytes / sockets.size();
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    threads.emplace_back([&, i] {
      good[i] = move_all(memory + i * part, part, [&](std::byte* at, std::size_t most) {
        return call(sockets[i], at, most);
      });
    });
  }
  for (std::thread& thread : threads) thread.join();
  return std::all_of(good.begin(), good.end(), [](char one) { return one != 0; });
}

struct Received {
  double at = 0;
  double cpu_seconds = 0;
};

bool receive_side(const BulkOptions& options, PairLink& link) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  tune(listener);
  const sockaddr_in address = address_of(options.target_address, options.port);
  const bool listening =
      bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      listen(listener, SOMAXCONN) == 0;
  const WarmMemory memory(options.bytes);
  if (!link.send(listening) || !listening || !memory.valid()) return false;
  std::vector<int> sockets;
  for (unsigned i = 0; i < options.streams; ++i) {
    sockets.push_back(accept(listener, nullptr, nullptr));
    tune(sockets.back());
  }
  bool good = true;
  for (unsigned i = 0; good && i < options.repeats; ++i) {
    bool go = false;
    if (!link.receive(go)) return false;
    const double cpu_before = cpu_seconds();
    good = move_streams(
        sockets, memory.start(), options.bytes,
        [](int from, std::byte* to, std::size_t most) { return read(from, to, most); });
    good = link.send(Received{now_seconds(), cpu_seconds() - cpu_before}) && good;
  }
  for (const int one : sockets) close(one);
  close(listener);
  return good;
}

Result<BulkFigure> send_side(const BulkOptions& options, PairLink& link) {
  const Error failed{Code::kOperationAborted,
                     "the minimal mover could not move memory from " + options.source_address +
                         " to " + options.target_address + ":" + std::to_string(options.port),
                     "see that the port is free"};
  bool listening = false;
  const WarmMemory memory(options.bytes);
  if (!link.receive(listening) || !listening || !memory.valid()) return failed;
  std::vector<int> sockets;
  const sockaddr_in from = address_of(options.source_address, 0);
  const sockaddr_in to = address_of(options.target_address, options.port);
  for (unsigned i = 0; i < options.streams; ++i) {
    sockets.push_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    tune(sockets.back());
    if (bind(sockets.back(), reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0 ||
        connect(sockets.back(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
      return failed;
    }
  }
  std::vector<BulkFigure> figures;
  const double gib = static_cast<double>(options.bytes) / kBytesPerGib;
  bool good = true;
  for (unsigned i = 0; good && i < options.repeats; ++i) {
    const double cpu_before = cpu_seconds();
    const double started = now_seconds();
    good = link.send(true) && move_streams(sockets, memory.start(), options.bytes,
                                           [](int into, std::byte* at, std::size_t most) {
                                             return send(into, at, most, MSG_NOSIGNAL);
                                           });
    const double cpu = cpu_seconds() - cpu_before;
    Received received;
    good = good && link.receive(received);
    const double seconds = received.at - started;
    figures.push_back(
        {gib / seconds, cpu / gib, received.cpu_seconds / gib, seconds, 0, options.bytes});
  }
  for (const int one : sockets) close(one);
  if (!good) return failed;
  return median(std::move(figures));
}

}  // namespace

Result<BulkFigure> measure_mover(const BulkOptions& options) {
  return run_pair([&](PairLink& link) { return receive_side(options, link); },
                  [&](PairLink& link) { return send_side(options, link); });
}

}  // namespace failsim::bench
