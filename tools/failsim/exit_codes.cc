#include "tools/failsim/exit_codes.h"

#include <string>
#include <vector>

#include "tools/failsim/errors.h"
#include "tools/report/verdict.h"

namespace failsim::cli {
namespace {

constexpr int of(history::Verdict verdict) {
  return static_cast<int>(verdict);
}

// Those without a name here are the exit codes of errors (cluster/error.cc).
constexpr ExitCode kExitCodes[] = {
    {0, "done; of a run that was judged: every rule held"},
    {kExitFailed,
     "refused or failed, as the message says; of a run that was judged: an invariant, an "
     "expectation "
     "or the events did not hold"},
    {of(history::Verdict::kLiveness), "of a run that was judged: something came too late"},
    {of(history::Verdict::kInconclusive),
     "of a run that was judged: inconclusive, because a trigger, a fault or a rule never came to "
     "its turn"},
    {kExitDiverged, "two runs of the same differ: a replay that diverged, a seed with two traces"},
    {kExitCanceled, "the migration was canceled; the VM is on its source"},
    {kExitOnSource, "the migration failed; the VM is on its source"},
    {kExitElsewhere, "the migration failed, and the VM was started again from its disk"},
    {kExitUsage, "usage: a verb, an option or a value makes no sense, or is out of its range"},
    {kExitNotReachable, "no node of the cluster answers"},
    {kExitInternal, "what should not have happened: a defect, or a recording that is damaged"},
    {kExitTryAgain, "not now: an election is under way, or nobody could order it yet"},
    {105, "there is no such VM, node, task, property, fault or cluster"},
    {106, "the cluster has no quorum"},
    {108, "it exists already"},
    {113, "no node can own the VM"},
    {kExitTimeout, "no answer or no end in time; the outcome may be unknown"},
    {kExitInterrupted, "interrupted by Control-C"},
};

}  // namespace

std::span<const ExitCode> exit_codes() {
  return kExitCodes;
}

void show_exit_codes(Output& output) {
  json::array rows;
  for (const ExitCode& code : kExitCodes) {
    rows.push_back(json::object{{"exit", code.number}, {"meaning", std::string(code.meaning)}});
  }
  if (output.json()) return output.data(rows);
  output.table_of(rows, {"exit", "meaning"});
}

}  // namespace failsim::cli
