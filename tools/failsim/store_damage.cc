#include "tools/failsim/store_damage.h"

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include "storage/write_ahead_log.h"
#include "tools/failsim/errors.h"
#include "tools/failsim/files.h"

namespace failsim::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kInsideTheFirstRecord = 9;  // behind a header of 7 bytes
constexpr unsigned char kBit = 1 << 3;

// The file "<number><extension>" with the greatest number.
std::optional<fs::path> newest(const fs::path& store, std::string_view extension) {
  std::optional<fs::path> found;
  std::uint64_t greatest = 0;
  std::error_code failure;
  for (const fs::directory_entry& entry : fs::directory_iterator(store, failure)) {
    const std::string stem = entry.path().stem().string();
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(stem.data(), stem.data() + stem.size(), number);
    const bool is_one = error == std::errc() && end == stem.data() + stem.size() &&
                        entry.path().extension() == extension;
    if (!is_one || (found && number < greatest)) continue;
    greatest = number;
    found = entry.path();
  }
  return found;
}

class OpenFile {
 public:
  explicit OpenFile(const fs::path& path) : fd_(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {
    if (fd_ < 0) fail_errno("Opening " + path.string() + " failed", "Look at its directory.");
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() { ::close(fd_); }

  void flip(std::uint64_t offset) const {
    unsigned char byte = 0;
    const auto at = static_cast<off_t>(offset);
    bool is_done = ::pread(fd_, &byte, 1, at) == 1;
    byte ^= kBit;
    is_done = is_done && ::pwrite(fd_, &byte, 1, at) == 1;
    if (!is_done) fail_errno("Changing a byte of a store failed", "Look at the disk.");
  }
  void append(std::string_view bytes) const {
    const off_t end = ::lseek(fd_, 0, SEEK_END);
    if (end < 0 || ::write(fd_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
      fail_errno("Writing to a store failed", "Look at the disk.");
    }
  }

 private:
  int fd_;
};

[[noreturn]] void fail_missing(const fs::path& store, const std::string& what) {
  fail(Code::kInvalidState, "The store in " + store.string() + " has " + what + ".",
       "Let the cluster write something first, or damage another part.");
}

}  // namespace

FlippedBit flip_bit(const fs::path& store, StorePart part) {
  const bool is_log = part == StorePart::kLog;
  const auto file = newest(store, is_log ? ".log" : ".sst");
  if (!file) fail_missing(store, is_log ? "no log" : "no table yet");
  const std::string bytes = read_file(*file).value_or("");
  if (is_log && inspect_write_ahead_log(bytes).records < 2) {
    fail_missing(store, "fewer than two records in its log");
  }
  if (bytes.size() <= kInsideTheFirstRecord) fail_missing(store, "nothing in its newest table");
  OpenFile(*file).flip(kInsideTheFirstRecord);
  return {*file, kInsideTheFirstRecord};
}

void flip_back(const FlippedBit& flipped) {
  if (fs::exists(flipped.file)) OpenFile(flipped.file).flip(flipped.offset);
}

// A header that announces a whole record of 100 bytes, and 20 of them.
void tear_log(const fs::path& store) {
  const auto file = newest(store, ".log");
  if (!file) fail_missing(store, "no log");
  constexpr std::string_view kHeader("\x12\x34\x56\x78\x64\x00\x01", 7);
  OpenFile(*file).append(std::string(kHeader) + std::string(20, 'x'));
}

void rotate_stores(const std::vector<fs::path>& stores) {
  const fs::path aside = stores.front().string() + ".aside";
  fs::rename(stores.front(), aside);
  for (std::size_t i = 1; i < stores.size(); ++i) fs::rename(stores[i], stores[i - 1]);
  fs::rename(aside, stores.back());
}

}  // namespace failsim::cli
