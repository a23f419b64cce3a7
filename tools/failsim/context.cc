#include "tools/failsim/context.h"

#include <algorithm>
#include <sstream>

#include "cluster/units.h"
#include "tools/failsim/registry.h"
#include "tools/failsim/verb.h"

namespace failsim::cli {
namespace {

std::string names_of(const std::vector<RunningCluster>& clusters) {
  std::string names;
  for (const RunningCluster& cluster : clusters) {
    names += (names.empty() ? "" : ", ") + cluster.name + " (" + cluster.directory.string() + ")";
  }
  return names;
}

fs::path directory_named(const std::string& name, const std::vector<RunningCluster>& running) {
  std::vector<RunningCluster> matching;
  for (const RunningCluster& cluster : running) {
    if (cluster.name == name) matching.push_back(cluster);
  }
  if (matching.size() == 1) return matching.front().directory;
  if (matching.size() > 1) {
    fail_usage("Several clusters named " + name + " run: " + names_of(matching) + ".",
               "Choose one with --dir.");
  }
  const fs::path kept = default_directory(name);
  if (fs::exists(kept / "cluster.json")) return kept;
  fail(Code::kNotFound, "There is no cluster named \"" + shortened(name) + "\".",
       "See what runs with: failsim ps");
}

bool is_verb_word(const std::string& name) {
  return std::any_of(all_verbs().begin(), all_verbs().end(), [&](const Verb& verb) {
    std::istringstream words(verb.path);
    std::string word;
    while (words >> word) {
      if (word == name) return true;
    }
    return false;
  });
}

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

}  // namespace

ClusterDirectory Context::directory() const {
  if (!options_.directory.empty()) {
    return ClusterDirectory(fs::absolute(options_.directory).lexically_normal());
  }
  const std::vector<RunningCluster> running = Registry(state_directory()).running();
  if (!options_.cluster.empty()) {
    return ClusterDirectory(directory_named(options_.cluster, running));
  }
  if (running.size() == 1) return ClusterDirectory(running.front().directory);
  if (running.empty()) {
    fail(Code::kConnectionRefused, "No cluster is running.", "Start one with: failsim up --detach");
  }
  fail_usage("Several clusters run: " + names_of(running) + ".",
             "Choose one with --cluster or --dir.");
}

ClusterDescription Context::description() const {
  const ClusterDirectory chosen = directory();
  const std::optional<ClusterDescription> found = chosen.description();
  if (!found) {
    fail(Code::kNotFound, "There is no cluster in " + chosen.path().string() + ".",
         "Create one there with: failsim up --detach --dir " + chosen.path().string());
  }
  return *found;
}

Client& Context::client() {
  if (!client_) client_.emplace(directory(), description(), options_.time_limit);
  return *client_;
}

fs::path default_directory(const std::string& cluster_name) {
  return state_directory() / cluster_name;
}

void check_name(const std::string& what, const std::string& name) {
  const std::string shown = "\"" + shortened(name) + "\" cannot be the name of a " + what;
  const std::string next =
      "Use at most 64 letters, digits, '.', '_' and '-', beginning with a letter or digit.";
  if (name.empty()) fail_usage("A " + what + " needs a name that is not empty.", next);
  if (name.size() > 64) fail_usage(shown + ": it is longer than 64 bytes.", next);
  if (!std::all_of(name.begin(), name.end(), is_name_byte)) {
    fail_usage(shown + ": it holds a byte that is not allowed there.", next);
  }
  if (name.front() == '.' || name.front() == '_' || name.front() == '-') {
    fail_usage(shown + ": it begins with a punctuation mark.", next);
  }
}

void check_vm_name(const std::string& name) {
  check_name("VM", name);
  if (is_verb_word(name)) {
    fail_usage("\"" + name + "\" cannot be the name of a VM: it is a word of the command line.",
               "Choose another name.");
  }
}

}  // namespace failsim::cli
