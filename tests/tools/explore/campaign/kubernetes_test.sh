#!/usr/bin/env bash
# The parts of an Indexed Job, run one after another as its pods would be, are the whole campaign;
# and the numbers of the manifest belong together.
#
#   kubernetes_test.sh FAILSIM CAMPAIGN_FOLDER
set -euo pipefail
export FAILSIM=$1
campaign=$2
manifest=$campaign/kubernetes.yaml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# The value of a key that stands alone in its line.
value() { sed -nE "s/^ *$1: *\"?([^\"]*)\"?\$/\\1/p" "$manifest"; }

completions=$(value completions)
shards=$(grep -A 1 'name: CAMPAIGN_SHARDS' "$manifest" | sed -nE 's/.*value: "([0-9]+)"/\1/p')
[[ $completions == "$shards" ]] || fail "completions are $completions and CAMPAIGN_SHARDS is $shards"
[[ $(value completionMode) == Indexed ]] || fail "the job is not Indexed: its pods have no index"
[[ -x $campaign/$(basename "$(sed -nE 's/.*command: \["([^"]*)"\]/\1/p' "$manifest")") ]] ||
  fail "the command of the manifest is no script of this folder"

for index in 0 1 2; do
  JOB_COMPLETION_INDEX=$index CAMPAIGN_SHARDS=3 "$campaign/shard" "$work" --seeds 12 --jobs 1
done
"$campaign/collect" "$work" 3 >"$work/collected"
grep -q '^12 seeds from 1' "$work/collected" || fail "not every seed was run: $(tail -n 1 "$work/collected")"

# A part without a result is told, and is no success.
rm "$work/shard-2.json"
status=0
"$campaign/collect" "$work" 3 >"$work/collected" 2>"$work/said" || status=$?
((status == 3)) || fail "a part is missing and collect ends with $status"
grep -q 'part 2/3 has no result' "$work/said" || fail "nobody says which part is missing"

# A part that cannot be run leaves none, and says why.
status=0
JOB_COMPLETION_INDEX=1 CAMPAIGN_SHARDS=3 "$campaign/shard" "$work" --no-such-option 2>"$work/said" ||
  status=$?
((status == 64)) || fail "a part that cannot be run ends with $status"
[[ ! -e $work/shard-2.json ]] || fail "a part that was not run has a result"
grep -q 'no-such-option' "$work/said" || fail "nobody says why the part was not run"
echo "the parts of the Indexed Job are the whole campaign"
