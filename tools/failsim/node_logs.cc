#include "tools/failsim/node_logs.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <sstream>
#include <string>

#include "tools/failsim/files.h"
#include "tools/failsim/spawn.h"

namespace failsim::cli {
namespace {

// Signals that a process brings upon itself; faults send others.
constexpr std::array kOwnSignals = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS};

constexpr std::array<std::string_view, 5> kNeverWritten = {
    "Assertion `", "terminate called", "Sanitizer", ": runtime error: ", "stack smashing detected"};

bool is_own_end(std::string_view line) {
  return std::any_of(kOwnSignals.begin(), kOwnSignals.end(),
                     [&](int signal) { return line.ends_with(describe_end(signal)); });
}

void look_through(NodeId node, const fs::path& log, std::vector<history::Complaint>& found) {
  const std::optional<std::string> text = read_file(log);
  if (!text) return;
  std::istringstream lines(*text);
  std::string line;
  while (std::getline(lines, line)) {
    if (is_complaint(line)) {
      found.push_back({node, log.filename().string() + " says \"" + line + "\""});
    }
  }
}

}  // namespace

bool is_complaint(std::string_view line) {
  return is_own_end(line) ||
         std::any_of(kNeverWritten.begin(), kNeverWritten.end(), [&](std::string_view words) {
           return line.find(words) != std::string_view::npos;
         });
}

std::vector<history::Complaint> complaints_in_logs(const ClusterDirectory& directory,
                                                   const ClusterDescription& description) {
  std::vector<history::Complaint> found;
  for (NodeId node = 1; node <= description.nodes; ++node) {
    look_through(node, directory.node_log(node), found);
  }
  look_through(kNoNode, directory.volume_log(), found);
  look_through(kNoNode, directory.supervisor_log(), found);
  return found;
}

}  // namespace failsim::cli
