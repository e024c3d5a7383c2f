//! Pages of the log against a naive filter.

use std::fmt::Debug;
use std::str::FromStr;

use itertools::Itertools as _;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use showtime::clock::Clock;
use showtime::incidents::Incidents;
use showtime::ingest::Ingest;
use showtime::metrics::Metrics;
use showtime::store::log;
use showtime::store::read::events;
use showtime::store::read::scan::{self, LogFilter, Range, Times};
use showtime::store::{LogId, Order};
use showtime::twitch::id::ChannelId;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use crate::support::messages::{follow, verified};
use crate::support::postgres::fresh_database;

/// The number of events in the log: several blocks of 1,024 ids, and a part of one.
const LENGTH: i64 = 5_000;

/// Seconds by which the time of an event may differ from its place in the log.
const DISORDER: i64 = 600;

fn at(seconds: i64) -> OffsetDateTime {
    datetime!(2026-07-01 10:00 UTC) + Duration::seconds(seconds)
}

/// Appends as several servers would, in statements of some hundred: an event a second, out of order. Most are of the busy
/// channel and the frequent type, the quiet channel has none of the rare type, and the first channel has none after a while.
/// Unused ids leave gaps, one of which is longer than a block.
async fn fill(conn: &mut PgConnection) {
    for from in (0..LENGTH).step_by(300) {
        sqlx::query(
            "insert into event (message_id, message_type, type, channel_id, occurred_at, received_at, payload)
            select n, 'notification',
                case when n % 500 = 0 then 'rare' when n % 7 = 0 then null else 'frequent' end,
                case when n % 11 = 0 then null when n % 97 = 1 then 'quiet' when n < 1000 then 'first' else 'busy' end,
                $3 + make_interval(secs => n + (hashint8(n) % $4)), $3, '{}'
            from generate_series($1, least($1 + 300, $2) - 1) n",
        )
        .bind(from)
        .bind(LENGTH)
        .bind(at(0))
        .bind(i32::try_from(DISORDER).unwrap())
        .execute(&mut *conn)
        .await
        .unwrap();
        log::complete_blocks(&mut *conn).await.unwrap();
        let gap = if from == 1_200 { 2_500 } else { 10 };
        sqlx::query("select setval('event_id_seq', (select max(id) from event) + $1)")
            .bind(gap)
            .execute(&mut *conn)
            .await
            .unwrap();
    }
}

type Row = (LogId, Option<ChannelId>, Option<String>, OffsetDateTime);

async fn log(conn: &mut PgConnection) -> Vec<Row> {
    sqlx::query_as("select id, channel_id, type, occurred_at from event order by id").fetch_all(conn).await.unwrap()
}

fn is_wanted((_, channel, kind, at): &Row, filter: &LogFilter, times: Times) -> bool {
    fn among<T: PartialEq>(names: Option<&Vec<T>>, name: Option<&T>) -> bool {
        names.is_none_or(|names| name.is_some_and(|name| names.contains(name)))
    }
    among(filter.channel_ids.as_ref(), channel.as_ref())
        && among(filter.types.as_ref(), Some(&kind.clone().unwrap_or_default()))
        && times.since.is_none_or(|since| *at >= since)
        && times.until.is_none_or(|until| *at < until)
}

/// Lists of names with duplicates; also empty lists, and none.
fn names<T: Clone + Debug + FromStr<Err: Debug>>(of: &'static [&'static str]) -> impl Strategy<Value = Option<Vec<T>>> {
    prop::option::of(prop::collection::vec(prop::sample::select(of).prop_map(|name| name.parse().unwrap()), 0..4))
}

fn times() -> impl Strategy<Value = Times> {
    let time = || prop::option::of((-DISORDER - 10..LENGTH + DISORDER + 10).prop_map(at));
    (time(), time()).prop_map(|(since, until)| Times { since, until })
}

#[tokio::test]
async fn page_equals_that_of_a_naive_filter() {
    let mut conn = fresh_database().await.connect().await.unwrap();
    fill(&mut conn).await;
    let log = log(&mut conn).await;
    let newest = log.last().unwrap().0.0;
    assert!(newest > LENGTH + 2_500, "there are gaps");

    let channels = names(&["first", "quiet", "busy", "unknown"]);
    let kinds = names(&["frequent", "rare", "unheard of", ""]);
    let asked = (channels, kinds, times(), -1..newest + 100, 1..200_i64);
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() });
    for _ in 0..400 {
        let (channel_ids, types, times, place, limit) = asked.new_tree(&mut runner).unwrap().current();
        let filter = LogFilter { channel_ids, types };
        let place = LogId(place);
        let count = usize::try_from(limit).unwrap();
        let wanted = |range: std::ops::RangeInclusive<LogId>, times: Times| -> Vec<LogId> {
            let rows = log.iter().filter(|row| range.contains(&row.0) && is_wanted(row, &filter, times));
            rows.map(|row| row.0).collect()
        };

        let all = Range { after: place, last: LogId::MAX };
        let found = scan::page(&mut conn, &filter, times, all, Order::Asc, limit).await.unwrap().ids;
        let expected: Vec<_> = wanted(place.next()..=LogId::MAX, times).into_iter().take(count).collect();
        assert_eq!(found, expected, "{filter:?} {times:?} after {place}");

        let before = Range { after: LogId::START, last: place.previous() };
        let found = scan::page(&mut conn, &filter, times, before, Order::Desc, limit).await.unwrap().ids;
        let expected: Vec<_> = wanted(LogId::START..=before.last, times).into_iter().rev().take(count).collect();
        assert_eq!(found, expected, "{filter:?} {times:?} before {place}");
    }
}

#[tokio::test]
async fn time_bounds_are_exact() {
    let mut conn = fresh_database().await.connect().await.unwrap();
    let page = async |conn: &mut PgConnection, times: Times| -> Vec<LogId> {
        events::page(conn, &LogFilter::default(), times, Order::Asc, None, 10)
            .await
            .unwrap()
            .0
            .into_iter()
            .map(|event| event.id)
            .collect()
    };
    let since = |since| Times { since: Some(since), until: None };
    let until = |until| Times { since: None, until: Some(until) };
    assert_eq!(page(&mut conn, since(at(0))).await, [] as [LogId; 0], "an empty log");
    assert_eq!(page(&mut conn, until(at(0))).await, [] as [LogId; 0], "an empty log");

    fill(&mut conn).await;
    let log = log(&mut conn).await;
    let (earliest, latest) = (log.iter().map(|row| row.3).min().unwrap(), log.iter().map(|row| row.3).max().unwrap());
    let tick = Duration::microseconds(1);
    assert_eq!(page(&mut conn, since(latest)).await.len(), 1, "then or later");
    assert_eq!(page(&mut conn, since(latest + tick)).await, [] as [LogId; 0], "the future");
    assert_eq!(page(&mut conn, until(earliest)).await, [] as [LogId; 0], "before everything");
    assert_eq!(page(&mut conn, until(earliest + tick)).await.len(), 1, "earlier");
}

#[tokio::test]
async fn event_is_found_by_its_time_however_late_it_was_appended() {
    let mut conn = fresh_database().await.connect().await.unwrap();
    fill(&mut conn).await;
    // As from a server with a wrong clock, or from an imported log.
    let late: i64 = sqlx::query_scalar(
        "insert into event (message_id, message_type, occurred_at, received_at, payload)
        values ('late', 'segment', $1, now(), '{}') returning id",
    )
    .bind(at(-90_000))
    .fetch_one(&mut conn)
    .await
    .unwrap();
    let times = Times { since: None, until: Some(at(-80_000)) };
    // In the newest block, which is not complete yet, and then in one that is.
    for newest in [1_024, 2_048] {
        let (found, _) = events::page(&mut conn, &LogFilter::default(), times, Order::Asc, None, 10).await.unwrap();
        assert_eq!(found.iter().map(|event| event.id.0).collect::<Vec<_>>(), [late]);
        sqlx::query("select setval('event_id_seq', $1)").bind(late + newest).execute(&mut conn).await.unwrap();
        sqlx::query(
            "insert into event (message_id, message_type, occurred_at, received_at, payload)
            values (gen_random_uuid(), 'segment', $1, now(), '{}')",
        )
        .bind(at(LENGTH))
        .execute(&mut conn)
        .await
        .unwrap();
        log::complete_blocks(&mut conn).await.unwrap();
    }
}

/// All these events, of which those with the given numbers occurred long before the others.
async fn append_with_wrong_times(conn: &mut PgConnection, wrong: &[i64]) {
    sqlx::query(
        "insert into event (message_id, message_type, type, channel_id, occurred_at, received_at, payload)
        select n, 'notification', 'frequent', 'busy', case when n = any($3) then $1 else $2 end, $2, '{}'
        from generate_series(1, 25000) n",
    )
    .bind(at(-90_000))
    .bind(at(0))
    .bind(wrong)
    .execute(conn)
    .await
    .unwrap();
}

/// The ids on each page of the events that [`append_with_wrong_times`] gave wrong times.
async fn pages_of_wrong_times(conn: &mut PgConnection, filter: &LogFilter, order: Order) -> Vec<Vec<i64>> {
    let times = Times { since: None, until: Some(at(-80_000)) };
    let (mut after, mut pages) = (None, Vec::new());
    loop {
        let (events, next) = events::page(conn, filter, times, order, after, 10).await.unwrap();
        pages.push(events.iter().map(|event| event.id.0).collect());
        after = next;
        if after.is_none() {
            return pages;
        }
    }
}

/// The ids on each page.
type Pages = &'static [&'static [i64]];

/// Everything before the last event, or between the others, has to be read.
#[tokio::test]
async fn page_by_time_reads_a_bounded_part_of_the_log() {
    let busy = Some(vec!["busy".parse().unwrap()]);
    let filters = [LogFilter::default(), LogFilter { channel_ids: busy, types: Some(vec!["frequent".to_owned()]) }];
    let cases: [(&[i64], [Pages; 2]); 2] = [
        (&[25_000], [&[&[], &[25_000]], &[&[25_000], &[]]]),
        (&[100, 10_300, 10_700, 24_999], [&[&[100, 10_300, 10_700], &[24_999]], &[&[24_999], &[10_700, 10_300, 100]]]),
    ];
    for (wrong, [asc, desc]) in cases {
        let mut conn = fresh_database().await.connect().await.unwrap();
        append_with_wrong_times(&mut conn, wrong).await;
        for (filter, (order, expected)) in filters.iter().cartesian_product([(Order::Asc, asc), (Order::Desc, desc)]) {
            assert_eq!(pages_of_wrong_times(&mut conn, filter, order).await, expected, "{filter:?} {order:?}");
        }
    }
}

/// Pages of the table `event` and its indexes that this transaction has read.
async fn pages_read(conn: &mut PgConnection) -> i64 {
    let statement = "select sum(pg_stat_get_xact_blocks_fetched(oid))::bigint from pg_class
        where oid = 'event'::regclass or oid in (select indexrelid from pg_index where indrelid = 'event'::regclass)";
    sqlx::query_scalar(statement).fetch_one(conn).await.unwrap()
}

/// Asserts that none of these events are in a range, and that little is read to find that.
async fn assert_none(
    conn: &mut PgConnection,
    (channel, kind): (Option<&str>, Option<&str>),
    range: Range,
    order: Order,
) {
    let filter = LogFilter {
        channel_ids: channel.map(|channel| vec![channel.parse().unwrap(), "none".parse().unwrap()]),
        types: kind.map(|kind| vec![kind.to_owned(), "none".to_owned()]),
    };
    for since in [None, Some(at(0))] {
        let times = Times { since, until: None };
        let mut transaction = conn.begin().await.unwrap();
        let before = pages_read(&mut transaction).await;
        let found = scan::page(&mut transaction, &filter, times, range, order, 100).await.unwrap().ids;
        assert_eq!(found, [] as [LogId; 0]);
        let read = pages_read(&mut transaction).await - before;
        assert!(read < 150, "{filter:?} {times:?} {range:?} {order:?}: {read} pages");
    }
}

/// The log has 50,000 events of one channel and type, and then as many of another. A page of either ends where they change. A
/// page of others, or of the one's channel and the other's type, does not look at all that are there, whatever the statistics.
#[tokio::test]
async fn page_reads_nothing_but_its_range() {
    let mut conn = fresh_database().await.options(scan::SETTINGS).connect().await.unwrap();
    let append = |name: &str| {
        format!(
            "insert into event (message_id, message_type, type, channel_id, occurred_at, received_at, payload)
            select gen_random_uuid(), 'notification', '{name}', '{name}', '{time}', '{time}', '{{}}'
            from generate_series(1, 50000);",
            time = at(0)
        )
    };
    let (analyze, vacuum) = ("analyze event".to_owned(), "vacuum event".to_owned());
    let (change, end) = (LogId(50_000), LogId::MAX);
    for next in [append("first") + &analyze, vacuum.clone(), append("second"), analyze, vacuum] {
        sqlx::raw_sql(AssertSqlSafe(next)).execute(&mut conn).await.unwrap();
        for order in [Order::Asc, Order::Desc] {
            let all = Range { after: LogId::START, last: end };
            for missing in ["unknown", ""] {
                assert_none(&mut conn, (None, Some(missing)), all, order).await;
                assert_none(&mut conn, (Some("first"), Some(missing)), all, order).await;
            }
            assert_none(&mut conn, (Some("unknown"), None), all, order).await;
            assert_none(&mut conn, (Some("unknown"), Some("first")), all, order).await;
            assert_none(&mut conn, (Some("first"), Some("second")), all, order).await;
        }
        for (name, range, order) in [
            ("first", Range { after: change, last: end }, Order::Desc),
            ("second", Range { after: LogId::START, last: change }, Order::Asc),
        ] {
            assert_none(&mut conn, (Some(name), None), range, order).await;
            assert_none(&mut conn, (None, Some(name)), range, order).await;
            assert_none(&mut conn, (Some(name), Some(name)), range, order).await;
        }
    }
}

type Block = (i64, OffsetDateTime, OffsetDateTime);

async fn blocks(conn: &mut PgConnection) -> Vec<Block> {
    let statement = "select block, earliest_from_here, latest_so_far from event_block order by block";
    sqlx::query_as(statement).fetch_all(conn).await.unwrap()
}

#[tokio::test]
async fn blocks_are_stored_when_complete() {
    let mut conn = fresh_database().await.connect().await.unwrap();
    fill(&mut conn).await;
    let expected = "with complete as (select *, id / 1024 as block from event where id / 1024 < (select max(id) / 1024 from event))
        select distinct block,
            (select min(occurred_at) from complete as later where later.block >= complete.block),
            (select max(occurred_at) from complete as earlier where earlier.block <= complete.block)
        from complete order by block";
    let expected: Vec<Block> = sqlx::query_as(expected).fetch_all(&mut conn).await.unwrap();
    assert!(expected.len() > 3, "{expected:?}");
    assert_eq!(blocks(&mut conn).await, expected);

    // They can be rebuilt from the log.
    sqlx::query("truncate event_block").execute(&mut conn).await.unwrap();
    log::complete_blocks(&mut conn).await.unwrap();
    assert_eq!(blocks(&mut conn).await, expected);
}

#[tokio::test]
async fn append_that_completes_a_block_stores_it() {
    let database = fresh_database().await;
    let mut conn = database.connect().await.unwrap();
    let (ingest, writer) = Ingest::new(database, Clock::default(), Incidents::default(), Metrics::default());
    tokio::spawn(writer.run());
    let mut second = 0;
    let mut append = async |conn: &mut PgConnection, id: i64| {
        sqlx::query("select setval('event_id_seq', $1, false)").bind(id).execute(conn).await.unwrap();
        second += 1;
        ingest.submit(verified(&follow(&second.to_string(), at(second)))).await.unwrap();
    };
    append(&mut conn, 1_000).await;
    append(&mut conn, 1_023).await;
    assert_eq!(blocks(&mut conn).await, []);
    append(&mut conn, 1_024).await;
    assert_eq!(blocks(&mut conn).await, [(0, at(1), at(2))]);

    // The ids 2048 to 2059 were lost in a failure, so no append saw that it completed the block.
    append(&mut conn, 2_060).await;
    append(&mut conn, 3_000).await;
    assert_eq!(blocks(&mut conn).await.len(), 1);
    append(&mut conn, 3_072).await;
    assert_eq!(blocks(&mut conn).await, [(0, at(1), at(2)), (1, at(3), at(3)), (2, at(4), at(5))]);
}
