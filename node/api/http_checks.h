// Whether a request may be served at all: its token, and that it comes from this machine's own
// programs and not, through a browser, from a page of somebody else.
#pragma once

#include <string_view>

namespace failsim::node {

// Compares without telling by its duration how much of the token was right.
bool is_bearer_of(std::string_view token, std::string_view authorization);

// "127.x.y.z", "[::1]" or "localhost", with or without a port.
bool is_loopback_host(std::string_view host);

// "http://" or "https://" and a loopback host.
bool is_loopback_origin(std::string_view origin);

}  // namespace failsim::node
