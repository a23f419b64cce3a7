#include "cluster/migration/post_copy.h"

#include <algorithm>

#include "cluster/migration/migration_state.h"
#include "cluster/migration/transfer_rate.h"

namespace failsim {
namespace {

constexpr Duration kLinkRecovery = 30 * kSecond;
constexpr std::uint64_t kSlowLink = std::uint64_t{32} << 20;  // bytes a second

}  // namespace

bool pages_follow(const pb::Vm& vm, const pb::Task& job) {
  return job.job().post_copy() && vm.job() == job.id() && vm.image_job() == job.id() &&
         job.job().phase() == static_cast<std::uint32_t>(MigrationState::kMove);
}

Duration post_copy_limit(const pb::VmConfig& config, const pb::MigrationParameters& parameters) {
  const std::uint64_t limit = parameters.bandwidth_bytes_per_second();
  const std::uint64_t rate = limit == 0 ? kSlowLink : std::min(limit, kSlowLink);
  const Duration sending = time_to_send(config.memory_bytes(), rate);
  return add(kLinkRecovery, add(sending, sending));
}

}  // namespace failsim
