#include "tools/failsim/fault_commands.h"

#include <utility>

#include "tools/failsim/errors.h"

namespace failsim::cli {

FaultCommands::FaultCommands(const ClusterDirectory& directory,
                             const ClusterDescription& description, const std::string& token,
                             ProcessFaults::Outside outside)
    : teller_(description, token) {
  Result<std::unique_ptr<FailpointBoard>> board = FailpointBoard::create(directory.path().string());
  if (!board) fail(board.error());
  board_ = board.take();
  outside.board = board_.get();
  outside.note = [this, note = std::move(outside.note)](const json::object& what) {
    note(what);
    teller_.tell(what);
  };
  faults_.emplace(std::move(outside));
}

json::object FaultCommands::obey(const std::string& verb, const json::object& command) {
  const std::uint64_t id = number_in(command, "id");
  if (verb == "fault-id") return {{"id", faults_->next_id()}};
  if (verb == "fault-packets") {
    return {{"performed", faults_->performs_on_packets(text_in(command, "kind"))}};
  }
  if (verb == "fault-list") return {{"faults", faults_->list()}};
  if (verb == "fault-heal") {
    return {{"faults", faults_->heal(id == 0 ? std::nullopt : std::optional(id))}};
  }
  return faults_->inject(id, text_in(command, "order"), text_in(command, "by"));
}

}  // namespace failsim::cli
