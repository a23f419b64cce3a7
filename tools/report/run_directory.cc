#include "tools/report/run_directory.h"

#include <array>
#include <ctime>
#include <fstream>
#include <string>
#include <system_error>

#include <unistd.h>

namespace failsim::history {
namespace {

namespace fs = std::filesystem;

constexpr int kMostAtOnce = 1000;  // runs of one second

std::string utc_text(std::chrono::system_clock::time_point now) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm broken_down{};
  gmtime_r(&seconds, &broken_down);
  std::array<char, 32> text;
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y%m%d-%H%M%S", &broken_down);
  return std::string(text.data(), length);
}

Error cannot(const std::string& what, const fs::path& path, const std::error_code& why) {
  return Error{Code::kWriteFault,
               "The report cannot be written: " + what + " '" + path.string() +
                   "' failed: " + why.message() + ".",
               "Make room or choose another directory."};
}

// Whoever reads `latest` sees the former run or this one.
std::error_code point_latest_at(const fs::path& runs, const std::string& id) {
  std::error_code failed;
  const fs::path fresh = runs / (".latest-" + std::to_string(getpid()));
  fs::remove(fresh, failed);
  fs::create_directory_symlink(id, fresh, failed);
  if (!failed) fs::rename(fresh, runs / "latest", failed);
  return failed;
}

}  // namespace

Result<fs::path> create_run_directory(const fs::path& runs,
                                      std::chrono::system_clock::time_point now) {
  std::error_code failed;
  fs::create_directories(runs, failed);
  if (failed) return cannot("creating", runs, failed);
  for (int number = 1; number <= kMostAtOnce; ++number) {
    const std::string id = utc_text(now) + (number == 1 ? "" : "-" + std::to_string(number));
    const bool created = fs::create_directory(runs / id, failed);
    if (failed) return cannot("creating", runs / id, failed);
    if (!created) continue;
    failed = point_latest_at(runs, id);
    if (failed) return cannot("linking", runs / "latest", failed);
    return runs / id;
  }
  return cannot("creating a new directory in", runs, std::make_error_code(std::errc::file_exists));
}

Result<fs::path> write_run_file(const fs::path& file, std::string_view content) {
  std::ofstream out(file, std::ios::binary);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.close();
  if (!out) return cannot("writing", file, std::error_code(errno, std::generic_category()));
  return file;
}

}  // namespace failsim::history
