// What a request asked and its answer said, for those who judge answers.
#pragma once

#include <string>

#include "cluster/proto/command.pb.h"

namespace failsim::history {

// Whether the request was decided; otherwise it is to be asked again.
bool is_outcome(const pb::Reply& reply);
// Everything that an answer says.
std::string outcome_text(const pb::Reply& reply);
// The answer to a request to cancel a migration says that it will be.
bool is_accepted_cancel(const pb::Request& request, const pb::Reply& reply);

}  // namespace failsim::history
