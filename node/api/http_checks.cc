#include "node/api/http_checks.h"

#include <algorithm>
#include <cstddef>
#include <string>

namespace failsim::node {
namespace {

constexpr std::string_view kScheme = "bearer ";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

// Without the port; the text itself when what follows the colon is no port.
std::string_view without_port(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  if (colon == std::string_view::npos || host.back() == ']') return host;
  const std::string_view port = host.substr(colon + 1);
  const bool is_port =
      !port.empty() && port.size() <= 5 && std::all_of(port.begin(), port.end(), is_digit);
  return is_port ? host.substr(0, colon) : host;
}

// Takes "<0..255>" from the front.
bool take_octet(std::string_view& text, unsigned& value) {
  std::size_t length = 0;
  value = 0;
  while (length < text.size() && length < 3 && is_digit(text[length])) {
    value = value * 10 + static_cast<unsigned>(text[length++] - '0');
  }
  text.remove_prefix(length);
  return length > 0 && value <= 255;
}

bool is_loopback_v4(std::string_view text) {
  for (int i = 0; i < 4; ++i) {
    if (i > 0) {
      if (text.empty() || text.front() != '.') return false;
      text.remove_prefix(1);
    }
    unsigned octet = 0;
    if (!take_octet(text, octet) || (i == 0 && octet != 127)) return false;
  }
  return text.empty();
}

}  // namespace

bool is_bearer_of(std::string_view token, std::string_view authorization) {
  if (authorization.size() < kScheme.size()) return false;
  if (lower(authorization.substr(0, kScheme.size())) != kScheme) return false;
  const std::string_view given = authorization.substr(kScheme.size());
  unsigned difference = given.size() == token.size() && !token.empty() ? 0 : 1;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const char other = i < given.size() ? given[i] : '\0';
    difference |= static_cast<unsigned char>(token[i] ^ other);
  }
  return difference == 0;
}

bool is_loopback_host(std::string_view host) {
  const std::string name = lower(without_port(host));
  return name == "localhost" || name == "[::1]" || is_loopback_v4(name);
}

bool is_loopback_origin(std::string_view origin) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (origin.substr(0, scheme.size()) == scheme) {
      return is_loopback_host(origin.substr(scheme.size()));
    }
  }
  return false;
}

}  // namespace failsim::node
