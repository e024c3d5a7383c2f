//! Cases from the field: what Twitch sent, or what its API answered, and what comes out of it. Each file of `tests/cases` is
//! one, with the outcome that is right in one sentence (`right`).
//!
//! | field | meaning |
//! |---|---|
//! | `before`, `steps` | messages to `/callback`, one after the other ([`Step`]) |
//! | `rounds` | rounds of the backfill, each with Helix's answers (`METHOD /path` to the body); others are empty lists |
//! | `expect` | what comes out ([`Expectation`]) |
//!
//! A text `$now`, `$now-60` or `$now300` is the time of the test, moved by seconds.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use showtime::clock::Clock;
use showtime::simulate::test_mark::test_notification;
use showtime::twitch::catalogue;
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp, Subscription};
use time::{Duration, OffsetDateTime};
use url::Url;

use crate::support::feeds::Sse;
use crate::support::messages::{text, with_user};
use crate::support::postgres::fresh_database;
use crate::support::recorder::{self, Recorder};
use crate::support::server::{Answer, Server};
use crate::support::twitch::{backfill, clients, quick_retries};

const CALLBACK: &str = "https://hooks.example.org/callback";

/// Declares a test for each case.
macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];

        $(#[tokio::test]
        async fn $name() {
            run(stringify!($name)).await;
        })*
    };
}

cases![
    bits_combo,
    challenge_bare,
    chat_cleared_before_its_message,
    chat_fragments_null,
    chat_me,
    chat_notice_that_says_nothing,
    chat_shared_by_two_channels,
    deletion_before_its_message,
    envelope_bare,
    extension_bits_channel,
    first_sub_brings_words_later,
    first_sub_message_arrives_first,
    first_sub_told_twice,
    follow_again_and_again,
    gift_anonymous_placeholder,
    gift_bomb_is_one_alert,
    helix_cursor_without_end,
    helix_data_null,
    helix_list_null_of_one_channel,
    helix_pagination_null,
    helix_shows_what_was_told_to_end,
    hype_train_nulls,
    login_of_digits,
    names_empty_cheer,
    names_empty_online,
    poll_ends_twice,
    renamed_while_a_feed_is_open,
    same_stream_again,
    stream_begins_after_its_message,
    time_out_of_bounds,
    update_labels_null,
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    right: String,
    #[serde(default)]
    before: Vec<Step>,
    #[serde(default)]
    steps: Vec<Step>,
    #[serde(default)]
    rounds: Vec<HashMap<String, Value>>,
    expect: Vec<Expectation>,
}

/// A message. By default a notification of this type and version with this event, sent now, as Twitch sends it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(rename = "type")]
    kind: String,
    version: String,
    #[serde(default)]
    event: Value,
    /// The subscription's condition.
    condition: Option<Map<String, Value>>,
    /// Other fields of the subscription; `__drop__` names some to be left out.
    #[serde(default)]
    subscription: Map<String, Value>,
    message_type: Option<String>,
    /// The whole body.
    body: Option<Value>,
    /// How long ago it was sent, in seconds.
    #[serde(default)]
    age: i64,
}

/// What comes out: the answer to every step, a path of the API (`get`), or what a live feed sends from the first step on
/// (`feed`). A feed's value is the number of its events, unless `at` names one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    /// The status of the answer to every step.
    answer: Option<u16>,
    /// The body of these answers.
    text: Option<String>,
    get: Option<String>,
    feed: Option<String>,
    /// The feed's query.
    query: Option<String>,
    /// Whether the feed is opened before the first step.
    #[serde(default)]
    open: bool,
    /// Fields of the feed's events that count; a list holds alternatives.
    #[serde(default, rename = "where")]
    filter: Map<String, Value>,
    /// Fields of the item of `data` that is meant.
    find: Option<Map<String, Value>>,
    /// The path of the value, such as `data.0.id`; `#` is the length of a list.
    at: Option<String>,
    #[serde(default, deserialize_with = "present")]
    is: Option<Value>,
    has: Option<String>,
    #[serde(default)]
    lacks: Vec<String>,
    at_most: Option<u64>,
}

/// Tells a field that is `null` from one that is not there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

#[test]
fn every_file_is_a_case() {
    let entries = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.map(|path| path.file_stem().unwrap().to_str().unwrap().replace('-', "_")).collect();
    let mut names = NAMES.to_vec();
    files.sort_unstable();
    names.sort_unstable();
    assert_eq!(files, names);
}

async fn run(name: &str) {
    let file = fs::read_to_string(directory().join(format!("{}.json", name.replace('_', "-")))).unwrap();
    let now = Clock::default().now().replace_nanosecond(0).unwrap();
    let mut case: Value = serde_json::from_str(&file).unwrap();
    set_times(&mut case, now);
    let case: Case = serde_json::from_value(case).unwrap();

    let database = fresh_database().await;
    let server = Server::on(database.clone()).await;
    for step in &case.before {
        let answer = server.deliver(&step.message(now)).await;
        assert!(answer.status.is_success(), "{answer:?}");
    }
    let cursor: i64 =
        sqlx::query_scalar("select coalesce(max(id), 0) from event").fetch_one(&server.pool).await.unwrap();
    let mut feeds = BTreeMap::new();
    for feed in case.expect.iter().filter(|expectation| expectation.open).filter_map(|it| it.feed_path(cursor)) {
        let reader = Sse::open(&server, &feed).await;
        feeds.insert((feed, true), reader);
    }
    let mut answers = Vec::new();
    for step in &case.steps {
        answers.push(server.deliver(&step.message(now)).await);
    }
    for answers in &case.rounds {
        run_round(&server, &database, answers.clone()).await;
    }
    for expectation in &case.expect {
        expectation.check_answers(&answers, &case.right);
        if let Some(path) = &expectation.get {
            expectation.check(server.json(path).await, &case.right);
        }
        if let Some(feed) = expectation.feed_path(cursor).filter(|_| !expectation.open) {
            let reader = Sse::open(&server, &feed).await;
            feeds.insert((feed, false), reader);
        }
    }
    check_feeds(&server, &case, feeds, cursor, now).await;
    server.stop().await;
}

/// Sends test events, which change no state, and reads every feed up to them.
async fn check_feeds(
    server: &Server,
    case: &Case,
    feeds: BTreeMap<(String, bool), Sse>,
    cursor: i64,
    now: OffsetDateTime,
) {
    let Some(last) = case.steps.last().filter(|_| !feeds.is_empty()) else { return };
    let channel = ["broadcaster_user_id", "broadcaster_user_login", "broadcaster_user_name"]
        .into_iter()
        .filter_map(|field| Some((field.to_owned(), last.event.get(field)?.clone())));
    let channel = Value::from(Map::from_iter(channel));
    let mut follow = with_user("1", channel.clone());
    follow["followed_at"] = text(now).into();
    for (kind, event) in [("channel.follow", follow), ("channel.chat.clear", channel)] {
        let subscription = Subscription::new(catalogue::find(kind, None).unwrap(), &event, CALLBACK);
        let mark = test_notification(Stamp::new(text(now)), &subscription, &event);
        assert_eq!(server.deliver(&mark).await.status, 204);
    }
    let mut sent = BTreeMap::new();
    for (feed, mut reader) in feeds {
        let mut events = Vec::new();
        loop {
            let event = reader.next().await.unwrap_or_else(|| panic!("{} ended: {events:?}", feed.0));
            match event.data.get("is_test") {
                Some(Value::Bool(true)) => break,
                Some(_) => events.push(event.data),
                None => {}
            }
        }
        sent.insert(feed, events);
    }
    for expectation in &case.expect {
        let Some(feed) = expectation.feed_path(cursor) else { continue };
        let events = sent[&(feed, expectation.open)].iter().filter(|event| expectation.matches(event));
        let events: Vec<_> = events.cloned().collect();
        let is_counted = expectation.at.is_none();
        expectation.check(if is_counted { events.len().into() } else { events.into() }, &case.right);
    }
}

/// Runs one round of the backfill, in which Helix answers like this.
async fn run_round(server: &Server, database: &sqlx::postgres::PgConnectOptions, answers: HashMap<String, Value>) {
    let helix = Recorder::start(move |request| {
        let body = match request.path.as_str() {
            "/token" => json!({ "access_token": "a-token", "expires_in": 5_011_271, "token_type": "bearer" }),
            path => answers.get(&format!("{} {path}", request.method)).cloned().unwrap_or(json!({ "data": [] })),
        };
        recorder::Answer::new(200, "application/json", &body.to_string())
    });
    let (api, auth) = (Url::parse(&helix.url("/helix")).unwrap(), Url::parse(&helix.url("")).unwrap());
    let (_, client) = clients(api, &auth, quick_retries(), &server.clock);
    let round = backfill(&client, &server.clock, database).run_once(true).await;
    assert!(matches!(round, Ok(Some(_))), "{round:?}");
}

/// Replaces `$now` and what is added to it.
fn set_times(value: &mut Value, now: OffsetDateTime) {
    match value {
        Value::String(string) => {
            if let Some(seconds) = string.strip_prefix("$now") {
                let seconds = if seconds.is_empty() { 0 } else { seconds.parse().unwrap() };
                *string = text(now + Duration::seconds(seconds));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| set_times(item, now)),
        Value::Object(fields) => fields.values_mut().for_each(|field| set_times(field, now)),
        _ => {}
    }
}

impl Step {
    fn message(&self, now: OffsetDateTime) -> Outgoing {
        let kind = catalogue::find(&self.kind, Some(&self.version)).unwrap_or_else(|| panic!("no type {}", self.kind));
        let mut subscription = Subscription::new(kind, &self.event, CALLBACK);
        if let Some(condition) = &self.condition {
            subscription.condition.clone_from(condition);
        }
        let stamp = Stamp::new(text(now - Duration::seconds(self.age)));
        let mut message = Outgoing::notification(stamp, &subscription, &self.event);
        if let Some(message_type) = &self.message_type {
            message.message_type = message_type.clone().leak();
        }
        let mut changed = self.subscription.clone();
        let dropped = changed.remove("__drop__").unwrap_or_default();
        let mut body: Value = serde_json::from_slice(&message.body).unwrap();
        let fields = body["subscription"].as_object_mut().unwrap();
        fields.extend(changed);
        fields.retain(|name, _| !dropped.as_array().is_some_and(|dropped| dropped.iter().any(|it| it == name)));
        message.body = self.body.as_ref().unwrap_or(&body).to_string().into_bytes();
        message
    }
}

impl Expectation {
    fn feed_path(&self, cursor: i64) -> Option<String> {
        let feed = self.feed.as_ref()?;
        Some(self.query.iter().fold(format!("/live/{feed}?after={cursor}"), |path, query| format!("{path}&{query}")))
    }

    fn matches(&self, event: &Value) -> bool {
        self.filter.iter().all(|(field, wanted)| match wanted {
            Value::Array(alternatives) => alternatives.contains(&event[field]),
            wanted => event[field] == *wanted,
        })
    }

    fn check_answers(&self, answers: &[Answer], right: &str) {
        for answer in answers {
            assert!(self.answer.is_none_or(|status| answer.status == status), "{answer:?}: {right}");
            assert!(self.text.as_ref().is_none_or(|text| *text == answer.text), "{answer:?}: {right}");
        }
    }

    fn check(&self, whole: Value, right: &str) {
        let found = match &self.find {
            Some(fields) => {
                let is_it = |item: &&Value| fields.iter().all(|(name, value)| item[name] == *value);
                whole["data"].as_array().unwrap().iter().find(is_it).cloned().unwrap_or_default()
            }
            None => whole.clone(),
        };
        let path = self.at.iter().flat_map(|path| path.split('.'));
        let value = path.fold(found, |value, part| match (part, part.parse::<usize>()) {
            ("#", _) => value.as_array().map_or(Value::Null, |items| items.len().into()),
            (_, Ok(index)) => value[index].clone(),
            (name, Err(_)) => value[name].clone(),
        });
        let text = value.to_string();
        assert!(self.is.as_ref().is_none_or(|is| *is == value), "{text} in {whole}: {right}");
        assert!(self.has.as_ref().is_none_or(|part| text.contains(part)), "{text} in {whole}: {right}");
        assert!(!self.lacks.iter().any(|part| value.as_str().unwrap_or(&text).contains(part)), "{text}: {right}");
        assert!(self.at_most.is_none_or(|most| value.as_u64().is_some_and(|count| count <= most)), "{text}: {right}");
    }
}
