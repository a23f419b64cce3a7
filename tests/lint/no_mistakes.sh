#!/usr/bin/env bash
# The product was compiled without the mistakes that can be planted: no executable holds the table of
# them, or anything that would look at it.
#
#   no_mistakes.sh TABLE EXECUTABLE...
set -euo pipefail
table=$1
shift
mapfile -t words < <(grep -oP '\{Mistake::k\w+, "\K[a-z-]+' "$table")
words+=(planted_mistakes mistake_named)
((${#words[@]} > 15)) || { echo "$table: not the table of the mistakes"; exit 1; }
status=0
for executable in "$@"; do
  for word in "${words[@]}"; do
    grep -aqF -- "$word" "$executable" || continue
    echo "$executable holds '$word': it was built with planted mistakes"
    status=1
  done
done
exit $status
