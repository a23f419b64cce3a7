// What a scenario can ask of the cluster: an expression over what it shows.
//
//   migration(web).state == Move        vm(web).owner == node-2      node(node-1).state == Down
//   vm(web).state in [Running, Paused]  cluster.leader != none       cluster.quorum
//   migration(web).round >= 3           fault(cut).active            not vm(web).executing
//   A and B, A or B, not (A or B)
//
// Subjects and fields are declared once, in field.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/error.h"

namespace failsim::scenario {

struct Comparison {
  std::string subject;              // "migration", "vm", "node", "cluster", "task", "property"
  std::string object;               // "web"; empty for the cluster
  std::string field;                // "state"
  std::string op;                   // ==, !=, <, <=, >, >=, in
  std::vector<std::string> values;  // canonical text; several only for `in`
  bool operator==(const Comparison&) const = default;
};

struct Condition {
  enum class Form { kComparison, kNot, kAnd, kOr } form = Form::kComparison;
  Comparison comparison;            // kComparison
  std::vector<Condition> operands;  // of the others
  bool operator==(const Condition&) const = default;
};

// kInvalidParameter with a sentence, the nearest valid word, and the offset of the error in bytes
// in `at` if given.
Result<Condition> parse_condition(std::string_view text, std::size_t* at = nullptr);
std::string to_text(const Condition& condition);

// The value of a field as canonical text ("Move", "node-2", "3", "true", "none"); nothing if the
// object does not exist (every comparison with it is false then, != included).
using Look = std::function<std::optional<std::string>(
    const std::string& subject, const std::string& object, const std::string& field)>;
bool holds(const Condition& condition, const Look& look);

// Every comparison in it.
std::vector<const Comparison*> comparisons_of(const Condition& condition);
// False if no state of a cluster can make it true: "vm(web).state == Running and
// vm(web).state == Paused". What is not decided by equality alone counts as possible.
bool is_possible(const Condition& condition);

}  // namespace failsim::scenario
