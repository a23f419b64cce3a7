#include <algorithm>
#include <limits>

#include "cluster/property/clusprop.h"
#include "cluster/property/property_table.h"
#include "cluster/units.h"
#include "tools/scenario/requests.h"
#include "tools/scenario/step_reader.h"
#include "tools/scenario/words.h"
#include "tools/scenario/yaml.h"
#include "tools/scenario/yaml_node.h"

namespace failsim::scenario {
namespace {

constexpr std::size_t kLongestFile = std::size_t{1} << 20;
constexpr std::uint64_t kMostNodes = 16;
constexpr std::uint64_t kMostWriters = 8;

Error refused(std::string text, std::string next) {
  return {Code::kInvalidParameter, std::move(text), std::move(next)};
}

std::function<Result<std::uint64_t>(const std::string&)> count(std::uint64_t least,
                                                               std::uint64_t most) {
  return [least, most](const std::string& text) { return parse_count(text, least, most); };
}

Result<Duration> duration(const std::string& text) {
  return parse_duration(text);
}

Result<std::uint64_t> size(const std::string& text) {
  return parse_size(text);
}

Result<std::uint64_t> rate(const std::string& text) {
  const auto parsed = parse_rate(text);
  if (!parsed) return parsed.error();
  if (parsed.value() == 0) return refused("nothing would ever arrive.", "Give a larger rate.");
  return parsed;
}

Result<bool> flag(const std::string& text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return refused("\"" + shortened(text) + "\" is neither true nor false.", "Give one of them.");
}

// "1%" or "2.5%" as per mille.
Result<std::uint64_t> share(const std::string& text) {
  const std::string next = "Write it like 2% or 0.5%.";
  const std::size_t point = text.find('.');
  if (!text.ends_with("%")) return refused("\"" + shortened(text) + "\" is no share.", next);
  const std::string whole = text.substr(0, std::min(point, text.size() - 1));
  const std::string tenth =
      point == std::string::npos ? "0" : text.substr(point + 1, text.size() - point - 2);
  const auto percent = parse_count(whole, 0, 100);
  const auto tenths = parse_count(tenth, 0, 9);
  if (!percent || !tenths || tenth.size() != 1 || percent.value() * 10 + tenths.value() > 1000) {
    return refused("\"" + shortened(text) + "\" is no share from 0% to 100%.", next);
  }
  return percent.value() * 10 + tenths.value();
}

struct Range {
  Duration min = 0;
  Duration max = 0;
};

// "200us..1ms" or "1ms".
Result<Range> range(const std::string& text) {
  const std::size_t dots = text.find("..");
  const auto min = parse_duration(text.substr(0, dots));
  if (!min) return min.error();
  if (dots == std::string::npos) return Range{min.value(), min.value()};
  const auto max = parse_duration(text.substr(dots + 2));
  if (!max) return max.error();
  if (max.value() < min.value()) {
    return refused("\"" + shortened(text) + "\" goes backwards.", "Write the shorter one first.");
  }
  return Range{min.value(), max.value()};
}

Result<std::string> any_text(const std::string& text) {
  return text;
}

class Reader {
 public:
  Reading read(std::string_view text);

 private:
  void read_scenario(const YAML::Node& root);
  void read_version(Mapping& root);
  void read_topology(Mapping& root);
  void read_settings(const YAML::Node& node);
  void read_network(const YAML::Node& node);
  void read_disk(const YAML::Node& node);
  void read_vms(const YAML::Node& node);
  void read_vm(const std::string& name, const YAML::Node& node, const Position& position);
  void read_end(Mapping& root);
  void read_left_broken(const YAML::Node& node);

  Scenario scenario_;
  Problems problems_;
};

// ---- The cluster --------------------------------------------------------------------------------

void Reader::read_version(Mapping& root) {
  const std::optional<std::string> version = root.text("failsim");
  if (!version) {
    if (!root.has("failsim")) {
      problems_.add(root.position(), "The version of the language is missing.",
                    "Begin with failsim: " + std::to_string(kVersion));
    }
    return;
  }
  if (*version == std::to_string(kVersion)) return;
  problems_.add(root.take("failsim"),
                refused("The scenario is for version " + shortened(*version) +
                            " of the language, and this failsim reads version " +
                            std::to_string(kVersion) + ".",
                        "Run it with a failsim that reads it, or bring it up to date."));
}

void Reader::read_settings(const YAML::Node& node) {
  if (!node.IsDefined()) return;
  Mapping settings(node, "The settings", problems_);
  if (!settings.is_valid()) return;
  for (const auto& entry : node) {
    const std::string& name = entry.first.Scalar();
    const std::optional<std::string> typed = settings.text(name);
    const auto spec = lookup(ObjectKind::kCluster, name);
    if (!spec) {
      std::vector<std::string_view> known;
      for (const PropertySpec& property : properties_of(ObjectKind::kCluster)) {
        known.push_back(property.name);
      }
      problems_.add(entry.first,
                    refused("The cluster has no property \"" + shortened(name) + "\".",
                            did_you_mean(name, known, "See: failsim property list cluster")));
      continue;
    }
    if (!typed) continue;
    const auto value = parse(*spec.value(), *typed);
    const auto unwritable = value ? check_client_write(*spec.value(), value.value())
                                  : std::optional<Error>(value.error());
    if (unwritable) {
      problems_.add(entry.second, *unwritable);
    } else if (value.value().format != Format::kDword) {
      problems_.add(entry.second, refused(name + " cannot be set at birth.",
                                          "Set it in a step: do: property set cluster ..."));
    } else {
      scenario_.topology.settings[std::string(spec.value()->name)] = to_text(value.value());
    }
  }
}

void Reader::read_network(const YAML::Node& node) {
  if (!node.IsDefined()) return;
  Mapping network(node, "The network", problems_);
  Topology& topology = scenario_.topology;
  network.read<Range>("delay", range, [&](const Range& delay) {
    topology.link_delay_min = delay.min;
    topology.link_delay_max = delay.max;
  });
  network.read<std::uint64_t>("loss", share, [&](std::uint64_t loss) {
    topology.link_loss_per_mille = static_cast<std::uint32_t>(loss);
  });
  network.read<std::uint64_t>("duplicate", share, [&](std::uint64_t duplicate) {
    topology.link_duplicate_per_mille = static_cast<std::uint32_t>(duplicate);
  });
  network.read<std::uint64_t>("rate", rate,
                              [&](std::uint64_t bytes) { topology.link_bytes_per_second = bytes; });
  network.finish({"delay", "loss", "duplicate", "rate"});
}

void Reader::read_disk(const YAML::Node& node) {
  if (!node.IsDefined()) return;
  Mapping disk(node, "The disk", problems_);
  disk.read<Range>("sync", range, [&](const Range& sync) {
    scenario_.topology.disk_sync_min = sync.min;
    scenario_.topology.disk_sync_max = sync.max;
  });
  disk.finish({"sync"});
}

void Reader::read_topology(Mapping& root) {
  Topology& topology = scenario_.topology;
  root.read<std::uint64_t>("nodes", count(1, kMostNodes), [&](std::uint64_t nodes) {
    topology.nodes = static_cast<std::uint32_t>(nodes);
  });
  topology.leader = root.text("leader").value_or("");
  topology.leader_position = root.position_of_key("leader");
  root.read<std::uint64_t>("node-memory", size,
                           [&](std::uint64_t bytes) { topology.node_memory_bytes = bytes; });
  root.read<std::uint64_t>("prepare-rate", rate,
                           [&](std::uint64_t bytes) { topology.prepare_bytes_per_second = bytes; });
  root.read<Duration>("guest-quantum", duration,
                      [&](Duration quantum) { topology.guest_quantum = quantum; });
  root.read<std::uint64_t>("compact-every", count(1, 1'000'000),
                           [&](std::uint64_t entries) { topology.compact_every = entries; });
  read_settings(root.take("settings"));
  read_network(root.take("network"));
  read_disk(root.take("disk"));
}

// The keys are the options of `vm create`, so its parser judges them.
void Reader::read_vm(const std::string& name, const YAML::Node& node, const Position& position) {
  Vm vm;
  vm.name = name;
  vm.position = position;
  Action create;
  create.verb = "vm create";
  create.words = {name};
  if (!node.IsNull()) {
    Mapping mapping(node, "A VM", problems_);
    if (!mapping.is_valid()) return;
    vm.owner = mapping.text("owner").value_or("");
    for (const char* key : {"memory", "dirty-rate", "working-set", "pattern", "fill"}) {
      if (const auto text = mapping.text(key)) create.options["--" + std::string(key)] = *text;
    }
    mapping.read<bool>("modelled", flag, [&](bool modelled) {
      if (modelled) create.options["--modelled"] = "";
    });
    mapping.read<bool>("start", flag, [&](bool start) { vm.start = start; });
    mapping.finish(
        {"memory", "owner", "dirty-rate", "working-set", "pattern", "fill", "modelled", "start"});
  }
  const auto parsed = parse_action(to_text(create));
  if (!parsed) return problems_.add(position, parsed.error().message, parsed.error().next);
  const auto config = vm_config_of(parsed.value());
  if (!config) return problems_.add(position, config.error().message, config.error().next);
  vm.config = config.value();
  scenario_.vms.push_back(std::move(vm));
}

void Reader::read_vms(const YAML::Node& node) {
  if (!node.IsDefined()) return;
  Mapping vms(node, "The VMs", problems_);
  if (!vms.is_valid()) return;
  for (const auto& entry : node) {
    read_vm(entry.first.Scalar(), entry.second, position_of(entry.first));
  }
}

// ---- The whole ----------------------------------------------------------------------------------

void Reader::read_left_broken(const YAML::Node& node) {
  if (!node.IsDefined()) return;
  if (!node.IsSequence()) {
    problems_.add(position_of(node), "left-broken has to be a list of nodes.",
                  "Write it like: left-broken: [node-3]");
    return;
  }
  for (const YAML::Node& name : node) {
    if (name.IsScalar()) scenario_.left_broken.push_back(name.Scalar());
  }
}

void Reader::read_end(Mapping& root) {
  root.read<std::uint64_t>("seed", count(0, std::numeric_limits<std::uint64_t>::max()),
                           [&](std::uint64_t seed) { scenario_.seed = seed; });
  root.read<std::uint64_t>("writers", count(0, kMostWriters), [&](std::uint64_t writers) {
    scenario_.writers = static_cast<std::uint32_t>(writers);
  });
  root.read<Duration>("recovery", duration,
                      [&](Duration recovery) { scenario_.recovery = recovery; });
  root.read<bool>("virtual-only", flag, [&](bool only) { scenario_.virtual_only = only; });
  root.read<std::string>("plant", any_text,
                         [&](const std::string& plant) { scenario_.plant = plant; });
  scenario_.plant_position = root.position_of_key("plant");
  scenario_.left_broken_position = root.position_of_key("left-broken");
  read_left_broken(root.take("left-broken"));
}

void Reader::read_scenario(const YAML::Node& node) {
  Mapping root(node, "A scenario", problems_);
  if (!root.is_valid()) return;
  read_version(root);
  read_topology(root);
  read_vms(root.take("vms"));
  scenario_.steps = read_steps(root.take("steps"), problems_);
  scenario_.reactions = read_reactions(root.take("reactions"), problems_);
  read_end(root);
  root.finish({"failsim", "seed", "nodes", "leader", "node-memory", "settings", "network", "disk",
               "guest-quantum", "prepare-rate", "compact-every", "vms", "writers", "steps",
               "reactions", "recovery", "left-broken", "virtual-only", "plant"});
}

Reading Reader::read(std::string_view text) {
  if (text.size() > kLongestFile) {
    return {std::nullopt, {{{1, 1}, "The file is too long for a scenario.", "Shorten it."}}};
  }
  try {
    read_scenario(YAML::Load(std::string(text)));
  } catch (const YAML::Exception& error) {
    const bool has_tab = text.find("\n\t") != std::string_view::npos;
    problems_.add(position_of(error.mark), "This is not YAML: " + error.msg + ".",
                  has_tab ? "Indent with spaces: YAML knows no tabs there." : "Correct the line.");
  }
  if (!problems_.empty()) return {std::nullopt, problems_.take()};
  return {std::move(scenario_), {}};
}

}  // namespace

Reading read_yaml(std::string_view text) {
  return Reader().read(text);
}

}  // namespace failsim::scenario
