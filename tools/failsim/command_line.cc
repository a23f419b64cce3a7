#include "tools/failsim/command_line.h"

#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <sstream>

#include <CLI/CLI.hpp>

#include "cluster/units.h"
#include "tools/failsim/exit_codes.h"
#include "tools/failsim/named_verb.h"
#include "tools/failsim/verb.h"

namespace failsim::cli {
namespace {

// Examples first, then what a person may type.
class ExamplesFirst : public CLI::Formatter {
 public:
  ExamplesFirst() { column_width(34); }
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override {
    std::string text = app->get_description() + "\n";
    if (!app->get_footer().empty()) text += "\nExamples:\n" + app->get_footer();
    text += "\n" + make_usage(app, name) + make_positionals(app) + make_groups(app, mode) +
            make_subcommands(app, mode);
    if (app->get_parent() != nullptr) {
      text += "\nGlobal options (--dir, --cluster, --output, --time-limit): failsim --help\n";
    }
    return text;
  }
};

// "-n,--nodes" is known as "--nodes".
std::string key_of(const Argument& argument) {
  const std::size_t comma = argument.name.find(',');
  return comma == std::string::npos ? argument.name : argument.name.substr(comma + 1);
}

struct DeclaredVerb {
  const Verb* verb = nullptr;
  CLI::App* app = nullptr;
};

class CommandLine {
 public:
  CommandLine();

  int run(int count, const char* const* words);

 private:
  void declare_globals();
  void declare(const Verb& verb);
  void declare(CLI::App& app, const Argument& argument);
  CLI::App* app_of(const std::string& path);
  const DeclaredVerb& chosen() const;
  Arguments arguments_of(const DeclaredVerb& declared) const;
  void refuse_strays(const DeclaredVerb& declared) const;
  GlobalOptions globals() const;
  void explain(const CLI::ParseError& error, int count, const char* const* words) const;
  int help(Context& context, const std::vector<std::string>& topic) const;

  const Verb help_verb_{"help",
                        "Help on a verb, or on exit-codes: what the exit status means",
                        {repeated_positional("TOPIC", "The words of a verb, or exit-codes")},
                        "  failsim help vm create\n  failsim help exit-codes\n",
                        nullptr};
  CLI::App root_{"failsim: a failover cluster you can break", "failsim"};
  std::vector<DeclaredVerb> verbs_;
  std::string directory_;
  std::string cluster_;
  std::string output_ = "text";
  std::string time_limit_ = "30s";
};

CommandLine::CommandLine() {
  root_.formatter(std::make_shared<ExamplesFirst>());
  root_.footer(
      "  failsim demo                            see a migration, a cancel and a failover\n"
      "  failsim up --detach                     three nodes, in the background\n"
      "  failsim vm create web --start\n"
      "  failsim migrate web --to node-2\n"
      "  failsim node kill node-2\n"
      "  failsim status --watch\n"
      "  failsim help exit-codes                 what the exit status says\n");
  root_.set_help_flag("-h,--help", "Print this help");
  root_.set_version_flag("--version", "failsim " FAILSIM_VERSION);
  root_.require_subcommand(1);
  root_.fallthrough();
  declare_globals();
  for (const Verb& verb : all_verbs()) declare(verb);
  declare(help_verb_);
}

void CommandLine::declare_globals() {
  root_.add_option("--dir", directory_, "The directory of the cluster")->type_name("DIR");
  root_.add_option("--cluster", cluster_, "The name of a running cluster (or FAILSIM_CLUSTER)")
      ->type_name("NAME");
  root_.add_option("--output", output_, "text or json [text]")->type_name("FORMAT");
  root_.add_option("--time-limit", time_limit_, "How long an answer of the cluster may take [30s]")
      ->type_name("DURATION");
}

CLI::App* CommandLine::app_of(const std::string& path) {
  CLI::App* app = &root_;
  std::istringstream words(path);
  std::string word;
  while (words >> word) {
    const std::vector<CLI::App*> known =
        app->get_subcommands([&](const CLI::App* sub) { return sub->get_name() == word; });
    app = known.empty() ? app->add_subcommand(word) : known.front();
  }
  return app;
}

void CommandLine::declare(const Verb& verb) {
  CLI::App* app = app_of(verb.path);
  app->description(verb.help);
  app->footer(verb.examples);
  app->fallthrough();
  for (const Argument& argument : verb.arguments) declare(*app, argument);
  // A group needs one of its verbs; "migrate" is a verb and a group at once.
  CLI::App* group = app->get_parent();
  if (group != &root_ && group->get_require_subcommand_max() == 0) group->require_subcommand(0, 1);
  if (!verb.run && &verb != &help_verb_) app->require_subcommand(1);
  verbs_.push_back({&verb, app});
}

void CommandLine::declare(CLI::App& app, const Argument& argument) {
  const std::string help =
      argument.help + (argument.fallback.empty() ? "" : " [" + argument.fallback + "]");
  using Kind = Argument::Kind;
  if (argument.kind == Kind::kFlag) {
    app.add_flag(argument.name, help);
    return;
  }
  // The values are read back from the option itself.
  CLI::Option* declared = app.add_option(argument.name, help);
  declared->expected(argument.kind == Kind::kOptionalOption ? 0 : 1, 1);
  if (argument.kind == Kind::kPositional) {
    // `migrate list` needs no VM of `migrate`: what a verb that is a group too requires is checked
    // when it turns out to be meant.
    const bool is_group = app.get_name() == "migrate";
    declared->type_name("")->required(!is_group);
  } else if (argument.kind == Kind::kRepeatedPositional) {
    declared->type_name("")->expected(-1);
    declared->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  } else if (argument.kind == Kind::kOptionalPositional) {
    declared->type_name("");
  } else {
    declared->type_name(argument.value);
  }
  if (argument.kind == Kind::kRepeatedOption) {
    declared->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
}

const DeclaredVerb& CommandLine::chosen() const {
  const CLI::App* app = &root_;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  for (const DeclaredVerb& declared : verbs_) {
    if (declared.app == app) return declared;
  }
  fail_usage("No verb was given.", "See the verbs with: failsim --help");
}

Arguments CommandLine::arguments_of(const DeclaredVerb& declared) const {
  Arguments arguments;
  for (const Argument& argument : declared.verb->arguments) {
    const std::string key = key_of(argument);
    const CLI::Option* typed = declared.app->get_option(key);
    if (typed->count() > 0) {
      arguments.set(key, typed->results());
    } else if (argument.kind == Argument::Kind::kPositional) {
      fail_usage("`failsim " + declared.verb->path + "` needs " + key + ": " + argument.help + ".",
                 "See: failsim " + declared.verb->path + " --help");
    } else if (!argument.fallback.empty()) {
      arguments.set_fallback(key, argument.fallback);
    }
  }
  return arguments;
}

// Words that fell through to a group which is a verb too, as in `migrate cancel web --to node-1`.
void CommandLine::refuse_strays(const DeclaredVerb& declared) const {
  for (const CLI::App* app = declared.app->get_parent(); app != nullptr && app != &root_;
       app = app->get_parent()) {
    for (const CLI::Option* stray : app->get_options()) {
      if (stray->count() == 0) continue;
      fail_usage("`failsim " + declared.verb->path + "` does not take " +
                     stray->get_name(stray->get_positional()) + ".",
                 "See: failsim " + declared.verb->path + " --help");
    }
  }
}

GlobalOptions CommandLine::globals() const {
  GlobalOptions options;
  options.directory = directory_;
  options.cluster = cluster_;
  const char* from_environment = std::getenv("FAILSIM_CLUSTER");
  if (directory_.empty() && cluster_.empty() && from_environment != nullptr) {
    options.cluster = from_environment;
  }
  if (root_.get_option("--dir")->count() > 0 && directory_.empty()) {
    fail_usage("--dir is empty.", "Name the directory of a cluster.");
  }
  if (!directory_.empty() && !cluster_.empty()) {
    fail_usage("--dir and --cluster both choose a cluster.", "Give one of them.");
  }
  if (output_ != "text" && output_ != "json") {
    fail_usage("--output cannot be \"" + shortened(output_) + "\".", "Give text or json.");
  }
  options.json = output_ == "json";
  const Result<Duration> limit = parse_duration(time_limit_);
  if (!limit || limit.value() < kMillisecond) {
    fail_usage("--time-limit cannot be \"" + shortened(time_limit_) + "\".",
               "Give a duration such as 30s.");
  }
  options.time_limit = std::chrono::milliseconds(limit.value() / kMillisecond);
  return options;
}

// CLI11 tells that something is wrong; the words tell what a person meant.
void CommandLine::explain(const CLI::ParseError& error, int count, const char* const* words) const {
  const CLI::App* app = named_verb(root_, count, words, true);
  for (const DeclaredVerb& declared : verbs_) {
    if (declared.app == app && declared.verb->run) arguments_of(declared);  // says what is missing
  }
  if (app->get_require_subcommand_min() > 0) {
    fail_usage("`failsim" + path_of(app) + "` needs a verb.",
               "See: failsim" + path_of(app) + " --help");
  }
  std::string sentence = error.what();
  if (sentence.empty() || sentence.back() != '.') sentence += ".";
  fail_usage(sentence, "See: failsim" + path_of(app) + " --help");
}

int CommandLine::help(Context& context, const std::vector<std::string>& topic) const {
  if (topic == std::vector<std::string>{"exit-codes"}) {
    show_exit_codes(context.output());
    return 0;
  }
  const CLI::App* app = verb_called(root_, topic);
  // Not app->help(): that of the program would be the help of the verb "help", which was typed.
  std::cout << app->get_formatter()->make_help(app, "failsim" + path_of(app),
                                               CLI::AppFormatMode::Normal);
  return 0;
}

int CommandLine::run(int count, const char* const* words) {
  try {
    root_.parse(count, words);
  } catch (const CLI::CallForHelp&) {
    named_verb(root_, count, words, false);  // help is for what there is
    std::cout << root_.help();
    return 0;
  } catch (const CLI::CallForVersion&) {
    std::cout << "failsim " FAILSIM_VERSION "\n";
    return 0;
  } catch (const CLI::ParseError& error) {
    if (count == 1) {
      std::cerr << root_.help();
      return kExitUsage;
    }
    explain(error, count, words);
  }
  Context context(globals());
  const DeclaredVerb& declared = chosen();
  refuse_strays(declared);
  if (declared.verb == &help_verb_) return help(context, arguments_of(declared).all("TOPIC"));
  return declared.verb->run(context, arguments_of(declared));
}

// How errors are to be shown, even when the words could not be parsed.
bool wants_json(int count, const char* const* words) {
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--output=json") return true;
    if (word == "--output" && i + 1 < count && std::string(words[i + 1]) == "json") return true;
  }
  return false;
}

}  // namespace

int run_command_line(int count, const char* const* words) {
  const bool json = wants_json(count, words);
  try {
    catch_interrupts();
    CommandLine line;
    return line.run(count, words);
  } catch (const Failure& failure) {
    print_error(failure.error, json);
    return failure.exit;
  } catch (const std::exception& error) {
    const Failure failure = unexpected(error.what());
    print_error(failure.error, json);
    return failure.exit;
  }
}

}  // namespace failsim::cli
