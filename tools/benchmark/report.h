// What the benches found: rows of figures, and expectations that were or were not met.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace failsim::bench {

// What a figure is compared with: measured in the same run, or a limit that was configured.
struct Peer {
  std::string name;
  double value = 0;
};

struct Row {
  std::string bench;
  std::string of;  // the case
  std::string metric;
  double value = 0;
  std::string unit;
  std::optional<Peer> peer;
};

class Report {
 public:
  // Rows and expectations from now on are of this bench.
  void begin(const std::string& bench);

  void add(const std::string& of, const std::string& metric, double value, const std::string& unit,
           std::optional<Peer> peer = std::nullopt);
  // An expectation that is not met is told at once and makes the process end with status 1.
  void expect(bool met, const std::string& claim);
  // For people, on standard error.
  void say(const std::string& text) const;

  const std::vector<Row>& rows() const { return rows_; }
  const std::vector<std::string>& missed() const { return missed_; }

 private:
  std::string bench_;
  std::vector<Row> rows_;
  std::vector<std::string> missed_;
};

// One array of objects `bench, case, metric, value, unit, peer, peer_value, ratio`; the ratio is
// value / peer_value.
std::string to_json(const std::vector<Row>& rows);
// The same as columns.
std::string to_table(const std::vector<Row>& rows);

}  // namespace failsim::bench
