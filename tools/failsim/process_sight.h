// What a cluster of processes shows at one moment, put together from what its nodes answered, what
// runs on this machine and what the shared volume has on disk: the values that conditions of a
// scenario compare. Without input and output.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "cluster/error.h"
#include "cluster/ids.h"
#include "tools/failsim/json.h"
#include "tools/scenario/condition.h"

namespace failsim::cli {

struct Sight {
  using Clock = std::chrono::steady_clock;

  struct Node {               // by itself
    bool is_running = false;  // its process lives and is not stopped
    std::string leader;       // whom it follows; empty: nobody, or it does not answer
    bool has_quorum = false;
  };
  struct Answer {  // to the last action
    Code code = Code::kOk;
    std::uint64_t return_value = 0;
    std::string job_state;
  };

  std::map<std::string, Node> nodes;
  // As one node answered last: with a quorum, so these do not go back when it is lost.
  json::array node_rows;
  json::array vms;
  json::array migrations;
  json::array tasks;
  // Whether they are of this moment; if not, a guest is known by its journal alone.
  bool is_agreed_now = false;
  // VMs whose journal on the shared volume grew a moment ago: who executes, writes.
  std::map<std::string, bool> writes_journal;
  std::map<std::string, std::uint64_t> last_boot;  // of guests that were seen
  std::map<std::string, std::uint64_t> last_counter;
  Answer answer;
  std::uint64_t last_task = 0;
  Clock::time_point as_of;  // everything was asked after this moment

  // Canonical text of a field of tools/scenario/field.h; nothing if the object does not exist.
  // Knows all subjects but "fault" and "property".
  std::optional<std::string> look(const std::string& subject, const std::string& object,
                                  const std::string& field) const;
  // Null if there is none.
  const json::object* vm(const std::string& name) const;
  const json::object* newest_migration(const std::string& vm) const;
  std::string leader() const;  // empty: nobody leads
};

// What single events of record say, in their order; it stands for a moment that may have been too
// short to be seen otherwise.
class Announced {
 public:
  // The moment just before the event, if that is known; then the event. False: it says nothing that
  // a condition could ask for.
  bool tell_before(const json::object& event);
  bool tell(const json::object& event);
  std::optional<std::string> look(const std::string& subject, const std::string& object,
                                  const std::string& field) const;
  void clear() { values_.clear(); }

 private:
  std::map<std::tuple<std::string, std::string, std::string>, std::string> values_;
};

// A text, or the name of an enumeration, without spaces: "Data Transfer" is DataTransfer.
std::string word_in(const json::object& object, std::string_view key);

}  // namespace failsim::cli
