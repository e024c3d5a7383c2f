#!/usr/bin/env bash
# Measures the time from the server's start until it is ready, and its memory when idle; on its private Postgres, and on one
# that is already running:
#   cargo build --release && benches/startup.sh [runs]
set -euo pipefail
runs=${1:-10}
server=$(cd "$(dirname "$0")/.." && pwd)/target/release/server
place=$(mktemp -d)
port=$((20000 + RANDOM % 10000))
export LISTEN_PORT=$port SHOWTIME_LOG=warn
server_pid=

finish() {
    [[ -z $server_pid ]] || kill "$server_pid" 2>/dev/null || true
    wait
    "$server" local-db down >/dev/null 2>&1 || true
    rm -rf "$place"
}
trap finish EXIT

ready() { curl --silent --fail --output /dev/null "http://127.0.0.1:$port/readyz"; }

# Starts the server and prints the milliseconds until it is ready.
start() {
    local begun
    begun=$(date +%s%N)
    "$server" >/dev/null &
    server_pid=$!
    until ready; do sleep 0.002; done
    echo $((($(date +%s%N) - begun) / 1000000))
}

stop() {
    kill "$server_pid"
    wait "$server_pid"
    server_pid=
}

measure() {
    local all=() memory
    for _ in $(seq "$runs"); do
        start >"$place/took"
        all+=("$(<"$place/took")")
        sleep 0.5
        memory=$(awk '/VmRSS/ { print $2 }' "/proc/$server_pid/status")
        stop
    done
    mapfile -t all < <(printf '%s\n' "${all[@]}" | sort -n)
    echo "$1: ready after ${all[runs / 2]} ms (median of $runs; ${all[0]} to ${all[-1]}), $memory KiB resident when idle"
}

cd "$place"
start >/dev/null # makes the private cluster
stop
measure "private Postgres, which it starts"
"$server" local-db up >/dev/null
eval "$("$server" local-db env)"
measure "given database"
unset DATABASE_URL PGHOST PGPORT PGUSER PGDATABASE
