// Serves a shared volume to guests' owners over TCP, on one thread.
//
// A turn takes the requests of every connection that has any, hands them to the volume as one batch
// (one sync), and answers. A connection is read again only when its requests are performed and its
// answers are not piling up, so a client that does not read stops itself and nobody else.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "cluster/error.h"
#include "storage/observations.h"
#include "storage/volume.h"

namespace failsim::node {

class VolumeServer {
 public:
  // Listens on an IPv4 address; port 0 takes any free one. `volume` must outlive the server.
  // `observations`, if any, get what is written, and outlive it too.
  static Result<std::unique_ptr<VolumeServer>> open(Volume& volume, const std::string& address,
                                                    std::uint16_t port,
                                                    ObservationLog* observations = nullptr);
  ~VolumeServer();

  std::uint16_t port() const;
  // SIGTERM and SIGINT end run(); to be called before it.
  void stop_on_signals();
  // Serves until stop() is called; the volume's failure ends it too and is returned.
  std::optional<Error> run();
  // From any thread.
  void stop();

 private:
  class Service;
  explicit VolumeServer(std::unique_ptr<Service> service);

  std::unique_ptr<Service> service_;
};

}  // namespace failsim::node
