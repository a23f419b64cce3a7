// demo: the whole story in one command.
#include "tools/failsim/demo.h"
#include "tools/failsim/verb.h"

namespace failsim::cli {

std::vector<Verb> demo_verbs() {
  return {{"demo",
           "Show a migration, a cancel and a failover on a cluster of its own",
           {flag("--keep", "Leave the cluster up")},
           "  failsim demo\n  failsim demo --keep\n",
           [](Context& context, const Arguments& arguments) {
             return run_demo(context, arguments.flag("--keep"));
           }}};
}

}  // namespace failsim::cli
