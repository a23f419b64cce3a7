#include "tools/failsim/log_follower.h"

#include <fcntl.h>
#include <unistd.h>

namespace failsim::cli {

LogFollower::LogFollower(fs::path path) : path_(std::move(path)) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path_, error);
  if (!error) offset_ = size;
}

std::vector<std::string> LogFollower::new_lines() {
  std::vector<std::string> lines;
  const int file = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return lines;  // not there yet
  char buffer[16384];
  ssize_t got = 0;
  while ((got = ::pread(file, buffer, sizeof buffer, static_cast<off_t>(offset_))) > 0) {
    offset_ += static_cast<std::uint64_t>(got);
    partial_.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(file);
  std::size_t start = 0;
  for (std::size_t end = 0; (end = partial_.find('\n', start)) != std::string::npos;
       start = end + 1) {
    lines.push_back(partial_.substr(start, end - start));
  }
  partial_.erase(0, start);
  return lines;
}

}  // namespace failsim::cli
