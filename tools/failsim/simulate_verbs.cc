// simulate: the same members in virtual time, by seed.
#include "tools/failsim/verb.h"

#if __has_include("tools/sim/simulate.h")
#include "tools/sim/simulate.h"

namespace failsim::cli {
namespace {

int simulate(Context& context, const Arguments& arguments) {
  if (arguments.given("--seed") == arguments.given("--seeds")) {
    fail_usage("`failsim simulate` needs either --seeds N or --seed S.",
               "Write it like: failsim simulate --seeds 100");
  }
  SimulateOptions options;
  if (arguments.given("--seeds")) options.seeds = arguments.count("--seeds", 1, 1'000'000'000);
  if (arguments.given("--seed")) options.seed = arguments.count("--seed", 0, ~std::uint64_t{0});
  options.nodes = static_cast<std::uint32_t>(arguments.count("--nodes", 1, kMaximumNodes));
  options.json = context.json();
  return simulate_main(options);
}

}  // namespace

std::vector<Verb> simulate_verbs() {
  return {{"simulate",
           "Run seeded chaos in virtual time and check the invariants",
           {option("--seeds", "COUNT", "Run the seeds 1 to COUNT"),
            option("--seed", "SEED", "Run or replay one seed"),
            option("--nodes", "COUNT", "How many nodes the cluster has", "3")},
           "  failsim simulate --seeds 100\n  failsim simulate --seed 42 --output json\n",
           simulate}};
}

}  // namespace failsim::cli

#else

namespace failsim::cli {
std::vector<Verb> simulate_verbs() { return {}; }
}  // namespace failsim::cli

#endif
