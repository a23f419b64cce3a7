// What may become of a migration that is disturbed: the documented outcomes, by phase. Made from
// the protocol, not from what runs have shown.
#pragma once

#include "tools/matrix/case.h"

namespace failsim::matrix {

Ends allowed_ends(const Case& one);
// Whether this may be the answer to a request, beside this end; nothing: no answer.
bool is_allowed_answer(const Case& one, std::optional<std::uint32_t> answer, End end);

}  // namespace failsim::matrix
