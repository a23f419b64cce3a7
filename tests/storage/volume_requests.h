// Requests to the shared volume, as short as they are said.
#pragma once

#include <string>

#include "cluster/error.h"
#include "cluster/ids.h"
#include "storage/proto/volume.pb.h"

namespace failsim {

inline pb::VolumeRequest volume_request(const std::string& vm, const Epoch& epoch) {
  pb::VolumeRequest request;
  request.set_vm(vm);
  request.mutable_epoch()->set_recovery(epoch.recovery);
  request.mutable_epoch()->set_counter(epoch.counter);
  return request;
}

inline pb::VolumeRequest register_request(const std::string& vm, const Epoch& epoch) {
  pb::VolumeRequest request = volume_request(vm, epoch);
  request.mutable_register_();
  return request;
}

inline pb::VolumeRequest append_request(const std::string& vm, const Epoch& epoch,
                                        std::uint64_t counter, std::uint64_t boot_id = 1) {
  pb::VolumeRequest request = volume_request(vm, epoch);
  request.mutable_append()->set_counter(counter);
  request.mutable_append()->set_boot_id(boot_id);
  return request;
}

inline pb::VolumeRequest write_request(const std::string& vm, const Epoch& epoch,
                                       std::uint64_t offset, const std::string& data, bool last) {
  pb::VolumeRequest request = volume_request(vm, epoch);
  request.mutable_write_state()->set_offset(offset);
  request.mutable_write_state()->set_data(data);
  request.mutable_write_state()->set_last(last);
  return request;
}

inline pb::VolumeRequest read_request(const std::string& vm, const Epoch& epoch,
                                      std::uint64_t offset, std::uint32_t length) {
  pb::VolumeRequest request = volume_request(vm, epoch);
  request.mutable_read_state()->set_offset(offset);
  request.mutable_read_state()->set_length(length);
  return request;
}

inline pb::VolumeRequest delete_request(const std::string& vm, const Epoch& epoch) {
  pb::VolumeRequest request = volume_request(vm, epoch);
  request.mutable_delete_files();
  return request;
}

inline pb::VolumeRequest raise_request(std::uint64_t from, std::uint64_t to) {
  pb::VolumeRequest request;
  request.mutable_raise_recovery_epoch()->set_from(from);
  request.mutable_raise_recovery_epoch()->set_to(to);
  return request;
}

inline Code code_of(const pb::VolumeReply& reply) {
  return static_cast<Code>(reply.code());
}

}  // namespace failsim
