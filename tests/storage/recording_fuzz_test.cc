// The fuzz target without a fuzzer: recordings with damage in them, and noise, with fixed seeds.
#include <vector>

#include <gtest/gtest.h>

#include "cluster/random.h"
#include "storage/record_format.h"
#include "tests/fuzz/target.h"
#include "tests/storage/recorded_run.h"

namespace failsim {
namespace {

void run(const std::string& bytes) {
  const std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
}

std::string recorded() {
  RecordedRun recorded;
  recorded.run(4);
  recorded.create_vm("web");
  recorded.run(2);
  recorded.begin_step(GuestReport{"web", {1, 1}, 1, pb::CONDITION_FAILED, 2, "\xff"});
  return recorded.bytes();
}

// The payloads of the recording, each behind its length: how the target makes records of noise.
std::string payloads_of(const std::string& recording) {
  std::string payloads;
  const std::size_t front = recording.find('\n') + 5;
  scan_records(std::string_view(recording).substr(front), [&](std::string_view payload) {
    if (payload.size() < 256) {
      payloads += static_cast<char>(payload.size());
      payloads += payload;
    }
    return true;
  });
  return payloads;
}

TEST(RecordingFuzz, HoldsForEveryTruncation) {
  const std::string whole = recorded();
  for (std::size_t size = 0; size <= whole.size(); ++size) run(whole.substr(0, size));
}

TEST(RecordingFuzz, HoldsForSeededDamage) {
  const std::string whole = recorded();
  const std::string payloads = payloads_of(whole);
  for (std::uint64_t seed = 1; seed <= 3'000; ++seed) {
    Random random(seed);
    std::string bytes = seed % 3 == 0 ? whole : payloads;
    for (std::uint64_t n = 1 + random.below(4); n > 0; --n) {
      bytes[random.below(bytes.size())] = static_cast<char>(random.next());
    }
    if (random.below(4) == 0) bytes.resize(random.below(bytes.size()) + 1);
    run(bytes);
  }
}

}  // namespace
}  // namespace failsim
