#!/bin/bash
# A whole SLURM cluster on one machine, for tests: munge, MariaDB, slurmdbd, slurmctld, three slurmd.
# Private to ROOT, nothing under /etc is touched; run as root.
#   slurm_cluster.sh start ROOT | stop ROOT | env ROOT       eval "$(slurm_cluster.sh env ROOT)" sets SLURM_CONF and PATH
# Partitions: cpu (two nodes), gpu (one node with GPUS fake GPUs). BASEPORT, FAKE_CPUS, FAKE_MEM, GPUS may be set.
set -euo pipefail
cmd=${1:?start, stop or env}
mkdir -p "${2:?a folder for the cluster}"
ROOT=$(cd "$2" && pwd)
: "${BASEPORT:=26800}" "${FAKE_CPUS:=8}" "${FAKE_MEM:=64000}" "${GPUS:=2}"
ETC=$ROOT/etc LOG=$ROOT/log RUN=$ROOT/run HOST=$(hostname -s) NODES="n${BASEPORT}a n${BASEPORT}b g${BASEPORT}"
# memory limits: the kernel's where cgroup v1 is there and writable, else slurmd looks once a second
[ -w /sys/fs/cgroup/memory ] && MEMORY_LIMIT=cgroup || MEMORY_LIMIT=poll
export SLURM_CONF=$ETC/slurm.conf
PATH=$PATH:/usr/sbin:/sbin

wait_for() { # seconds, what, command
  local end=$(($(date +%s) + $1)) what=$2
  shift 2
  until timeout 5 "$@" >/dev/null 2>&1; do
    [ "$(date +%s)" -lt "$end" ] || { echo "timeout waiting for $what, see $LOG" >&2; return 1; }
    sleep 0.1
  done
}

gone() { # a zombie counts as gone: nobody may be there to reap it
  local state
  state=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -c1)
  [ -z "$state" ] || [ "$state" = Z ]
}

wait_gone() {
  local end=$(($(date +%s) + 20))
  until gone "$1"; do
    [ "$(date +%s)" -lt $end ] || return 1
    sleep 0.1
  done
}

write_slurm_conf() {
  local plugin=task/none parameters=""
  [ "$MEMORY_LIMIT" = cgroup ] && plugin=task/cgroup
  [ "$MEMORY_LIMIT" = poll ] && parameters="JobAcctGatherParams=OverMemoryKill"
  cat > "$ETC/slurm.conf" <<C
ClusterName=mini
SlurmctldHost=$HOST(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$RUN/munge.socket
CredType=cred/munge
MpiDefault=none
SlurmctldPort=$((BASEPORT + 17))
SlurmctldPidFile=$RUN/slurmctld.pid
SlurmctldLogFile=$LOG/slurmctld.log
StateSaveLocation=$ROOT/state
SlurmdPidFile=$RUN/slurmd.%n.pid
SlurmdLogFile=$LOG/slurmd.%n.log
SlurmdSpoolDir=$ROOT/spool/%n
SlurmdParameters=config_overrides
SlurmctldTimeout=30
SlurmdTimeout=30
ReturnToService=2
ProctrackType=proctrack/linuxproc
TaskPlugin=$plugin
SwitchType=switch/none
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
GresTypes=gpu
KillWait=3
MinJobAge=300
InactiveLimit=0
Waittime=0
PropagateResourceLimits=NONE
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
$parameters
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort=$((BASEPORT + 19))
AccountingStoragePass=$RUN/munge.socket
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
NodeName=n${BASEPORT}a NodeHostname=$HOST NodeAddr=127.0.0.1 Port=$((BASEPORT + 1)) CPUs=$FAKE_CPUS RealMemory=$FAKE_MEM State=UNKNOWN
NodeName=n${BASEPORT}b NodeHostname=$HOST NodeAddr=127.0.0.1 Port=$((BASEPORT + 2)) CPUs=$FAKE_CPUS RealMemory=$FAKE_MEM State=UNKNOWN
NodeName=g${BASEPORT} NodeHostname=$HOST NodeAddr=127.0.0.1 Port=$((BASEPORT + 3)) CPUs=$FAKE_CPUS RealMemory=$FAKE_MEM Gres=gpu:a100:$GPUS State=UNKNOWN
PartitionName=cpu Nodes=n${BASEPORT}a,n${BASEPORT}b Default=YES DefMemPerCPU=100 DefaultTime=10 MaxTime=600 State=UP
PartitionName=gpu Nodes=g${BASEPORT} DefMemPerCPU=100 DefaultTime=10 MaxTime=600 State=UP
C
  printf 'AutoDetect=off\nNodeName=%s Name=gpu Type=a100 File=%s/dev/fakegpu[0-%s]\n' "g$BASEPORT" "$ROOT" $((GPUS - 1)) > "$ETC/gres.conf"
  cat > "$ETC/cgroup.conf" <<C
CgroupPlugin=cgroup/v1
CgroupMountpoint=/sys/fs/cgroup
CgroupAutomount=no
ConstrainCores=no
ConstrainDevices=no
ConstrainRAMSpace=yes
AllowedRAMSpace=100
ConstrainSwapSpace=no
C
}

write_slurmdbd_conf() {
  cat > "$ETC/slurmdbd.conf" <<C
AuthType=auth/munge
AuthInfo=socket=$RUN/munge.socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=$((BASEPORT + 19))
SlurmUser=root
LogFile=$LOG/slurmdbd.log
PidFile=$RUN/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$((BASEPORT + 36))
StorageUser=slurm
StoragePass=slurmpw
StorageLoc=slurm_acct_db
C
  chmod 600 "$ETC/slurmdbd.conf"
}

start_munge() {
  [ -s "$ROOT/munge/munge.key" ] || dd if=/dev/urandom of="$ROOT/munge/munge.key" bs=1 count=1024 status=none
  chmod 400 "$ROOT/munge/munge.key"
  munged --key-file="$ROOT/munge/munge.key" --socket="$RUN/munge.socket" --pid-file="$RUN/munged.pid" \
    --log-file="$LOG/munged.log" --seed-file="$RUN/munge.seed" --num-threads=10
  wait_for 10 munge sh -c "munge -S $RUN/munge.socket -n | unmunge -S $RUN/munge.socket"
}

start_accounting() {
  [ -d "$ROOT/db/mysql" ] || mariadb-install-db --no-defaults --user=root --datadir="$ROOT/db" \
    --auth-root-authentication-method=socket --skip-test-db > "$LOG/mariadb-install.log" 2>&1
  # setsid: it must outlive the shell that starts it
  setsid nohup mariadbd --no-defaults --user=root --datadir="$ROOT/db" --socket="$RUN/mysql.sock" \
    --pid-file="$RUN/mariadb.pid" --bind-address=127.0.0.1 --port=$((BASEPORT + 36)) \
    --innodb-buffer-pool-size=64M --innodb-log-file-size=16M --innodb-lock-wait-timeout=900 \
    --innodb-flush-log-at-trx-commit=0 --skip-log-bin > "$LOG/mariadb.log" 2>&1 < /dev/null &
  wait_for 60 mariadb mariadb-admin --no-defaults -S "$RUN/mysql.sock" ping
  mariadb --no-defaults -S "$RUN/mysql.sock" -e "CREATE DATABASE IF NOT EXISTS slurm_acct_db;
    CREATE USER IF NOT EXISTS 'slurm'@'127.0.0.1' IDENTIFIED BY 'slurmpw';
    CREATE USER IF NOT EXISTS 'slurm'@'localhost' IDENTIFIED BY 'slurmpw';
    GRANT ALL ON slurm_acct_db.* TO 'slurm'@'127.0.0.1'; GRANT ALL ON slurm_acct_db.* TO 'slurm'@'localhost';"
  slurmdbd
  wait_for 60 slurmdbd sacctmgr -n show cluster
  local what
  for what in "cluster mini" "account imaging Description=test Organization=test" "user root account=imaging DefaultAccount=imaging"; do
    # shellcheck disable=SC2086
    timeout 10 sacctmgr -i -Q add $what > /dev/null 2>&1 < /dev/null || true # fails where it exists already
  done
}

start() {
  mkdir -p "$ETC" "$LOG" "$RUN" "$ROOT"/{state,spool,dev,db,munge,bin}
  chmod 755 "$ROOT" "$ETC" "$LOG" "$RUN"
  chmod 700 "$ROOT/munge"
  local i
  for ((i = 0; i < GPUS; i++)); do
    [ -e "$ROOT/dev/fakegpu$i" ] || mknod -m 666 "$ROOT/dev/fakegpu$i" c 1 3 # as /dev/null
  done
  # inside a job Snakemake takes SLURM_CONF away, and commands would look under /etc
  local command
  for command in srun sbatch squeue sacct sacctmgr scancel scontrol sinfo; do
    printf '#!/bin/sh\nSLURM_CONF=%s exec /usr/bin/%s "$@"\n' "$SLURM_CONF" "$command" > "$ROOT/bin/$command"
    chmod 755 "$ROOT/bin/$command"
  done
  write_slurm_conf
  write_slurmdbd_conf
  start_munge
  start_accounting
  slurmctld -c
  wait_for 20 slurmctld scontrol ping
  local node
  for node in $NODES; do
    mkdir -p "$ROOT/spool/$node"
    slurmd -N "$node"
  done
  wait_for 30 "three idle nodes" sh -c '[ "$(sinfo -h -N -t idle -o %N | sort -u | wc -l)" = 3 ]'
}

stop() {
  timeout 5 scancel --user=root > /dev/null 2>&1 || true
  local name pid
  for name in $(printf "slurmd.%s " $NODES) slurmctld slurmdbd mariadb munged; do # in this order
    pid=$(cat "$RUN/$name.pid" 2>/dev/null) || continue
    kill "$pid" 2>/dev/null || true
    wait_gone "$pid" || kill -9 "$pid"
    rm -f "$RUN/$name.pid"
  done
  for name in $NODES; do
    find "/sys/fs/cgroup/memory/slurm_$name" -depth -type d -exec rmdir {} \; 2>/dev/null || true
  done
}

case $cmd in
  start) trap '[ $? = 0 ] || stop' EXIT; start ;; # a failed start leaves nothing behind
  stop) stop ;;
  env) printf 'export SLURM_CONF=%s\nexport PATH=%s/bin:$PATH\n' "$SLURM_CONF" "$ROOT" ;;
  *) echo "start, stop or env" >&2; exit 2 ;;
esac
