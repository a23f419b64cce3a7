// matrix: every moment of a migration with everything that may happen there, in virtual time.
#include <algorithm>
#include <iostream>
#include <thread>

#include "tools/failsim/verb.h"
#include "tools/matrix/matrix.h"
#include "tools/matrix/page.h"

namespace failsim::cli {
namespace {

std::vector<matrix::Case> chosen(const Arguments& arguments) {
  std::vector<matrix::Case> all = matrix::all_cases();
  if (arguments.given("--only")) {
    const std::string& part = arguments.text("--only");
    std::erase_if(all, [&part](const matrix::Case& one) {
      return matrix::name(one).find(part) == std::string::npos;
    });
  }
  if (all.empty()) {
    fail_usage("No case has '" + arguments.text("--only") + "' in its name.",
               "See them all: failsim matrix --list");
  }
  const std::uint64_t every = arguments.count("--every", 1, 1'000'000);
  std::vector<matrix::Case> some;
  for (std::size_t i = 0; i < all.size(); i += every) some.push_back(all[i]);
  return some;
}

json::object as_object(const matrix::Judged& one) {
  return {{"case", matrix::name(one.what)},
          {"phase", matrix::name(matrix::phase_of(one.what))},
          {"outcome", matrix::name(one.result.end)},
          {"answer", one.result.answer ? json::value(*one.result.answer) : json::value(nullptr)},
          {"detail", one.result.detail},
          {"wrong", one.wrong}};
}

void print_case(const matrix::Judged& one, std::ostream& out) {
  out << matrix::name(one.what) << " (" << matrix::name(matrix::phase_of(one.what))
      << "): " << matrix::name(one.result.end);
  if (one.result.answer) out << ", answered " << *one.result.answer;
  out << '\n';
  if (!one.result.detail.empty()) out << "  " << one.result.detail << '\n';
}

void print_wrong(const matrix::Judged& one, std::ostream& out) {
  out << matrix::name(one.what) << ": " << one.wrong << "\n  failsim matrix --only '"
      << matrix::name(one.what) << "'\n";
}

int list(Context& context, const std::vector<matrix::Case>& cases) {
  json::array rows;
  for (const matrix::Case& one : cases) {
    if (!context.json()) std::cout << matrix::name(one) << '\n';
    rows.push_back(
        json::object{{"case", matrix::name(one)}, {"phase", matrix::name(matrix::phase_of(one))}});
  }
  if (context.json()) context.output().data(rows);
  return 0;
}

void refuse_contradictions(const Context& context, const Arguments& arguments) {
  for (const char* of_a_run : {"--markdown", "--verbose", "--jobs"}) {
    if (!arguments.flag("--list") || !arguments.given(of_a_run)) continue;
    fail_usage("--list runs no case, and " + std::string(of_a_run) + " is of runs.",
               "Give one of them.");
  }
  if (arguments.flag("--markdown") && context.json()) {
    fail_usage("--markdown and --output json are two forms of one result.", "Give one of them.");
  }
}

int run_matrix(Context& context, const Arguments& arguments) {
  refuse_contradictions(context, arguments);
  const std::vector<matrix::Case> cases = chosen(arguments);
  if (arguments.flag("--list")) return list(context, cases);
  const auto threads = static_cast<unsigned>(arguments.count("--jobs", 1, 64));
  const std::vector<matrix::Judged> all = matrix::judge_cases(cases, threads);
  if (arguments.flag("--markdown")) std::cout << matrix::page(all);
  json::array rows;
  std::size_t wrong = 0;
  for (const matrix::Judged& one : all) {
    if (context.json()) rows.push_back(as_object(one));
    if (arguments.flag("--verbose")) print_case(one, std::cerr);
    if (one.wrong.empty()) continue;
    ++wrong;
    if (!context.json()) print_wrong(one, std::cerr);
  }
  if (context.json()) context.output().data(rows);
  context.output().message(counted(all.size(), "case") + ", " + std::to_string(wrong) +
                           " otherwise than documented");
  return wrong == 0 ? 0 : kExitFailed;
}

}  // namespace

std::vector<Verb> matrix_verbs() {
  return {{"matrix",
           "Disturb a migration at every moment in every way, in virtual time",
           {option("--only", "TEXT", "Only cases with this in their name"),
            option("--every", "N", "Only every Nth of them", "1"),
            option("--jobs", "COUNT", "Cases that run at a time", "1"),
            flag("--list", "Name the cases, run none"),
            flag("--markdown", "Print the page docs/migration-outcomes.md"),
            flag("--verbose", "Print what each case came to")},
           "  failsim matrix --jobs 2 --markdown > docs/migration-outcomes.md\n  failsim matrix "
           "--only 'kill source at blackout.held' --verbose\n",
           run_matrix}};
}

}  // namespace failsim::cli
