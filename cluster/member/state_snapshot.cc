#include "cluster/member/state_snapshot.h"

#include <algorithm>
#include <utility>

#include "cluster/proto/state.pb.h"

namespace failsim {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{256} << 10;

// Rows are cut into chunks of about kChunkBytes, each serialized when it is asked for.
class StateSnapshot final : public raft::SnapshotSource {
 public:
  StateSnapshot(const ClusterState& state, pb::LogStart position)
      : position_(std::move(position)), rows_(state.rows()) {
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (i == 0 || bytes > kChunkBytes) {
        starts_.push_back(i);
        bytes = 0;
      }
      bytes += rows_[i].key.size() + rows_[i].value->size();
    }
  }

  pb::LogStart position() const override { return position_; }
  std::size_t chunk_count() const override { return starts_.size(); }

  std::string chunk(std::size_t number) const override {
    const std::size_t end = number + 1 < starts_.size() ? starts_[number + 1] : rows_.size();
    pb::RowBatch batch;
    for (std::size_t i = starts_[number]; i < end; ++i) {
      pb::RowBatch::Row& row = *batch.add_rows();
      row.set_key(rows_[i].key);
      row.set_value(*rows_[i].value);
    }
    return batch.SerializeAsString();
  }

 private:
  pb::LogStart position_;
  std::vector<RowChange> rows_;
  std::vector<std::size_t> starts_;
};

}  // namespace

std::shared_ptr<const raft::SnapshotSource> snapshot_of(const ClusterState& state,
                                                        const pb::LogStart& position) {
  return std::make_shared<StateSnapshot>(state, position);
}

std::optional<std::vector<RowChange>> rows_of(const std::vector<std::string>& chunks) {
  std::vector<RowChange> rows;
  for (const std::string& chunk : chunks) {
    pb::RowBatch batch;
    if (!batch.ParseFromString(chunk)) return std::nullopt;
    for (const pb::RowBatch::Row& row : batch.rows()) rows.push_back({row.key(), row.value()});
  }
  return rows;
}

}  // namespace failsim
