#!/usr/bin/env bash
# Measures the cost of an event and of a page of the log as the log grows:
#   benches/growth.sh [events at the end, 10000000] [seconds per run, 5]
# Measures with an empty log and at a tenth, a fifth, half and all of that number, each in turn with another log that is
# empty. Prints Markdown tables. Ten million events need about 25 GB (TMPDIR says where) and half an hour.
#
# The log is filled by SQL, since the measurements come after: events of four types from bodies that showtime has accepted,
# a thousand channels from busy to quiet, at times that go on with the clock; with a row for each channel, each person and each
# viewer, so that the state is as large as if they had come one by one. Then the tables are vacuumed, as would have
# happened on the way.
# shellcheck source=compare/lib.sh
source "$(dirname "$0")/compare/lib.sh"
total=${1:-10000000}
seconds=${2:-5}
[[ $total =~ ^[1-9][0-9]*$ && $seconds =~ ^[1-9][0-9]*$ ]] || die 'expected whole numbers of events and of seconds'

# On disk: an event with its part in five indexes and in the state, and what is there only for a while.
BYTES_PER_EVENT=2000
SLACK=$((5 << 30))
BATCH=100000
# Requests of each filter, and the time limit for them in seconds.
REQUESTS=200
TIME_LIMIT=60
# Pairs of runs, with an empty log and with the one that grows.
RUNS=5

# Each page begins at a random PLACE of the log; TIME is a random time in it, LATER a second, some thousand events, after that.
FILTERS=(
    'after=PLACE'
    'after=PLACE&channel=100000000'
    'after=PLACE&channel=100000999'
    'after=PLACE&channel=channel_500'
    'after=PLACE&channel=unknown'
    'after=PLACE&type=channel.follow'
    'after=PLACE&type=channel.update'
    'after=PLACE&since=TIME'
    'since=TIME'
    'after=PLACE&until=TIME'
    'since=TIME&until=LATER'
    'channel=100000000&since=TIME&until=LATER'
    'after=PLACE&since=TIME&until=LATER'
    'after=PLACE&channel=100000000&type=channel.update'
    'after=PLACE&channel=100000999&type=channel.follow'
    'channel=100000000&since=TIME'
    'channel=100000999&since=TIME'
    'type=channel.update&since=TIME'
    'after=PLACE&channel=100000999&type=channel.update&since=TIME&until=LATER'
)

check_disk() {
    local needed=$((total * BYTES_PER_EVENT + SLACK)) free
    free=$(($(df --output=avail -B1 "$place" | tail -n 1)))
    ((free >= needed)) || die "needs $((needed >> 30)) GiB in $(dirname "$place"), where $((free >> 30)) are free: \
set TMPDIR to a directory on a larger disk, or use fewer events"
}

# Stores one message of each type, as templates for the others.
make_templates() {
    local type
    start_server
    for type in channel.follow channel.cheer channel.subscribe channel.update; do
        (cd "$place" && "$simulate" "$type" --target "$url/callback") >/dev/null
    done
    stop_server
    sql 'create table template as select type, version, subscription_id, payload::text as body from event;
        truncate event, event_block, twitch_user, channel_login, channel, stream, stream_end, segment, viewer, subscription'
}

# fill FROM TO: events by these numbers. They occurred between the newest that is there and now: messages that are taken
# afterwards are newer, as in every log.
fill() {
    local from=$1 to
    while ((from < $2)); do
        to=$((from + BATCH < $2 ? from + BATCH : $2))
        sql "set synchronous_commit = off;
            with newest as (
                select coalesce((select occurred_at from event order by id desc limit 1), to_timestamp($began)) as at
            ), made as materialized (
                select n, newest.at + (clock_timestamp() - newest.at) * ((n - $from)::float / ($to - $from)) as at,
                    lpad(n::text, 36, '0') as message_id,
                    floor(1000 * power(random(), 3))::int as channel, floor($total / 5 * random())::int as viewer,
                    case when n % 10000 = 0 then 'channel.update' when n % 20 = 0 then 'channel.subscribe'
                        when n % 4 = 0 then 'channel.cheer' else 'channel.follow' end as type
                from generate_series($from, $to - 1) as n, newest
            ), named as (
                insert into twitch_user (id, login, display_name, named_at, named_by)
                select (100000000 + channel)::text, 'channel_' || channel, 'Channel_' || channel, at, message_id from made
                union all
                select (200000000 + viewer)::text, 'viewer_' || viewer, 'Viewer_' || viewer, at, message_id from made
                on conflict do nothing
            ), served as (
                insert into channel (id, anonymous_bits, anonymous_gifts)
                select distinct (100000000 + channel)::text, 0, 0 from made
                on conflict do nothing
            ), seen as (
                insert into viewer
                    (channel_id, user_id, first_followed_at, bits, cheers, gifts, gift_events, raids, raid_viewers)
                select (100000000 + channel)::text, (200000000 + viewer)::text, at, 0, 0, 0, 0, 0, 0 from made
                on conflict do nothing
            )
            insert into event
                (message_id, message_type, type, version, subscription_id, channel_id, occurred_at, received_at, payload, is_test)
            select message_id, 'notification', type, version, subscription_id, (100000000 + channel)::text, at, at,
                replace(replace(replace(replace(replace(replace(body,
                    '\"90210441\"', '\"' || 100000000 + channel || '\"'), 'maplearcade', 'channel_' || channel),
                    'MapleArcade', 'Channel_' || channel),
                    '\"55120873\"', '\"' || 200000000 + viewer || '\"'), 'quietotter', 'viewer_' || viewer),
                    'QuietOtter', 'Viewer_' || viewer)::json,
                false
            from made
            join template using (type)"
        from=$to
    done
    sql 'truncate event_block;
        insert into event_block (block, earliest_from_here, latest_so_far)
        select id / 1024, min(min(occurred_at)) over (order by id / 1024 desc), max(max(occurred_at)) over (order by id / 1024)
        from event where id < (select max(id) / 1024 from event) * 1024
        group by id / 1024'
}

# For curl, whose arguments all users can read.
authorization() { printf 'header = "Authorization: Bearer %s"\n' "$(<"$SHOWTIME_DATA_DIR/token")"; }

# pages FILTER: "p50 / p99" in milliseconds, of as many requests over one connection as the time allows.
pages() {
    local request before at since until query span=$(($(date +%s) - began))
    for ((request = 0; request < REQUESTS; request++)); do
        before=$(((RANDOM << 15 | RANDOM) % newest))
        at=$((began + (RANDOM << 15 | RANDOM) % span))
        TZ=UTC printf -v since '%(%FT%TZ)T' "$at"
        TZ=UTC printf -v until '%(%FT%TZ)T' $((at + 1))
        query=${1//PLACE/$before}
        query=${query//TIME/$since}
        printf 'url = "%s/events?limit=100&%s"\noutput = /dev/null\n' "$url" "${query//LATER/$until}"
    done >"$place/urls"
    {
        timeout "$TIME_LIMIT" curl --silent --show-error --config "$place/urls" --config <(authorization) \
            --write-out '%{http_code} %{time_total}\n' || (($? == 124))
    } | sort -k 2n | awk -v expected="$REQUESTS" '
        { took[NR] = $2 * 1000 } $1 != 200 { failed++ }
        function quantile(q) { return took[int(q * (NR - 1)) + 1] }
        END {
            printf "%.1f / %.1f", quantile(0.5), quantile(0.99)
            if (failed) printf ", %d failed", failed
            if (NR < expected) printf ", only %d in time", NR
        }'
}

# follows empty|filled RUN: one run, with its report in a file.
follows() {
    local target=$url database=showtime
    [[ $1 == filled ]] || target=http://$replica database=empty
    sql checkpoint
    url=$target PGDATABASE=$database load "$place/$1-$2.json" --duration "${seconds}s" --mix follows --ledger
}

# Measures the cost of storing events at this size, in turn with an empty log of the same cluster: one line of the first
# table. Its rates are medians; its ratios are those of the pairs: the median, the least and the greatest.
take() {
    local run
    for ((run = 1; run <= RUNS; run++)); do
        if ((run % 2)); then
            follows empty "$run"
            follows filled "$run"
        else
            follows filled "$run"
            follows empty "$run"
        fi
    done
    python3 - "$filled" "$(sql "select pg_size_pretty(pg_total_relation_size('event'))")" "$place" "$RUNS" <<'PYTHON'
import json, statistics, sys

events, size, place, runs = sys.argv[1:]

def reports(log):
    return [json.load(open(f"{place}/{log}-{run}.json")) for run in range(1, int(runs) + 1)]

empty, filled = reports("empty"), reports("filled")
for ledger in (report["ledger"] for report in empty + filled):
    if ledger["lost"] or ledger["doubled"] or ledger["effects_differ"]:
        sys.exit(f"the ledger is not clean: {ledger}")

def rates(reports):
    return [report["acknowledged_per_second"] for report in reports]

def milliseconds(quantile):
    return statistics.median(report["latency_us"][quantile] for report in filled) / 1000

ratios = [large / small for large, small in zip(rates(filled), rates(empty))]
print(f"| {int(events):,} | {size} | {statistics.median(rates(filled)):,.0f} | {statistics.median(rates(empty)):,.0f} | "
      f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) | {milliseconds('p50'):.2f} | {milliseconds('p99'):.2f} |")
PYTHON
}

check_disk
build
start_cluster
make_templates
began=$(date +%s)
filled=0 steps=''
declare -A found

machine
printf '\n| events in the log | on disk | acknowledged per second | empty log in turn | ratio | p50 ms | p99 ms |
|---:|---:|---:|---:|---:|---:|---:|\n'
for step in 0 $((total / 10)) $((total / 5)) $((total / 2)) "$total"; do
    fill "$filled" "$step"
    filled=$step
    # Empty tables are not analyzed: until the next autovacuum, Postgres would plan as if they stayed empty.
    ((filled == 0)) || sql 'vacuum (analyze)'
    sql 'create database empty'
    start_server
    start_replica empty
    take
    stop_replica
    sql 'drop database empty'
    if ((filled > 0)); then
        newest=$(sql 'select max(id) from event')
        steps+=" $filled |"
        for filter in "${FILTERS[@]}"; do found[$filter]+=" $(pages "$filter") |"; done
    fi
    stop_server
done

printf '\n| a page of 100 events, p50 / p99 ms |%s\n|---|%s\n' "$steps" "$(tr -cd '|' <<<"$steps" | sed 's/|/---|/g')"
for filter in "${FILTERS[@]}"; do printf "| \`%s\` |%s\n" "$filter" "${found[$filter]}"; done
