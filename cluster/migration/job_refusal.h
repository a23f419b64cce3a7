// Why RequestStateChange was refused, for people: the number alone says only "Invalid State".
#pragma once

#include <cstdint>

#include "cluster/error.h"
#include "cluster/migration/job.h"

namespace failsim {

// A sentence and what to do next. Only for a request that `answer` refuses of this standing. The
// code is kInvalidParameter for what no job can be asked for, otherwise kInvalidState.
Error state_change_refused(const JobStanding& standing, std::uint32_t requested);

}  // namespace failsim
