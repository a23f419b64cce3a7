// fault: inject, list and heal.
#include <chrono>
#include <ctime>
#include <random>
#include <thread>

#include "cluster/fault/describe.h"
#include "cluster/fault/order.h"
#include "cluster/units.h"
#include "tools/failsim/fault_injector.h"
#include "tools/failsim/verb.h"

namespace failsim::cli {
namespace {

using std::chrono::milliseconds;

// While an injector holds a fault it renews a short lease, so that the fault outlives it by little.
constexpr Duration kHeldLease = 3 * kSecond;
constexpr Duration kRenewal = kSecond;

FaultInjector injector(Context& context) {
  std::random_device device;
  return FaultInjector(context.client(), "failsim fault inject",
                       (std::uint64_t{device()} << 32) | device());
}

fault::Order order_of(const Arguments& arguments) {
  std::vector<std::string> words = arguments.all("ON");
  std::string on;
  if (!words.empty() && words.front().find('=') == std::string::npos) {
    on = words.front();
    words.erase(words.begin());
  }
  if (arguments.given("--for")) words.push_back("for=" + arguments.text("--for"));
  if (arguments.flag("--survivable")) words.push_back("survivable");
  Result<fault::Order> order = fault::parse_order(arguments.text("KIND"), on, words);
  if (!order) fail_usage(order.error().message, order.error().next);
  return order.take();
}

std::string time_text(std::time_t at) {
  std::tm local = {};
  ::localtime_r(&at, &local);
  char text[16];
  std::strftime(text, sizeof text, "%H:%M:%S", &local);
  return text;
}

void show(Context& context, const InjectedFault& fault) {
  json::array hits;
  for (const FaultPart& part : fault.parts) {
    hits.push_back(json::object{{"node", part.performer()}, {"order", fault::to_text(part.order)}});
  }
  const std::string line = fault::to_text(fault.order);
  if (context.json()) {
    context.output().data(json::object{{"id", fault.id},
                                       {"order", line},
                                       {"lease_ms", fault.order.lease / kMillisecond},
                                       {"weakened", fault.weakened},
                                       {"is_over", fault::is_over_at_once(*fault.order.kind)},
                                       {"hits", std::move(hits)}});
    return;
  }
  const bool is_over = fault::is_over_at_once(*fault.order.kind);
  const std::time_t until = std::time(nullptr) + fault.order.lease / kSecond;
  context.output().line("fault " + std::to_string(fault.id) + ": " + line +
                        (is_over ? ", done" : ", until " + time_text(until)));
  context.output().table_of(hits, {"node", "order"});
  if (!fault.weakened.empty()) context.output().message(fault.weakened);
  if (is_over) return context.output().message("It has happened; there is nothing to heal.");
  context.output().message("Heal it with: failsim fault heal " + std::to_string(fault.id));
}

// Until the whole time is over, or the fault is healed, or this process ends.
void hold(FaultInjector& faults, const InjectedFault& fault, Duration whole) {
  Duration rest = whole;
  while (rest > kHeldLease) {
    std::this_thread::sleep_for(std::chrono::nanoseconds(kRenewal));
    rest -= kRenewal;
    if (!faults.renew(fault, std::min(rest, kHeldLease))) return;
  }
  std::this_thread::sleep_for(std::chrono::nanoseconds(rest));
}

int inject(Context& context, const Arguments& arguments) {
  fault::Order order = order_of(arguments);
  const Duration whole = order.lease;
  const bool is_held = arguments.flag("--hold");
  if (is_held) order.lease = std::min(whole, kHeldLease);
  FaultInjector faults = injector(context);
  InjectedFault fault = faults.inject(order);
  fault.order.lease = whole;
  show(context, fault);
  if (is_held && !fault::is_over_at_once(*order.kind)) hold(faults, fault, whole);
  return 0;
}

void show_rows(Context& context, json::array rows, const std::string& none) {
  if (context.json()) return context.output().data(rows);
  if (rows.empty()) return context.output().message(none);
  bool has_points = false;
  for (json::value& row : rows) {
    json::object& fault = row.as_object();
    fault["left"] = show_duration_ms(number_in(fault, "remaining_ms"));
    has_points = has_points || fault.contains("hits");
  }
  std::vector<std::string> columns = {"id", "node", "order", "left", "by"};
  if (has_points) columns.insert(columns.end(), {"hits", "performed"});
  context.output().table_of(rows, columns);
}

int list(Context& context, const Arguments&) {
  show_rows(context, injector(context).list(), "No fault is in force.");
  return 0;
}

int heal(Context& context, const Arguments& arguments) {
  const bool all = arguments.flag("--all");
  if (all == arguments.given("ID")) {
    fail_usage("Say which fault is to be healed, or --all.",
               "See what is in force with: failsim fault list");
  }
  std::optional<std::uint64_t> id;
  if (!all) id = arguments.count("ID", 1, std::uint64_t{1} << 32);
  json::array healed = injector(context).heal(id);
  if (!context.json() && !healed.empty()) context.output().message("Healed:");
  show_rows(context, std::move(healed), "No fault was in force.");
  return 0;
}

}  // namespace

std::vector<Verb> fault_inject_verbs() {
  return {
      {"fault inject",
       "Inject a fault for a while",
       {positional("KIND", "What is to be broken, for example link-cut"),
        repeated_positional("ON", "Where, and NAME=VALUE of the kind's parameters"),
        option("--for", "DURATION", "How long it lasts; then it is undone", "60s"),
        flag("--survivable", "Hit no more nodes than the quorum can take"),
        flag("--hold", "Go on until it is over; the fault ends soon after this command does")},
       "  failsim fault inject freeze leader --for 5s\n"
       "  failsim fault inject link-cut 'node-1->node-2' class=heartbeat\n"
       "  failsim fault inject link-delay 'all<->all' min=20ms max=80ms --for 5m\n"
       "  failsim fault inject disk-fail 'owner(web)' error=ENOSPC\n"
       "  failsim fault inject isolate minority --survivable\n",
       inject},
      {"fault list", "List the faults in force", {}, "  failsim fault list\n", list},
      {"fault heal",
       "End a fault, or all of them, before its time",
       {optional_positional("ID", "The number of the fault"),
        flag("--all", "Heal every fault that is in force")},
       "  failsim fault heal 3\n  failsim fault heal --all\n",
       heal},
  };
}

}  // namespace failsim::cli
