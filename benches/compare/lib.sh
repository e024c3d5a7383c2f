# shellcheck shell=bash
# Shared by compare.sh and growth.sh: the programs, a private cluster with a server's own settings, a server on it, and the
# end of all that. Requires Linux, bash, cargo, PostgreSQL's server with pgbench, curl, and python3 for JSON. To be sourced.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Not /tmp, which is in memory on some machines: every commit would look free.
place=$(mktemp -d -p "${TMPDIR:-/var/tmp}" showtime.XXXXXX)
chmod 711 "$place" # for Postgres, which steps down to another user if we are root

# The caller's configuration of a database or of Twitch must not matter.
for name in DATABASE_URL "${!PG@}" "${!SHOWTIME_@}" "${!TWITCH_@}" BIND_ADDR LISTEN_PORT; do unset "$name"; done
export SHOWTIME_DATA_DIR=$place/data SHOWTIME_LOG=warn LISTEN_PORT=0 TWITCH_WEBHOOK_SECRET='the secret of the benches'

server='' simulate='' floor=''       # programs
postgres=''                          # directory of Postgres' programs
url='' replica=''                    # addresses of the server or floor, and of another server
server_pid='' replica_pid='' floor_pid='' cluster='' # must be ended at the exit

clean_up() {
    local status=$?
    trap - EXIT
    stop_replica || true
    stop_server || true
    stop_floor || true
    [[ -z $cluster ]] || "$server" local-db down >/dev/null || true
    rm -rf "$place"
    ((status == 0)) || echo "$0: failed with status $status" >&2
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

die() {
    echo "$0: $*" >&2
    exit 1
}

# Builds the programs that are measured, and sets their paths.
build() {
    local tool executables
    for tool in cargo curl python3; do command -v "$tool" >/dev/null || die "requires $tool"; done
    (cd "$repository" && cargo build --locked --release --bins --bench floor \
        --message-format json-render-diagnostics) >"$place/artifacts"
    executables=$(python3 - "$place/artifacts" <<'PYTHON'
import json, sys

for line in open(sys.argv[1]):
    artifact = json.loads(line)
    if artifact.get("executable") and artifact["target"]["name"] in ("server", "simulate", "floor"):
        print(artifact["target"]["name"] + "='" + artifact["executable"] + "'")
PYTHON
    )
    eval "$executables"
    [[ -x $server && -x $simulate && -x $floor ]] || die "cargo did not say where it put the programs"
}

# A cluster as the server makes it for itself, with its settings.
start_cluster() {
    local environment
    "$server" local-db up >/dev/null
    cluster=up
    environment=$("$server" local-db env)
    eval "$environment"
    unset DATABASE_URL # PGDATABASE chooses the database
    postgres=$(dirname "$(readlink "/proc/$(head -n 1 "$SHOWTIME_DATA_DIR/postgres/postmaster.pid")/exe")")
    [[ -x $postgres/pgbench ]] || die "requires pgbench in $postgres"
}

# sql STATEMENT [DATABASE]: prints the rows without decoration.
sql() { "$postgres/psql" --no-psqlrc --quiet --tuples-only --no-align -v ON_ERROR_STOP=1 -d "${2:-showtime}" -c "$1"; }

# address PID FILE: waits until that process has said in that file where it serves, and sets `url`.
address() {
    local tries=0
    until url=$(sed -n 's/^.* serves on \(http:.*\)$/\1/p' "$2") && [[ -n $url ]]; do
        if ! kill -0 "$1" 2>/dev/null || ((tries++ > 1200)); then die "nothing serves: $(cat "$2")"; fi
        sleep 0.05
    done
}

start_server() {
    : >"$place/server.log" # or else the output of the one before may be read
    (cd "$place" && exec "$server") >"$place/server.log" &
    server_pid=$!
    address "$server_pid" "$place/server.log"
    curl --silent --show-error --fail --retry 20 --retry-delay 1 --output /dev/null "$url/readyz"
}

stop_server() {
    [[ -n $server_pid ]] || return 0
    kill "$server_pid"
    wait "$server_pid"
    server_pid=''
}

# start_replica DATABASE: another server with a directory of its own, on this database of the cluster; sets `replica` to its
# address.
start_replica() {
    local environment first=$url
    environment=$("$server" local-db env)
    : >"$place/replica.log"
    (
        eval "$environment"
        unset DATABASE_URL # PGDATABASE chooses the database
        cd "$place" && PGDATABASE=$1 SHOWTIME_DATA_DIR=$place/replica exec "$server"
    ) >"$place/replica.log" &
    replica_pid=$!
    address "$replica_pid" "$place/replica.log"
    curl --silent --show-error --fail --retry 20 --retry-delay 1 --output /dev/null "$url/readyz"
    # shellcheck disable=SC2034 # compare.sh and growth.sh read it
    replica=${url#http://} url=$first
}

stop_replica() {
    [[ -n $replica_pid ]] || return 0
    kill "$replica_pid"
    wait "$replica_pid"
    replica_pid=''
}

# start_floor verify|nothing: see floor.rs. It ends with its standard input.
start_floor() {
    : >"$place/floor.log"
    coproc { exec "$floor" "$1" >"$place/floor.log"; }
    floor_pid=$COPROC_PID
    address "$floor_pid" "$place/floor.log"
}

stop_floor() {
    [[ -n $floor_pid ]] || return 0
    kill "$floor_pid"
    wait "$floor_pid" 2>/dev/null || true
    floor_pid=''
}

# load FILE OPTION...: one run of the generator over 64 connections, unless an option says how many, with its report in the
# file. It fails when a message is not acknowledged or the ledger is not clean; the table shows that, and the record of
# acknowledged messages is kept beside the file.
load() {
    local file=$1 status=0
    shift
    [[ " $* " == *' --connections '* ]] || set -- --connections 64 "$@"
    (cd "$place" && TMPDIR=${file%/*} "$simulate" load --json --warm-up 2s \
        --target "$url/callback" "$@") >"$file" || status=$?
    python3 -m json.tool "$file" /dev/null || die "simulate load $* ended with $status, without a report"
}

# kilobytes FIELD: of the server's memory, VmRSS now or VmHWM at its peak.
kilobytes() { awk -v field="$1:" '$1 == field { print $2 }' "/proc/$server_pid/status"; }

# A Markdown table of the machine.
machine() {
    local flushes
    flushes=$("$postgres/pg_test_fsync" -s 1 -f "$place/fsync" | awk '$1 == "fdatasync" { print $4, $5; exit }')
    cat <<TABLE
| machine | |
|---|---|
| processor | $(nproc) cores, $(sed -n 's/^model name\s*: //p;T;q' /proc/cpuinfo) |
| memory | $(awk '$1 == "MemTotal:" { printf "%.0f", $2 / 1048576 }' /proc/meminfo) GiB |
| kernel | $(uname -sr) |
| PostgreSQL | $(sql 'show server_version') |
| its settings | synchronous_commit $(sql 'show synchronous_commit'), shared_buffers $(sql 'show shared_buffers') |
| one flush to the disk (fdatasync of 8 KiB, pg_test_fsync) | $flushes |
| showtime | $(git -C "$repository" describe --always --dirty 2>/dev/null || echo unknown), $(rustc --version) |
TABLE
}
