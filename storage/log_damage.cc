#include "storage/log_damage.h"

#include "cluster/raft/checksum.h"

namespace failsim {

std::optional<std::string> log_damage(const Recovered& recovered) {
  pb::LogStart previous = recovered.log_start;
  for (const EntryPtr& entry : recovered.entries) {
    const std::string name = "log entry " + std::to_string(entry->index());
    if (entry->index() != previous.index() + 1) {
      return name + " follows entry " + std::to_string(previous.index());
    }
    if (entry->term() < previous.term()) {
      return name + " has term " + std::to_string(entry->term()) + " behind term " +
             std::to_string(previous.term());
    }
    if (entry->checksum() != raft::chain_checksum(previous.checksum(), *entry)) {
      return name + " does not have the checksum that the entries before it give";
    }
    previous.set_index(entry->index());
    previous.set_term(entry->term());
    previous.set_checksum(entry->checksum());
  }
  if (recovered.applied < recovered.log_start.index() || recovered.applied > previous.index()) {
    return "its rows contain the log up to entry " + std::to_string(recovered.applied) +
           ", but the log goes from " + std::to_string(recovered.log_start.index()) + " to " +
           std::to_string(previous.index());
  }
  return std::nullopt;
}

}  // namespace failsim
