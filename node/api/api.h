// The node's interface (README.md beside this file): finds what serves a request, checks its shape,
// asks the node and renders the answer.
//
// Names, sizes and states are judged where commands are applied, and nowhere else; here only the
// shape of a request is. Reads wait until this node has applied everything acknowledged before,
// except those that have to work without a quorum (status, nodes).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/fwd.hpp>

#include "cluster/error.h"
#include "cluster/property/property_table.h"
#include "cluster/proto/command.pb.h"
#include "cluster/proto/message.pb.h"
#include "cluster/state/planned_migration.h"
#include "node/api/arguments.h"
#include "node/api/http_server.h"
#include "node/api/service.h"
#include "node/api/waiters.h"

namespace failsim::node {

class Api {
 public:
  // The node outlives the interface.
  explicit Api(NodeService& node);

  // Answers exactly once, at once or later.
  void handle(const HttpRequest& request, Respond respond);
  // To be called when the node has applied something: long polls look again.
  void state_changed() { waiters_.check(); }

 private:
  struct Call {
    HttpRequest request;
    std::vector<std::string> names;  // of the pattern's {}, in order
    std::map<std::string, std::string> query;
    Respond respond;
  };
  using CallPtr = std::shared_ptr<const Call>;
  using Handler = void (Api::*)(const CallPtr&);
  using LiveByVm = std::map<std::string, std::optional<pb::PeerMessage::LiveReply>>;

  struct Route {
    const char* method;
    const char* pattern;
    Handler handler;
    const char* purpose;
  };
  static const std::vector<Route>& routes();

  // What the handlers are made of (api.cc).
  static void answer(const CallPtr& call, const boost::json::value& body);
  static void refuse(const CallPtr& call, const Error& error);
  static bool accepts(const CallPtr& call, Arguments& arguments);
  void after_read(const CallPtr& call, std::function<void()> serve);
  void ask(const CallPtr& call, pb::Request request,
           std::function<void(const pb::Reply&)> accepted);
  void ask_any(const CallPtr& call, pb::Request request,
               std::function<void(const pb::Reply&)> replied);
  void ask_for_task(const CallPtr& call, pb::Request request);
  void with_live(const std::vector<std::string>& vms, std::function<void(const LiveByVm&)> serve);

  // Reads (api_reads.cc).
  void get_status(const CallPtr& call);
  void get_nodes(const CallPtr& call);
  void get_node(const CallPtr& call);
  void get_vms(const CallPtr& call);
  void get_vm(const CallPtr& call);
  void get_migrations(const CallPtr& call);
  void get_migration(const CallPtr& call);
  void get_metrics(const CallPtr& call);
  void get_tasks(const CallPtr& call);
  void get_task(const CallPtr& call);
  void get_events(const CallPtr& call);
  HttpResponse events_after(std::uint64_t since, std::uint64_t limit) const;

  // Writes (api_writes.cc).
  void create_vm(const CallPtr& call);
  void delete_vm(const CallPtr& call);
  void vm_method(const CallPtr& call);
  void migrate(const CallPtr& call);
  void forecast_migration(const CallPtr& call);
  Watched watched(const std::string& vm,
                  const std::optional<pb::PeerMessage::LiveReply>& live) const;
  std::optional<pb::Request> migration_asked(const CallPtr& call);
  void check_migration(const CallPtr& call);
  void cancel_migration(const CallPtr& call);
  void cancel_task(const CallPtr& call);
  void report_evidence(const CallPtr& call);

  // Jobs and control codes (api_jobs.cc).
  void get_jobs(const CallPtr& call);
  void get_job(const CallPtr& call);
  void get_job_error(const CallPtr& call);
  void with_job(const CallPtr& call, std::function<void(const pb::Task&)> serve);
  void request_state_change(const CallPtr& call);
  void answer_when_done(const CallPtr& call, TaskId job, std::uint32_t requested, Duration period);
  CallPtr within(const CallPtr& call, Duration period, TaskId job);
  void control_vm(const CallPtr& call);

  // Faults (api_faults.cc).
  FaultDesk* desk_or_refuse(const CallPtr& call);
  void inject_fault(const CallPtr& call);
  void get_faults(const CallPtr& call);
  void heal_fault(const CallPtr& call);
  void heal_faults(const CallPtr& call);
  void note_fault(const CallPtr& call);

  // Properties (api_properties.cc).
  void get_properties(const CallPtr& call);
  void get_property(const CallPtr& call);
  void put_property(const CallPtr& call);

  NodeService& node_;
  Waiters waiters_;
};

}  // namespace failsim::node
