// Live migrations of one VM, one after the other, round the nodes of a real cluster.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/benchmark/report.h"
#include "tools/benchmark/test_cluster.h"

namespace failsim::bench {

struct Migrated {
  std::string to;
  double downtime_ms = 0;
  double limit_ms = 0;
  std::string cause;  // of a downtime over the limit
  double total_ms = 0;
  double bytes_sent = 0;
  double rounds = 0;
  bool digest_match = false;
  bool was_said_to_fit = false;  // the policy switched because the rest fitted the limit
  double last_pages_ms = 0;      // what was dirty when it did, at the rate of the link
};

// Creates the VM on node-1 and starts it.
void create_dirtying_vm(const TestCluster& cluster, const std::string& vm,
                        const std::string& dirty_rate, const std::string& working_set);

// Each to the next node, by `failsim migrate --wait`; one that does not end in success is an
// expectation that was not met and is left out.
std::vector<Migrated> migrate_round(const TestCluster& cluster, const std::string& vm,
                                    std::uint32_t count, Report& report);

// Rows about downtime, time and bytes; expects every digest to match. Of those that the policy said
// would fit, 99 of a hundred have to keep the limit, and each migration that does not has to name
// its cause.
void report_migrations(const std::string& of, const std::vector<Migrated>& migrations,
                       Report& report);

}  // namespace failsim::bench
