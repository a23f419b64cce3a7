#include "tools/explore/report.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include <boost/json.hpp>

#include "tools/report/wording.h"

namespace failsim::explore {
namespace {

namespace json = boost::json;
using history::counted;

constexpr std::int64_t kVersion = 2;

json::object object_of(const Counts& counts) {
  json::object object;
  for (const auto& [name, count] : counts) object[name] = count;
  return object;
}

Counts counts_of(const json::value& value) {
  Counts counts;
  for (const auto& [name, count] : value.as_object()) {
    counts[std::string(name)] = count.to_number<std::uint64_t>();
  }
  return counts;
}

std::string text_of(const json::value& value) {
  return std::string(value.as_string());
}

json::object object_of(const Failure& failure) {
  json::object object;
  if (failure.seed) object["seed"] = *failure.seed;
  object["name"] = failure.name;
  object["verdict"] = static_cast<int>(failure.verdict);
  object["label"] = failure.label;
  object["text"] = failure.text;
  object["at_ns"] = failure.at;
  object["saved"] = failure.saved;
  object["steps"] = failure.steps;
  object["minimising_runs"] = failure.minimising;
  object["replay"] = failure.replay;
  return object;
}

Failure failure_of(const json::object& object) {
  Failure failure;
  if (object.contains("seed")) failure.seed = object.at("seed").to_number<std::uint64_t>();
  failure.name = text_of(object.at("name"));
  failure.verdict = static_cast<scenario::Verdict>(object.at("verdict").to_number<int>());
  failure.label = text_of(object.at("label"));
  failure.text = text_of(object.at("text"));
  failure.at = object.at("at_ns").to_number<Time>();
  failure.saved = text_of(object.at("saved"));
  failure.steps = object.at("steps").to_number<std::size_t>();
  failure.minimising = object.at("minimising_runs").to_number<std::uint32_t>();
  failure.replay = text_of(object.at("replay"));
  return failure;
}

template <typename Number>
json::value optional_number(const std::optional<Number>& number) {
  return number ? json::value(*number) : json::value(nullptr);
}

template <typename Number>
std::optional<Number> optional_number_of(const json::value& value) {
  if (value.is_null()) return std::nullopt;
  return value.to_number<Number>();
}

// A part says which it is; a merged report, which ones are in it.
void put_campaign(json::object& object, const Report& report) {
  object["first_seed"] = report.campaign.first_seed;
  object["wanted_seeds"] = optional_number(report.campaign.seeds);
  object["budget_ns"] = optional_number(report.campaign.budget);
  object["plant"] = report.campaign.plant;
  object["shards"] = report.campaign.shards;
  if (!report.is_merged && report.parts.size() == 1) {
    object["shard"] = *report.parts.begin();
    return;
  }
  object["merged_shards"] = json::value_from(report.parts);
  object["missing_shards"] = json::value_from(missing_parts(report));
}

void take_campaign(const json::object& object, Report& report) {
  report.campaign.first_seed = object.at("first_seed").to_number<std::uint64_t>();
  report.campaign.seeds = optional_number_of<std::uint64_t>(object.at("wanted_seeds"));
  report.campaign.budget = optional_number_of<Duration>(object.at("budget_ns"));
  report.campaign.plant = text_of(object.at("plant"));
  report.campaign.shards = object.at("shards").to_number<std::uint64_t>();
  report.is_merged = object.contains("merged_shards");
  if (!report.is_merged) {
    report.parts = {object.at("shard").to_number<std::uint64_t>()};
    return;
  }
  for (const json::value& part : object.at("merged_shards").as_array()) {
    report.parts.insert(part.to_number<std::uint64_t>());
  }
}

bool are_parts_valid(const Report& report) {
  return report.campaign.shards <= kShardsMost && !report.parts.empty() &&
         *report.parts.begin() >= 1 && *report.parts.rbegin() <= report.campaign.shards;
}

// "2/8", as --shard takes it.
std::string part_name(std::uint64_t part, const Identity& campaign) {
  return std::to_string(part) + "/" + std::to_string(campaign.shards);
}

std::string seconds(Duration duration) {
  char text[32];
  std::snprintf(text, sizeof text, "%lld.%03lld", static_cast<long long>(duration / kSecond),
                static_cast<long long>(duration % kSecond / kMillisecond));
  return text;
}

// "seeds from 1, 100 of them, in 4 parts".
std::string show(const Identity& campaign) {
  std::string text = "seeds from " + std::to_string(campaign.first_seed);
  if (campaign.seeds) text += ", " + std::to_string(*campaign.seeds) + " of them";
  if (campaign.budget) text += ", for " + seconds(*campaign.budget) + " s";
  if (!campaign.plant.empty()) text += ", with " + campaign.plant;
  return text + ", in " + counted(campaign.shards, "part");
}

// "12.3", of a second of wall time.
std::string rate(std::uint64_t count, Duration wall) {
  const auto tenths = static_cast<std::uint64_t>(10 * kSecond) * count /
                      static_cast<std::uint64_t>(std::max<Duration>(wall, 1));
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10);
}

void print_failure(const Failure& failure, std::ostream& err) {
  err << failure.name << ": " << failure.label << " at " << seconds(failure.at)
      << " s: " << failure.text << "\n  " << failure.replay << '\n';
  print_smallest(failure, err);
}

std::uint64_t count_of(const Counts& counts, std::string_view key) {
  const auto found = counts.find(std::string(key));
  return found == counts.end() ? 0 : found->second;
}

void print_count(std::uint64_t count, std::string_view what, std::ostream& out) {
  char number[32];
  std::snprintf(number, sizeof number, "  %10llu  ", static_cast<unsigned long long>(count));
  out << number << what << (count == 0 ? "  <- never" : "") << '\n';
}

// "source.move" is a row, its five stages are the columns; other points stand alone.
void print_points(const Counts& coverage, std::ostream& out) {
  constexpr std::array<std::string_view, 5> kStages = {
      "on-receive", "before-persist", "after-persist", "before-send", "after-send"};
  const auto cell = [&out](const std::string& text) {
    out << std::string(text.size() < 16 ? 16 - text.size() : 1, ' ') << text;
  };
  out << "Named points, how often each was passed\n" << std::string(18, ' ');
  for (const std::string_view stage : kStages) cell(std::string(stage));
  out << '\n';
  for (const std::string& point : points_to_pass()) {
    const std::size_t dot = point.rfind('.');
    const std::string row = point.substr(0, dot);
    const std::string_view stage = std::string_view(point).substr(dot + 1);
    const bool is_staged = std::find(kStages.begin(), kStages.end(), stage) != kStages.end();
    if (!is_staged) {
      print_count(count_of(coverage, point_key(point)), point, out);
    } else if (stage == kStages.front()) {
      out << "  " << row << std::string(row.size() < 16 ? 16 - row.size() : 1, ' ');
      for (const std::string_view column : kStages) {
        const std::uint64_t count = count_of(coverage, point_key(row + "." + std::string(column)));
        cell(count == 0 ? "never" : std::to_string(count));
      }
      out << '\n';
    }
  }
}

void print_coverage(const Report& report, std::ostream& out) {
  std::string_view subject;
  for (const Sometimes& one : sometimes()) {
    if (one.subject != subject) out << "What happened: " << one.subject << '\n';
    subject = one.subject;
    print_count(count_of(report.coverage, one.key), one.what, out);
  }
  print_points(report.coverage, out);
  out << "Invariants, how often each was put to the test\n";
  for (const std::string_view label : invariant_labels()) {
    print_count(count_of(report.evaluations, label), label, out);
  }
}

}  // namespace

void print_smallest(const Failure& failure, std::ostream& err) {
  if (failure.saved.empty()) return;
  err << "  smallest scenario: " << failure.steps
      << (failure.steps == 1 ? " step or reaction" : " steps and reactions") << ", after "
      << counted(failure.minimising, "run") << ": " << failure.saved << '\n';
}

scenario::Verdict verdict(const Report& report) {
  scenario::Verdict worst =
      missing_parts(report).empty() ? scenario::Verdict::kPass : scenario::Verdict::kInconclusive;
  for (const Failure& failure : report.failures) worst = scenario::worse(worst, failure.verdict);
  return worst;
}

int exit_status(const Report& report, bool requires_coverage) {
  scenario::Verdict worst = verdict(report);
  if (worst == scenario::Verdict::kPass && requires_coverage &&
      !gaps(report.coverage, report.evaluations).empty()) {
    worst = scenario::Verdict::kInconclusive;
  }
  return static_cast<int>(worst);
}

std::vector<std::uint64_t> missing_parts(const Report& report) {
  std::vector<std::uint64_t> missing;
  for (std::uint64_t part = 1; report.is_merged && part <= report.campaign.shards; ++part) {
    if (!report.parts.contains(part)) missing.push_back(part);
  }
  return missing;
}

std::optional<Error> merge(Report& into, const Report& more, const std::string& source) {
  if (into.parts.empty()) into.campaign = more.campaign;
  if (into.campaign != more.campaign) {
    return Error{Code::kInvalidData,
                 source + " is of another campaign: " + show(more.campaign) + ", and before it " +
                     show(into.campaign) + ".",
                 "Merge the parts of one campaign, all run with the same options."};
  }
  for (const std::uint64_t part : more.parts) {
    if (into.parts.insert(part).second) continue;
    return Error{
        Code::kAlreadyExists,
        "Part " + part_name(part, into.campaign) + " is in " + source + " and in a file before it.",
        "Give the result of each part once."};
  }
  into.is_merged = true;
  into.seeds += more.seeds;
  into.corpus += more.corpus;
  into.twice += more.twice;
  into.virtual_time += more.virtual_time;
  into.wall_time = std::max(into.wall_time, more.wall_time);
  into.failures.insert(into.failures.end(), more.failures.begin(), more.failures.end());
  add(into.coverage, more.coverage);
  add(into.evaluations, more.evaluations);
  return std::nullopt;
}

std::string to_json(const Report& report) {
  json::array failures;
  for (const Failure& failure : report.failures) failures.push_back(object_of(failure));
  const Gaps missing = gaps(report.coverage, report.evaluations);
  json::object object;
  object["version"] = kVersion;
  object["verdict"] = static_cast<int>(verdict(report));
  put_campaign(object, report);
  object["seeds"] = report.seeds;
  object["corpus"] = report.corpus;
  object["twice"] = report.twice;
  object["virtual_ns"] = report.virtual_time;
  object["wall_ns"] = report.wall_time;
  object["failures"] = std::move(failures);
  object["never_happened"] = json::value_from(missing.never_happened);
  object["never_evaluated"] = json::value_from(missing.never_evaluated);
  object["coverage"] = object_of(report.coverage);
  object["evaluations"] = object_of(report.evaluations);
  return json::serialize(object);
}

Result<Report> report_from_json(const std::string& text, const std::string& source) {
  try {
    const json::object object = json::parse(text).as_object();
    if (object.at("version").to_number<std::int64_t>() != kVersion) {
      return Error{Code::kInvalidData, source + " is the result of another version of failsim.",
                   "Run all shards with the same version."};
    }
    Report report;
    take_campaign(object, report);
    report.seeds = object.at("seeds").to_number<std::uint64_t>();
    report.corpus = object.at("corpus").to_number<std::uint64_t>();
    report.twice = object.at("twice").to_number<std::uint64_t>();
    report.virtual_time = object.at("virtual_ns").to_number<Duration>();
    report.wall_time = object.at("wall_ns").to_number<Duration>();
    for (const json::value& failure : object.at("failures").as_array()) {
      report.failures.push_back(failure_of(failure.as_object()));
    }
    report.coverage = counts_of(object.at("coverage"));
    report.evaluations = counts_of(object.at("evaluations"));
    if (are_parts_valid(report)) return report;
  } catch (const std::exception&) {
    // What the library says of it names a place in the library, which helps nobody.
  }
  return Error{Code::kInvalidData,
               source + " is no whole result of `failsim explore --output json`.",
               "Give the files that the shards have printed."};
}

void print(const Report& report, bool requires_coverage, std::ostream& out, std::ostream& err) {
  for (const Failure& failure : report.failures) print_failure(failure, err);
  print_coverage(report, out);
  const std::uint64_t runs = report.corpus + report.seeds + report.twice;
  out << counted(report.seeds, "seed") << " from " << report.campaign.first_seed << ", "
      << report.corpus << " of the corpus, " << report.twice
      << " run twice: " << report.failures.size() << " failed. " << seconds(report.wall_time)
      << " s, " << rate(runs, report.wall_time) << " runs a second, "
      << rate(static_cast<std::uint64_t>(report.virtual_time / kSecond), report.wall_time)
      << " virtual seconds a second\n";
  for (const std::uint64_t part : missing_parts(report)) {
    err << "Part " << part_name(part, report.campaign)
        << " is missing: what its seeds have shown is not known.\n";
  }
  const Gaps missing = gaps(report.coverage, report.evaluations);
  if (!requires_coverage || missing.empty()) return;
  for (const std::string& key : missing.never_happened) err << "never happened: " << key << '\n';
  for (const std::string& label : missing.never_evaluated) {
    err << "never evaluated: " << label << '\n';
  }
}

}  // namespace failsim::explore
