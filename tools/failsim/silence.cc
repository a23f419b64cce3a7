#include "tools/failsim/silence.h"

#include <vector>

#include "cluster/units.h"
#include "tools/failsim/nodes.h"

namespace failsim::cli {
namespace {

// The nodes by what their processes do.
struct Processes {
  std::vector<std::string> running;
  std::vector<std::string> standing_still;
  std::vector<std::string> absent;
  std::string ids_of_standing;  // " 17 18"
};

Processes processes_of(const ClusterDirectory& directory, const ClusterDescription& description) {
  Processes processes;
  for (std::uint32_t number = 1; number <= description.nodes; ++number) {
    const std::string node = "node-" + std::to_string(number);
    const std::optional<ProcessMark> process = process_of_node(directory, node);
    if (!process) {
      processes.absent.push_back(node);
    } else if (is_stopped(*process)) {
      processes.standing_still.push_back(node);
      processes.ids_of_standing += " " + std::to_string(process->pid);
    } else {
      processes.running.push_back(node);
    }
  }
  return processes;
}

// "node-1, node-2 and node-3 run": nothing if there are none.
void add(std::string& text, const std::vector<std::string>& nodes, const char* one_does,
         const char* many_do) {
  if (nodes.empty()) return;
  if (!text.empty()) text += ", ";
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (i > 0) text += i + 1 == nodes.size() ? " and " : ", ";
    text += nodes[i];
  }
  text += nodes.size() == 1 ? one_does : many_do;
}

}  // namespace

Error silence_of(const ClusterDirectory& directory, const ClusterDescription& description,
                 std::chrono::milliseconds limit, bool may_be_carried_out) {
  const Processes processes = processes_of(directory, description);
  std::string why;
  add(why, processes.standing_still, " stands still", " stand still");
  add(why, processes.absent, " does not run", " do not run");
  add(why, processes.running, " runs and has not answered", " run and have not answered");
  const bool any_stands_still = !processes.standing_still.empty();
  return {Code::kTimeout,
          "No node of cluster " + description.name + " answered within " +
              show_duration_ms(static_cast<std::uint64_t>(limit.count())) +
              (may_be_carried_out ? ", so it is not known whether this is carried out: " : ": ") +
              why + ".",
          any_stands_still ? "Let them go on with: failsim fault heal --all, or where no fault "
                             "stopped them with: kill -CONT" +
                                 processes.ids_of_standing
                           : "Wait longer with --time-limit, or see what the nodes say with: "
                             "failsim logs"};
}

}  // namespace failsim::cli
