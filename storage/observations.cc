#include "storage/observations.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <time.h>

#include "storage/record_format.h"

namespace failsim {
namespace {

constexpr std::string_view kMagic = "failsim observations\n";
constexpr std::uint64_t kEndBytes = 256;  // kept for the record that says why nothing follows
constexpr std::size_t kMaximumRecordBytes = 64 * 1024;

std::string encoded(const pb::Observation& observation) {
  return encode_record(observation.SerializeAsString());
}

Error damaged(const std::string& path, const std::string& how) {
  return {Code::kInvalidData, "The observations '" + path + "' " + how + ".",
          "Leave the file out; what it holds is not known then."};
}

}  // namespace

Time observation_clock() {
  timespec read{};
  clock_gettime(CLOCK_BOOTTIME, &read);
  return Time{read.tv_sec} * kSecond + read.tv_nsec;
}

std::string observations_name(std::uint64_t number) {
  return "observed-" + std::to_string(number) + std::string(kObservationsExtension);
}

Result<std::unique_ptr<ObservationLog>> ObservationLog::create(const std::string& path,
                                                               std::uint64_t limit_bytes,
                                                               NodeId node,
                                                               Incarnation incarnation) {
  Result<FileDescriptor> file = open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND);
  if (!file) return file.error();
  std::unique_ptr<ObservationLog> log(new ObservationLog(path, limit_bytes, file.take()));
  log->write(std::string(kMagic));
  pb::Observation observation;
  observation.mutable_began()->set_node(node);
  observation.mutable_began()->set_incarnation(incarnation);
  observation.mutable_began()->set_version(FAILSIM_VERSION);
  log->note(std::move(observation));
  return log;
}

void ObservationLog::note(pb::Observation observation) {
  const std::lock_guard lock(mutex_);
  if (file_.get() < 0) return;
  latest_ = std::max(latest_, observation_clock());
  observation.set_at_ns(latest_);
  std::string bytes = encoded(observation);
  const bool is_full = written_bytes_ + bytes.size() + kEndBytes > limit_bytes_;
  if (is_full) {
    observation.mutable_ended()->set_reason("the limit of " + std::to_string(limit_bytes_) +
                                            " bytes is reached");
    bytes = encoded(observation);
  }
  write(bytes);
  if (is_full) file_ = FileDescriptor();
}

void ObservationLog::write(const std::string& bytes) {
  const std::optional<Error> error = append_all(file_, path_, bytes);
  written_bytes_ += bytes.size();
  if (error) file_ = FileDescriptor();  // its end is torn, and found to be
}

Result<std::vector<pb::Observation>> read_observations(const std::string& path) {
  const Result<std::optional<std::string>> read = read_file(path);
  if (!read) return read.error();
  if (!read.value()) {
    return Error{Code::kNotFound, "There are no observations at '" + path + "'.", ""};
  }
  std::string_view bytes = *read.value();
  if (!bytes.starts_with(kMagic.substr(0, bytes.size()))) return damaged(path, "are none");
  bytes.remove_prefix(std::min(kMagic.size(), bytes.size()));
  std::vector<pb::Observation> observations;
  const RecordScan scan = scan_records(
      bytes,
      [&observations](std::string_view payload) {
        pb::Observation observation;
        if (!observation.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
          return false;
        }
        const bool is_in_order = observations.empty()
                                     ? observation.has_began()
                                     : observation.at_ns() >= observations.back().at_ns();
        observations.push_back(std::move(observation));
        return is_in_order;
      },
      kMaximumRecordBytes);
  if (scan.end == RecordsEnd::kDamaged) {
    return damaged(path, "are damaged at byte " + std::to_string(scan.whole_bytes));
  }
  return observations;
}

}  // namespace failsim
