// A part of a source without the others: what it reports is kept for the test, and the target is a
// port that answers every hello as the test wants.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "node/hypervisor/data_listener.h"
#include "node/hypervisor/source_connections.h"
#include "node/hypervisor/source_reports.h"
#include "world.h"

namespace failsim::node {

struct SourceParts {
  explicit SourceParts(std::uint32_t streams = 1, const TestVm& vm = {});

  // The only failure that was reported.
  std::string failure() const;

  const TransferOrder order;
  SourceRoute route;
  const std::shared_ptr<SourceSignals> signals;
  SharedLink link{0};
  std::vector<TransferReport> told;  // on the thread of the test
  SourceReports reports;
  SourceConnections connections;
};

class TargetPort {
 public:
  using Answer = std::function<std::vector<std::byte>(const pb::TransferHello& hello)>;

  // Without an answer a connection is closed.
  explicit TargetPort(Answer answer);
  static TargetPort that_welcomes();

  std::vector<pb::TransferHello> hellos();
  // On the connection that came first; then all are closed.
  void say_and_close(std::vector<std::byte> last_words);

 private:
  struct Connected {
    pb::TransferHello hello;
    Fd socket;
  };
  // Written by the thread of the listener.
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();
  std::unique_ptr<std::vector<Connected>> connected_ = std::make_unique<std::vector<Connected>>();
  std::unique_ptr<DataListener> listener_;
};

}  // namespace failsim::node
