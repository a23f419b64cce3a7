#!/usr/bin/env bash
# A campaign as an array job of a Slurm cluster that is started for it: munged, slurmctld and slurmd
# as processes of this test, with a directory and a network of their own, and gone with it.
#
#   slurm_test.sh FAILSIM SOURCE_FOLDER
#
# Without Slurm, or not as root, it says so and ends with 77: skipped.
set -euo pipefail

for program in munged slurmctld slurmd sbatch squeue sinfo; do
  if [[ -z $(PATH=$PATH:/usr/sbin type -P "$program") ]]; then
    echo "SKIPPED: $program is not installed (apt-get install slurmctld slurmd slurm-client munge)."
    exit 77
  fi
done
if ((EUID != 0)); then
  echo "SKIPPED: slurmd starts tasks for other users only as root."
  exit 77
fi
export PATH=$PATH:/usr/sbin

# The daemons bind their ports on every address: beside others, somebody's connection may have one.
if [[ -z ${IN_OWN_NETWORK:-} ]]; then
  unshare --net true || { echo "SKIPPED: no network namespace can be made here."; exit 77; }
  IN_OWN_NETWORK=1 exec unshare --net "${BASH_SOURCE[0]}" "$@"
fi
ip link set lo up
ip address add 192.0.2.1/32 dev lo  # Slurm resolves no name where there is only the loopback's own address

failsim=$(realpath "$1")
source=$2
campaign=$source/tools/explore/campaign

work=$(mktemp -d)
chmod 755 "$work"
pids=()
finish() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT

fail() {
  printf '%s\n' "$*" >&2
  tail -n 20 "$work"/*.log "$work"/out/*.log >&2 2>/dev/null || true
  exit 1
}

# until_true SECONDS WHAT COMMAND...: again and again, with a short rest, until it succeeds.
until_true() {
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || fail "$what: not in time."
    read -rt 0.2 <> <(:) || true
  done
}

mkdir "$work"/{munge,state,spool,out}
chmod 711 "$work/munge"
head -c 1024 /dev/urandom >"$work/munge/key"
chmod 400 "$work/munge/key"
cat >"$work/slurm.conf" <<CONF
ClusterName=campaign
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=6817
SlurmdPort=6818
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
CredType=cred/munge
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
MpiDefault=none
NodeName=here NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP
CONF
export SLURM_CONF=$work/slurm.conf

munged --foreground --force --socket="$work/munge/socket" --key-file="$work/munge/key" \
  --log-file="$work/munge.log" --pid-file="$work/munge/pid" --seed-file="$work/munge/seed" \
  >/dev/null 2>&1 &
pids+=($!)
until_true 20 "munged listens" test -S "$work/munge/socket"
slurmctld -D -L "$work/slurmctld.log" -f "$SLURM_CONF" >/dev/null 2>&1 &
pids+=($!)
slurmd -D -N here -L "$work/slurmd.log" -f "$SLURM_CONF" >/dev/null 2>&1 &
pids+=($!)
is_idle() { [[ $(sinfo --noheader --format=%T) == idle ]]; }
until_true 60 "the Slurm cluster is ready" is_idle

cd "$source"
job=$(FAILSIM=$failsim sbatch --parsable --array=1-3 --cpus-per-task=1 \
  "$campaign/slurm.sbatch" "$work/out" --seeds 12)
is_over() { [[ -z $(squeue --noheader --jobs="$job" 2>/dev/null) ]]; }
until_true 240 "the array job $job ends" is_over

FAILSIM=$failsim "$campaign/collect" "$work/out" 3 >"$work/collected" ||
  fail "the campaign has failed: $(cat "$work/collected")"
grep -q '^12 seeds from 1' "$work/collected" ||
  fail "not every seed was run: $(tail -n 1 "$work/collected")"
echo "a Slurm array job of three tasks ran the campaign: $(tail -n 1 "$work/collected")"
