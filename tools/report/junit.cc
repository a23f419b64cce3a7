#include <algorithm>
#include <set>

#include "tools/report/account.h"
#include "tools/report/judge.h"

namespace failsim::history {
namespace {

std::string escaped(std::string_view text) {
  std::string result;
  for (const char character : text) {
    switch (character) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        // XML has no other control characters.
        if (static_cast<unsigned char>(character) >= 0x20 || character == '\n') {
          result += character;
        } else {
          result += ' ';
        }
    }
  }
  return result;
}

std::string test_case(const Account& account, const std::string& label, std::string_view text,
                      bool may_be_skipped) {
  std::string result = "    <testcase classname=\"" + escaped(account.run.title) + "\" name=\"" +
                       escaped(label) + (text.empty() ? "" : ": " + escaped(text)) + "\">\n";
  for (const invariants::Violation& violation : account.violations) {
    if (violation.label != label) continue;
    result += "      <failure message=\"" + escaped(violation.text) + "\">" +
              escaped(account.run.replay) + "</failure>\n";
  }
  if (may_be_skipped && !account.evaluations.contains(label)) {
    result += "      <skipped message=\"never put to the test\"/>\n";
  }
  return result + "    </testcase>\n";
}

}  // namespace

std::string junit_of(const Account& account) {
  std::string cases;
  std::set<std::string> named;
  std::set<std::string> failed;
  std::size_t skipped = 0;
  for (const invariants::Violation& violation : account.violations) failed.insert(violation.label);
  for (const Rule& rule : rules()) {
    const std::string label(rule.label);
    named.insert(label);
    if (!account.evaluations.contains(label) && !failed.contains(label)) ++skipped;
    cases += test_case(account, label, rule.text, !failed.contains(label));
  }
  // What a scenario asked for itself.
  for (const std::string& label : failed) {
    if (named.insert(label).second) cases += test_case(account, label, "", false);
  }
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"" +
         escaped(account.run.title) + "\" tests=\"" + std::to_string(named.size()) +
         "\" failures=\"" + std::to_string(failed.size()) + "\" skipped=\"" +
         std::to_string(skipped) + "\">\n" + cases + "  </testsuite>\n</testsuites>\n";
}

}  // namespace failsim::history
