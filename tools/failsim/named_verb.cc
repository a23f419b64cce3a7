#include "tools/failsim/named_verb.h"

#include <algorithm>

#include "cluster/units.h"
#include "tools/failsim/errors.h"
#include "tools/scenario/words.h"

namespace failsim::cli {
namespace {

std::vector<std::string> option_names(const CLI::App* app) {
  std::vector<std::string> names;
  for (; app != nullptr; app = app->get_parent()) {
    for (const CLI::Option* option : app->get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
      for (const std::string& name : option->get_snames()) names.push_back("-" + name);
    }
  }
  return names;
}

std::vector<std::string> verb_names(const CLI::App* app) {
  std::vector<std::string> names;
  for (const CLI::App* verb : app->get_subcommands(nullptr)) names.push_back(verb->get_name());
  return names;
}

bool is_one_of(const std::string& word, const std::vector<std::string>& known) {
  return std::find(known.begin(), known.end(), word) != known.end();
}

// "-3" is a value.
bool is_option(const std::string& word) {
  return word.size() > 1 && word[0] == '-' && !(word[1] >= '0' && word[1] <= '9');
}

bool takes_value(const CLI::App* app, const std::string& name) {
  for (; app != nullptr; app = app->get_parent()) {
    const CLI::Option* option = app->get_option_no_throw(name);
    if (option != nullptr) return option->get_items_expected_max() > 0;
  }
  return false;
}

[[noreturn]] void unknown_word(const std::string& kind, const std::string& word,
                               const std::vector<std::string>& known, const CLI::App* app) {
  const std::string path = path_of(app);
  fail_usage("`failsim" + path + "` has no " + kind + " \"" + shortened(word) + "\".",
             scenario::did_you_mean(word, {known.begin(), known.end()},
                                    "See: failsim" + path + " --help"));
}

}  // namespace

const CLI::App* named_verb(const CLI::App& program, int count, const char* const* words,
                           bool with_options) {
  const CLI::App* app = &program;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--") break;
    if (is_option(word)) {
      const std::string name = word.substr(0, word.find('='));
      const std::vector<std::string> known = option_names(app);
      if (with_options && !is_one_of(name, known)) unknown_word("option", name, known, app);
      if (name == word && takes_value(app, name)) ++i;
      continue;
    }
    const std::vector<std::string> known = verb_names(app);
    if (known.empty()) continue;
    if (is_one_of(word, known)) {
      app = app->get_subcommand(word);
    } else if (app->get_require_subcommand_min() > 0) {
      unknown_word("verb", word, known, app);
    }
  }
  return app;
}

const CLI::App* verb_called(const CLI::App& program, const std::vector<std::string>& names) {
  const CLI::App* app = &program;
  for (const std::string& name : names) {
    const std::vector<std::string> known = verb_names(app);
    if (!is_one_of(name, known)) unknown_word("verb", name, known, app);
    app = app->get_subcommand(name);
  }
  return app;
}

std::string path_of(const CLI::App* app) {
  std::string path;
  for (; app->get_parent() != nullptr; app = app->get_parent()) path = " " + app->get_name() + path;
  return path;
}

}  // namespace failsim::cli
