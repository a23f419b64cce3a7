#include "cluster/property/property_table.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>
#include <vector>

#include "cluster/fault/kind.h"
#include "cluster/migration/bandwidth.h"

namespace failsim {
namespace {

// ---- The table ----------------------------------------------------------------------------------

constexpr auto kVm = ObjectKind::kVm;
constexpr auto kGroup = ObjectKind::kGroup;
constexpr auto kNode = ObjectKind::kNode;
constexpr auto kCluster = ObjectKind::kCluster;
constexpr auto kRO = Access::kReadOnly;
constexpr auto kRW = Access::kReadWrite;
constexpr auto kReq = Status::kRequired;
constexpr auto kOpt = Status::kOptional;

constexpr std::int64_t kMax = 0xFFFFFFFF;

// The documents leave the length of a text to the implementation; these are ours.
constexpr std::int64_t kNameLength = 255;
constexpr std::int64_t kTextLength = 1024;

constexpr PropertySpec number(ObjectKind kind, std::string_view name, Access access, Status status,
                              std::int64_t minimum, std::int64_t maximum,
                              std::int64_t default_number, std::string_view unit,
                              std::string_view description, std::string_view source,
                              Effect effect = Effect::kStored) {
  return {.name = name,
          .kind = kind,
          .format = Format::kDword,
          .access = access,
          .status = status,
          .effect = effect,
          .minimum = minimum,
          .maximum = maximum,
          .also = minimum,
          .default_number = default_number,
          .unit = unit,
          .description = description,
          .source = source};
}

// A number whose default, 0xFFFFFFFF, lies outside its range and means "none".
constexpr PropertySpec number_or_none(ObjectKind kind, std::string_view name, std::int64_t minimum,
                                      std::int64_t maximum, std::string_view unit,
                                      std::string_view description, std::string_view source) {
  PropertySpec spec =
      number(kind, name, kRW, kOpt, minimum, maximum, kMax, unit, description, source);
  spec.also = kMax;
  return spec;
}

// A rate of migrations, or 0 for "any".
constexpr PropertySpec bandwidth_or_any(ObjectKind kind, std::string_view name,
                                        std::string_view description, std::string_view source) {
  PropertySpec spec = number(kind, name, kRW, kOpt, std::int64_t{kLeastBandwidth}, kMax, 0,
                             "bytes/s", description, source, Effect::kInForce);
  spec.also = 0;
  return spec;
}

constexpr PropertySpec text(ObjectKind kind, std::string_view name, Format format, Access access,
                            Status status, std::int64_t maximum, std::string_view description,
                            std::string_view source, Effect effect = Effect::kStored) {
  return {.name = name,
          .kind = kind,
          .format = format,
          .access = access,
          .status = status,
          .effect = effect,
          .minimum = 0,
          .maximum = maximum,
          .also = 0,
          .default_number = 0,
          .unit = "text",
          .description = description,
          .source = source};
}

constexpr std::string_view kVmPage = "Virtual Machine private properties (MsCS)";
constexpr std::string_view kGroupPage = "Group common properties (MsCS)";
constexpr std::string_view kNodePage = "Node common properties (MsCS)";
constexpr std::string_view kClusterPage = "Cluster common properties (MsCS)";
constexpr std::string_view kOwn = "failsim's own";

// Sorted by kind, then by name.
constexpr PropertySpec kProperties[] = {
    // Virtual machine
    number(kVm, "CheckHeartbeat", kRW, kReq, 0, 1, 0, "switch",
           "Whether loss of the guest's heartbeat counts as a failure of the VM.", kVmPage),
    number(kVm, "ConfigurationVersion", kRW, kOpt, 5, 255, 9, "version",
           "The version of the VM's configuration, which its node has to support.",
           "failsim's own; newer builds have a VmVersion whose values no document gives",
           Effect::kInForce),
    number(kVm, "DefaultMoveType", kRW, kOpt, 0, kMax, kMax, "code",
           "How the VM is moved when nobody says how: 1 quick, 4294967295 as its type says.",
           "Virtual Machine private properties (MsCS); type, range and default as seen in the "
           "field"),
    number(kVm, "MigrationFailureReason", kRO, kReq, 0, kMax, 0, "HRESULT",
           "Why the last migration failed: 0 it did not, 0x800700AA another was under way, "
           "0x80004005 anything else.",
           kVmPage),
    number(kVm, "MigrationProgress", kRO, kReq, 0, 100, 0, "%",
           "How far the migration under way has come.", kVmPage),
    number(kVm, "MigrationState", kRW, kReq, 0, 5, 0, "code",
           "0 none, 1 Setup, 2 Data Transfer, 3 Move, 4 Canceled, 5 Failure; write 0 to reset the "
           "last two.",
           "MigrationState (MsCS)", Effect::kInForce),
    number(kVm, "OfflineAction", kRW, kReq, 0, 3, 1, "code",
           "What taking the VM offline does: 0 turn off, 1 save, 2 shut down, 3 force shut down.",
           kVmPage),
    number(kVm, "ProcessorProfile", kRW, kOpt, 1, 4, 1, "x86-64-v",
           "The microarchitecture level of x86-64 that the guest was started with and needs.", kOwn,
           Effect::kInForce),
    number(kVm, "ShutdownAction", kRW, kReq, 0, 1, 0, "code",
           "When the guest stops by itself: 0 take the VM offline, 1 let it fail.", kVmPage),
    number(kVm, "StartMemory", kRW, kOpt, 0, kMax, 1, "MB",
           "The memory the VM starts with, as placement sees it.",
           "Virtual Machine private properties (MsCS); the unit is ours, the page has none"),
    number(kVm, "VirtualNumaCount", kRW, kOpt, 1, 64, 1, "nodes",
           "The number of virtual NUMA nodes of the VM.", kVmPage),
    text(kVm, "VirtualSwitch", Format::kSz, kRW, kOpt, kNameLength,
         "The virtual switch the VM is connected to, by name; empty for none.", kOwn,
         Effect::kInForce),
    text(kVm, "VmId", Format::kSz, kRW, kReq, 38, "The GUID of the VM.",
         "Virtual Machine private properties (MsCS)"),
    number(kVm, "VmState", kRO, kReq, 0, 65536, 0, "code",
           "EnabledState of the VM: 2 running, 3 off, 32768 paused, 32769 saved, 32770 starting, "
           "32773 saving, 32774 stopping.",
           "Virtual Machine private properties (MsCS); the page leaves the status open"),
    text(
        kVm, "VmStoreRootPath", Format::kSz, kRW, kOpt, kTextLength,
        "The directory of the VM's configuration, which its node has to reach; empty for the "
        "shared volume.",
        "Virtual Machine Configuration private properties (MsCS), of that resource there; the page "
        "requires it",
        Effect::kInForce),

    // Group
    text(kGroup, "AntiAffinityClassNames", Format::kMultiSz, kRW, kOpt, kTextLength,
         "Groups that share one of these names are kept on different nodes if possible.",
         kGroupPage),
    number(kGroup, "AutoFailbackType", kRW, kOpt, 0, 1, 0, "code",
           "Whether the group returns to its preferred owner: 0 no, 1 yes.", kGroupPage),
    number(kGroup, "ColdStartSetting", kRW, kOpt, 0, 2, 0, "code",
           "When the whole cluster starts: 0 start the group always, 1 do not, 2 it may start.",
           kGroupPage),
    text(kGroup, "Description", Format::kSz, kRW, kOpt, kTextLength, "A text of the administrator.",
         kGroupPage),
    number_or_none(kGroup, "FailbackWindowEnd", 0, 23, "hour",
                   "The hour of the day failback must be done by; 4294967295 for none.",
                   kGroupPage),
    number_or_none(kGroup, "FailbackWindowStart", 0, 23, "hour",
                   "The hour of the day failback may begin at; 4294967295 for none.", kGroupPage),
    number(kGroup, "FailoverPeriod", kRW, kOpt, 0, 1193, 6, "hours",
           "The time FailoverThreshold counts failovers in.", kGroupPage),
    number(kGroup, "FailoverThreshold", kRW, kOpt, 0, kMax, kMax, "failovers",
           "How often the group may fail over in a period; 4294967295 is one less than there are "
           "nodes.",
           kGroupPage),
    number(kGroup, "GroupStartDelay", kRW, kOpt, 0, 1'800'000, 0, "ms",
           "How long groups that depend on this one wait after it has started.", kGroupPage),
    text(kGroup, "Name", Format::kSz, kRO, kReq, kNameLength,
         "The name of the group, which is that of its VM.", kGroupPage),
    number(kGroup, "PersistentState", kRW, kOpt, 0, 1, 0, "switch",
           "Whether the group is brought online when the cluster forms.", kGroupPage),
    number(kGroup, "Priority", kRW, kOpt, 0, 3000, 2000, "rank",
           "The order of starting, draining and placing: 0 no automatic start, 1000 low, 2000 "
           "medium, 3000 high.",
           kGroupPage),
    number(kGroup, "ResiliencyPeriod", kRW, kOpt, 0, kMax, 0, "s",
           "How long the group stays with an isolated node.", kGroupPage),
    number(kGroup, "StatusInformation", kRO, kReq, 0, 0x7FF, 0, "bits",
           "What is going on with the group; of its bits only 0x4 is ever set: it waits in the "
           "queue for its move.",
           "StatusInformation of groups (MsCS)", Effect::kInForce),

    // Node
    number(kNode, "ConfigurationVersionMaximum", kRW, kOpt, 5, 255, 12, "version",
           "The newest version of a VM's configuration that the node supports.", kOwn,
           Effect::kInForce),
    number(kNode, "ConfigurationVersionMinimum", kRW, kOpt, 5, 255, 5, "version",
           "The oldest version of a VM's configuration that the node supports.", kOwn,
           Effect::kInForce),
    text(kNode, "Description", Format::kSz, kRW, kOpt, kTextLength, "A text of the administrator.",
         kNodePage),
    number(kNode, "DynamicWeight", kRO, kReq, 0, 1, 0, "votes", "The vote the node has at present.",
           kNodePage),
    number(kNode, "EnableVirtualSystemMigration", kRW, kOpt, 0, 1, 1, "switch",
           "Whether VMs may migrate live from the node and to it.",
           "Msvm_VirtualSystemMigrationServiceSettingData; default as on nodes of a cluster",
           Effect::kInForce),
    bandwidth_or_any(kNode, "MigrationBandwidthLimit",
                     "What all migrations from the node may send together, each the same share, "
                     "which is 65536 at least; 0 for any.",
                     kOwn),
    text(kNode, "NodeName", Format::kSz, kRO, kReq, kNameLength, "The name of the node.",
         kNodePage),
    number(kNode, "NodeWeight", kRW, kOpt, 0, 1, 1, "votes",
           "The vote the administrator gives the node.",
           "Node common properties (MsCS); default as the product ships, the page says 0"),
    number(kNode, "ProcessorProfile", kRW, kOpt, 1, 4, 4, "x86-64-v",
           "The highest microarchitecture level of x86-64 that the node's processors have.", kOwn,
           Effect::kInForce),
    text(kNode, "StoragePaths", Format::kMultiSz, kRW, kOpt, kTextLength,
         "The directories beside the shared volume that the node reaches, with what is below them.",
         kOwn, Effect::kInForce),
    text(kNode, "VirtualSwitches", Format::kMultiSz, kRW, kOpt, kTextLength,
         "The virtual switches of the node, by name.", kOwn, Effect::kInForce),

    // Cluster
    number(kCluster, "AddEvictDelay", kRW, kOpt, 0, 600, 60, "s",
           "How long a node waits to join after another was evicted.", kClusterPage),
    number(kCluster, "AutoBalancerLevel", kRW, kOpt, 1, 3, 1, "code",
           "When a node counts as loaded: 1 at 80 %, 2 at 70 %, 3 at 60 %.",
           "Get-Cluster (FailoverClusters)"),
    number(kCluster, "AutoBalancerMode", kRW, kOpt, 0, 2, 2, "code",
           "When VMs are balanced: 0 never, 1 when a node joins, 2 then and every 30 minutes.",
           "Get-Cluster (FailoverClusters)"),
    number(kCluster, "ClusterEnforcedAntiAffinity", kRW, kOpt, 0, 1, 0, "switch",
           "Whether a group stays offline rather than share a node against its class names.",
           kClusterPage),
    number(kCluster, "ClusterGroupWaitDelay", kRW, kOpt, 0, 3600, 120, "s",
           "How long a forming cluster waits for the preferred owner of a group.", kClusterPage),
    number(kCluster, "ClusterLogLevel", kRW, kOpt, 0, 5, 3, "level",
           "How much is written to the cluster log: 0 nothing, 5 everything.",
           "Set-ClusterLog (FailoverClusters); the reference page says 0 or 3"),
    number(kCluster, "ClusterLogSize", kRW, kOpt, 8, 1024, 300, "MB",
           "The greatest size of the cluster log.", kClusterPage),
    number(kCluster, "CrossSubnetDelay", kRW, kOpt, 250, 4000, 1000, "ms",
           "The time between heartbeats of nodes in different subnets.", kClusterPage),
    number(kCluster, "CrossSubnetThreshold", kRW, kOpt, 3, 120, 20, "heartbeats",
           "How many heartbeats in a row may be missed between subnets.",
           "Cluster common properties (MsCS); default as the product ships, the page says 5"),
    number(kCluster, "DatabaseReadWriteMode", kRW, kOpt, 0, 2, 0, "code",
           "0 all nodes write and each reads its own, 1 majority writes and reads, 2 majority "
           "writes and each reads its own.",
           kClusterPage),
    text(kCluster, "Description", Format::kSz, kRW, kOpt, kTextLength,
         "A text of the administrator.", kClusterPage),
    number(kCluster, "DisableGroupPreferredOwnerRandomization", kRW, kOpt, 0, 1, 0, "switch",
           "Whether a group without preferred owners goes to the first node instead of any.",
           kClusterPage),
    number(kCluster, "DrainOnShutdown", kRW, kOpt, 0, 1, 1, "switch",
           "Whether a node that shuts down moves its groups away first.", kClusterPage),
    number(kCluster, "DynamicQuorum", kRW, kOpt, 0, 1, 1, "switch",
           "Whether votes are counted anew when nodes leave.", kClusterPage),
    number(kCluster, "GroupDependencyTimeout", kRW, kOpt, 0, kMax, 600, "s",
           "How long a group waits for those it depends on.", kClusterPage),
    number(kCluster, "HangRecoveryAction", kRW, kOpt, 0, 6, 6, "code",
           "What the watchdog does about a cluster service that hangs.", kClusterPage),
    number(kCluster, "IgnorePersistentStateOnStartup", kRW, kOpt, 0, 1, 0, "switch",
           "Whether groups stay offline when the cluster forms, whatever their PersistentState.",
           kClusterPage),
    number(kCluster, "LogElectionTimeout", kRW, kOpt, 100, 60'000, 500, "ms",
           "How long a member of the log waits for its leader before it stands for election; drawn "
           "anew between this and twice this.",
           "failsim's own", Effect::kInForce),
    number(kCluster, "MaximumParallelMigrations", kRW, kOpt, 1, 1000, 1, "migrations",
           "How many migrations a node takes part in at a time, as source or target; the others "
           "wait for their turn.",
           "KB5017381 and KB5017382; range ours, the default is the one seen on clusters that have "
           "the property, though hosts without it allow 2",
           Effect::kInForce),
    number(kCluster, "MinimumNeverPreemptPriority", kRW, kOpt, 0, 4999, 3000, "rank",
           "Groups of this priority and above are never stopped to make room.", kClusterPage),
    number(kCluster, "MinimumPreemptorPriority", kRW, kOpt, 0, 4999, 1, "rank",
           "Groups of this priority and above may have others stopped to make room.", kClusterPage),
    number(kCluster, "QuarantineDuration", kRW, kOpt, 0, kMax, 7200, "s",
           "How long a node in quarantine may not join; 4294967295 until it is cleared.",
           "Cluster common properties (MsCS); default as the product ships, the page says 0"),
    number(kCluster, "QuarantineThreshold", kRW, kOpt, 0, kMax, 3, "failures",
           "How often a node may fail within an hour before it is put in quarantine.",
           kClusterPage),
    number(kCluster, "QuorumArbitrationTimeMax", kRW, kOpt, 1, 3600, 20, "s",
           "The longest time arbitration for the witness may take.", kClusterPage),
    number(kCluster, "QuorumArbitrationTimeMin", kRW, kOpt, 1, 3600, 7, "s",
           "The shortest time arbitration for the witness takes.", kClusterPage),
    number(kCluster, "RequestReplyTimeout", kRW, kOpt, 5, 1440, 60, "minutes",
           "How long a change of the cluster's state waits for the answers of all nodes.",
           "Cluster common properties (MsCS); an event of the product counts it in seconds"),
    number(kCluster, "ResiliencyDefaultPeriod", kRW, kOpt, 0, kMax, 240, "s",
           "How long a node may be isolated before it is down; 0 for not at all.", kClusterPage),
    number(kCluster, "ResiliencyLevel", kRW, kOpt, 1, 2, 2, "code",
           "When a node is isolated rather than down: 1 only if it says so itself, 2 always.",
           "Cluster common properties (MsCS); default as the product ships, the page says 1"),
    number(kCluster, "RouteHistoryLength", kRW, kOpt, 0, 40, 10, "heartbeats",
           "How many missed heartbeats of a route are remembered.", kClusterPage),
    number(kCluster, "SameSubnetDelay", kRW, kOpt, 250, 2000, 1000, "ms",
           "The time between heartbeats of nodes in one subnet.", kClusterPage, Effect::kInForce),
    number(kCluster, "SameSubnetThreshold", kRW, kOpt, 3, 120, 10, "heartbeats",
           "How many heartbeats in a row may be missed before a node counts as unreachable.",
           "Cluster common properties (MsCS); default as the product ships, the page says 5",
           Effect::kInForce),
    number(kCluster, "ShutdownTimeoutInMinutes", kRW, kOpt, 0, 1440, 20, "minutes",
           "How long a node that shuts down may take to move its groups away.", kClusterPage),
    number(kCluster, "WitnessDatabaseWriteTimeout", kRW, kOpt, 1, 86'400, 300, "s",
           "How long a write to the witness may take.", kClusterPage),
    number(kCluster, "WitnessRestartInterval", kRW, kOpt, 5, 1440, 15, "minutes",
           "How long a failed witness waits before it is started again.", kClusterPage),
};

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr int compare_ignoring_case(std::string_view a, std::string_view b) {
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return lower(a[i]) < lower(b[i]) ? -1 : 1;
  }
  return a.size() == b.size() ? 0 : (a.size() < b.size() ? -1 : 1);
}

constexpr bool table_is_sorted() {
  for (std::size_t i = 1; i < std::size(kProperties); ++i) {
    const PropertySpec& previous = kProperties[i - 1];
    const PropertySpec& next = kProperties[i];
    if (previous.kind > next.kind) return false;
    if (previous.kind == next.kind && compare_ignoring_case(previous.name, next.name) >= 0) {
      return false;
    }
  }
  return true;
}
static_assert(table_is_sorted());

}  // namespace

std::string_view name(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::kVm:
      return "vm";
    case ObjectKind::kGroup:
      return "group";
    case ObjectKind::kNode:
      return "node";
    case ObjectKind::kCluster:
      return "cluster";
  }
  assert(false);
  return {};
}

std::span<const PropertySpec> all_properties() {
  return kProperties;
}

std::span<const PropertySpec> properties_of(ObjectKind kind) {
  const auto is_before = [kind](const PropertySpec& spec) { return spec.kind < kind; };
  const auto is_up_to = [kind](const PropertySpec& spec) { return spec.kind <= kind; };
  const PropertySpec* first =
      std::partition_point(std::begin(kProperties), std::end(kProperties), is_before);
  const PropertySpec* last = std::partition_point(first, std::end(kProperties), is_up_to);
  return {first, last};
}

const PropertySpec* find(ObjectKind kind, std::string_view name) {
  for (const PropertySpec& spec : properties_of(kind)) {
    if (compare_ignoring_case(spec.name, name) == 0) return &spec;
  }
  return nullptr;
}

Result<const PropertySpec*> lookup(ObjectKind kind, std::string_view property) {
  if (const PropertySpec* spec = find(kind, property)) return spec;
  std::string message = "There is no ";
  message += name(kind);
  message += " property '";
  message += property;
  message += "'.";
  std::vector<std::string_view> names;
  for (const PropertySpec& spec : properties_of(kind)) names.push_back(spec.name);
  const std::string near = fault::nearest(property, names);
  const std::string object =
      kind == ObjectKind::kCluster ? "cluster" : std::string(name(kind)) + "/NAME";
  return Error{Code::kNotFound, std::move(message),
               near.empty() ? "See which there are with 'failsim property list " + object + "'."
                            : "Did you mean \"" + near + "\"?"};
}

}  // namespace failsim
