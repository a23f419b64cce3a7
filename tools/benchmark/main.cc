// failsim-bench: measures failsim, and checks what it is expected to keep.
//
//   failsim-bench [NAME...] [--output json] [--seed N] [--count N] [--short]
//
// Figures go to standard output, what happens meanwhile to standard error. The exit status is 1 if
// an expectation was not met or a bench could not be run.
#include <algorithm>
#include <iostream>

#include <CLI/CLI.hpp>

#include "tools/benchmark/bench.h"
#include "tools/failsim/errors.h"

namespace failsim::bench {
namespace {

std::string list_of_benches() {
  std::string text = "Benches:\n";
  for (const Bench& bench : all_benches()) {
    text += "  " + bench.name + std::string(12 - bench.name.size(), ' ') + bench.help +
            (bench.only_when_named ? " (minutes; only when named)" : "") + "\n";
  }
  return text;
}

std::vector<Bench> chosen(const std::vector<std::string>& names) {
  std::vector<Bench> benches;
  for (const Bench& bench : all_benches()) {
    const bool named = std::find(names.begin(), names.end(), bench.name) != names.end();
    if (named || (names.empty() && !bench.only_when_named)) benches.push_back(bench);
  }
  return benches;
}

void run_one(const Bench& bench, const Options& options, Report& report) {
  report.begin(bench.name);
  report.say(bench.help);
  try {
    bench.run(options, report);
  } catch (const cli::Failure& failure) {
    report.expect(false, failure.error.message + " " + failure.error.next);
  } catch (const std::exception& error) {
    report.expect(false, error.what());
  }
}

int run(const std::vector<std::string>& names, const Options& options, bool json) {
  Report report;
  for (const Bench& bench : chosen(names)) run_one(bench, options, report);
  std::cout << (json ? to_json(report.rows()) + "\n" : to_table(report.rows())) << std::flush;
  if (report.missed().empty()) return 0;
  std::cerr << "\nNot met:\n";
  for (const std::string& claim : report.missed()) std::cerr << "  " << claim << "\n";
  return 1;
}

}  // namespace
}  // namespace failsim::bench

int main(int argc, char** argv) {
  using namespace failsim::bench;
  constexpr int kUsage = 64;
  CLI::App app("Measures failsim.", "failsim-bench");
  app.footer(list_of_benches());
  std::vector<std::string> known;
  for (const Bench& bench : all_benches()) known.push_back(bench.name);
  std::vector<std::string> names;
  std::string output = "text";
  Options options;
  app.add_option("NAME", names, "What to measure (default: all that take no minutes)")
      ->check(CLI::IsMember(known));
  app.add_option("--output", output, "text or json")->check(CLI::IsMember({"text", "json"}));
  app.add_option("--seed", options.seed, "Of what is drawn at random");
  app.add_option("--count", options.count, "How often, instead of what the bench says")
      ->check(CLI::Range(1U, 1'000'000U));
  app.add_flag("--short", options.is_short, "Fewer runs and cases, where a bench takes minutes");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  return run(names, options, output == "json");
}
