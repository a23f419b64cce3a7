// Errors of the interface: their JSON and their HTTP status.
#pragma once

#include <string>

#include "cluster/error.h"

namespace failsim::node {

// {"error":{"code":...,"name":...,"message":...,"next":...}}
std::string error_body(const Error& error);

// 404 of what does not exist, 400 of what is malformed, 503 of what may be tried again, 504 of an
// answer that did not come, otherwise 409.
unsigned http_status(Code code);

}  // namespace failsim::node
