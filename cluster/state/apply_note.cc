// What people are told of faults that were injected on purpose.

#include "cluster/state/change.h"

namespace failsim {
namespace {

constexpr std::size_t kLongestText = 400;  // of an order or a name; longer ones are cut

const char* event_kind(pb::Request::NoteFault::What what) {
  switch (what) {
    case pb::Request::NoteFault::HEALED:
      return "fault-healed";
    case pb::Request::NoteFault::EXPIRED:
      return "fault-expired";
    default:
      return "fault-injected";
  }
}

}  // namespace

void apply_note_fault(Change& change, const pb::Request::NoteFault& request) {
  const pb::Node* const node = change.state().node(request.node());
  if (request.node() != kNoNode && node == nullptr) {
    return change.refuse({Code::kNodeNotFound,
                          "There is no " + node_name(request.node()) + " a fault could be on.",
                          "See 'failsim node list'."});
  }
  change
      .event(event_kind(request.what()), node == nullptr ? "cluster" : "node/" + node->name(),
             request.node())
      .number("fault", request.fault())
      .text("order", request.order().substr(0, kLongestText))
      .text("by", request.by().substr(0, kLongestText));
  change.accept();
}

}  // namespace failsim
