// Post-copy: the guest goes on at its target before all of its pages are there.
//
// CompleteMigration makes the target the owner as always, but the phase stays Move: the source
// keeps the pages it had at the pause, never runs again, and serves what is missing until
// PagesComplete. Between the two the guest has its memory in two places, so that the death of
// either process, or a link that does not come back in time, costs everything that was only in
// memory: the pages are given up (AbortMigration), the target stops the guest, and it is started
// again from its disk.
#pragma once

#include <cstdint>

#include "cluster/proto/state.pb.h"
#include "cluster/time.h"

namespace failsim {

// The owner of this VM runs the guest of `job`, which misses pages that the source of the job has.
bool pages_follow(const pb::Vm& vm, const pb::Task& job);

// How long after Complete the last page has to be there: so long that only a link that does not
// come back exceeds it. Not bounded by the time that was given to the migration as a whole, which
// must not kill a guest. The bandwidth of the parameters is what the source may send.
Duration post_copy_limit(const pb::VmConfig& config, const pb::MigrationParameters& parameters);

}  // namespace failsim
