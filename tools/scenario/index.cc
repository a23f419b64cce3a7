#include "tools/scenario/index.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>
#include <utility>

namespace failsim::scenario {
namespace {

struct Theme {
  std::string_view group;  // of faults
  std::string_view title;
};

// In the order of the page. The last group that a scenario has names its theme: nearly everything
// is tried with killed processes, so that comes first and names what has nothing else.
constexpr std::array kThemes = {
    Theme{"life", "The life of a VM, and properties"},
    Theme{"migration", "Migrations and jobs, with nothing broken"},
    Theme{"nodes", "Nodes stopped, killed and started by people"},
    Theme{"process", "Nodes that die, stop or hang"},
    Theme{"network", "Networks"},
    Theme{"guest", "Guests and hosts"},
    Theme{"clock", "Clocks"},
    Theme{"disk", "Disks of nodes"},
    Theme{"volume", "The shared volume"},
    Theme{"point", "Named points of a migration"},
};

struct Content {
  std::set<std::string> kinds;
  std::set<std::string> groups;
};

void add(const Effect& effect, Content& content) {
  if (const auto* inject = std::get_if<Inject>(&effect)) {
    content.kinds.insert(std::string(inject->order.kind->name));
    content.groups.insert(std::string(inject->order.kind->group));
  }
  const auto* done = std::get_if<Do>(&effect);
  if (done == nullptr) return;
  const std::string& verb = done->action.verb;
  const bool is_job = verb.starts_with("migrate") || verb.starts_with("job");
  content.groups.insert(verb.starts_with("node ") ? "nodes" : is_job ? "migration" : "life");
}

Content content_of(const Scenario& scenario) {
  Content content;
  for (const Step& step : scenario.steps) add(step.effect, content);
  for (const Reaction& reaction : scenario.reactions) add(reaction.effect, content);
  return content;
}

std::string_view theme_of(const Content& content) {
  std::string_view theme = kThemes.front().group;
  for (const Theme& one : kThemes) {
    if (content.groups.contains(std::string(one.group))) theme = one.group;
  }
  return theme;
}

// A bar would end the cell.
std::string cell(const std::string& text) {
  std::string shown;
  for (const char letter : text)
    shown += letter == '|' ? std::string("\\|") : std::string(1, letter);
  return shown;
}

std::string row_of(const Scenario& scenario, const Content& content) {
  std::string kinds;
  for (const std::string& kind : content.kinds) kinds += (kinds.empty() ? "`" : ", `") + kind + "`";
  return "| [" + scenario.name + "](" + scenario.name + "/scenario.yaml) | " +
         cell(scenario.sentence) + " | " + kinds + " | " +
         (scenario.virtual_only ? "virtual" : "both") + " |\n";
}

}  // namespace

std::string index_page(const std::vector<Scenario>& scenarios) {
  std::map<std::string_view, std::map<std::string, std::string>> rows;
  for (const Scenario& scenario : scenarios) {
    const Content content = content_of(scenario);
    rows[theme_of(content)][scenario.name] = row_of(scenario, content);
  }
  std::string page =
      "# Scenarios\n\nWhat a cluster goes through, and what has to come of it: " +
      std::to_string(scenarios.size()) +
      " stories in the language of\n[tools/scenario](../../tools/scenario/README.md). Run one with "
      "`failsim scenario run tests/scenarios/NAME`,\non processes with `--on processes`. This page "
      "is printed by `failsim scenario list tests/scenarios\n--markdown`; a test compares them.\n";
  for (const Theme& theme : kThemes) {
    const auto found = rows.find(theme.group);
    if (found == rows.end()) continue;
    page += "\n## " + std::string(theme.title) + "\n\n| scenario | shows | faults | worlds |\n" +
            "|---|---|---|---|\n";
    for (const auto& [name, row] : found->second) page += row;
  }
  return page;
}

}  // namespace failsim::scenario
