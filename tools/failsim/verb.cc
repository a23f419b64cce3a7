#include "tools/failsim/verb.h"

#include "cluster/units.h"

namespace failsim::cli {
namespace {

// The value of a parse, or a usage error that names the argument.
template <typename T>
T must(const std::string& name, Result<T> parsed) {
  if (!parsed) fail_usage(name + ": " + parsed.error().message, parsed.error().next);
  return parsed.value();
}

void append(std::vector<Verb>& verbs, std::vector<Verb> more) {
  for (Verb& verb : more) verbs.push_back(std::move(verb));
}

}  // namespace

Argument positional(std::string name, std::string help) {
  return {Argument::Kind::kPositional, std::move(name), "", std::move(help), ""};
}

Argument optional_positional(std::string name, std::string help) {
  return {Argument::Kind::kOptionalPositional, std::move(name), "", std::move(help), ""};
}

Argument repeated_positional(std::string name, std::string help) {
  return {Argument::Kind::kRepeatedPositional, std::move(name), "", std::move(help), ""};
}

Argument option(std::string name, std::string value, std::string help, std::string fallback) {
  return {Argument::Kind::kOption, std::move(name), std::move(value), std::move(help),
          std::move(fallback)};
}

Argument optional_option(std::string name, std::string value, std::string help) {
  return {Argument::Kind::kOptionalOption, std::move(name), std::move(value), std::move(help), ""};
}

Argument repeated_option(std::string name, std::string value, std::string help) {
  return {Argument::Kind::kRepeatedOption, std::move(name), std::move(value), std::move(help), ""};
}

Argument flag(std::string name, std::string help) {
  return {Argument::Kind::kFlag, std::move(name), "", std::move(help), ""};
}

const std::vector<std::string>& Arguments::all(const std::string& name) const {
  static const std::vector<std::string> kNone;
  const auto found = given_.find(name);
  return found == given_.end() ? kNone : found->second;
}

std::string Arguments::text(const std::string& name) const {
  if (given(name)) return all(name).empty() ? "" : all(name).front();
  const auto fallback = fallbacks_.find(name);
  return fallback == fallbacks_.end() ? "" : fallback->second;
}

std::uint64_t Arguments::size(const std::string& name) const {
  return must(name, parse_size(text(name)));
}

std::uint64_t Arguments::rate(const std::string& name) const {
  return must(name, parse_rate(text(name)));
}

Duration Arguments::duration(const std::string& name) const {
  return must(name, parse_duration(text(name)));
}

std::uint64_t Arguments::count(const std::string& name, std::uint64_t minimum,
                               std::uint64_t maximum) const {
  return must(name, parse_count(text(name), minimum, maximum));
}

const std::vector<Verb>& all_verbs() {
  static const std::vector<Verb> kVerbs = [] {
    std::vector<Verb> verbs;
    append(verbs, demo_verbs());
    append(verbs, cluster_verbs());
    append(verbs, node_verbs());
    append(verbs, vm_verbs());
    append(verbs, migrate_verbs());
    append(verbs, property_verbs());
    append(verbs, task_verbs());
    append(verbs, job_verbs());
    append(verbs, event_verbs());
    append(verbs, fault_verbs());
    append(verbs, fault_inject_verbs());
    append(verbs, matrix_verbs());
    append(verbs, simulate_verbs());
    append(verbs, replay_verbs());
    append(verbs, scenario_verbs());
    append(verbs, check_verbs());
    append(verbs, explore_verbs());
    return verbs;
  }();
  return kVerbs;
}

}  // namespace failsim::cli
