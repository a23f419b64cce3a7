// The grammar of a recording, record by record.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "storage/recording.h"

namespace failsim {

inline constexpr std::string_view kRecordingMagic = "failsim recording\n";

class RecordingDecoder {
 public:
  Result<Recording> decode(std::string bytes, const std::string& path);

 private:
  bool take(std::string_view payload);
  bool take_start(const pb::RecordingStart& start);
  bool take_entries(const pb::RecordingItem::Entries& entries);
  bool take_rows(const pb::RowBatch& rows);
  bool take_step(const pb::RecordingItem::Step& step, std::string_view payload);
  bool take_hash(std::uint64_t effects_hash);
  bool is_start_whole() const;

  Recording recording_;
  bool has_start_ = false;
  Time latest_ = 0;
};

}  // namespace failsim
