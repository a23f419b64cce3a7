#include "tools/benchmark/report.h"

#include <cmath>
#include <cstdio>
#include <iostream>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "tools/failsim/output.h"

namespace failsim::bench {
namespace {

namespace json = boost::json;

// Four significant digits, whole numbers whole.
std::string shown(double value) {
  char text[64];
  const bool whole = value == std::floor(value) && std::abs(value) < 1e15;
  std::snprintf(text, sizeof text, whole ? "%.0f" : "%.4g", value);
  return text;
}

std::optional<double> ratio_of(const Row& row) {
  if (!row.peer || row.peer->value == 0) return std::nullopt;
  return row.value / row.peer->value;
}

json::value number_or_null(const std::optional<double>& number) {
  if (!number) return nullptr;
  return *number;
}

}  // namespace

void Report::begin(const std::string& bench) {
  bench_ = bench;
}

void Report::add(const std::string& of, const std::string& metric, double value,
                 const std::string& unit, std::optional<Peer> peer) {
  rows_.push_back({bench_, of, metric, value, unit, std::move(peer)});
}

void Report::expect(bool met, const std::string& claim) {
  if (met) return;
  missed_.push_back(bench_ + ": " + claim);
  say("NOT MET: " + claim);
}

void Report::say(const std::string& text) const {
  std::cerr << bench_ << ": " << text << "\n" << std::flush;
}

std::string to_json(const std::vector<Row>& rows) {
  json::array array;
  for (const Row& row : rows) {
    json::object object = {{"bench", row.bench},    {"case", row.of},
                           {"metric", row.metric},  {"value", row.value},
                           {"unit", row.unit},      {"peer", nullptr},
                           {"peer_value", nullptr}, {"ratio", number_or_null(ratio_of(row))}};
    if (row.peer) {
      object["peer"] = row.peer->name;
      object["peer_value"] = row.peer->value;
    }
    array.push_back(std::move(object));
  }
  return json::serialize(array);
}

std::string to_table(const std::vector<Row>& rows) {
  std::vector<std::vector<std::string>> lines;
  for (const Row& row : rows) {
    const std::optional<double> ratio = ratio_of(row);
    lines.push_back({row.bench, row.of, row.metric, shown(row.value), row.unit,
                     row.peer ? row.peer->name : "-", row.peer ? shown(row.peer->value) : "-",
                     ratio ? shown(*ratio) : "-"});
  }
  return cli::format_table(
      {"BENCH", "CASE", "METRIC", "VALUE", "UNIT", "PEER", "PEER VALUE", "RATIO"}, lines);
}

}  // namespace failsim::bench
