#!/usr/bin/env bash
# The first seed with which a planted mistake is found, and how.
#
#   find.sh MISTAKE [FIRST_SEED [SEEDS]]
#
# Each seed runs in a process of its own: some mistakes end in an assertion.
set -euo pipefail
failsim=${FAILSIM:-$(dirname "$0")/../../build/planted/bin/failsim}
first=${2:-1}
seeds=${3:-3000}
said=$(mktemp)
trap 'rm -f "$said"' EXIT
for ((seed = first; seed < first + seeds; ++seed)); do
  if ! "$failsim" simulate --seed "$seed" --plant "$1" >/dev/null 2>"$said"; then
    printf '%s: found with seed %d, the %d. from %d on, after %d s: ' "$1" "$seed" \
      $((seed - first + 1)) "$first" "$SECONDS"
    head -n 1 "$said"
    exit 0
  fi
done
printf '%s: not found in %d seeds from %d on\n' "$1" "$seeds" "$first"
exit 1
