#include "tools/benchmark/write_ledger.h"

#include <charconv>
#include <iostream>

#include "tools/failsim/errors.h"

namespace failsim::bench {
namespace {

using std::chrono::milliseconds;

// Of a writer between two writes: there are other things to do for the disk.
constexpr milliseconds kPace{20};
constexpr milliseconds kAnswerLimit{10'000};

std::uint64_t number_of(const std::string& text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string property_of(const std::string& object) {
  return "/v1/property?object=group/" + object + "&name=Description";
}

}  // namespace

WriteLedger::WriteLedger(const TestCluster& cluster, std::uint32_t writers)
    : cluster_(cluster), events_(cluster.new_client()) {
  events_.take_new();
  for (std::uint32_t i = 1; i <= writers; ++i) {
    auto writer = std::make_unique<Writer>();
    writer->object = "ledger-" + std::to_string(i);
    cluster.verb({"vm", "create", writer->object, "--memory", "4MiB", "--modelled"});
    writers_.push_back(std::move(writer));
  }
  for (const auto& writer : writers_) {
    writer->thread =
        std::jthread([this, &writer](const std::stop_token& stop) { write(*writer, stop); });
  }
}

void WriteLedger::write(Writer& writer, const std::stop_token& stop) {
  cli::Client client = cluster_.new_client();
  for (std::uint64_t number = 1; !stop.stop_requested(); ++number) {
    {
      const std::lock_guard lock(writer.mutex);
      writer.attempted = number;
    }
    try {
      client.write("PUT", property_of(writer.object), {{"value", std::to_string(number)}});
      const std::lock_guard lock(writer.mutex);
      writer.acknowledged = number;
      writer.unmatched.push_back(number);
      ++writer.count;
    } catch (const cli::Failure& failure) {
      // Not acknowledged, so nothing is owed; the reason is for whoever wonders about the count.
      std::cerr << writer.object << ": " << failure.error.message << "\n";
    }
    std::this_thread::sleep_for(kPace);
  }
}

void WriteLedger::expect_kept(Report& report) const {
  for (std::uint32_t node = 1; node <= cluster_.description().nodes; ++node) {
    for (const auto& writer : writers_) expect_kept_by(node, *writer, report);
  }
}

void WriteLedger::expect_kept_by(std::uint32_t node, Writer& writer, Report& report) const {
  std::uint64_t acknowledged = 0;
  {
    const std::lock_guard lock(writer.mutex);
    acknowledged = writer.acknowledged;
  }
  const cli::HttpAnswer answer =
      cluster_.new_client().ask(node, property_of(writer.object), kAnswerLimit);
  const json::object property = cli::parse_object(answer.body).value_or(json::object{});
  const std::uint64_t shown = number_of(cli::text_in(property, "value"));
  std::uint64_t attempted = 0;
  {
    const std::lock_guard lock(writer.mutex);
    attempted = writer.attempted;
  }
  const bool kept = acknowledged <= shown && shown <= attempted;
  report.expect(kept, "node-" + std::to_string(node) + " shows write " +
                          std::to_string(acknowledged) + " of " + writer.object +
                          " or a later one (it shows \"" + answer.body.substr(0, 200) + "\")");
}

void WriteLedger::expect_events(Report& report) {
  // Acknowledged before the events are read, so their events are among them.
  std::map<std::string, std::vector<std::uint64_t>> due;
  for (const auto& writer : writers_) {
    const std::lock_guard lock(writer->mutex);
    due[writer->object] = std::exchange(writer->unmatched, {});
  }
  for (const json::object& event : events_.take_new()) {
    if (cli::text_in(event, "kind") != "property") continue;
    const std::string key = cli::text_in(event, "object") + " " + cli::text_in(event, "value");
    const std::uint64_t times = ++events_seen_[key];
    report.expect(times == 1, "the write " + key + " was done once, not twice");
  }
  report.expect(events_.gap().empty(), "events are numbered without gaps: " + events_.gap());
  for (const auto& [object, numbers] : due) {
    for (const std::uint64_t number : numbers) {
      const std::string key = "group/" + object + " " + std::to_string(number);
      report.expect(events_seen_.contains(key), "the acknowledged write " + key + " has an event");
    }
  }
}

std::uint64_t WriteLedger::acknowledged() const {
  std::uint64_t sum = 0;
  for (const auto& writer : writers_) {
    const std::lock_guard lock(writer->mutex);
    sum += writer->count;
  }
  return sum;
}

}  // namespace failsim::bench
