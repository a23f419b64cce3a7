// A verb of the command line, declared once: its words, its arguments, its help and what it does.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cluster/time.h"
#include "tools/failsim/context.h"

namespace failsim::cli {

struct Argument {
  enum class Kind {
    kPositional,
    kOptionalPositional,
    kRepeatedPositional,  // any number of them, as the last
    kOption,
    kOptionalOption,
    kRepeatedOption,
    kFlag
  };
  Kind kind;
  std::string name;   // "VM", "--memory" or "-n,--nodes"
  std::string value;  // what an option takes, for the help: "SIZE"
  std::string help;
  std::string fallback;  // the value when it is not given
};

Argument positional(std::string name, std::string help);
Argument optional_positional(std::string name, std::string help);
Argument repeated_positional(std::string name, std::string help);
Argument option(std::string name, std::string value, std::string help, std::string fallback = "");
// The value may be left out: the option then has none.
Argument optional_option(std::string name, std::string value, std::string help);
Argument repeated_option(std::string name, std::string value, std::string help);
Argument flag(std::string name, std::string help);

// What was typed, by the name of the argument ("-n,--nodes" is "--nodes" here). The typed forms end
// in a usage error that names the argument.
class Arguments {
 public:
  void set(const std::string& name, std::vector<std::string> values) {
    given_[name] = std::move(values);
  }
  void set_fallback(const std::string& name, std::string value) {
    fallbacks_[name] = std::move(value);
  }

  bool given(const std::string& name) const { return given_.contains(name); }
  bool flag(const std::string& name) const { return given(name); }
  const std::vector<std::string>& all(const std::string& name) const;
  // The value or the fallback.
  std::string text(const std::string& name) const;
  std::uint64_t size(const std::string& name) const;
  std::uint64_t rate(const std::string& name) const;
  Duration duration(const std::string& name) const;
  std::uint64_t count(const std::string& name, std::uint64_t minimum, std::uint64_t maximum) const;

 private:
  std::map<std::string, std::vector<std::string>> given_;
  std::map<std::string, std::string> fallbacks_;
};

struct Verb {
  std::string path;  // "vm create"
  std::string help;  // one line
  std::vector<Argument> arguments;
  std::string examples;                                // one a line
  std::function<int(Context&, const Arguments&)> run;  // the exit status; empty for a mere group
};

// The families, each in a file of its own.
std::vector<Verb> cluster_verbs();
std::vector<Verb> node_verbs();
std::vector<Verb> vm_verbs();
std::vector<Verb> migrate_verbs();
std::vector<Verb> property_verbs();
std::vector<Verb> task_verbs();
std::vector<Verb> job_verbs();
std::vector<Verb> event_verbs();
std::vector<Verb> fault_verbs();
std::vector<Verb> fault_inject_verbs();
std::vector<Verb> matrix_verbs();
std::vector<Verb> simulate_verbs();
std::vector<Verb> replay_verbs();
std::vector<Verb> scenario_verbs();
std::vector<Verb> check_verbs();
std::vector<Verb> explore_verbs();
std::vector<Verb> demo_verbs();

const std::vector<Verb>& all_verbs();

}  // namespace failsim::cli
