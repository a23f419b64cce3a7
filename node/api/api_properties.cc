// The properties of VMs, groups, nodes and the cluster.
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "cluster/property/clusprop.h"
#include "node/api/api.h"
#include "node/api/render.h"

namespace failsim::node {
namespace {

// The one property that is not agreed: it is read from the owner when asked for.
constexpr std::string_view kVolatile = "MigrationProgress";

struct Object {
  ObjectKind kind = ObjectKind::kVm;
  std::string name;  // empty for the cluster
};

// "vm/web", "group/web", "node/node-1", "cluster", or "web", which is a VM.
std::optional<Object> parse_object(const std::string& text) {
  if (text == name(ObjectKind::kCluster)) return Object{ObjectKind::kCluster, ""};
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) return Object{ObjectKind::kVm, text};
  for (const ObjectKind kind : {ObjectKind::kVm, ObjectKind::kGroup, ObjectKind::kNode}) {
    if (text.substr(0, slash) == name(kind)) return Object{kind, text.substr(slash + 1)};
  }
  return std::nullopt;
}

Error unknown_kind() {
  return {Code::kInvalidParameter,
          "The argument 'object' has to be vm/NAME, group/NAME, node/NAME or cluster.",
          "Correct the request."};
}

std::optional<Error> missing(const ClusterState& state, const Object& object) {
  const std::string shown = "'" + object.name.substr(0, 80) + "'";
  switch (object.kind) {
    case ObjectKind::kVm:
    case ObjectKind::kGroup:
      if (state.vm(object.name) != nullptr) return std::nullopt;
      return Error{Code::kGroupNotFound,
                   "There is no " + std::string(object.kind == ObjectKind::kVm ? "VM" : "group") +
                       " called " + shown + ".",
                   "See 'failsim vm list'."};
    case ObjectKind::kNode:
      if (state.node_named(object.name) != nullptr) return std::nullopt;
      return Error{Code::kNodeNotFound, "There is no node called " + shown + ".",
                   "See 'failsim node list'."};
    case ObjectKind::kCluster:
      break;
  }
  return std::nullopt;
}

bool is_volatile(const Object& object, const PropertySpec& spec) {
  return object.kind == ObjectKind::kVm && spec.name == kVolatile;
}

boost::json::object rendered(const ClusterState& state, const Object& object,
                             const PropertySpec& spec, const render::Live& live) {
  const Value value = is_volatile(object, spec)
                          ? Value::dword(render::migration_progress(state, object.name, live))
                          : state.property(object.kind, object.name, spec.name);
  return render::property(spec, value);
}

std::vector<std::string> asked_live(const ClusterState& state, const Object& object) {
  if (object.kind != ObjectKind::kVm || state.vm(object.name)->job() == 0) return {};
  return {object.name};
}

render::Live only(const std::map<std::string, render::Live>& live) {
  return live.empty() ? std::nullopt : live.begin()->second;
}

}  // namespace

void Api::get_properties(const CallPtr& call) {
  Arguments arguments = Arguments::of_query(call->query);
  const auto object = parse_object(arguments.required_text("object"));
  if (!accepts(call, arguments)) return;
  if (!object) return refuse(call, unknown_kind());
  after_read(call, [this, call, object = *object] {
    if (auto error = missing(node_.state(), object)) return refuse(call, *error);
    with_live(asked_live(node_.state(), object), [this, call, object](const LiveByVm& live) {
      if (auto error = missing(node_.state(), object)) return refuse(call, *error);
      boost::json::array properties;
      for (const PropertySpec& spec : properties_of(object.kind)) {
        properties.push_back(rendered(node_.state(), object, spec, only(live)));
      }
      answer(call, properties);
    });
  });
}

void Api::get_property(const CallPtr& call) {
  Arguments arguments = Arguments::of_query(call->query);
  const auto object = parse_object(arguments.required_text("object"));
  const std::string property_name = arguments.required_text("name");
  if (!accepts(call, arguments)) return;
  if (!object) return refuse(call, unknown_kind());
  const auto spec = lookup(object->kind, property_name);
  if (!spec) return refuse(call, spec.error());
  after_read(call, [this, call, object = *object, spec = spec.value()] {
    if (auto error = missing(node_.state(), object)) return refuse(call, *error);
    const auto vms =
        is_volatile(object, *spec) ? asked_live(node_.state(), object) : std::vector<std::string>{};
    with_live(vms, [this, call, object, spec](const LiveByVm& live) {
      if (auto error = missing(node_.state(), object)) return refuse(call, *error);
      answer(call, rendered(node_.state(), object, *spec, only(live)));
    });
  });
}

void Api::put_property(const CallPtr& call) {
  Arguments query = Arguments::of_query(call->query);
  const auto object = parse_object(query.required_text("object"));
  const std::string property_name = query.required_text("name");
  if (!accepts(call, query)) return;
  Arguments body = Arguments::of_body(call->request.body);
  const std::string text = body.required_scalar("value");
  if (!accepts(call, body)) return;
  if (!object) return refuse(call, unknown_kind());
  const auto spec = lookup(object->kind, property_name);
  if (!spec) return refuse(call, spec.error());
  const auto value = parse(*spec.value(), text);
  if (!value) return refuse(call, value.error());
  const auto bytes = encode_value(value.value());
  if (!bytes) return refuse(call, bytes.error());

  pb::Request request;
  pb::Request::SetProperty& set = *request.mutable_set_property();
  set.set_kind(std::string(name(object->kind)));
  set.set_object(object->name);
  set.set_name(std::string(spec.value()->name));
  set.set_value(bytes.value());
  ask(call, std::move(request),
      [call, spec = spec.value(), value = value.value()](const pb::Reply&) {
        answer(call, render::property(*spec, value));
      });
}

}  // namespace failsim::node
