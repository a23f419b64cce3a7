#include "node/api/error_json.h"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace failsim::node {

boost::json::object error_object(const Error& error) {
  return {{"code", static_cast<std::uint32_t>(error.code)},
          {"name", code_name(error.code)},
          {"message", error.message},
          {"next", error.next}};
}

std::string error_body(const Error& error) {
  return boost::json::serialize(boost::json::object{{"error", error_object(error)}});
}

unsigned http_status(Code code) {
  switch (code) {
    case Code::kOk:
      return 200;
    case Code::kIoPending:
      return 202;
    case Code::kNotFound:
    case Code::kResourceNotFound:
    case Code::kGroupNotFound:
    case Code::kNodeNotFound:
      return 404;
    case Code::kInvalidParameter:
    case Code::kInvalidData:
      return 400;
    case Code::kNotReady:
    case Code::kNoQuorum:
    case Code::kClusterBusy:
      return 503;
    case Code::kTimeout:
      return 504;
    default:
      return 409;
  }
}

}  // namespace failsim::node
