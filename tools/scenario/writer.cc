#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "tools/scenario/exact_text.h"
#include "tools/scenario/yaml.h"

namespace failsim::scenario {
namespace {

// ---- Values, exactly ----------------------------------------------------------------------------

std::string range_text(Duration min, Duration max) {
  return min == max ? duration_text(min) : duration_text(min) + ".." + duration_text(max);
}

std::string share_text(std::uint32_t per_mille) {
  std::string text = std::to_string(per_mille / 10);
  if (per_mille % 10 != 0) text += "." + std::to_string(per_mille % 10);
  return text + "%";
}

// Plain where YAML allows it.
std::string scalar(const std::string& text) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  const bool is_plain = !text.empty() && is_letter(text.front()) && text.back() != ' ' &&
                        text.find(": ") == std::string::npos && text.back() != ':' &&
                        text.find(" #") == std::string::npos &&
                        std::all_of(text.begin(), text.end(), [](char c) { return c >= ' '; });
  if (is_plain) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

// ---- Parts --------------------------------------------------------------------------------------

class Writer {
 public:
  explicit Writer(const Scenario& scenario) : scenario_(scenario) {}
  std::string write();

 private:
  using Entries = std::vector<std::pair<std::string, std::string>>;

  void line(const std::string& key, const std::string& value) {
    text_ += key + ": " + value + "\n";
  }
  void flow(const std::string& key, const Entries& entries);
  void list_item(const Entries& entries);
  void topology();
  void vms();
  void end();
  static Entries vm_entries(const Vm& vm);
  static void add_effect(const Effect& effect, Entries& entries);

  const Scenario& scenario_;
  std::string text_;
};

void Writer::flow(const std::string& key, const Entries& entries) {
  if (entries.empty()) return;
  std::string inside;
  for (const auto& [name, value] : entries) {
    if (!inside.empty()) inside += ", ";
    inside += name;
    inside += ": ";
    inside += value;
  }
  line(key, "{" + inside + "}");
}

void Writer::list_item(const Entries& entries) {
  bool is_first = true;
  for (const auto& [key, value] : entries) {
    text_ += is_first ? "  - " : "    ";
    is_first = false;
    line(key, scalar(value));
  }
}

void Writer::topology() {
  const Topology& topology = scenario_.topology;
  const Topology usual;
  line("nodes", std::to_string(topology.nodes));
  if (!topology.leader.empty()) line("leader", topology.leader);
  if (topology.node_memory_bytes != usual.node_memory_bytes) {
    line("node-memory", size_text(topology.node_memory_bytes));
  }
  flow("settings", {topology.settings.begin(), topology.settings.end()});
  Entries network;
  if (topology.link_delay_min != usual.link_delay_min ||
      topology.link_delay_max != usual.link_delay_max) {
    network.emplace_back("delay", range_text(topology.link_delay_min, topology.link_delay_max));
  }
  if (topology.link_loss_per_mille != 0) {
    network.emplace_back("loss", share_text(topology.link_loss_per_mille));
  }
  if (topology.link_duplicate_per_mille != 0) {
    network.emplace_back("duplicate", share_text(topology.link_duplicate_per_mille));
  }
  if (topology.link_bytes_per_second != usual.link_bytes_per_second) {
    network.emplace_back("rate", rate_text(topology.link_bytes_per_second));
  }
  flow("network", network);
  if (topology.disk_sync_min != usual.disk_sync_min ||
      topology.disk_sync_max != usual.disk_sync_max) {
    flow("disk", {{"sync", range_text(topology.disk_sync_min, topology.disk_sync_max)}});
  }
  if (topology.guest_quantum != usual.guest_quantum) {
    line("guest-quantum", duration_text(topology.guest_quantum));
  }
  if (topology.prepare_bytes_per_second != usual.prepare_bytes_per_second) {
    line("prepare-rate", rate_text(topology.prepare_bytes_per_second));
  }
  if (topology.compact_every != usual.compact_every) {
    line("compact-every", std::to_string(topology.compact_every));
  }
}

Writer::Entries Writer::vm_entries(const Vm& vm) {
  Entries entries = {{"memory", size_text(vm.config.memory_bytes())}};
  if (!vm.owner.empty()) entries.emplace_back("owner", vm.owner);
  entries.emplace_back("dirty-rate", rate_text(vm.config.dirty_bytes_per_second()));
  entries.emplace_back("working-set", size_text(vm.config.working_set_bytes()));
  if (vm.config.pattern() == pb::PATTERN_HOT_SET) entries.emplace_back("pattern", "hot-set");
  if (vm.config.pattern() == pb::PATTERN_SEQUENTIAL) entries.emplace_back("pattern", "sequential");
  if (vm.config.fill() == pb::FILL_ZERO) entries.emplace_back("fill", "zero");
  if (vm.config.modelled()) entries.emplace_back("modelled", "true");
  if (!vm.start) entries.emplace_back("start", "false");
  return entries;
}

void Writer::vms() {
  if (scenario_.vms.empty()) return;
  text_ += "vms:\n";
  for (const Vm& vm : scenario_.vms) flow("  " + vm.name, vm_entries(vm));
}

void Writer::add_effect(const Effect& effect, Entries& entries) {
  if (const auto* done = std::get_if<Do>(&effect)) {
    entries.emplace_back("do", to_text(done->action));
    if (done->answer == Do::Answer::kAny) entries.emplace_back("answer", "any");
    if (done->answer == Do::Answer::kRefused) {
      entries.emplace_back("refused", done->code.empty() ? "any" : done->code);
    }
  } else if (const auto* inject = std::get_if<Inject>(&effect)) {
    entries.emplace_back("fault", fault::to_text(inject->order));
    if (!inject->label.empty()) entries.emplace_back("label", inject->label);
  } else if (const auto* heal = std::get_if<Heal>(&effect)) {
    entries.emplace_back("heal", heal->label.empty() ? "all" : heal->label);
  } else if (const auto* expect = std::get_if<Expect>(&effect)) {
    entries.emplace_back("expect", to_text(expect->condition));
    if (expect->within != 0) entries.emplace_back("within", duration_text(expect->within));
  } else if (const auto* hold = std::get_if<Hold>(&effect)) {
    entries.emplace_back("hold", to_text(hold->condition));
    entries.emplace_back("for", duration_text(hold->throughout));
  } else {
    entries.emplace_back("pause", duration_text(std::get<Pause>(effect).duration));
  }
}

void Writer::end() {
  if (scenario_.writers != 0) line("writers", std::to_string(scenario_.writers));
  if (scenario_.recovery != Scenario().recovery) {
    line("recovery", duration_text(scenario_.recovery));
  }
  if (!scenario_.left_broken.empty()) {
    std::string list;
    for (const std::string& node : scenario_.left_broken) list += (list.empty() ? "" : ", ") + node;
    line("left-broken", "[" + list + "]");
  }
  if (scenario_.virtual_only) line("virtual-only", "true");
  if (!scenario_.plant.empty()) line("plant", scalar(scenario_.plant));
}

std::string Writer::write() {
  line("failsim", std::to_string(kVersion));
  if (scenario_.seed != Scenario().seed) line("seed", std::to_string(scenario_.seed));
  topology();
  vms();
  end();
  if (!scenario_.steps.empty()) text_ += "steps:\n";
  for (const Step& step : scenario_.steps) {
    Entries entries;
    if (step.at) entries.emplace_back("at", duration_text(*step.at));
    if (step.when) entries.emplace_back("when", to_text(*step.when));
    if (step.when && step.when_within != Step().when_within) {
      entries.emplace_back("when-within", duration_text(step.when_within));
    }
    add_effect(step.effect, entries);
    list_item(entries);
  }
  if (!scenario_.reactions.empty()) text_ += "reactions:\n";
  for (const Reaction& reaction : scenario_.reactions) {
    Entries entries = {{"when", to_text(reaction.when)}};
    if (reaction.delay != 0) entries.emplace_back("after", duration_text(reaction.delay));
    if (reaction.times != 1) entries.emplace_back("times", std::to_string(reaction.times));
    add_effect(reaction.effect, entries);
    list_item(entries);
  }
  return std::move(text_);
}

}  // namespace

std::string to_yaml(const Scenario& scenario) {
  return Writer(scenario).write();
}

}  // namespace failsim::scenario
