// What people do to a cluster while it is being broken: administrators who create, start, move and
// delete VMs, and writers whose properties must not be lost.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cluster/property/property_table.h"
#include "cluster/random.h"
#include "tools/sim/client.h"
#include "tools/sim/world.h"

namespace failsim::sim {

// Writes unique values to one property, one after another, and reads it back: S7.
class Writer {
 public:
  Writer(World& world, std::uint64_t seed, ObjectKind kind, std::string object);
  void begin() { act(); }
  void stop() { is_stopping_ = true; }
  const Client& client() const { return client_; }
  // The final value, as this state has it.
  void check(const ClusterState& state);
  std::uint64_t acknowledged() const { return acknowledged_; }

 private:
  void act();
  void write();
  void check_and_go_on(const ClusterState& state);
  void next();

  World& world_;
  Random random_;
  const ObjectKind kind_;
  const std::string object_;
  const std::string register_;  // the name of what it writes
  Client client_;
  bool is_stopping_ = false;
  std::uint64_t written_ = 0;
  std::uint64_t acknowledged_ = 0;
};

// Does whatever the command line can do, to a few VMs.
class Administrator {
 public:
  Administrator(World& world, std::uint64_t seed, std::uint32_t vms, const std::string& name);
  void begin() { act(); }
  void stop() { is_stopping_ = true; }
  const Client& client() const { return client_; }

 private:
  void act();
  pb::Request draw();
  pb::Request create(const std::string& vm);
  pb::Request migrate(const std::string& vm);
  void draw_post_copy(const std::string& vm, pb::MigrationParameters& parameters);
  pb::VmConfig draw_config(const std::string& vm);
  std::string modelled_vm() const;
  void next();

  World& world_;
  Random random_;
  const std::uint32_t vms_;
  Client client_;
  bool is_stopping_ = false;
  TaskId last_task_ = 0;
};

}  // namespace failsim::sim
