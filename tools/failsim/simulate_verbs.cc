// simulate: the same members in virtual time, by seed.
#include <iostream>
#include <limits>

#include "tools/failsim/verb.h"
#include "tools/sim/simulate.h"

namespace failsim::cli {
namespace {

int simulate(Context& context, const Arguments& arguments) {
  if (arguments.given("--seed") == arguments.given("--seeds")) {
    fail_usage("`failsim simulate` needs either --seeds N or --seed S.",
               "Write it like: failsim simulate --seeds 100");
  }
  sim::SimulateOptions options;
  if (arguments.given("--seed")) {
    options.seed = arguments.count("--seed", 0, std::numeric_limits<std::uint64_t>::max());
  } else {
    options.seeds = arguments.count("--seeds", 1, 1'000'000'000);
  }
  options.nodes = static_cast<std::uint32_t>(arguments.count("--nodes", 1, kMaximumNodes));
  options.json = context.json();
  options.verbose = arguments.flag("--verbose");
  options.report = arguments.given("--report");
  if (!arguments.text("--report").empty()) options.runs = arguments.text("--report");
  return sim::simulate_main(options, std::cout, std::cerr);
}

}  // namespace

std::vector<Verb> simulate_verbs() {
  return {{"simulate",
           "Run seeded chaos in virtual time and check the invariants",
           {option("--seeds", "COUNT", "Run the seeds 1 to COUNT, each twice"),
            option("--seed", "SEED", "Run or replay one seed"),
            option("--nodes", "COUNT", "How many nodes the cluster has", "3"),
            optional_option("--report", "DIR",
                            "With --seed: write a report into DIR [runs], as --report=DIR; a seed "
                            "that fails gets one in any case"),
            flag("--verbose", "With --seed: print every line of its trace")},
           "  failsim simulate --seeds 100\n  failsim simulate --seed 42 --report\n  failsim "
           "simulate --seed 42 --output json\n",
           simulate}};
}

}  // namespace failsim::cli
