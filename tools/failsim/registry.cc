#include "tools/failsim/registry.h"

#include <algorithm>
#include <cstdlib>
#include <tuple>

#include <boost/json/serialize.hpp>
#include <pwd.h>
#include <unistd.h>

#include "tools/failsim/errors.h"
#include "tools/report/wording.h"

namespace failsim::cli {
namespace {

fs::path home_directory() {
  const char* home = std::getenv("HOME");
  if (home != nullptr && home[0] == '/') return home;
  const passwd* account = ::getpwuid(::getuid());
  if (account != nullptr && account->pw_dir != nullptr) return account->pw_dir;
  fail(Code::kNotFound, "There is no home directory to keep clusters in.",
       "Set HOME or XDG_STATE_HOME, or choose a directory with --dir.");
}

}  // namespace

fs::path state_directory() {
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && state[0] == '/') return fs::path(state) / "failsim";
  return home_directory() / ".local" / "state" / "failsim";
}

std::uint64_t stable_hash(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3u;
  }
  return hash;
}

fs::path Registry::entry(const fs::path& cluster_directory) const {
  return directory_ / (history::hexadecimal(stable_hash(cluster_directory.string())) + ".json");
}

void Registry::note(const RunningCluster& cluster) const {
  make_directories(directory_);
  const json::object object = {{"name", cluster.name},
                               {"directory", cluster.directory.string()},
                               {"nodes", cluster.nodes},
                               {"supervisor", to_json(cluster.supervisor)}};
  replace_file(entry(cluster.directory), json::serialize(object) + "\n");
}

void Registry::forget(const fs::path& cluster_directory) const {
  remove_file(entry(cluster_directory));
}

std::vector<RunningCluster> Registry::running() const {
  std::vector<RunningCluster> found;
  std::error_code error;
  for (const fs::directory_entry& file : fs::directory_iterator(directory_, error)) {
    if (file.path().extension() != ".json") continue;
    const std::optional<json::object> object = parse_object(read_file(file.path()).value_or(""));
    if (!object || !is_alive(mark_from_json(object_in(*object, "supervisor")))) {
      remove_file(file.path());
      continue;
    }
    found.push_back({text_in(*object, "name"), text_in(*object, "directory"),
                     static_cast<std::uint32_t>(number_in(*object, "nodes")),
                     mark_from_json(object_in(*object, "supervisor"))});
  }
  std::sort(found.begin(), found.end(), [](const RunningCluster& a, const RunningCluster& b) {
    return std::tie(a.name, a.directory) < std::tie(b.name, b.directory);
  });
  return found;
}

}  // namespace failsim::cli
