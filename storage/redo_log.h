// What makes appends to many files durable with one sync: they are written here first, synced, and
// then to the files, which need no sync of their own until the log is emptied.
//
//   log     := records (record_format.h), each a serialized RedoBatch (redo.proto)
//
// A batch is one record, so that a crash leaves it whole or torn and never in part. Opening a
// volume performs the log again: each file is cut off where the log begins for it and gets what the
// log holds, whatever a crash has left of it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "cluster/error.h"
#include "storage/posix_file.h"
#include "storage/proto/redo.pb.h"

namespace failsim {

class RedoLog {
 public:
  // What a file was to hold from `offset` on, up to its end.
  struct Tail {
    std::uint64_t offset = 0;
    std::string bytes;
  };

  // Opens or creates the log.
  static Result<RedoLog> open(const std::string& path);
  // The tails by VM. A torn last batch was never acknowledged and is left out.
  Result<std::map<std::string, Tail>> read() const;
  // Durable when it returns.
  std::optional<Error> append(const pb::RedoBatch& batch);
  // Every file is synced: what the log holds is needed no more.
  std::optional<Error> clear();
  std::uint64_t bytes() const { return bytes_; }

 private:
  RedoLog(std::string path, FileDescriptor file) : path_(std::move(path)), file_(std::move(file)) {}

  std::string path_;
  FileDescriptor file_;
  std::uint64_t bytes_ = 0;  // appended since it was cleared
};

}  // namespace failsim
