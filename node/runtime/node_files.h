// The files of a node's directory beside its store, and the cluster's token and bootstrap.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cluster/error.h"
#include "cluster/ids.h"
#include "cluster/proto/state.pb.h"

namespace failsim::node {

// The text of the file without the white space at its ends.
Result<std::string> read_token(const std::string& path);
Result<pb::Bootstrap> read_bootstrap(const std::string& path);

// Replaced as a whole: a reader sees the former content or this.
std::optional<Error> write_file_atomically(const std::string& path, const std::string& content);

// What the launcher reads to know that the node serves.
std::optional<Error> write_run_file(const std::string& directory, std::uint64_t pid,
                                    Incarnation incarnation);

}  // namespace failsim::node
