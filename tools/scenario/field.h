// What conditions can look at, declared once: the language, its checks and its documentation derive
// from this table.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace failsim::scenario {

enum class FieldType {
  kFlag,    // true, false
  kNumber,  // a whole number, not negative; the only type that is ordered
  kNode,    // a node's name, or none
  kChoice,  // one of `choices`
  kText
};

struct Field {
  std::string_view subject;
  std::string_view name;
  FieldType type;
  std::span<const std::string_view> choices;
  bool is_virtual_only;
  std::string_view help;
};

struct Subject {
  std::string_view name;
  std::string_view object;  // what stands in parentheses: "VM"; empty: nothing does
};

std::span<const Subject> subjects();
std::span<const Field> fields();
// Null if there is none.
const Subject* find_subject(std::string_view name);
const Field* find_field(std::string_view subject, std::string_view name);

// The canonical text of a typed value: "Data Transfer" and "2" of migration().state are
// "DataTransfer". Nothing if the field cannot have it.
std::optional<std::string> canonical(const Field& field, std::string_view typed);

}  // namespace failsim::scenario
