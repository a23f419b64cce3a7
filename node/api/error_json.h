// Errors of the interface: their JSON and their HTTP status.
#pragma once

#include <string>

#include <boost/json/object.hpp>

#include "cluster/error.h"

namespace failsim::node {

// {"code":...,"name":...,"message":...,"next":...}
boost::json::object error_object(const Error& error);
// {"error":{...}}
std::string error_body(const Error& error);

// 202 of what is accepted and not ordered yet, 404 of what does not exist, 400 of what is
// malformed, 503 of what may be tried again, 504 of an answer that did not come, otherwise 409.
unsigned http_status(Code code);

}  // namespace failsim::node
