#!/usr/bin/env bash
# lint.sh finds what it is for, and nothing in comments, literals or longer words.
#
#   lint_test.sh PATH_OF_LINT
set -euo pipefail
lint=$1
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{cluster/raft,node,storage,tools/sim}

# expect COUNT WHAT: so many findings in the tree as it stands.
expect() {
  local found
  found=$(bash "$lint" "$tree" || true)
  local count=0
  [[ -z $found ]] || count=$(wc -l <<<"$found")
  if ((count != $1)); then
    printf 'expected %d findings for %s, got %d:\n%s\n' "$1" "$2" "$count" "$found"
    exit 1
  fi
}

file=$tree/cluster/raft/a.cc

cat >"$file" <<'CODE'
#include <vector>  // not <chrono>
#include "cluster/ids.h"
// a thread, a double, std::hash; a client's word
/* system_clock
   rand() */ int x = 1'000'000;  // boost/asio
const char* s = "double \" thread"; char c = '"'; int doubled, threads, operand(int);
CODE
expect 0 "comments, literals and longer words"

cat >"$file" <<'CODE'
#include <chrono>
#include <unordered_map>
#include <boost/asio.hpp>
std::unordered_set<int> a;
double b = 1'000; float c;
int d = rand();
auto e = std::hash<int>();
std::thread f; auto g = std::chrono::steady_clock::now();
std::uniform_int_distribution<int> h; /* fine */ std::mt19937 i;
CODE
expect 9 "one forbidden word on each line"
rm "$file"

echo 'optional float share = 1;' >"$tree/cluster/a.proto"
expect 1 "a proto file"
rm "$tree/cluster/a.proto"

echo '#include "node/runtime.h"' >"$tree/cluster/a.h"
echo '#include "tools/sim/world.h"' >"$tree/node/a.h"
echo '#include "node/runtime.h"' >"$tree/storage/a.h"
echo '#include "node/runtime.h"' >"$tree/tools/sim/a.h"
expect 4 "includes from a layer above"
