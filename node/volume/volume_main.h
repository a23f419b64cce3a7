// `failsim-node volume`: the process of the cluster shared volume.
#pragma once

namespace failsim::node {

// argv[0] is the word "volume". Serves in the foreground until SIGTERM or SIGINT:
//
//   volume --dir DIR --listen ADDRESS:PORT
//
// prints one line on stdout when it is ready. With --check instead of --listen it reads the
// journals in DIR, also beside a running volume process, and says what is wrong with them.
//
// Exit codes: 0 done; 1 refused, or a journal is wrong; 64 usage; 74 the disk failed.
int volume_main(int argc, char** argv);

}  // namespace failsim::node
