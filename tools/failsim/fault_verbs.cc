// fault kinds and points: what can be broken, and where.
#include <iostream>

#include "cluster/fault/describe.h"
#include "cluster/fault/failpoint.h"
#include "cluster/fault/kind.h"
#include "cluster/fault/value.h"
#include "tools/failsim/verb.h"

namespace failsim::cli {
namespace {

json::object support(const fault::Support& support) {
  return {{"performed", support.is_performed}, {"reason", std::string(support.reason)}};
}

json::value parameters(const fault::Kind& kind) {
  json::array all;
  for (const fault::Parameter& parameter : kind.parameters) {
    json::value fallback = nullptr;
    if (parameter.fallback) fallback = fault::value_text(parameter, *parameter.fallback);
    all.push_back({{"name", std::string(parameter.name)},
                   {"range", fault::range_text(parameter)},
                   {"default", fallback},
                   {"help", std::string(parameter.help)}});
  }
  return all;
}

int kinds(Context& context, const Arguments& arguments) {
  if (arguments.flag("--markdown")) {
    if (context.json()) {
      fail_usage("--markdown and --output json are two forms of one list.", "Give one of them.");
    }
    std::cout << fault::markdown();
    return 0;
  }
  json::array all;
  for (const fault::Kind& kind : fault::kinds()) {
    all.push_back({{"kind", std::string(kind.name)},
                   {"group", std::string(kind.group)},
                   {"usage", fault::usage(kind)},
                   {"help", std::string(kind.help)},
                   {"undo", std::string(kind.undo)},
                   {"virtual", support(kind.in_virtual)},
                   {"processes", support(kind.in_processes)},
                   {"parameters", parameters(kind)}});
  }
  if (context.json()) {
    context.output().data(all);
  } else {
    context.output().table_of(all, {"group", "usage", "help"});
  }
  return 0;
}

int points(Context& context, const Arguments&) {
  json::array all;
  for (const std::string& name : fault::point_names()) all.push_back(json::value(name));
  if (context.json()) {
    context.output().data(all);
  } else {
    for (const std::string& name : fault::point_names()) context.output().line(name);
  }
  return 0;
}

}  // namespace

std::vector<Verb> fault_verbs() {
  return {{"fault",
           "Break the cluster on purpose: kinds, points, inject, list, heal",
           {},
           "  failsim fault kinds\n",
           nullptr},
          {"fault kinds",
           "List the kinds of faults with their parameters",
           {flag("--markdown", "As the page docs/faults.md")},
           "  failsim fault kinds --output json\n",
           kinds},
          {"fault points",
           "List the named points of a migration at which a failpoint can be placed",
           {},
           "  failsim fault points\n  failsim fault inject failpoint owner.flip terms=1*kill\n",
           points}};
}

}  // namespace failsim::cli
