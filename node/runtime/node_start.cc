#include "node/runtime/node_start.h"

#include <chrono>
#include <random>

#include "node/hypervisor/hypervisor.h"
#include "node/runtime/log.h"
#include "storage/recording.h"

namespace failsim::node {
namespace {

std::uint64_t random_number() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

std::int64_t wall_time_origin() {
  const auto unix_time = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(unix_time).count() - boottime_now();
}

MemberConfig member_config(const StoreIdentity& identity, Incarnation incarnation) {
  MemberConfig config;
  config.self = identity.node;
  config.store_id = identity.store_id;
  config.incarnation = incarnation;
  config.bootstrap = identity.bootstrap;
  config.random_seed = random_number();
  config.wall_time_origin_ns = wall_time_origin();
  return config;
}

std::unique_ptr<ObservationLog> observation_log(const StoreIdentity& identity,
                                                Incarnation incarnation,
                                                const std::string& directory,
                                                std::uint64_t limit_bytes) {
  if (limit_bytes == 0) return nullptr;
  auto created = ObservationLog::create(directory + "/" + observations_name(identity.starts),
                                        limit_bytes, identity.node, incarnation);
  if (created) return created.take();
  log(Level::kWarning, "record: what guests do is not written down: " + created.error().message);
  return nullptr;
}

}  // namespace

NodeStart::NodeStart(const StoreIdentity& identity, Incarnation incarnation,
                     const Recovered& recovered, const std::string& directory,
                     std::uint64_t record_limit_bytes)
    : observations_(observation_log(identity, incarnation, directory, record_limit_bytes)),
      member_(member_config(identity, incarnation)),
      at_(boottime_now()),
      recorder_(record_limit_bytes == 0
                    ? Recorder()
                    : Recorder(directory + "/" + recording_name(identity.starts),
                               record_limit_bytes, member_, recovered, at_)) {}

}  // namespace failsim::node
