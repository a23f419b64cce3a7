#include "tools/failsim/launcher_notes.h"

#include <utility>

#include <sys/wait.h>

#include "tools/failsim/errors.h"

namespace failsim::cli {

LauncherNotes::LauncherNotes(const fs::path& directory, std::uint64_t limit_bytes) {
  const auto number = static_cast<std::uint64_t>(observation_clock());
  auto created = ObservationLog::create((directory / observations_name(number)).string(),
                                        limit_bytes, kNoNode, 0);
  if (!created) fail(created.error());
  log_ = created.take();
}

void LauncherNotes::node_ended(const Child& child, int status) {
  pb::Observation observation;
  auto& ended = *observation.mutable_process_ended();
  ended.set_node(child.node);
  ended.set_instance(child.instance);
  if (WIFSIGNALED(status)) ended.set_signal(static_cast<std::uint32_t>(WTERMSIG(status)));
  log_->note(std::move(observation));
}

void LauncherNotes::fault(const json::object& note) {
  pb::Observation observation;
  if (text_in(note, "what") == "injected") {
    observation.mutable_fault_began()->set_id(number_in(note, "fault"));
    observation.mutable_fault_began()->set_order(text_in(note, "order"));
  } else {
    observation.mutable_fault_ended()->set_id(number_in(note, "fault"));
  }
  log_->note(std::move(observation));
}

}  // namespace failsim::cli
