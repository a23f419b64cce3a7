#include "node/hypervisor/volume_port.h"

#include <utility>

#include "node/volume/volume_client.h"

namespace failsim::node {
namespace {

class ClientPort : public VolumePort {
 public:
  ClientPort(const std::string& address, std::uint16_t port, VolumeAsker asker)
      : client_(address, port), asker_(asker) {}

  void submit(pb::VolumeRequest request, Callback callback) override {
    request.set_node(asker_.node);
    request.set_writer(asker_.incarnation);
    client_.submit(std::move(request), std::move(callback));
  }
  void stop() override { client_.stop(); }

 private:
  VolumeClient client_;
  const VolumeAsker asker_;
};

}  // namespace

std::shared_ptr<VolumePort> connect_volume(const std::string& address, std::uint16_t port,
                                           VolumeAsker asker) {
  return std::make_shared<ClientPort>(address, port, asker);
}

}  // namespace failsim::node
