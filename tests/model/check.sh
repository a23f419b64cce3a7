#!/usr/bin/env bash
# Has spin look at every state of the hand-over (README.md).
#
#   check.sh MODEL holds [-DBOUND=N...]     no step that is not allowed, and the VM always comes back
#   check.sh MODEL rejects MISTAKE [-D...]  the model with this mistake is found out
#   check.sh MODEL reaches STEP [-D...]     the step is taken in some history
#
# A search that did not see every state is a failure, whatever it found.
set -euo pipefail

readonly memory_mib=3500  # beyond it the search gives up, which is a failure
readonly depth=100000     # of the search: a longer path is a failure

model=$(realpath "$1")
what=$2
shift 2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
  printf '%s\n' "$*" >&2
  [[ ! -f pan.out ]] || grep -v '^Depth=' pan.out >&2
  exit 1
}

# search OPTIMISATION FLAG...: compiles the model and runs the search, its report in pan.out.
search() {
  local optimisation=$1
  shift
  spin -a "$@" "$model" >spin.out 2>&1 || fail "spin does not take the model: $(cat spin.out)"
  gcc "$optimisation" -w -DSAFETY -DNOREDUCE -DMEMLIM="$memory_mib" -o pan pan.c
  ./pan -m"$depth" -w24 >pan.out 2>&1 || fail "the search ended with exit code $?"
  if grep -qE 'max search depth too small|out of memory|aborted|hash-compact|bit-state' pan.out; then
    fail "the search has not seen every state"
  fi
}

# violated PATTERN: the search found an assertion violated, and it is this one.
violated() {
  grep -q 'errors: 1$' pan.out || fail "nothing was found"
  grep -E 'assertion violated' pan.out | grep -vq 'invalid array index' || fail "the model is broken"
  grep -qE "assertion violated.*$1" pan.out || fail "something else was found than $1"
}

case $what in
  holds)
    search -O2 "$@"
    grep -q 'errors: 0$' pan.out || fail "there is a history that breaks the hand-over"
    grep -q 'Search not completed' pan.out && fail "the search was not completed"
    grep -E 'states, stored|depth reached|actual memory usage|elapsed' pan.out
    ;;
  rejects)
    # What breaks for a user, not only the line of the table.
    search -O1 "-D$1" -DOUTCOMES_ONLY "${@:2}"
    violated 'executes|executed|image_at|state_at'
    grep 'assertion violated' pan.out
    ;;
  reaches)
    search -O1 "-DNEVER=$1" "${@:2}"
    violated '\(([0-9]+)!=\1\)'
    ;;
  *) fail "There is nothing called '$what' to check: it is holds, rejects or reaches." ;;
esac
