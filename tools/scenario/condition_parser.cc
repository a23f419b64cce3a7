#include <algorithm>
#include <array>

#include "cluster/units.h"
#include "tools/scenario/condition.h"
#include "tools/scenario/field.h"
#include "tools/scenario/words.h"

namespace failsim::scenario {
namespace {

using Form = Condition::Form;

constexpr std::size_t kDeepest = 16;  // parentheses in parentheses; nobody reads more
constexpr std::array<std::string_view, 7> kOperators = {"==", "!=", "<=", ">=", "<", ">", "in"};

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool is_value_letter(char c) {
  return is_letter(c) || c == '-' || c == '.' || c == '/' || c == ':' || c == ';';
}

// Recursive descent over the text; the first error ends it.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::optional<Condition> parse();
  const Error& error() const { return error_; }
  std::size_t at() const { return error_at_; }

 private:
  std::optional<Condition> either();
  std::optional<Condition> both();
  std::optional<Condition> one();
  std::optional<Condition> comparison();
  std::optional<Condition> joined(Form form, std::string_view word,
                                  std::optional<Condition> (Parser::*operand)());
  bool subject(Comparison& comparison);
  bool operation(const Field& field, Comparison& comparison);
  bool value(const Field& field, Comparison& comparison);
  bool values(const Field& field, Comparison& comparison);

  void skip_spaces() {
    while (next_ < text_.size() && text_[next_] == ' ') ++next_;
  }
  std::string_view word();
  bool take_word(std::string_view expected);
  bool take(char c);
  bool fail(std::size_t at, std::string message, std::string next) {
    error_ = {Code::kInvalidParameter, std::move(message), std::move(next)};
    error_at_ = at;
    return false;
  }
  std::optional<Condition> failed(std::string message, std::string next) {
    fail(next_, std::move(message), std::move(next));
    return std::nullopt;
  }

  const std::string_view text_;
  std::size_t next_ = 0;
  std::size_t depth_ = 0;
  Error error_;
  std::size_t error_at_ = 0;
};

std::string_view Parser::word() {
  skip_spaces();
  const std::size_t begin = next_;
  while (next_ < text_.size() && is_letter(text_[next_])) ++next_;
  return text_.substr(begin, next_ - begin);
}

bool Parser::take_word(std::string_view expected) {
  const std::size_t before = next_;
  if (word() == expected) return true;
  next_ = before;
  return false;
}

bool Parser::take(char c) {
  skip_spaces();
  if (next_ == text_.size() || text_[next_] != c) return false;
  ++next_;
  return true;
}

std::optional<Condition> Parser::parse() {
  std::optional<Condition> condition = either();
  if (!condition) return std::nullopt;
  skip_spaces();
  if (next_ == text_.size()) return condition;
  return failed("Nothing is expected at \"" + shortened(text_.substr(next_)) + "\".",
                "Join conditions with and, or.");
}

std::optional<Condition> Parser::joined(Form form, std::string_view separator,
                                        std::optional<Condition> (Parser::*operand)()) {
  std::optional<Condition> first = (this->*operand)();
  if (!first) return std::nullopt;
  Condition all;
  all.form = form;
  all.operands.push_back(std::move(*first));
  while (take_word(separator)) {
    std::optional<Condition> more = (this->*operand)();
    if (!more) return std::nullopt;
    all.operands.push_back(std::move(*more));
  }
  if (all.operands.size() > 1) return all;
  Condition only = std::move(all.operands.front());
  return only;
}

std::optional<Condition> Parser::either() {
  return joined(Form::kOr, "or", &Parser::both);
}

std::optional<Condition> Parser::both() {
  return joined(Form::kAnd, "and", &Parser::one);
}

std::optional<Condition> Parser::one() {
  if (++depth_ > kDeepest) return failed("The condition is nested too deeply.", "Simplify it.");
  std::optional<Condition> result;
  if (take_word("not")) {
    result = one();
    if (result) {
      Condition negated;
      negated.form = Form::kNot;
      negated.operands.push_back(std::move(*result));
      result = std::move(negated);
    }
  } else if (take('(')) {
    result = either();
    if (result && !take(')')) result = failed("A parenthesis is not closed.", "Close it with ).");
  } else {
    result = comparison();
  }
  --depth_;
  return result;
}

// "vm(web)" or "cluster".
bool Parser::subject(Comparison& comparison) {
  skip_spaces();
  const std::size_t begin = next_;
  const std::string_view name = word();
  std::vector<std::string_view> known;
  for (const Subject& subject : subjects()) known.push_back(subject.name);
  if (name.empty()) {
    return fail(begin, "A condition is missing.", "Write it like: vm(web).state == Running");
  }
  const Subject* subject = find_subject(name);
  if (subject == nullptr) {
    return fail(begin, "Conditions know no \"" + shortened(name) + "\".",
                did_you_mean(name, known, "They know " + list_of(known) + "."));
  }
  comparison.subject = name;
  const bool has_object = next_ < text_.size() && text_[next_] == '(';
  if (has_object == subject->object.empty()) {
    return fail(begin,
                "The subject \"" + comparison.subject + "\" takes " +
                    (has_object ? "no object." : "an object in parentheses."),
                "Write " + comparison.subject +
                    (has_object ? std::string(".") : "(" + std::string(subject->object) + ")."));
  }
  if (!has_object) return true;
  const std::size_t close = text_.find(')', next_);
  const std::string_view object =
      close == std::string_view::npos ? "" : text_.substr(next_ + 1, close - next_ - 1);
  if (object.empty()) {
    return fail(next_, "The object of \"" + comparison.subject + "\" is missing.",
                "Write " + comparison.subject + "(" + std::string(subject->object) + ").");
  }
  comparison.object = object;
  next_ = close + 1;
  return true;
}

bool Parser::operation(const Field& field, Comparison& comparison) {
  skip_spaces();
  for (const std::string_view op : kOperators) {
    if (!text_.substr(next_).starts_with(op)) continue;
    if (op == "in" && next_ + 2 < text_.size() && is_letter(text_[next_ + 2])) continue;
    const bool orders = op[0] == '<' || op[0] == '>';
    if (orders && field.type != FieldType::kNumber) {
      return fail(next_, "\"" + std::string(field.name) + "\" is no number, so it has no order.",
                  "Compare it with ==, != or in.");
    }
    comparison.op = op;
    next_ += op.size();
    return true;
  }
  return fail(next_, "The comparison of \"" + std::string(field.name) + "\" is missing.",
              "Use " + list_of({kOperators.begin(), kOperators.end()}) + ".");
}

bool Parser::value(const Field& field, Comparison& comparison) {
  skip_spaces();
  const std::size_t begin = next_;
  std::string typed;
  if (take('"')) {
    const std::size_t close = text_.find('"', next_);
    if (close == std::string_view::npos) return fail(begin, "A quote is not closed.", "Close it.");
    typed = text_.substr(next_, close - next_);
    next_ = close + 1;
  } else {
    while (next_ < text_.size() && is_value_letter(text_[next_])) typed += text_[next_++];
    if (typed.empty()) {
      return fail(begin, "The value of \"" + std::string(field.name) + "\" is missing.",
                  "Write it after the comparison.");
    }
  }
  const std::optional<std::string> text = canonical(field, typed);
  if (!text) {
    const std::vector<std::string_view> known(field.choices.begin(), field.choices.end());
    std::string range = "Give true or false.";
    if (field.type == FieldType::kChoice) range = "It is one of: " + list_of(known) + ".";
    if (field.type == FieldType::kNumber) range = "Give a whole number.";
    if (field.type == FieldType::kNode) range = "Give the name of a node, or none.";
    return fail(
        begin,
        comparison.subject + "." + comparison.field + " is never \"" + shortened(typed) + "\".",
        did_you_mean(typed, known, range));
  }
  comparison.values.push_back(*text);
  return true;
}

bool Parser::values(const Field& field, Comparison& comparison) {
  if (comparison.op != "in") return value(field, comparison);
  if (!take('[')) return fail(next_, "A list is missing.", "Write it like: in [Running, Paused]");
  do {
    if (!value(field, comparison)) return false;
  } while (take(','));
  if (take(']')) return true;
  return fail(next_, "The list is not closed.", "Close it with ].");
}

std::optional<Condition> Parser::comparison() {
  Condition condition;
  Comparison& made = condition.comparison;
  if (!subject(made)) return std::nullopt;
  if (!take('.')) return failed("A field of " + made.subject + " is missing.", "Add .state, say.");
  const std::size_t begin = next_;
  const std::string_view name = word();
  const Field* field = find_field(made.subject, name);
  if (field == nullptr) {
    std::vector<std::string_view> known;
    for (const Field& other : fields()) {
      if (other.subject == made.subject) known.push_back(other.name);
    }
    fail(begin, "\"" + made.subject + "\" has no field \"" + shortened(name) + "\".",
         did_you_mean(name, known, "It has " + list_of(known) + "."));
    return std::nullopt;
  }
  made.field = name;
  skip_spaces();
  const bool is_bare = next_ == text_.size() || text_[next_] == ')' ||
                       text_.substr(next_).starts_with("and ") ||
                       text_.substr(next_).starts_with("or ");
  if (is_bare && field->type == FieldType::kFlag) {
    made.op = "==";
    made.values = {"true"};
    return condition;
  }
  if (!operation(*field, made) || !values(*field, made)) return std::nullopt;
  return condition;
}

}  // namespace

Result<Condition> parse_condition(std::string_view text, std::size_t* at) {
  Parser parser(text);
  std::optional<Condition> condition = parser.parse();
  if (condition) return std::move(*condition);
  if (at != nullptr) *at = parser.at();
  return parser.error();
}

}  // namespace failsim::scenario
