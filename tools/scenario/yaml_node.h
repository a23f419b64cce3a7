// Reading YAML with the place of every mistake: a thin layer over yaml-cpp that collects problems
// instead of throwing.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <yaml-cpp/yaml.h>

#include "cluster/error.h"
#include "tools/scenario/problem.h"

namespace failsim::scenario {

Position position_of(const YAML::Mark& mark);
Position position_of(const YAML::Node& node);

class Problems {
 public:
  void add(const Position& position, std::string text, std::string next) {
    found_.push_back({position, std::move(text), std::move(next)});
  }
  // An error inside a plain scalar, `at` bytes from its beginning.
  void add(const YAML::Node& node, const Error& error, std::size_t at = 0);
  bool empty() const { return found_.empty(); }
  std::vector<Problem> take() { return std::move(found_); }

 private:
  std::vector<Problem> found_;
};

// A mapping whose keys are taken one by one; what nobody took is a problem.
class Mapping {
 public:
  // `what` names it in messages: "a step".
  Mapping(const YAML::Node& node, std::string what, Problems& problems);

  bool is_valid() const { return is_valid_; }
  bool has(const std::string& key) const;
  // The value of the key, which counts as taken; undefined if it is not there.
  YAML::Node take(const std::string& key);
  // Of the value of the key; 0 if it is not there.
  Position position_of_key(const std::string& key) const;
  // The scalar text of a key; nothing if it is not there or no scalar, which is a problem.
  std::optional<std::string> text(const std::string& key);

  // Parses the text of a key with any of the project's parsers; `set` gets the value.
  template <typename T>
  void read(const std::string& key, const std::function<Result<T>(const std::string&)>& parse,
            const std::function<void(T)>& set) {
    const std::optional<std::string> typed = text(key);
    if (!typed) return;
    Result<T> parsed = parse(*typed);
    if (parsed) {
      set(parsed.take());
    } else {
      problems_.add(node_[key], {parsed.error().code, key + ": " + parsed.error().message,
                                 parsed.error().next});
    }
  }

  // Every key that nobody asked for is told, with the nearest one that is known.
  void finish(const std::vector<std::string_view>& known);
  Problems& problems() { return problems_; }
  Position position() const { return position_of(node_); }

 private:
  const YAML::Node node_;
  const std::string what_;
  Problems& problems_;
  bool is_valid_ = true;
};

}  // namespace failsim::scenario
