// Faults of this node: ordered, listed and healed where they act.
#include <algorithm>
#include <limits>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "node/api/api.h"
#include "node/faults/fault_desk.h"
#include "node/hypervisor/hypervisor.h"

namespace failsim::node {
namespace {

namespace json = boost::json;

json::value text(std::string_view view) {
  return json::value(json::string(view.data(), view.size()));
}

json::object render(NodeId node, const FaultInForce& fault) {
  const Duration rest = std::max<Duration>(0, fault.until - true_boottime_now());
  return {{"id", fault.id},
          {"node", node_name(node)},
          {"order", fault::to_text(fault.order)},
          {"kind", text(fault.order.kind->name)},
          {"by", fault.by},
          {"undo", text(fault.order.kind->undo)},
          {"remaining_ms", rest / kMillisecond}};
}

json::array render(NodeId node, const std::vector<FaultInForce>& faults) {
  json::array rows;
  for (const FaultInForce& fault : faults) rows.push_back(render(node, fault));
  return rows;
}

}  // namespace

FaultDesk* Api::desk_or_refuse(const CallPtr& call) {
  FaultDesk* const desk = node_.fault_desk();
  if (desk == nullptr) {
    refuse(call, {Code::kInvalidState,
                  node_name(node_.self()) +
                      " was started without --faults, so no fault can be injected into it.",
                  "Start the cluster with: failsim up --faults"});
  }
  return desk;
}

void Api::inject_fault(const CallPtr& call) {
  Arguments arguments = Arguments::of_body(call->request.body);
  const std::string order = arguments.required_text("order");
  const std::uint64_t id = arguments.number("id", 0, std::numeric_limits<std::uint32_t>::max());
  const std::string by = arguments.text("by", "api");
  if (!accepts(call, arguments)) return;
  FaultDesk* const desk = desk_or_refuse(call);
  if (desk == nullptr) return;
  const Result<FaultInForce> fault = desk->inject(order, id, by);
  if (!fault) return refuse(call, fault.error());
  answer(call, render(node_.self(), fault.value()));
}

void Api::get_faults(const CallPtr& call) {
  if (FaultDesk* const desk = desk_or_refuse(call)) {
    answer(call, render(node_.self(), desk->in_force()));
  }
}

void Api::heal_faults(const CallPtr& call) {
  Arguments none = Arguments::of_body(call->request.body);
  if (!accepts(call, none)) return;
  if (FaultDesk* const desk = desk_or_refuse(call)) {
    answer(call, render(node_.self(), desk->heal_all()));
  }
}

void Api::heal_fault(const CallPtr& call) {
  Arguments none = Arguments::of_body(call->request.body);
  if (!accepts(call, none)) return;
  FaultDesk* const desk = desk_or_refuse(call);
  if (desk == nullptr) return;
  const auto id = parse_number(call->names[0], std::numeric_limits<std::uint32_t>::max());
  if (!id) {
    return refuse(call, {Code::kInvalidParameter,
                         "'" + call->names[0].substr(0, 80) + "' is not the number of a fault.",
                         "See 'failsim fault list'."});
  }
  const Result<FaultInForce> healed = desk->heal(*id);
  if (!healed) return refuse(call, healed.error());
  answer(call, render(node_.self(), healed.value()));
}

// The launcher has no voice in the cluster of its own.
void Api::note_fault(const CallPtr& call) {
  Arguments arguments = Arguments::of_body(call->request.body);
  pb::Request request;
  pb::Request::NoteFault& note = *request.mutable_note_fault();
  note.set_what(static_cast<pb::Request::NoteFault::What>(
      arguments.choice("what", {"injected", "healed", "expired"}, 0)));
  note.set_fault(arguments.number("fault", 0, std::numeric_limits<std::uint32_t>::max()));
  note.set_order(arguments.required_text("order"));
  note.set_by(arguments.text("by"));
  if (!accepts(call, arguments)) return;
  ask(call, std::move(request), [call](const pb::Reply&) { answer(call, json::object()); });
}

}  // namespace failsim::node
