#include "cluster/fault/selector.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "cluster/fault/kind.h"
#include "cluster/state/object_name.h"
#include "cluster/units.h"

namespace failsim::fault {
namespace {

using Role = Members::Role;

struct RoleName {
  std::string_view word;
  Role role;
  bool takes_vm = false;
};

constexpr std::array kRoles = {
    RoleName{"leader", Role::kLeader},
    RoleName{"owner", Role::kOwner, true},
    RoleName{"source", Role::kSource, true},
    RoleName{"target", Role::kTarget, true},
    RoleName{"one", Role::kOne},
    RoleName{"minority", Role::kMinority},
    RoleName{"majority", Role::kMajority},
    RoleName{"minority-third", Role::kMinorityThird},
    RoleName{"all", Role::kAll},
    RoleName{"volume", Role::kVolume},
};

const RoleName* find_role(std::string_view word) {
  const auto found = std::find_if(kRoles.begin(), kRoles.end(),
                                  [word](const RoleName& role) { return role.word == word; });
  return found == kRoles.end() ? nullptr : &*found;
}

std::string_view word_of(Role role) {
  for (const RoleName& known : kRoles) {
    if (known.role == role) return known.word;
  }
  return {};
}

Error refused(std::string_view text, const std::string& why, std::string_view near = {}) {
  return {Code::kInvalidParameter, "\"" + shortened(text) + "\" " + why + ".",
          near.empty() ? "Name nodes, a role such as leader or owner(web), or a share such as "
                         "minority."
                       : "Did you mean \"" + std::string(near) + "\"?"};
}

Result<std::string> parse_name(std::string_view text) {
  if (text.empty()) return refused(text, "names nothing");
  std::string name(text);
  if (vm_name_refused(name)) return refused(text, "is neither a node nor a VM nor a role");
  return name;
}

Result<Members> parse_role_of_vm(std::string_view text) {
  const std::size_t open = text.find('(');
  const std::string_view word = text.substr(0, open);
  const RoleName* role = find_role(word);
  if (role == nullptr || !role->takes_vm) {
    constexpr std::array<std::string_view, 3> kOfVm = {"owner", "source", "target"};
    const std::string near = nearest(word, kOfVm);
    return refused(text, "is no role of a VM", near.empty() ? "owner(web)" : near + "(web)");
  }
  if (text.back() != ')') return refused(text, "lacks its closing parenthesis");
  const Result<std::string> vm = parse_name(text.substr(open + 1, text.size() - open - 2));
  if (!vm) return vm.error();
  return Members{role->role, {vm.value()}};
}

Result<Members> parse_names(std::string_view text) {
  Members members;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view part = text.substr(begin, end - begin);
    if (find_role(part) != nullptr) return refused(text, "joins a role to names");
    const Result<std::string> name = parse_name(part);
    if (!name) return name.error();
    members.names.push_back(name.value());
    begin = end + 1;
  }
  return members;
}

Result<Members> parse_members(std::string_view text) {
  if (text.find('(') != std::string_view::npos) return parse_role_of_vm(text);
  const RoleName* role = find_role(text);
  if (role == nullptr) return parse_names(text);
  if (role->takes_vm) {
    return refused(text, "lacks its VM", std::string(text) + "(web)");
  }
  return Members{role->role, {}};
}

std::string to_text(const Members& members) {
  std::string names;
  for (const std::string& name : members.names) names += (names.empty() ? "" : ",") + name;
  if (members.role == Role::kNames) return names;
  const std::string word(word_of(members.role));
  return names.empty() ? word : word + "(" + names + ")";
}

// ---- Resolving ----------------------------------------------------------------------------------

using Nodes = std::vector<NodeId>;

bool contains(const Nodes& nodes, NodeId node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

Result<Nodes> resolve_names(const std::vector<std::string>& names, const Nodes& known) {
  Nodes hit;
  for (const std::string& name : names) {
    const auto found = std::find_if(known.begin(), known.end(),
                                    [&name](NodeId node) { return node_name(node) == name; });
    if (found == known.end()) {
      std::vector<std::string> written;
      for (const NodeId node : known) written.push_back(node_name(node));
      const std::vector<std::string_view> words(written.begin(), written.end());
      const std::string near = nearest(name, words);
      return Error{
          Code::kNodeNotFound, "There is no node \"" + shortened(name) + "\" here.",
          near.empty() ? "List the nodes and name one of them." : "Did you mean \"" + near + "\"?"};
    }
    if (!contains(hit, *found)) hit.push_back(*found);
  }
  return hit;
}

Result<Nodes> resolve_role_of_vm(const Members& members, const Surroundings& around) {
  const std::string& vm = members.names.front();
  if (!around.has_vm(vm)) {
    return Error{Code::kResourceNotFound,
                 "There is no VM \"" + vm + "\", so " + to_text(members) + " hits nothing.",
                 "List the VMs and name one."};
  }
  NodeId node = kNoNode;
  if (members.role == Role::kOwner) node = around.owner(vm);
  if (members.role == Role::kSource) node = around.migration_source(vm);
  if (members.role == Role::kTarget) node = around.migration_target(vm);
  if (node != kNoNode) return Nodes{node};
  const char* lacks = members.role == Role::kOwner ? " has no owner" : " is not being migrated";
  return Error{Code::kNotReady,
               "VM \"" + vm + "\"" + lacks + " now, so " + to_text(members) + " hits nothing.",
               "Wait until it is so, or name a node."};
}

// `count` of them, drawn, in the order of their names.
Nodes draw(Nodes from, std::size_t count, Random& random) {
  count = std::min(count, from.size());
  for (std::size_t i = 0; i < count; ++i) {
    std::swap(from[i], from[i + static_cast<std::size_t>(random.below(from.size() - i))]);
  }
  from.resize(count);
  std::sort(from.begin(), from.end());
  return from;
}

std::size_t share(Role role, std::size_t nodes) {
  switch (role) {
    case Role::kOne:
      return 1;
    case Role::kMinority:
      return nodes == 0 ? 0 : (nodes - 1) / 2;
    case Role::kMajority:
      return nodes / 2 + 1;
    case Role::kMinorityThird:
      return nodes == 0 ? 0 : (nodes - 1) / 3;
    default:
      return nodes;
  }
}

// `other` is what the other side of a link has drawn: shares of one selector do not overlap, so
// that minority<->majority is a split.
Result<Nodes> resolve_members(const Members& members, const Surroundings& around, Random& random,
                              const Nodes& other = {}) {
  const Nodes known = around.nodes();
  switch (members.role) {
    case Role::kNames:
      return resolve_names(members.names, known);
    case Role::kVolume:
      return Nodes{kVolumeEnd};
    case Role::kOwner:
    case Role::kSource:
    case Role::kTarget:
      return resolve_role_of_vm(members, around);
    case Role::kLeader:
      if (around.leader() != kNoNode) return Nodes{around.leader()};
      return Error{Code::kNotReady, "There is no leader now, so \"leader\" hits nothing.",
                   "Wait for the election, or name a node."};
    case Role::kAll:
      return known;
    default:
      break;
  }
  Nodes candidates;
  for (const NodeId node : known) {
    if (!contains(other, node)) candidates.push_back(node);
  }
  Nodes drawn = draw(candidates, share(members.role, known.size()), random);
  if (!drawn.empty()) return drawn;
  return Error{Code::kInvalidParameter,
               "\"" + to_text(members) + "\" of " + std::to_string(known.size()) +
                   " nodes is no node at all.",
               "Name a node, or use a larger share."};
}

bool is_share(Role role) {
  return role == Role::kOne || role == Role::kMinority || role == Role::kMajority ||
         role == Role::kMinorityThird;
}

}  // namespace

Result<Selector> parse_selector(std::string_view text) {
  Selector selector;
  std::size_t arrow = text.find("<->");
  selector.both_ways = arrow != std::string_view::npos;
  if (!selector.both_ways) arrow = text.find("->");
  selector.is_link = arrow != std::string_view::npos;
  Result<Members> from = parse_members(text.substr(0, arrow));
  if (!from) return from.error();
  selector.from = from.take();
  if (!selector.is_link) return selector;
  Result<Members> to = parse_members(text.substr(arrow + (selector.both_ways ? 3 : 2)));
  if (!to) return to.error();
  selector.to = to.take();
  return selector;
}

std::string to_text(const Selector& selector) {
  if (!selector.is_link) return to_text(selector.from);
  return to_text(selector.from) + (selector.both_ways ? "<->" : "->") + to_text(selector.to);
}

bool is_node_name(std::string_view name) {
  constexpr std::string_view kPrefix = "node-";
  constexpr NodeId kLargest = 64;
  if (!name.starts_with(kPrefix)) return false;
  const std::string_view digits = name.substr(kPrefix.size());
  if (digits.empty() || digits.front() == '0') return false;
  NodeId id = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
  return error == std::errc() && end == digits.data() + digits.size() && id <= kLargest;
}

Result<std::vector<NodeId>> resolve_nodes(const Selector& selector, const Surroundings& around,
                                          Random& random) {
  return resolve_members(selector.from, around, random);
}

Result<LinkEnds> resolve_ends(const Selector& selector, const Surroundings& around,
                              Random& random) {
  const Result<Nodes> from = resolve_members(selector.from, around, random);
  if (!from) return from.error();
  const Result<Nodes> to = resolve_members(selector.to, around, random,
                                           is_share(selector.from.role) ? from.value() : Nodes());
  if (!to) return to.error();
  return LinkEnds{from.value(), to.value()};
}

Result<std::vector<std::pair<NodeId, NodeId>>> resolve_links(const Selector& selector,
                                                             const Surroundings& around,
                                                             Random& random) {
  const Result<LinkEnds> ends = resolve_ends(selector, around, random);
  if (!ends) return ends.error();
  std::vector<std::pair<NodeId, NodeId>> links;
  const auto add = [&links](NodeId left, NodeId right) {
    const std::pair link(left, right);
    if (left != right && std::find(links.begin(), links.end(), link) == links.end()) {
      links.push_back(link);
    }
  };
  for (const NodeId left : ends.value().from) {
    for (const NodeId right : ends.value().to) {
      add(left, right);
      if (selector.both_ways) add(right, left);
    }
  }
  if (!links.empty()) return links;
  return Error{Code::kInvalidParameter,
               "\"" + to_text(selector) + "\" is no link between two ends.",
               "Name different nodes."};
}

Result<std::vector<std::string>> resolve_vms(const Selector& selector, const Surroundings& around) {
  for (const std::string& vm : selector.from.names) {
    if (around.has_vm(vm)) continue;
    return Error{Code::kResourceNotFound, "There is no VM \"" + vm + "\".",
                 "List the VMs and name one."};
  }
  return selector.from.names;
}

}  // namespace failsim::fault
