#include "cluster/fault/order.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <optional>

#include "cluster/fault/failpoint.h"
#include "cluster/fault/value.h"
#include "cluster/units.h"

namespace failsim::fault {
namespace {

constexpr std::string_view kLeaseName = "for";
constexpr std::string_view kSurvivableName = "survivable";
constexpr Parameter kLease{kLeaseName,         Unit::kDuration, kMillisecond,
                           kMaximumLease,      kDefaultLease,   {},
                           "how long it lasts"};

Error refused(const std::string& what, const std::string& next) {
  return {Code::kInvalidParameter, what, next};
}

std::string meant(const std::string& near, const std::string& otherwise) {
  return near.empty() ? otherwise : "Did you mean \"" + near + "\"?";
}

Error unknown_kind(std::string_view name) {
  std::vector<std::string_view> words;
  for (const Kind& kind : kinds()) words.push_back(kind.name);
  return refused("There is no fault \"" + shortened(name) + "\".",
                 meant(nearest(name, words), "See the kinds with 'failsim fault kinds'."));
}

// Somebody names several nodes as a shell would.
Error second_place(const Order& order, std::string_view name) {
  const std::string first = to_text(order.on);
  return refused("The fault " + std::string(order.kind->name) + " is to hit " + first + ", and \"" +
                     shortened(name) + "\" is one word too many.",
                 "Name several in one word: " + first + "," + std::string(name) + ".");
}

Error unknown_parameter(const Kind& kind, std::string_view name) {
  std::vector<std::string_view> words = {kLeaseName, kSurvivableName};
  std::string all;
  for (const Parameter& parameter : kind.parameters) {
    words.push_back(parameter.name);
    all += std::string(parameter.name) + ", ";
  }
  return refused(
      "The fault " + std::string(kind.name) + " has no parameter \"" + shortened(name) + "\".",
      meant(nearest(name, words), "It has " + all + "for and survivable."));
}

// ---- The selector and the place -----------------------------------------------------------------

std::string place_text(Place place) {
  switch (place) {
    case Place::kNode:
      return "nodes, such as node-2, leader or owner(web)";
    case Place::kLink:
      return "links between nodes, such as node-1->node-2 or leader<->all";
    case Place::kVolume:
      return "the shared volume, which needs no name";
    case Place::kGuest:
      return "the guests of VMs, by the names of the VMs";
    case Place::kPoint:
      return "a named point, such as source.move.after-persist";
    case Place::kCluster:
      break;
  }
  return "the whole cluster, which needs no name";
}

Error wrong_place(const Kind& kind, std::string_view on) {
  return refused("The fault " + std::string(kind.name) + " hits " + place_text(kind.place) +
                     ", not \"" + shortened(on) + "\".",
                 "Name what it hits.");
}

std::optional<Error> check_node_names(const Members& members) {
  if (members.role != Members::Role::kNames) return std::nullopt;
  for (const std::string& name : members.names) {
    if (is_node_name(name)) continue;
    constexpr std::array<std::string_view, 11> kWords = {
        "leader",   "owner(web)",     "source(web)", "target(web)", "one",   "minority",
        "majority", "minority-third", "all",         "node-1",      "volume"};
    return refused("\"" + shortened(name) + "\" is not a node, a role or a share.",
                   meant(nearest(name, kWords), "Nodes are called node-1 to node-64."));
  }
  return std::nullopt;
}

bool is_volume(const Members& members) {
  return members.role == Members::Role::kVolume;
}

// A VM, or a point, may be called like a role.
void take_as_name(Members& members) {
  if (!members.names.empty()) return;
  members = Members{Members::Role::kNames, {to_text(Selector{members, false, false, {}})}};
}

std::optional<Error> check_point(const Selector& on) {
  if (on.from.names.size() == 1 && find_point(on.from.names.front())) return std::nullopt;
  const std::string text = to_text(on);
  return refused("There is no point \"" + shortened(text) + "\" to fail at.",
                 meant(nearest_point(text), "See the points with 'failsim fault points'."));
}

std::optional<Error> fit_selector(const Kind& kind, std::string_view text, Selector& on) {
  const bool is_link = kind.place == Place::kLink;
  if (on.is_link != is_link) return wrong_place(kind, text);
  switch (kind.place) {
    case Place::kLink:
      if (is_volume(on.from) && is_volume(on.to)) return wrong_place(kind, text);
      if (auto error = check_node_names(on.from)) return error;
      return check_node_names(on.to);
    case Place::kNode:
      if (is_volume(on.from)) return wrong_place(kind, text);
      return check_node_names(on.from);
    case Place::kVolume:
      if (!is_volume(on.from)) return wrong_place(kind, text);
      return std::nullopt;
    case Place::kGuest:
    case Place::kPoint:
      take_as_name(on.from);
      if (on.from.role != Members::Role::kNames) return wrong_place(kind, text);
      return kind.place == Place::kPoint ? check_point(on) : std::nullopt;
    case Place::kCluster:
      break;
  }
  return wrong_place(kind, text);
}

std::optional<Error> set_selector(std::string_view text, Order& order) {
  if (text.empty()) {
    if (order.kind->place == Place::kCluster) return std::nullopt;
    if (order.kind->place == Place::kVolume) {
      order.on.from.role = Members::Role::kVolume;
      return std::nullopt;
    }
    return refused("The fault " + std::string(order.kind->name) + " does not say what it hits.",
                   "It hits " + place_text(order.kind->place) + ".");
  }
  Result<Selector> selector = parse_selector(text);
  if (!selector) return selector.error();
  order.on = selector.take();
  return fit_selector(*order.kind, text, order.on);
}

// ---- Arguments ----------------------------------------------------------------------------------

class Arguments {
 public:
  explicit Arguments(Order& order)
      : order_(order), is_given_(order.kind->parameters.size(), false) {
    for (const Parameter& parameter : order.kind->parameters) {
      order.values.push_back(parameter.fallback.value_or(parameter.minimum));
    }
  }

  std::optional<Error> take(std::string_view argument) {
    const std::size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    const bool has_value = equals != std::string_view::npos;
    if (name == kSurvivableName) {
      return take_survivable(has_value ? argument.substr(equals + 1) : "true");
    }
    const Parameter* parameter = find_parameter(*order_.kind, name);
    if (parameter == nullptr && name != kLeaseName) {
      const bool is_place = !has_value && order_.kind->place == Place::kNode && is_node_name(name);
      return is_place ? second_place(order_, name) : unknown_parameter(*order_.kind, name);
    }
    if (!has_value) {
      return refused("The parameter " + std::string(name) + " has no value.",
                     "Write it like " + std::string(name) + "=...");
    }
    const std::string_view value = argument.substr(equals + 1);
    return parameter == nullptr ? take_lease(value) : take_parameter(*parameter, value);
  }

  std::optional<Error> check_complete() const {
    for (std::size_t i = 0; i < is_given_.size(); ++i) {
      const Parameter& parameter = order_.kind->parameters[i];
      if (is_given_[i] || parameter.fallback) continue;
      return refused("The fault " + std::string(order_.kind->name) + " needs " +
                         std::string(parameter.name) + ", " + std::string(parameter.help) + ".",
                     "Give " + std::string(parameter.name) + ": " + range_text(parameter) + ".");
    }
    return std::nullopt;
  }

 private:
  static Error twice(std::string_view name) {
    return refused("The parameter " + std::string(name) + " is given twice.", "Give it once.");
  }

  std::optional<Error> take_survivable(std::string_view value) {
    if (has_survivable_) return twice(kSurvivableName);
    has_survivable_ = true;
    if (order_.kind->place != Place::kNode) {
      return refused("The fault " + std::string(order_.kind->name) +
                         " cannot be weakened to fewer nodes: it does not hit nodes.",
                     "Leave survivable out.");
    }
    if (value != "true" && value != "false") {
      return refused("survivable=" + shortened(value) + " is neither true nor false.",
                     "Write survivable, or leave it out.");
    }
    order_.survivable = value == "true";
    return std::nullopt;
  }

  std::optional<Error> take_lease(std::string_view value) {
    if (has_lease_) return twice(kLeaseName);
    has_lease_ = true;
    const Result<std::int64_t> lease = parse_value(kLease, value);
    if (!lease) return lease.error();
    order_.lease = lease.value();
    return std::nullopt;
  }

  std::optional<Error> take_parameter(const Parameter& parameter, std::string_view text) {
    const auto at = static_cast<std::size_t>(&parameter - order_.kind->parameters.data());
    if (is_given_[at]) return twice(parameter.name);
    is_given_[at] = true;
    if (parameter.unit == Unit::kTerms) {
      Result<std::vector<Term>> terms = parse_terms(text);
      if (!terms) return terms.error();
      order_.terms = terms.take();
      return terms_refused(*find_point(order_.on.from.names.front()), order_.terms);
    }
    const Result<std::int64_t> value = parse_value(parameter, text);
    if (!value) return value.error();
    order_.values[at] = value.value();
    return std::nullopt;
  }

  Order& order_;
  std::vector<bool> is_given_;
  bool has_lease_ = false;
  bool has_survivable_ = false;
};

std::vector<std::string> words_of(std::string_view line) {
  constexpr std::string_view kBlanks = " \t\r\n";
  std::vector<std::string> words;
  for (std::size_t begin = line.find_first_not_of(kBlanks); begin != std::string_view::npos;) {
    const std::size_t end = std::min(line.find_first_of(kBlanks, begin), line.size());
    words.emplace_back(line.substr(begin, end - begin));
    begin = line.find_first_not_of(kBlanks, end);
  }
  return words;
}

bool is_argument(std::string_view word) {
  return word.find('=') != std::string_view::npos || word == kSurvivableName;
}

}  // namespace

std::int64_t Order::value(std::string_view parameter) const {
  const Parameter* found = find_parameter(*kind, parameter);
  assert(found != nullptr);
  return values[static_cast<std::size_t>(found - kind->parameters.data())];
}

Result<Order> parse_order(std::string_view kind, std::string_view on,
                          const std::vector<std::string>& arguments) {
  Order order;
  order.kind = find_kind(kind);
  if (order.kind == nullptr) return unknown_kind(kind);
  if (auto error = set_selector(on, order)) return *error;
  Arguments taken(order);
  for (const std::string& argument : arguments) {
    if (auto error = taken.take(argument)) return *error;
  }
  if (auto error = taken.check_complete()) return *error;
  return order;
}

Result<Order> parse_order(std::string_view line) {
  std::vector<std::string> words = words_of(line);
  if (words.empty())
    return refused("No fault is named.", "See the kinds with 'failsim fault kinds'.");
  const std::string kind = words.front();
  words.erase(words.begin());
  std::string on;
  if (!words.empty() && !is_argument(words.front())) {
    on = words.front();
    words.erase(words.begin());
  }
  return parse_order(kind, on, words);
}

std::string to_text(const Order& order) {
  assert(order.kind != nullptr);
  std::string text(order.kind->name);
  const bool names_itself =
      order.kind->place == Place::kVolume || order.kind->place == Place::kCluster;
  if (!names_itself) text += " " + to_text(order.on);
  for (std::size_t i = 0; i < order.values.size(); ++i) {
    const Parameter& parameter = order.kind->parameters[i];
    const bool is_terms = parameter.unit == Unit::kTerms;
    if (!is_terms && parameter.fallback == order.values[i]) continue;
    text += " " + std::string(parameter.name) + "=" +
            (is_terms ? to_text(order.terms) : value_text(parameter, order.values[i]));
  }
  if (order.lease != kDefaultLease) text += " for=" + exact_duration(order.lease);
  if (order.survivable) text += " " + std::string(kSurvivableName);
  return text;
}

}  // namespace failsim::fault
