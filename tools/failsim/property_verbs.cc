// property get, set and list.
#include "cluster/units.h"
#include "tools/failsim/verb.h"

namespace failsim::cli {
namespace {

// "vm/web" as the query says it; a bare name is a VM.
std::string object_of(const std::string& text) {
  if (text == "cluster") return text;
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) return "vm/" + text;
  const std::string kind = text.substr(0, slash);
  if (kind == "vm" || kind == "group" || kind == "node") return text;
  fail_usage("\"" + shortened(text) + "\" names no object of the cluster.",
             "Give vm/NAME, group/NAME, node/NAME, cluster, or the bare name of a VM.");
}

std::string property_target(const Arguments& arguments) {
  return "/v1/property?object=" + percent_encoded(object_of(arguments.text("OBJECT"))) +
         "&name=" + percent_encoded(arguments.text("NAME"));
}

void show(Context& context, const json::value& property) {
  if (context.json() || !property.is_object()) return context.output().data(property);
  context.output().table_of({property},
                            {"name", "value", "type", "minimum", "maximum", "default", "access"});
}

int get(Context& context, const Arguments& arguments) {
  const std::string target = property_target(arguments);
  show(context, context.client().get(target));
  return 0;
}

int set(Context& context, const Arguments& arguments) {
  const std::string target = property_target(arguments);
  try {
    show(context, context.client().write("PUT", target, {{"value", arguments.text("VALUE")}}));
  } catch (Failure& refused) {  // a value that is out of its range is as wrong as an option's
    if (refused.error.code == Code::kInvalidData) refused.exit = kExitUsage;
    throw;
  }
  return 0;
}

int list(Context& context, const Arguments& arguments) {
  const std::string target =
      "/v1/properties?object=" + percent_encoded(object_of(arguments.text("OBJECT")));
  const json::value properties = context.client().get(target);
  if (context.json() || !properties.is_array()) {
    context.output().data(properties);
  } else {
    context.output().table_of(properties.get_array(),
                              {"name", "value", "type", "minimum", "maximum", "default", "access"});
  }
  return 0;
}

}  // namespace

std::vector<Verb> property_verbs() {
  const Argument object =
      positional("OBJECT", "vm/NAME, group/NAME, node/NAME or cluster; a bare name is a VM");
  const Argument name = positional("NAME", "The name of the property");
  return {
      {"property",
       "Properties of VMs, groups, nodes and the cluster: get, set, list",
       {},
       "  failsim property get vm/web MigrationState\n",
       nullptr},
      {"property get",
       "Show a property",
       {object, name},
       "  failsim property get web MigrationState\n"
       "  failsim property get cluster SameSubnetDelay --output json\n",
       get},
      {"property set",
       "Set a property",
       {object, name, positional("VALUE", "The new value; texts of a list are separated by ';'")},
       "  failsim property set web MigrationState 0\n",
       set},
      {"property list",
       "List the properties of an object",
       {object},
       "  failsim property list cluster\n",
       list},
  };
}

}  // namespace failsim::cli
