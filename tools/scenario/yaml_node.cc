#include "tools/scenario/yaml_node.h"

#include <algorithm>

#include "cluster/units.h"
#include "tools/scenario/words.h"

namespace failsim::scenario {

Position position_of(const YAML::Mark& mark) {
  if (mark.is_null()) return {1, 1};
  return {static_cast<std::uint32_t>(mark.line + 1), static_cast<std::uint32_t>(mark.column + 1)};
}

Position position_of(const YAML::Node& node) {
  return position_of(node.Mark());
}

void Problems::add(const YAML::Node& node, const Error& error, std::size_t at) {
  Position position = position_of(node);
  // The mark of a quoted scalar is that of its quote, which the tag tells.
  const std::size_t quote = node.IsScalar() && node.Tag() == "!" ? 1 : 0;
  position.column += static_cast<std::uint32_t>(at + quote);
  add(position, error.message, error.next);
}

Mapping::Mapping(const YAML::Node& node, std::string what, Problems& problems)
    : node_(node), what_(std::move(what)), problems_(problems) {
  if (!node_.IsMap()) {
    is_valid_ = false;
    problems_.add(position(), what_ + " has to be a mapping.", "Write it as KEY: VALUE.");
    return;
  }
  std::set<std::string> seen;
  for (const auto& entry : node_) {
    if (!entry.first.IsScalar()) {
      is_valid_ = false;
      problems_.add(position_of(entry.first), "A key of " + what_ + " is no word.",
                    "Write it as KEY: VALUE.");
    } else if (!seen.insert(entry.first.Scalar()).second) {
      problems_.add(position_of(entry.first),
                    "The key \"" + shortened(entry.first.Scalar()) + "\" is given twice.",
                    "Keep one of them.");
    }
  }
}

bool Mapping::has(const std::string& key) const {
  return is_valid_ && node_[key].IsDefined();
}

YAML::Node Mapping::take(const std::string& key) {
  return is_valid_ ? node_[key] : YAML::Node(YAML::NodeType::Undefined);
}

Position Mapping::position_of_key(const std::string& key) const {
  return has(key) ? position_of(node_[key]) : Position();
}

std::optional<std::string> Mapping::text(const std::string& key) {
  if (!has(key)) return std::nullopt;
  const YAML::Node value = node_[key];
  if (value.IsScalar()) return value.Scalar();
  problems_.add(position_of(value), "The value of \"" + key + "\" has to be a single text.",
                "Write it on the line of its key.");
  return std::nullopt;
}

void Mapping::finish(const std::vector<std::string_view>& known) {
  if (!is_valid_) return;
  for (const auto& entry : node_) {
    const std::string& key = entry.first.Scalar();
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    problems_.add(position_of(entry.first), what_ + " has no \"" + shortened(key) + "\".",
                  did_you_mean(key, known, "Known are " + list_of(known) + "."));
  }
}

}  // namespace failsim::scenario
