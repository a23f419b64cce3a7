#include "node/hypervisor/volume_port.h"

#include <utility>

#include "node/volume/volume_client.h"

namespace failsim::node {
namespace {

class ClientPort : public VolumePort {
 public:
  ClientPort(const std::string& address, std::uint16_t port) : client_(address, port) {}

  void submit(pb::VolumeRequest request, Callback callback) override {
    client_.submit(std::move(request), std::move(callback));
  }
  void stop() override { client_.stop(); }

 private:
  VolumeClient client_;
};

}  // namespace

std::shared_ptr<VolumePort> connect_volume(const std::string& address, std::uint16_t port) {
  return std::make_shared<ClientPort>(address, port);
}

}  // namespace failsim::node
