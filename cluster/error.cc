#include "cluster/error.h"

namespace failsim {
namespace {

struct Row {
  Code code;
  const char* name;
  int exit;
};

// What each exit code means to people stands in tools/failsim/exit_codes.cc.
constexpr Row kRows[] = {
    {Code::kOk, "ERROR_SUCCESS", 0},
    {Code::kAccessDenied, "ERROR_ACCESS_DENIED", 1},
    {Code::kInvalidData, "ERROR_INVALID_DATA", 1},
    {Code::kNotReady, "ERROR_NOT_READY", 75},
    {Code::kWriteFault, "ERROR_WRITE_FAULT", 1},
    {Code::kInvalidParameter, "ERROR_INVALID_PARAMETER", 64},
    {Code::kInsufficientBuffer, "ERROR_INSUFFICIENT_BUFFER", 1},
    {Code::kClusterBusy, "ERROR_BUSY", 1},
    {Code::kAlreadyExists, "ERROR_ALREADY_EXISTS", 108},
    {Code::kOperationAborted, "ERROR_OPERATION_ABORTED", 1},
    {Code::kIoPending, "ERROR_IO_PENDING", 75},
    {Code::kNotFound, "ERROR_NOT_FOUND", 105},
    {Code::kConnectionRefused, "ERROR_CONNECTION_REFUSED", 69},
    {Code::kNoSystemResources, "ERROR_NO_SYSTEM_RESOURCES", 1},
    {Code::kTimeout, "ERROR_TIMEOUT", 124},
    {Code::kResourceNotFound, "ERROR_RESOURCE_NOT_FOUND", 105},
    {Code::kGroupNotFound, "ERROR_GROUP_NOT_FOUND", 105},
    {Code::kNoPossibleOwner, "ERROR_HOST_NODE_NOT_GROUP_OWNER", 113},
    {Code::kInvalidState, "ERROR_INVALID_STATE", 1},
    {Code::kNodeNotAvailable, "ERROR_CLUSTER_NODE_NOT_AVAILABLE", 1},
    {Code::kNodeNotFound, "ERROR_CLUSTER_NODE_NOT_FOUND", 105},
    {Code::kNodeDown, "ERROR_CLUSTER_NODE_DOWN", 1},
    {Code::kPropertyUnchangeable, "ERROR_RESOURCE_PROPERTY_UNCHANGEABLE", 1},
    {Code::kGroupMoving, "ERROR_CLUSTER_GROUP_MOVING", 1},
    {Code::kNoQuorum, "ERROR_CLUSTER_NO_QUORUM", 106},
    {Code::kVmNotRunning, "VM_E_VM_NOT_RUNNING", 1},
    {Code::kVmRunning, "VM_E_VM_RUNNING", 1},
    {Code::kVmPaused, "VM_E_VM_PAUSED", 1},
    {Code::kVmNoSavedState, "VM_E_VM_NO_SAVED_STATE", 1},
};

const Row* find(Code code) {
  for (const Row& row : kRows) {
    if (row.code == code) return &row;
  }
  return nullptr;
}

}  // namespace

std::string code_name(Code code) {
  const Row* row = find(code);
  return row != nullptr ? row->name : "ERROR_" + std::to_string(static_cast<std::uint32_t>(code));
}

std::vector<std::string_view> code_names() {
  std::vector<std::string_view> names;
  for (const Row& row : kRows) names.push_back(row.name);
  return names;
}

int exit_code(Code code) {
  const Row* row = find(code);
  return row != nullptr ? row->exit : 1;
}

}  // namespace failsim
