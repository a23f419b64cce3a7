#include "tools/benchmark/zero_scan.h"

#include <algorithm>
#include <thread>

#include <sys/socket.h>

#include "node/hypervisor/round_sender.h"
#include "tools/benchmark/process_pair.h"

namespace failsim::bench {
namespace {

using namespace node;

constexpr int kRuns = 5;
constexpr double kBytesPerGib = 1024.0 * 1024.0 * 1024.0;

// Reads every word. Four sums, so that the memory is what it waits for.
std::uint64_t walk(const GuestMemory& memory) {
  const auto* words = reinterpret_cast<const std::uint64_t*>(memory.page(0));
  const std::uint64_t count = memory.pages() * kPageBytes / sizeof(std::uint64_t);
  std::uint64_t sums[4] = {};
  for (std::uint64_t i = 0; i < count; i += 4) {
    for (std::uint64_t lane = 0; lane < 4; ++lane) sums[lane] |= words[i + lane];
  }
  return sums[0] | sums[1] | sums[2] | sums[3];
}

}  // namespace

Result<ZeroScan> measure_zero_scan(std::uint64_t bytes) {
  const Error failed{Code::kNoSystemResources, "the memory to be scanned could not be had",
                     "free some memory"};
  MemoryBudget budget(bytes);
  const std::atomic<bool> never = false;
  int ends[2];
  if (budget.reserve(bytes) != MemoryBudget::Answer::kGranted) return failed;
  GuestMemory memory(budget, bytes);
  if (!memory.map() || !memory.prefault(never) ||
      socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
    return failed;
  }
  Signal out_signal;
  Signal in_signal;
  Channel in{Fd(ends[1]), in_signal};
  std::thread reader([&in] {
    std::vector<std::byte> bin(std::size_t{64} << 10);
    while (in.receive(bin.data(), bin.size(), 600 * kSecond) == Io::kDone) {
    }
  });
  ZeroScan scan;
  const double gib = static_cast<double>(bytes) / kBytesPerGib;
  {
    Channel out{Fd(ends[0]), out_signal};
    SharedLink link(0);
    PageSender sender(out, link);
    RoundSender rounds(sender, link, memory, {});
    std::uint64_t seen = 0;
    for (int run = 0; run < kRuns; ++run) {
      const double began = now_seconds();
      seen |= walk(memory);
      const double walked = now_seconds();
      memory.dirty().set_all();
      const std::uint64_t sent = link.bytes_sent.load();
      const double scanning = now_seconds();
      if (rounds.send_round({}) != Io::kDone || seen != 0) break;
      const double done = now_seconds();
      scan.walk_gib_per_second = std::max(scan.walk_gib_per_second, gib / (walked - began));
      scan.scan_gib_per_second = std::max(scan.scan_gib_per_second, gib / (done - scanning));
      scan.bytes_on_the_wire =
          static_cast<double>(link.bytes_sent.load() - sent) / static_cast<double>(bytes);
    }
  }
  reader.join();
  if (scan.scan_gib_per_second == 0) return failed;
  return scan;
}

}  // namespace failsim::bench
