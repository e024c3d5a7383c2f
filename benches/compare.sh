#!/usr/bin/env bash
# Compares the throughput of showtime with the limits of this machine, in one run:
#   benches/compare.sh [seconds per measurement, 10] [rounds, 3]
# Prints Markdown tables: the medians of the rounds, and their ratios. BENCHMARKS.md says what each is.
# shellcheck source=compare/lib.sh
source "$(dirname "$0")/compare/lib.sh"
seconds=${1:-10}
rounds=${2:-3}
[[ $seconds =~ ^[1-9][0-9]*$ && $rounds =~ ^[1-9][0-9]*$ ]] || die 'expected whole numbers of seconds and of rounds'
results=$repository/target/compare # kept, since the table only has the medians

# script ROWS: for pgbench, one transaction that inserts so many rows like showtime's. The body of each goes over the socket
# and is parsed, as it must be for showtime.
script() {
    local row
    echo '\set n :n + 1'
    echo '\set first ((:measurement * 1000000000 + :n) * :clients + :client_id) * :rows'
    echo '\set channel random(100000000, 100000019)'
    cat <<'SQL'
insert into event
    (message_id, message_type, type, version, subscription_id, channel_id, occurred_at, received_at, payload, is_test)
select lpad((:first::bigint + number)::text, 36, '0'), 'notification', 'channel.chat.message', '1',
    '764f6909-f559-41ec-8810-4e173fa36eb4', :channel::text, now(), now(), body::json, false
from (values
SQL
    for ((row = 0; row < $1 - 1; row++)); do echo "($row, :body::text),"; done
    echo "($row, :body::text)) as sent (number, body);"
}

# The same of the smallest row that keeps a message: no more than a key, an id that is unique, a time and the body.
smallest() {
    cat <<'SQL'
\set n :n + 1
\set first (:measurement * 1000000000 + :n) * :clients + :client_id
insert into smallest (message_id, received_at, payload) values (lpad(:first::text, 36, '0'), now(), :body::jsonb);
SQL
}

# watched NAME COMMAND...: a measurement, and beside its report how much of the processors' time was stolen during it: given
# to others by the hypervisor.
watched() {
    local name=$1 before after field all=0
    shift
    read -ra before </proc/stat
    "$@"
    read -ra after </proc/stat
    for field in {1..8}; do all=$((all + after[field] - before[field])); done
    echo "$((after[8] - before[8])) $all" >"$results/$round-$name.stolen"
}

# insert NAME ROWS CLIENTS: so many clients insert so many rows in each transaction; of `smallest`, if the name begins so.
insert() {
    local file=$place/insert-$2.sql body=$body threads report
    [[ $1 != smallest-* ]] || file=$place/smallest.sql body=$follow
    threads=$(($3 < $(nproc) ? $3 : $(nproc)))
    sql checkpoint
    measurements=$((measurements + 1))
    report=$("$postgres/pgbench" --no-vacuum --protocol=prepared --file "$file" --client "$3" --jobs "$threads" \
        --time "$seconds" -D n=0 -D measurement="$measurements" -D clients="$3" -D rows="$2" -D body="$body" floor 2>&1) ||
        die "pgbench: ${report:0:1000}"
    awk -v rows="$2" '$1 == "tps" { found = 1; printf "{\"acknowledged_per_second\": %.1f}\n", $3 * rows }
        END { exit !found }' <<<"$report" >"$results/$round-$1.json" || die "pgbench: ${report:0:1000}"
}

# measure NAME OPTION...: a run of the generator against showtime, and its ledger.
measure() {
    sql checkpoint
    echo "  showtime: $1" >&2
    watched "$1" load "$results/$round-$1.json" --duration "${seconds}s" --ledger "${@:2}"
}

floors() {
    local kind clients
    # Now, since some file systems take a while to give back what was freed, and commits are slow until they have.
    sql 'truncate event, smallest' floor
    sql checkpoint
    sync
    for kind in nothing verify; do
        echo "  floor: $kind" >&2
        start_floor "$kind"
        watched "$kind" load "$results/$round-$kind.json" --duration "${seconds}s" --mix chat
        stop_floor
    done
    for clients in 1 8 16 64; do
        echo "  floor: one row per transaction, $clients clients" >&2
        watched "row-$clients" insert "row-$clients" 1 "$clients"
    done
    for clients in 1 8 16 64; do
        echo "  floor: one of the smallest rows per transaction, $clients clients" >&2
        watched "smallest-$clients" insert "smallest-$clients" 1 "$clients"
    done
    for clients in 1 2 8; do
        echo "  floor: 100 rows per transaction, $clients clients" >&2
        watched "rows-$clients" insert "rows-$clients" 100 "$clients"
    done
}

showtime() {
    local mix
    start_server
    measure chat --mix chat
    measure chat-flood --mix chat --flood 64
    for mix in follows channels hot; do measure "$mix" --mix "$mix"; done
    measure follows-1 --mix follows --connections 1
    measure follows-128 --mix follows --connections 128
    start_replica showtime
    measure follows-two --mix follows --connections 128 --replica "$replica"
    stop_replica
    measure open --mix chat --rate 5000
    measure open-flood --mix chat --rate 5000 --flood 64
    measure open-slow --mix chat --rate 5000 --slow 2000
    printf '{"VmRSS": %d, "VmHWM": %d}\n' "$(kilobytes VmRSS)" "$(kilobytes VmHWM)" >"$results/$round-memory.json"
    stop_server
    sql "select json_build_object('stored', count(*)) from event" >"$results/$round-log.json"
}

build
rm -rf "$results"
mkdir -p "$results"
start_cluster
sql 'alter system set max_connections = 150' # 60 are too few for a floor with 64 clients, and for two servers
"$server" local-db down >/dev/null
start_cluster
sql 'create database floor'
PGDATABASE=floor "$server" migrate up >/dev/null
sql 'create table smallest (id bigint generated always as identity primary key, message_id text not null unique,
    received_at timestamptz not null, payload jsonb not null)' floor

# The bodies that are inserted are such that showtime has accepted.
start_server
for type in channel.chat.message channel.follow; do
    (cd "$place" && "$simulate" "$type" --target "$url/callback") >/dev/null
done
stop_server
body=$(sql "select payload from event where type = 'channel.chat.message'")
follow=$(sql "select payload from event where type = 'channel.follow'")
sql 'truncate event'
for rows in 1 100; do script "$rows" >"$place/insert-$rows.sql"; done
smallest >"$place/smallest.sql"

measurements=0
for ((round = 1; round <= rounds; round++)); do
    echo "round $round of $rounds" >&2
    floors
    showtime
done
machine
printf '\nEach measurement took %d s; floors (b) and (c) insert bodies of %d bytes, and (d) of %d.\n' "$seconds" "${#body}" "${#follow}"
python3 "$repository/benches/compare/table.py" "$results"
