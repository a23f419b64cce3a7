// What the row of a migration job says, read in one way everywhere.
#pragma once

#include <optional>
#include <string>

#include "cluster/migration/job.h"
#include "cluster/proto/state.pb.h"
#include "cluster/time.h"

namespace failsim {

JobStanding standing_of(const pb::MigrationJob& job);

// It has not begun: its VM belongs to no migration in flight yet.
bool waits_for_its_turn(const pb::MigrationJob& job);

// The source is to send nothing: suspended, in service, on the way there, or ending in order.
bool is_held(const pb::MigrationJob& job);

// The newest requests of a job that are remembered, refused ones included.
inline constexpr int kRequestsKept = 16;

// Notes a request that was answered just now. An accepted one is under way, and what was under way
// before is overwritten.
void note_request(pb::MigrationJob& job, std::uint32_t requested, const JobAnswer& answer,
                  Duration now, Duration period);
// What is under way has come to its end; nothing happens if nothing is.
void settle_requests(pb::MigrationJob& job, const std::string& outcome, Duration now);
// The job has ended.
void close_requests(pb::MigrationJob& job, JobState ended, Duration now);

}  // namespace failsim
