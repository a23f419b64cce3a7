#include "tools/failsim/files.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/failsim/errors.h"

namespace failsim::cli {
namespace {

const char* const kCheckDisk = "Check the permissions and the free space there.";

void write_all(int file, std::string_view content, const fs::path& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(file, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int reason = errno;
      ::close(file);
      errno = reason;
      fail_errno("Writing " + path.string() + " failed", kCheckDisk);
    }
    content.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

std::optional<std::string> read_file(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    fail_errno("Reading " + path.string() + " failed", "Check the permissions there.");
  }
  std::string content;
  char buffer[16384];
  ssize_t got = 0;
  while ((got = ::read(file, buffer, sizeof buffer)) > 0) {
    content.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(file);
  if (got < 0) fail_errno("Reading " + path.string() + " failed", "Check the disk.");
  return content;
}

void replace_file(const fs::path& path, std::string_view content, unsigned mode) {
  const fs::path draft = path.string() + ".new-" + std::to_string(::getpid());
  const int file = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (file < 0) fail_errno("Creating " + draft.string() + " failed", kCheckDisk);
  ::fchmod(file, mode);
  write_all(file, content, draft);
  if (::fsync(file) != 0) {
    ::close(file);
    fail_errno("Writing " + draft.string() + " failed", kCheckDisk);
  }
  ::close(file);
  if (::rename(draft.c_str(), path.c_str()) != 0) {
    fail_errno("Replacing " + path.string() + " failed", kCheckDisk);
  }
}

void remove_file(const fs::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    fail_errno("Removing " + path.string() + " failed", "Check the permissions there.");
  }
}

std::vector<fs::path> files_below(const fs::path& directory, std::string_view extension) {
  // Step by step: the files of a running node come and go meanwhile.
  std::vector<fs::path> found;
  std::error_code error;
  fs::recursive_directory_iterator entry(directory, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (entry->path().extension() == extension) found.push_back(entry->path());
  }
  if (error) {
    fail(Code::kAccessDenied, "Reading " + directory.string() + " failed: " + error.message() + ".",
         "Check its permissions.");
  }
  std::sort(found.begin(), found.end());
  return found;
}

void make_directories(const fs::path& path) {
  if (path.empty() || fs::is_directory(path)) return;
  make_directories(path.parent_path());
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    fail_errno("Creating the directory " + path.string() + " failed",
               "Choose a directory that you may write.");
  }
  if (!fs::is_directory(path)) {
    errno = ENOTDIR;
    fail_errno("Using the directory " + path.string() + " failed", "Choose another one.");
  }
}

std::string random_hex(std::size_t bytes) {
  static const char kDigits[] = "0123456789abcdef";
  std::vector<std::uint8_t> drawn(bytes);
  if (::getrandom(drawn.data(), drawn.size(), 0) != static_cast<ssize_t>(drawn.size())) {
    fail_errno("The kernel gave no random bytes", "Try again.");
  }
  std::string text;
  for (const std::uint8_t byte : drawn) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string last_line(const fs::path& path) {
  std::string content = read_file(path).value_or("");
  while (!content.empty() && content.back() == '\n') content.pop_back();
  const std::size_t start = content.rfind('\n');
  return start == std::string::npos ? content : content.substr(start + 1);
}

}  // namespace failsim::cli
