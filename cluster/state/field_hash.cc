#include "cluster/state/field_hash.h"

#include <array>
#include <cassert>
#include <cstddef>
#include <string>
#include <vector>

namespace failsim {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr std::uint64_t kPrime = 0x100000001b3;

// The powers of the prime from 0 to 8.
constexpr std::array<std::uint64_t, 9> kPowers = [] {
  std::array<std::uint64_t, 9> powers{1};
  for (std::size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * kPrime;
  return powers;
}();

std::uint64_t hash_single(const Message& message, const FieldDescriptor* field,
                          std::uint64_t hash) {
  const Reflection* look = message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return hash_number(static_cast<std::uint64_t>(look->GetInt32(message, field)), hash);
    case FieldDescriptor::CPPTYPE_INT64:
      return hash_number(static_cast<std::uint64_t>(look->GetInt64(message, field)), hash);
    case FieldDescriptor::CPPTYPE_UINT32:
      return hash_number(look->GetUInt32(message, field), hash);
    case FieldDescriptor::CPPTYPE_UINT64:
      return hash_number(look->GetUInt64(message, field), hash);
    case FieldDescriptor::CPPTYPE_BOOL:
      return hash_number(look->GetBool(message, field) ? 1 : 0, hash);
    case FieldDescriptor::CPPTYPE_ENUM:
      return hash_number(static_cast<std::uint64_t>(look->GetEnumValue(message, field)), hash);
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string copy;  // only if the field is not kept as a string
      return hash_bytes(look->GetStringReference(message, field, &copy), hash);
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return hash_fields(look->GetMessage(message, field), hash);
    default:
      break;
  }
  assert(field->cpp_type() <= FieldDescriptor::MAX_CPPTYPE);  // rows hold no floating point
  return hash;
}

std::uint64_t hash_repeated(const Message& message, const FieldDescriptor* field,
                            std::uint64_t hash) {
  const Reflection* look = message.GetReflection();
  const int size = look->FieldSize(message, field);
  hash = hash_number(static_cast<std::uint64_t>(size), hash);
  // Rows repeat messages only.
  assert(field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE);
  for (int i = 0; i < size; ++i) {
    hash = hash_fields(look->GetRepeatedMessage(message, field, i), hash);
  }
  return hash;
}

}  // namespace

std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t hash) {
  for (const char byte : bytes) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * kPrime;
  }
  return hash_number(bytes.size(), hash);
}

// Eight bytes, the least significant first. Most numbers are small, and the zeros behind the last
// byte only multiply.
std::uint64_t hash_number(std::uint64_t number, std::uint64_t hash) {
  std::size_t rest = 8;
  for (; number != 0; number >>= 8, --rest) hash = (hash ^ (number & 0xff)) * kPrime;
  return hash * kPowers[rest];
}

std::uint64_t hash_fields(const Message& message, std::uint64_t hash) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);  // set fields, by number
  for (const FieldDescriptor* field : fields) {
    hash = hash_number(static_cast<std::uint64_t>(field->number()), hash);
    hash = field->is_repeated() ? hash_repeated(message, field, hash)
                                : hash_single(message, field, hash);
  }
  return hash;
}

}  // namespace failsim
