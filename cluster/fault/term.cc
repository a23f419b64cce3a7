#include "cluster/fault/term.h"

#include <algorithm>
#include <array>

#include "cluster/fault/kind.h"
#include "cluster/fault/value.h"
#include "cluster/units.h"

namespace failsim::fault {
namespace {

constexpr std::size_t kMostTerms = 16;
constexpr std::uint64_t kMostTimes = 1'000'000;
constexpr Duration kLongest = 3600 * kSecond;
constexpr std::size_t kLongestWord = 32;

enum class Takes { kNothing, kDuration, kWord };

struct ActionName {
  std::string_view word;
  Term::Action action;
  Takes takes;
};

constexpr std::array kActions = {
    ActionName{"off", Term::Action::kOff, Takes::kNothing},
    ActionName{"kill", Term::Action::kKill, Takes::kNothing},
    ActionName{"power-off", Term::Action::kPowerOff, Takes::kNothing},
    ActionName{"freeze", Term::Action::kFreeze, Takes::kDuration},
    ActionName{"cut", Term::Action::kCut, Takes::kDuration},
    ActionName{"delay", Term::Action::kDelay, Takes::kDuration},
    ActionName{"return", Term::Action::kReturn, Takes::kWord},
    ActionName{"cancel", Term::Action::kCancel, Takes::kNothing},
};

Error refused(std::string_view text, const std::string& why, const std::string& next) {
  return {Code::kInvalidParameter, "The term \"" + shortened(text) + "\" " + why + ".", next};
}

Error unknown_action(std::string_view text, std::string_view word) {
  std::vector<std::string_view> words;
  std::string all;
  for (const ActionName& known : kActions) {
    words.push_back(known.word);
    all += (all.empty() ? "" : ", ") + std::string(known.word);
  }
  const std::string near = nearest(word, words);
  return refused(text, "does nothing we know",
                 near.empty() ? "Use one of " + all + "." : "Did you mean \"" + near + "\"?");
}

bool is_word(std::string_view word) {
  return !word.empty() && word.size() <= kLongestWord &&
         std::all_of(word.begin(), word.end(),
                     [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; });
}

// "20%" or "3*" at the front of `rest`.
std::optional<Error> take_modifier(std::string_view text, std::string_view& rest, Term& term) {
  const std::size_t end = rest.find_first_of("%*(");
  if (end == std::string_view::npos || rest[end] == '(') return std::nullopt;
  const bool is_chance = rest[end] == '%';
  const std::string_view number = rest.substr(0, end);
  if (is_chance) {
    const Result<std::int64_t> chance = parse_per_mille(rest.substr(0, end + 1));
    if (!chance || chance.value() == 0) {
      return refused(text, "has no chance from 0.1% to 100%", "Write it like 20%kill.");
    }
    term.per_mille = static_cast<std::uint32_t>(chance.value());
  } else {
    const Result<std::uint64_t> times = parse_count(number, 1, kMostTimes);
    if (!times) return times.error();
    term.times = static_cast<std::uint32_t>(times.value());
  }
  rest.remove_prefix(end + 1);
  return std::nullopt;
}

std::optional<Error> take_argument(std::string_view text, Takes takes, std::string_view argument,
                                   Term& term) {
  switch (takes) {
    case Takes::kNothing:
      if (argument.empty()) return std::nullopt;
      return refused(text, "takes no argument", "Leave the parentheses out.");
    case Takes::kWord:
      if (!is_word(argument)) {
        return refused(text, "lacks the word it returns", "Write it like return(NO_MEMORY).");
      }
      term.word = std::string(argument);
      return std::nullopt;
    case Takes::kDuration: {
      const Result<Duration> duration = parse_duration(argument);
      if (!duration || duration.value() == 0 || duration.value() > kLongest) {
        return refused(text, "lacks its time, which is more than 0 and at most an hour",
                       "Write it like delay(2s).");
      }
      term.duration = duration.value();
      return std::nullopt;
    }
  }
  return std::nullopt;
}

Result<Term> parse_term(std::string_view text) {
  Term term;
  std::string_view rest = text;
  if (auto error = take_modifier(text, rest, term)) return *error;
  // Both may stand there: "20%1*kill".
  if (auto error = take_modifier(text, rest, term)) return *error;
  const std::size_t open = rest.find('(');
  const std::string_view word = rest.substr(0, open);
  const auto action = std::find_if(kActions.begin(), kActions.end(),
                                   [word](const ActionName& known) { return known.word == word; });
  if (action == kActions.end()) return unknown_action(text, word);
  term.action = action->action;
  std::string_view argument;
  if (open != std::string_view::npos) {
    if (rest.back() != ')') return refused(text, "lacks its closing parenthesis", "Add it.");
    argument = rest.substr(open + 1, rest.size() - open - 2);
    if (argument.empty()) return refused(text, "has empty parentheses", "Write it like delay(2s).");
  }
  if (auto error = take_argument(text, action->takes, argument, term)) return *error;
  return term;
}

}  // namespace

Result<std::vector<Term>> parse_terms(std::string_view text) {
  std::vector<Term> terms;
  for (;;) {
    const std::size_t arrow = text.find("->");
    Result<Term> term = parse_term(text.substr(0, arrow));
    if (!term) return term.error();
    terms.push_back(term.take());
    if (terms.size() > kMostTerms) {
      return refused(text, "is one too many of a chain", "Use at most 16 terms.");
    }
    if (arrow == std::string_view::npos) return terms;
    text.remove_prefix(arrow + 2);
  }
}

std::string to_text(const std::vector<Term>& terms) {
  std::string text;
  for (const Term& term : terms) {
    if (!text.empty()) text += "->";
    if (term.per_mille != 1000) text += exact_per_mille(term.per_mille);
    if (term.times != 0) text += std::to_string(term.times) + "*";
    const auto action =
        std::find_if(kActions.begin(), kActions.end(),
                     [&term](const ActionName& known) { return known.action == term.action; });
    text += action->word;
    if (action->takes == Takes::kDuration) text += "(" + exact_duration(term.duration) + ")";
    if (action->takes == Takes::kWord) text += "(" + term.word + ")";
  }
  return text;
}

}  // namespace failsim::fault
