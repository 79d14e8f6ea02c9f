#!/usr/bin/env bash
# Does an array of Slurm give, bit for bit, what one process gives, and does a task that was killed go on?
#
#   examples/slurm/check.sh [SEGLOSS]      the program; target/debug/segloss is built where none is named
#
# Starts a Slurm of one node that nothing outside can see: a network of its own with a dummy interface, a key, sockets and state in
# a temporary folder. Needs root and Debian's packages slurmctld, slurmd, slurm-client, munge, iproute2; exits with 77 without them.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
for tool in slurmctld slurmd sbatch squeue scancel munged ip unshare; do
  command -v "$tool" >/dev/null || PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || {
    echo "skipped: there is no $tool (apt-get install slurmctld slurmd slurm-client munge iproute2)"
    exit 77
  }
done
[ "$(id -u)" = 0 ] || { echo "skipped: a network of its own needs root"; exit 77; }
export PATH=$PATH:/usr/sbin:/sbin

if [ "${SEGLOSS_SLURM_INSIDE:-}" != yes ]; then
  if [ $# = 0 ]; then
    cargo build --quiet --manifest-path "$here/Cargo.toml" -p segloss-cli
    set -- "$here/target/debug/segloss"
  fi
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  if ! unshare --net --mount true 2>/dev/null; then
    echo "skipped: no network namespace can be made here"
    exit 77
  fi
  SEGLOSS_SLURM_INSIDE=yes unshare --net --mount --pid --fork --kill-child --mount-proc "$0" "$(realpath "$1")" "$work"
  exit
fi

segloss=$1 work=$2
cd "$work"
ip link set lo up
# Where the kernel has no dummy interfaces, the loopback gets the address.
if ip link add dummy0 type dummy 2>/dev/null; then
  ip address add 10.77.0.1/24 dev dummy0
  ip link set dummy0 up
else
  ip address add 10.77.0.1/32 dev lo
fi

# A key of its own; munged insists on folders that nobody else may write.
mkdir -m 0700 munge state spool logs
head -c 1024 /dev/urandom > munge/key && chmod 0400 munge/key
munged --force --key-file "$work/munge/key" --socket "$work/munge/socket" --pid-file "$work/munge/pid" \
  --seed-file "$work/munge/seed" --log-file "$work/logs/munged"
chmod 0711 "$work" munge

# slurmd looks for control groups even where nothing uses them.
mkdir cgroup && mount -t tmpfs none cgroup && mkdir cgroup/freezer
node=$(hostname -s)
cat > slurm.conf <<CONF
ClusterName=check
SlurmctldHost=$node(10.77.0.1)
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/state/slurmctld.pid
SlurmdPidFile=$work/state/slurmd.pid
SlurmctldLogFile=$work/logs/slurmctld
SlurmdLogFile=$work/logs/slurmd
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
SchedulerParameters=sched_interval=1,bf_interval=1
InactiveLimit=0
KillWait=1
MinJobAge=300
ReturnToService=2
SlurmctldTimeout=60
SlurmdTimeout=60
NodeName=$node NodeAddr=10.77.0.1 CPUs=$(nproc) RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
printf 'CgroupPlugin=cgroup/v1\nCgroupMountpoint=%s\nCgroupAutomount=no\n' "$work/cgroup" > cgroup.conf
export SLURM_CONF=$work/slurm.conf
show_logs() { tail -n 20 logs/* >&2; }
slurmctld -f "$SLURM_CONF"
slurmd -f "$SLURM_CONF" || { show_logs; exit 1; }
for _ in $(seq 60); do
  sinfo --noheader --format %t 2>/dev/null | grep -q idle && break
  sleep 0.5
done
sinfo --noheader --format '%D node: %t' || { show_logs; exit 1; }

# Two losses, two seeds.
printf "kind = 'cross_entropy'\n" > plain.toml
printf "weights = { source = 'per_sample' }\n" > weighted.toml
options=(plain.toml weighted.toml --epochs 4 --seeds 2 --set model.width=8 --quiet)
"$segloss" compare --out "$work/one" "${options[@]}" > one.txt
"$segloss" compare --out "$work/grid" "${options[@]}" --plan
# This node is small.
sed -i 's/--cpus-per-task=4/--cpus-per-task=1/; s/--mem=8G/--mem=500M/' grid/slurm.sh

wait_for_jobs() {
  for _ in $(seq 240); do
    [ -z "$(squeue --noheader)" ] && return
    sleep 0.5
  done
  squeue >&2
  show_logs
  exit 1
}
job=$(sbatch --parsable --output "$work/logs/%a" grid/slurm.sh)
# One task is killed as soon as it has an epoch behind it.
for _ in $(seq 240); do
  [ -e grid/cells/plain/seed-0/last.safetensors ] && break
  sleep 0.05
done
scancel --full --signal=KILL "${job}_0" || true
wait_for_jobs
if [ -e grid/cells/plain/seed-0/results/test-best.json ]; then
  echo "the first task was done before it could be killed"
else
  echo "the first task was killed; the array is submitted again"
fi
sbatch --parsable --output "$work/logs/again-%a" grid/slurm.sh > /dev/null
wait_for_jobs
"$segloss" compare --out "$work/grid" --report > grid.txt

for kept in $(cd one && find cells -name '*.json' -o -name '*.safetensors' | sort) comparison.csv runs.csv comparison.json; do
  cmp "one/$kept" "grid/$kept" || { show_logs; exit 1; }
done
echo "an array of 2 losses x 2 seeds: every result and every net is that of one process, bit for bit"
