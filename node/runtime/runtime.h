// A node process: the event loop around one Member.
//
// One thread runs everything except what has a thread of its own: the storage writer and the
// hypervisor, which post their results. Events gather in a queue; a turn of the loop steps the
// member through them and performs the effects as cluster/effects.h demands, with the durable parts
// of one turn handed to the writer together.
#pragma once

#include <cstdint>
#include <string>

#include "cluster/error.h"
#include "cluster/ids.h"
#include "storage/failpoint_board.h"
#include "storage/store.h"

namespace failsim::node {

inline constexpr std::uint16_t kPeerPort = 3343;  // TCP links and UDP heartbeats
inline constexpr std::uint16_t kDataPort = 6600;
inline constexpr std::uint16_t kApiPort = 7080;

inline constexpr int kExitDone = 0;
inline constexpr int kExitRefused = 1;
inline constexpr int kExitStorageFailed = 74;

class Switchboard;  // node/faults/switchboard.h

struct RuntimeConfig {
  std::string directory;
  std::string token;  // of the HTTP interface
  std::string volume_address;
  std::uint16_t volume_port = 0;
  int api_socket = -1;  // listens for the HTTP interface already; -1 = it is opened
  Incarnation incarnation = 0;
  std::uint64_t record_limit_bytes = 0;  // of the recording of this start; 0 = it is not recorded
  Switchboard* faults = nullptr;  // outlives the node; null: no fault can be injected
  FailpointBoard* failpoints = nullptr;  // likewise, and there if and only if `faults` is
};

// From now on a request to leave (SIGTERM, SIGINT) waits until run_node() listens to it: a node
// that is asked while it still opens its store leaves like any other, with exit code 0.
void defer_leaving();

// Runs the node until it is asked to leave (SIGTERM, SIGINT) or its disk fails; gives the exit code
// of the process. An error means that it did not start, and why. `store` is recovered already.
Result<int> run_node(const RuntimeConfig& config, Store& store, const Recovered& recovered);

}  // namespace failsim::node
