// A crash at any instant: whatever was synced is there, and what is there is a prefix.
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <ostream>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/fault_file_system.h"
#include "storage/rocks_store.h"
#include "tests/storage/history.h"
#include "tests/temporary_directory.h"

namespace failsim {
namespace {

// How many batches of the history are in the store; -1 if it is no prefix of it.
int prefix_in(RocksStore& store, const History& history) {
  auto recovered = store.recover();
  if (!recovered) {
    ADD_FAILURE() << recovered.error().message;
    return -1;
  }
  const std::string text = text_of(recovered.value());
  for (std::size_t i = history.texts.size(); i-- > 0;) {
    if (history.texts[i] == text) return static_cast<int>(i);
  }
  ADD_FAILURE() << "no prefix of the history:\n" << text;
  return -1;
}

struct Progress {
  int synced = 0;   // batches that must be there
  int written = 0;  // batches that may be there
  bool was_cut = false;
};

Progress write_until_power_fails(const std::string& path, FaultFileSystem& disk,
                                 const History& history, int from) {
  Progress progress{from, from, false};
  auto opened = RocksStore::open(path, {disk.env()});
  if (!opened) return {from, from, true};
  for (std::size_t i = static_cast<std::size_t>(from); i < history.batches.size(); ++i) {
    // The one that fails may have reached the disk all the same.
    progress.written = static_cast<int>(i) + 1;
    if (opened.value()->write(history.batches[i])) {
      progress.was_cut = true;
      break;
    }
    if (history.batches[i].needs_sync()) progress.synced = progress.written;
  }
  return progress;
}

struct Cut {
  const char* name;
  std::uint64_t torn_bytes;
  std::size_t row_bytes;
};

void PrintTo(const Cut& cut, std::ostream* out) {
  *out << cut.name;
}

class PowerCut : public ::testing::TestWithParam<Cut> {};

// Rows of 60 KB fill the write buffer, so that flushes and new logs are cut as well.
INSTANTIATE_TEST_SUITE_P(Disk, PowerCut,
                         ::testing::Values(Cut{"NothingUnsynced", 0, 100},
                                           Cut{"TornRecords", 13, 100},
                                           Cut{"EverythingWritten", 100'000, 100},
                                           Cut{"NothingUnsyncedOfLargeRows", 0, 60'000},
                                           Cut{"TornRecordsOfLargeRows", 777, 60'000}),
                         [](const auto& each) { return std::string(each.param.name); });

TEST_P(PowerCut, AtAnyOperationKeepsAPrefixWithEverythingSynced) {
  const History history =
      draw_history(11, GetParam().row_bytes > 1000 ? 80 : 40, GetParam().row_bytes);
  bool was_cut = true;
  for (std::uint64_t operation = 1; was_cut; ++operation) {
    TemporaryDirectory directory;
    FaultFileSystem disk;
    const std::string path = directory / "db";
    ASSERT_FALSE(RocksStore::format(path, some_identity(), {disk.env()}));
    disk.power_off_in(operation);
    const Progress progress = write_until_power_fails(path, disk, history, 0);
    disk.crash(GetParam().torn_bytes);
    was_cut = progress.was_cut;

    auto opened = RocksStore::open(path, {disk.env()});
    ASSERT_TRUE(opened.ok()) << "operation " << operation << ": " << opened.error().message;
    const int prefix = prefix_in(*opened.value(), history);
    ASSERT_GE(prefix, progress.synced) << "operation " << operation;
    ASSERT_LE(prefix, progress.written) << "operation " << operation;
  }
}

TEST(RepeatedPowerCuts, LoseNothingThatWasSynced) {
  const History history = draw_history(12, 300, 20'000);
  Random random(4);
  TemporaryDirectory directory;
  FaultFileSystem disk;
  const std::string path = directory / "db";
  ASSERT_FALSE(RocksStore::format(path, some_identity(), {disk.env()}));
  int prefix = 0;
  std::uint64_t starts = 0;
  for (int cut = 0; cut < 60; ++cut) {
    disk.power_off_in(1 + random.below(80));
    const Progress progress = write_until_power_fails(path, disk, history, prefix);
    disk.crash(random.below(3) * random.below(5000));
    auto opened = RocksStore::open(path, {disk.env()});
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    EXPECT_GT(opened.value()->identity().starts, starts);
    starts = opened.value()->identity().starts;
    prefix = prefix_in(*opened.value(), history);
    ASSERT_GE(prefix, progress.synced);
    ASSERT_LE(prefix, progress.written);
  }
}

TEST(PowerCutWhileFormatting, LeavesAStoreThatIsFormattedOrCanBe) {
  bool was_cut = true;
  for (std::uint64_t operation = 1; was_cut; ++operation) {
    TemporaryDirectory directory;
    FaultFileSystem disk;
    const std::string path = directory / "db";
    disk.power_off_in(operation);
    was_cut = RocksStore::format(path, some_identity(), {disk.env()}).has_value();
    disk.crash();
    if (!was_cut) break;
    const auto again = RocksStore::format(path, some_identity(), {disk.env()});
    ASSERT_TRUE(!again || again->code == Code::kAlreadyExists)
        << "operation " << operation << ": " << again->message;
    ASSERT_TRUE(RocksStore::open(path, {disk.env()}).ok());
  }
}

// A process of its own that writes a history and says after each batch how many it has written.
class Writer {
 public:
  explicit Writer(const std::string& path) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::string program = FAILSIM_STORE_WRITER;
    std::string argument = path;
    char* argv[] = {program.data(), argument.data(), nullptr};
    EXPECT_EQ(::posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    output_ = ends[0];
  }
  ~Writer() { ::close(output_); }

  // Reads what it says until it has written `batches`, then kills it; all that it said.
  int kill_after(int batches) {
    std::string said;
    int written = 0;
    char c = 0;
    bool is_killed = false;
    while (true) {
      const ssize_t n = ::read(output_, &c, 1);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      if (c != '\n') {
        said += c;
        continue;
      }
      written = std::atoi(said.c_str());
      said.clear();
      if (written < batches || is_killed) continue;
      is_killed = ::kill(pid_, SIGKILL) == 0;
    }
    int status = 0;
    EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
    EXPECT_TRUE(WIFSIGNALED(status)) << "it ended by itself: " << status;
    return written;
  }

 private:
  pid_t pid_ = 0;
  int output_ = -1;
};

TEST(KilledProcess, LosesNothingThatItSaidWasWritten) {
  const History history = draw_history(21, 400, 8'000);  // as store_writer.cc
  for (const int batches : {1, 17, 60, 150}) {
    TemporaryDirectory directory;
    const std::string path = directory / "db";
    ASSERT_FALSE(RocksStore::format(path, some_identity()));
    Writer writer(path);
    const int written = writer.kill_after(batches);
    ASSERT_GE(written, batches);
    auto opened = RocksStore::open(path);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    EXPECT_EQ(opened.value()->identity().starts, 2u);
    EXPECT_GE(prefix_in(*opened.value(), history), written);
  }
}

}  // namespace
}  // namespace failsim
