// A row as a state holds it: shared, never changed, and hashed once however often its state is.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "cluster/property/clusprop.h"
#include "cluster/state/field_hash.h"

namespace failsim {

template <typename Row>
using RowPtr = std::shared_ptr<const Row>;

// Over the decoded fields: equal rows have equal hashes.
inline std::uint64_t hash_of_row(const google::protobuf::Message& row) {
  return hash_fields(row, kHashSeed);
}
inline std::uint64_t hash_of_row(const Value& row) {
  return hash_bytes(encode_value(row).value(), kHashSeed);
}

// A copy shares the row. Of one thread, as the state is.
template <typename Row>
class HeldRow {
 public:
  using element_type = const Row;

  HeldRow() = default;  // of nothing, until it is assigned
  HeldRow(RowPtr<Row> row) : row_(std::move(row)) {}

  const RowPtr<Row>& shared() const { return row_; }
  const Row* get() const { return row_.get(); }
  const Row& operator*() const { return *row_; }
  const Row* operator->() const { return row_.get(); }

  std::uint64_t hash() const {
    if (!hash_) hash_ = hash_of_row(*row_);
    return *hash_;
  }

 private:
  RowPtr<Row> row_;
  mutable std::optional<std::uint64_t> hash_;
};

}  // namespace failsim
