// migrate, and migrate cancel, list, show and watch.
#include <algorithm>
#include <array>
#include <functional>

#include "cluster/migration/bandwidth.h"
#include "cluster/migration/precopy.h"
#include "cluster/migration/precopy_policy.h"
#include "cluster/units.h"
#include "tools/failsim/tasks.h"
#include "tools/failsim/verb.h"

namespace failsim::cli {
namespace {

std::string migration_target(const std::string& vm) {
  return "/v1/migrations/" + percent_encoded(vm);
}

// "20,10,99", or less of it; the rest is as usual.
void add_throttle(const std::string& text, json::object& body) {
  const Result<ThrottleSteps> steps = parse_throttle(text);
  if (!steps) fail_usage("--throttle: " + steps.error().message, steps.error().next);
  body["throttle_first_percent"] = steps.value().first_percent;
  body["throttle_step_percent"] = steps.value().step_percent;
  body["throttle_most_percent"] = steps.value().most_percent;
}

json::object parameters(const Arguments& arguments) {
  json::object body = {{"to", arguments.text("--to")}};
  if (arguments.given("--bandwidth")) {
    const std::uint64_t rate = arguments.rate("--bandwidth");
    if (const auto error = bandwidth_refused(rate)) {
      fail_usage("--bandwidth: " + error->message, error->next);
    }
    body["bandwidth_bytes_per_second"] = rate;
  }
  body["downtime_limit_ms"] = arguments.duration("--downtime-limit") / kMillisecond;
  if (arguments.given("--max-rounds")) {
    body["max_rounds"] = arguments.count("--max-rounds", 1, 100'000);
  }
  if (arguments.given("--timeout")) {
    body["timeout_ms"] = arguments.duration("--timeout") / kMillisecond;
  }
  if (arguments.given("--max-downtime")) {
    body["max_downtime_ms"] = arguments.duration("--max-downtime") / kMillisecond;
  }
  if (arguments.given("--max-bytes")) body["max_bytes"] = arguments.size("--max-bytes");
  const std::string action = arguments.text("--on-no-convergence");
  if (!on_no_convergence_of(action)) {
    fail_usage("--on-no-convergence cannot be \"" + shortened(action) + "\".",
               "Give go-on, fail, switch, throttle or post-copy.");
  }
  body["on_no_convergence"] = action;
  if (arguments.given("--streams")) body["streams"] = arguments.count("--streams", 1, kStreamsMax);
  const std::string compression = arguments.text("--compression");
  if (compression != "off" && compression != "zstd") {
    fail_usage("--compression cannot be \"" + shortened(compression) + "\".", "Give off or zstd.");
  }
  body["compression"] = compression;
  if (arguments.given("--throttle")) add_throttle(arguments.text("--throttle"), body);
  const std::string verify = arguments.text("--verify");
  if (verify != "background" && verify != "before-resume") {
    fail_usage("--verify cannot be \"" + shortened(verify) + "\".",
               "Give background or before-resume.");
  }
  body["verify"] = verify;
  return body;
}

// Shows an ended migration and returns the exit status it calls for.
int conclude(Context& context, const json::object& migration) {
  if (context.json()) context.output().data(migration);
  const int exit = migration_exit(migration);
  if (exit != 0) throw Failure{migration_error(migration), exit};
  if (!context.json()) context.output().line(migration_sentence(migration));
  return 0;
}

std::string forecast_sentence(const json::object& told) {
  const std::string route =
      text_in(told, "vm") + " from " + text_in(told, "from") + " to " + text_in(told, "to");
  const std::string reason = text_in(told, "not_converging");
  if (!flag_in(told, "succeeds")) {
    return "The migration of " + route + " would be given up after " +
           show_duration_ms(number_in(told, "total_ms")) + ": " + reason + ".";
  }
  return "The migration of " + route + " would take " +
         show_duration_ms(number_in(told, "total_ms")) + " and " +
         counted(number_in(told, "rounds"), "round") + ", send " +
         show_size(number_in(told, "bytes_sent")) + ", and stop the guest for " +
         show_duration_ms(number_in(told, "downtime_ms")) +
         (number_in(told, "throttle_percent") == 0
              ? ""
              : ", after it was throttled by " + plain_in(told, "throttle_percent") + " %") +
         (flag_in(told, "converges") ? "."
          : flag_in(told, "post_copy")
              ? "; it would not converge, and so it would go on in post-copy, the guest at " +
                    text_in(told, "to") + " and the rest of its pages after it: " + reason + "."
              : "; it would not converge: " + reason + ".");
}

int dry_run(Context& context, const std::string& vm, const json::object& body) {
  const json::value told = context.client().write(
      "POST", "/v1/vms/" + percent_encoded(vm) + "/forecast-migration", body);
  if (context.json() || !told.is_object()) {
    context.output().data(told);
  } else {
    const json::object& forecast = told.get_object();
    context.output().line(
        forecast_sentence(forecast) +
        (flag_in(forecast, "is_watched")
             ? ""
             : " Nobody has watched the guest yet; its configuration is believed."));
  }
  return 0;
}

// CheckVirtualSystemIsMigratableToHost: every check that fails is a line.
int check(Context& context, const std::string& vm, const json::object& body) {
  const json::value answer =
      context.client().write("POST", "/v1/vms/" + percent_encoded(vm) + "/check-migration", body);
  const json::object told = answer.is_object() ? answer.get_object() : json::object{};
  const bool is_migratable = flag_in(told, "is_migratable");
  if (context.json()) {
    context.output().data(told);
  } else if (is_migratable) {
    context.output().line(vm + " can be migrated to " + text_in(told, "to") +
                          (flag_in(told, "would_wait")
                               ? "; it would wait for its turn (MaximumParallelMigrations)."
                               : "."));
  } else {
    context.output().line(vm + " cannot be migrated to " + text_in(told, "to") + " (" +
                          plain_in(told, "return_value") + "):");
    for (const json::value& failed : array_in(told, "failed_checks")) {
      context.output().line("  " + text_in(failed.as_object(), "check") + ": " +
                            text_in(failed.as_object(), "message"));
    }
  }
  return is_migratable ? 0 : kExitFailed;
}

int migrate(Context& context, const Arguments& arguments) {
  const std::string vm = arguments.text("VM");
  if (!arguments.given("--to")) {
    fail_usage("`failsim migrate " + shortened(vm) + "` needs --to NODE.",
               "See the nodes with: failsim node list");
  }
  if (arguments.flag("--wait") && arguments.flag("--no-wait")) {
    fail_usage("--wait and --no-wait exclude each other.", "Give one of them; --wait is usual.");
  }
  const json::object body = parameters(arguments);
  if (arguments.flag("--check")) return check(context, vm, body);
  if (arguments.flag("--dry-run")) return dry_run(context, vm, body);
  const json::value answer =
      context.client().write("POST", "/v1/vms/" + percent_encoded(vm) + "/migrate", body);
  const std::uint64_t job = task_in(answer);
  if (arguments.flag("--no-wait")) {
    if (context.json()) {
      context.output().data(json::object{{"task", job}, {"job_id", job}});
    } else {
      context.output().line(std::to_string(job));
    }
    return 0;
  }
  Progress progress(!context.json());
  PhaseLines phases(context.client(), job, progress);
  return conclude(context, follow_migration(context.client(), vm, job, phases));
}

int cancel(Context& context, const Arguments& arguments) {
  const std::string vm = arguments.text("VM");
  Client& client = context.client();
  const std::uint64_t job =
      task_in(client.write("POST", "/v1/vms/" + percent_encoded(vm) + "/cancel-migration"));
  wait_for_task(client, job);
  const json::object migration = migration_of_job(client, vm, job);
  if (context.json()) context.output().data(migration);
  if (enum_value_in(migration, "result") != kResultCancelled) {
    fail(Code::kInvalidState,
         "The migration of " + vm + " was not canceled: it ended in " +
             enum_name_in(migration, "result") + ".",
         "See: failsim migrate show " + vm);
  }
  context.output().message(migration_sentence(migration));
  return 0;
}

int list(Context& context, const Arguments&) {
  const json::value migrations = context.client().get("/v1/migrations");
  if (context.json()) {
    context.output().data(migrations);
  } else if (migrations.is_array() && !migrations.get_array().empty()) {
    context.output().table_of(migrations.get_array(),
                              {"job_id", "vm", "from", "to", "migration_state", "result", "rounds",
                               "bytes_sent", "total_ms", "downtime_ms", "digest_match"});
  } else {
    context.output().message(
        "There are no migrations. Start one with: failsim migrate VM --to NODE");
  }
  return 0;
}

int show(Context& context, const Arguments& arguments) {
  const json::value migration = context.client().get(migration_target(arguments.text("VM")));
  if (context.json() || !migration.is_object()) {
    context.output().data(migration);
  } else {
    json::object fields = migration.get_object();
    const json::value rounds = fields["rounds_record"];
    fields.erase("rounds_record");
    context.output().fields(fields);
    if (rounds.is_array() && !rounds.get_array().empty()) {
      context.output().line("");
      context.output().table_of(
          rounds.get_array(),
          {"number", "bytes_sent", "duration_ms", "bytes_dirty", "sent_bytes_per_second",
           "dirty_bytes_per_second", "throttle_percent", "decision"});
    }
  }
  return 0;
}

int watch(Context& context, const Arguments& arguments) {
  const std::string vm = arguments.text("VM");
  const json::value migration = context.client().get(migration_target(vm));
  const std::uint64_t job = migration.is_object() ? number_in(migration.get_object(), "job_id") : 0;
  Progress progress(!context.json());
  PhaseLines phases(context.client(), job, progress);
  // One object a line; the last is the outcome.
  std::function<void(const json::object&)> each;
  if (context.json()) each = [&](const json::object& now) { context.output().data(now); };
  return conclude(context, follow_migration(context.client(), vm, job, phases, each));
}

}  // namespace

std::vector<Verb> migrate_verbs() {
  const Argument vm = positional("VM", "The name of the VM");
  return {
      {"migrate",
       "Move a running VM to another node without stopping it",
       {vm, option("--to", "NODE", "The node it moves to"),
        option("--bandwidth", "RATE", "At most so many bytes a second (default: unlimited)"),
        option("--downtime-limit", "DURATION", "How long the guest may stand still", "300ms"),
        option("--max-downtime", "DURATION", "Never switch over beyond it (default: any downtime)"),
        option("--max-rounds", "COUNT", "Switch over after so many pre-copy rounds"),
        option("--max-bytes", "SIZE", "Switch over when so much was sent (default: any)"),
        option("--timeout", "DURATION", "Give up after that time (default: never)"),
        option("--on-no-convergence", "ACTION",
               "If it will not fit the downtime limit: go-on to the limits, fail, switch, throttle "
               "the guest, or post-copy: it goes on at the target and its pages follow, and if "
               "either node dies before they are there it starts again from its disk",
               "go-on"),
        option("--streams", "COUNT",
               "Connections that share the pages, 1 to 8 (default: 1; in virtual time always)"),
        option(
            "--compression", "HOW",
            "Compress pages: zstd for as long as that is faster, or off (in virtual time always)",
            "off"),
        option("--throttle", "FIRST,STEP,MOST",
               "Percent of the guest's time a throttle takes (default: 20,10,99)"),
        option("--verify", "WHEN", "Check every page at the target: background or before-resume",
               "background"),
        flag("--check", "Begin nothing; say everything that stands against it"),
        flag("--dry-run", "Begin nothing; say what it would be like"),
        flag("--wait", "Wait for the end and the check of every page (the default)"),
        flag("--no-wait", "Print the job id and return at once")},
       "  failsim migrate web --to node-2\n"
       "  failsim migrate web --to node-3 --bandwidth 100MiB/s --downtime-limit 50ms\n"
       "  failsim migrate web --to node-2 --on-no-convergence switch --max-downtime 2s\n"
       "  failsim migrate web --to node-2 --on-no-convergence throttle --throttle 10,5,80\n"
       "  failsim migrate cancel web\n",
       migrate},
      {"migrate cancel",
       "Cancel the migration of a VM; it stays where it is",
       {vm},
       "  failsim migrate cancel web\n",
       cancel},
      {"migrate list", "List the migrations, newest last", {}, "  failsim migrate list\n", list},
      {"migrate show",
       "Show the newest migration of a VM",
       {vm},
       "  failsim migrate show web\n",
       show},
      {"migrate watch",
       "Follow the newest migration of a VM to its end",
       {vm},
       "  failsim migrate watch web\n"
       "  failsim migrate watch web --output json\n",
       watch},
  };
}

}  // namespace failsim::cli
