// The page of the scenarios says what there is.
#include "tools/scenario/index.h"

#include <gtest/gtest.h>

#include "tests/file_content.h"
#include "tools/scenario/folder.h"
#include "tools/scenario/yaml.h"

namespace failsim::scenario {
namespace {

const std::string kFolder = std::string(FAILSIM_SOURCE_DIR) + "/tests/scenarios";

// After a change: failsim scenario list tests/scenarios --markdown > tests/scenarios/README.md
TEST(Index, IsWhatThePageSays) {
  std::vector<Scenario> scenarios;
  for (const std::string& file : find_scenarios({kFolder}).take()) {
    Loaded loaded = load(file);
    ASSERT_TRUE(loaded.scenario.has_value()) << loaded.problems.front();
    scenarios.push_back(std::move(*loaded.scenario));
  }
  EXPECT_EQ(content_of(kFolder + "/README.md"), index_page(scenarios));
}

TEST(Index, NamesAThemeByWhatIsRarest) {
  const auto scenario = [](const std::string& name, const std::string& steps) {
    Scenario read = *read_yaml("failsim: 1\nvms: {web: }\nsteps:\n" + steps).scenario;
    read.name = name;
    read.sentence = "It shows a | b.";
    return read;
  };
  const std::string page =
      index_page({scenario("one", "  - do: migrate web --to node-2\n"),
                  scenario("two", "  - fault: kill one\n  - fault: disk-stall one\n")});
  EXPECT_EQ(page.substr(page.find("\n## ")), R"(
## Migrations and jobs, with nothing broken

| scenario | shows | faults | worlds |
|---|---|---|---|
| [one](one/scenario.yaml) | It shows a \| b. |  | both |

## Disks of nodes

| scenario | shows | faults | worlds |
|---|---|---|---|
| [two](two/scenario.yaml) | It shows a \| b. | `disk-stall`, `kill` | both |
)");
}

}  // namespace
}  // namespace failsim::scenario
