// A hash over the decoded fields of a message: independent of how it was encoded.
#pragma once

#include <cstdint>
#include <string_view>

#include <google/protobuf/message.h>

namespace failsim {

// FNV-1a, continued from `hash`.
inline constexpr std::uint64_t kHashSeed = 0xcbf29ce484222325;
std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t hash);
std::uint64_t hash_number(std::uint64_t number, std::uint64_t hash);

// Every field that is set, in the order of the field numbers.
std::uint64_t hash_fields(const google::protobuf::Message& message, std::uint64_t hash);

}  // namespace failsim
