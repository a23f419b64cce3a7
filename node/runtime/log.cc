#include "node/runtime/log.h"

#include <chrono>
#include <string>

#include <unistd.h>

#include "node/api/time_text.h"

namespace failsim::node {
namespace {

std::string_view name(Level level) {
  switch (level) {
    case Level::kInfo:
      return " info  ";
    case Level::kWarning:
      return " warn  ";
    case Level::kError:
      return " error ";
  }
  return " ?     ";
}

}  // namespace

void log(Level level, std::string_view text) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  std::string line = rfc3339_utc(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
  line += name(level);
  for (const char c : text) line += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
  line += '\n';
  // A log nobody takes any more must not end the node.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace failsim::node
