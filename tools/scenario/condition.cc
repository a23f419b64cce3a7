#include "tools/scenario/condition.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "cluster/units.h"

namespace failsim::scenario {
namespace {

using Form = Condition::Form;

// ---- As text ------------------------------------------------------------------------------------

// What the parser takes for a value without quotes.
bool is_value_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.' || c == '/' || c == ':' || c == ';';
}

std::string value_text(const std::string& value) {
  const bool is_plain = !value.empty() && std::all_of(value.begin(), value.end(), is_value_letter);
  return is_plain ? value : "\"" + value + "\"";
}

std::string to_text(const Comparison& comparison) {
  std::string text = comparison.subject;
  if (!comparison.object.empty()) text += "(" + comparison.object + ")";
  text += "." + comparison.field + " " + comparison.op + " ";
  if (comparison.op != "in") return text + value_text(comparison.values.front());
  std::string list;
  for (const std::string& value : comparison.values) {
    list += (list.empty() ? "" : ", ") + value_text(value);
  }
  return text + "[" + list + "]";
}

// ---- Judging ------------------------------------------------------------------------------------

std::uint64_t number_of(const std::string& text) {
  const auto number = parse_count(text, 0, std::numeric_limits<std::uint64_t>::max());
  return number ? number.value() : 0;
}

bool holds(const Comparison& comparison, const std::string& is) {
  const std::vector<std::string>& values = comparison.values;
  const std::string& op = comparison.op;
  if (op == "in") return std::find(values.begin(), values.end(), is) != values.end();
  const std::string& asked = values.front();
  if (op == "==") return is == asked;
  if (op == "!=") return is != asked;
  const std::uint64_t left = number_of(is);
  const std::uint64_t right = number_of(asked);
  if (op == "<") return left < right;
  if (op == "<=") return left <= right;
  if (op == ">") return left > right;
  return left >= right;
}

// What equality says of one field in a conjunction.
struct Allowed {
  std::optional<std::set<std::string>> any_of;
  std::set<std::string> none_of;

  void only(const std::vector<std::string>& values) {
    const std::set<std::string> more(values.begin(), values.end());
    if (!any_of) {
      any_of = more;
      return;
    }
    std::erase_if(*any_of, [&](const std::string& value) { return !more.contains(value); });
  }
  bool is_possible() const {
    if (!any_of) return true;
    return std::any_of(any_of->begin(), any_of->end(),
                       [this](const std::string& value) { return !none_of.contains(value); });
  }
};

using AllowedByField = std::map<std::string, Allowed>;

void narrow(const Comparison& comparison, bool is_negated, AllowedByField& allowed) {
  Allowed& field = allowed[comparison.subject + "(" + comparison.object + ")." + comparison.field];
  const bool is_equality = comparison.op == "==" || comparison.op == "in";
  if (comparison.op != "!=" && !is_equality) return;
  if (is_equality != is_negated) {
    field.only(comparison.values);
  } else {
    field.none_of.insert(comparison.values.begin(), comparison.values.end());
  }
}

// Of the parts that all have to hold; false as soon as one cannot.
bool narrow_all(const Condition& condition, AllowedByField& allowed) {
  switch (condition.form) {
    case Form::kComparison:
      narrow(condition.comparison, false, allowed);
      return true;
    case Form::kNot:
      if (condition.operands.front().form == Form::kComparison) {
        narrow(condition.operands.front().comparison, true, allowed);
      }
      return true;
    case Form::kAnd:
      return std::all_of(condition.operands.begin(), condition.operands.end(),
                         [&](const Condition& part) { return narrow_all(part, allowed); });
    case Form::kOr:
      return std::any_of(
          condition.operands.begin(), condition.operands.end(), [&](const Condition& part) {
            AllowedByField with_part = allowed;
            if (!narrow_all(part, with_part)) return false;
            return std::all_of(with_part.begin(), with_part.end(),
                               [](const auto& field) { return field.second.is_possible(); });
          });
  }
  return true;
}

void collect(const Condition& condition, std::vector<const Comparison*>& out) {
  if (condition.form == Form::kComparison) out.push_back(&condition.comparison);
  for (const Condition& operand : condition.operands) collect(operand, out);
}

}  // namespace

std::string to_text(const Condition& condition) {
  if (condition.form == Form::kComparison) return to_text(condition.comparison);
  const auto operand_text = [](const Condition& operand) {
    return operand.form == Form::kComparison ? to_text(operand) : "(" + to_text(operand) + ")";
  };
  if (condition.form == Form::kNot) return "not " + operand_text(condition.operands.front());
  std::string text;
  for (const Condition& operand : condition.operands) {
    if (!text.empty()) text += condition.form == Form::kAnd ? " and " : " or ";
    text += operand_text(operand);
  }
  return text;
}

bool holds(const Condition& condition, const Look& look) {
  const auto part_holds = [&look](const Condition& part) { return holds(part, look); };
  const auto& parts = condition.operands;
  switch (condition.form) {
    case Form::kComparison: {
      const Comparison& asked = condition.comparison;
      const auto is = look(asked.subject, asked.object, asked.field);
      return is && holds(asked, *is);
    }
    case Form::kNot:
      return !holds(parts.front(), look);
    case Form::kAnd:
      return std::all_of(parts.begin(), parts.end(), part_holds);
    case Form::kOr:
      return std::any_of(parts.begin(), parts.end(), part_holds);
  }
  return false;
}

std::vector<const Comparison*> comparisons_of(const Condition& condition) {
  std::vector<const Comparison*> found;
  collect(condition, found);
  return found;
}

bool is_possible(const Condition& condition) {
  AllowedByField allowed;
  if (!narrow_all(condition, allowed)) return false;
  return std::all_of(allowed.begin(), allowed.end(),
                     [](const auto& field) { return field.second.is_possible(); });
}

}  // namespace failsim::scenario
