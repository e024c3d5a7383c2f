//! Counters and histograms for Prometheus. A component that observes something holds a clone; an observation allocates
//! nothing. docs/operations.md lists the names.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use strum::IntoStaticStr;

use crate::twitch::catalogue;

/// The media type of [`Metrics::encode`]: OpenMetrics, as Prometheus reads it since 2.5.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// In seconds. A commit takes milliseconds; the time limits of Twitch and of ingest end after some seconds.
const ACK_BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// In seconds. Twitch sends a message again for some minutes; messages older than ten minutes are refused.
const LAG_BUCKETS: [f64; 12] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0];

/// In seconds. A call of Twitch takes some tens of milliseconds; what waits for a limit is too late after a minute.
const REACTION_BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 60.0];

/// In seconds. The posts of an announcement are spread over minutes if it is tracked in thousands of channels.
const POST_BUCKETS: [f64; 12] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0];

/// The types of the catalogue. All others are counted as one, because a request may name any type.
static TYPES: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| catalogue::all().iter().map(|kind| kind.name.as_str()).collect());

/// The label of all types that are not in the catalogue.
const OTHER: &str = "other";

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// The outcome of a message; in lower case, a label.
#[derive(Clone, Copy, Debug, IntoStaticStr, PartialEq, Eq)]
#[strum(serialize_all = "lowercase")]
pub enum Outcome {
    /// A new message, committed.
    Accepted,
    /// A message that is in the log already.
    Duplicate,
    /// A challenge, answered.
    Challenge,
    /// Not signed with our secret.
    Forged,
    /// Signed, but too old.
    Stale,
    /// Not a message.
    Malformed,
    /// A message that the database can't store.
    Rejected,
    /// Not stored, so that Twitch sends it again.
    Unavailable,
}

/// How a message came; in lower case, a label.
#[derive(Clone, Copy, Debug, IntoStaticStr, PartialEq, Eq)]
#[strum(serialize_all = "lowercase")]
pub enum Transport {
    /// In a request to `/callback`.
    Webhook,
    /// Over a connection that this server opened.
    WebSocket,
}

/// The metrics that components update.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    messages: Family<Labels<3>, Counter>,
    ack: Histogram,
    lag: Histogram,
    readers: Family<Labels<2>, Gauge>,
    sessions: Family<Labels<1>, Gauge>,
    reconnects: Family<Labels<1>, Counter>,
    message_age: Gauge<f64, AtomicU64>,
    gaps: Family<Labels<1>, Counter<f64, AtomicU64>>,
    spool: Gauge,
    spool_dropped: Counter,
    echoes: Counter,
    sink_deliveries: Family<[(&'static str, String); 2], Counter>,
    actions: Family<[(&'static str, String); 2], Counter>,
    reactions: Histogram,
    chat_connections: Family<Labels<1>, Gauge>,
    posts: PostMetrics,
}

/// What is counted of messages to Discord.
#[derive(Clone)]
struct PostMetrics {
    outcomes: Family<Labels<1>, Counter>,
    delay: Histogram,
}

impl PostMetrics {
    fn new(registry: &mut Registry) -> Self {
        let (outcomes, delay) = (Family::default(), Histogram::new(POST_BUCKETS));
        registry.register("showtime_discord_posts", "Messages to Discord, by outcome", Family::clone(&outcomes));
        let help = "From when a message about a stream was due until Discord had it";
        registry.register_with_unit("showtime_discord_post_delay", help, Unit::Seconds, delay.clone());
        Self { outcomes, delay }
    }
}

/// The counters of a sink, by what became of its events.
#[derive(Clone, Debug)]
pub struct SinkMetrics {
    /// The receiver has them.
    pub delivered: Counter,
    /// The receiver dropped them, since no queue was bound.
    pub unroutable: Counter,
    /// They were refused, or it is unknown what became of them; they are sent again.
    pub failed: Counter,
}

/// The values that are measured when `/metrics` is requested.
#[derive(Debug, Default)]
pub struct Gauges {
    /// Messages that wait for the writer.
    pub queue_depth: usize,
    /// Whether the database answered.
    pub has_database: bool,
    /// Whether the log can be written to, as far as the writer knows.
    pub is_writable: bool,
    /// Incidents since the server started, by kind and subject.
    pub incidents: Vec<(&'static str, String, u64)>,
    /// Desired subscriptions, by status.
    pub subscriptions: Vec<(String, i64)>,
    /// Twitch's tokens, by status.
    pub twitch_tokens: Vec<(String, i64)>,
    /// The tokens of the API, by scope.
    pub access_tokens: Vec<(String, i64)>,
    /// How far each follower of the log is behind its end, in events and in seconds.
    pub follower_lags: Vec<(String, i64, f64)>,
    /// How far each sink is behind the end of the log, in events and in seconds.
    pub sink_lags: Vec<(String, i64, f64)>,
    /// The actions that wait, by bucket.
    pub actions_waiting: Vec<(String, i64)>,
    /// The rules that rest on a channel, because they reacted too often.
    pub rules_resting: i64,
    /// The messages to Discord that wait, by `post` and `edit`.
    pub posts_waiting: Vec<(String, i64)>,
    /// The process's resident memory in bytes, if it is known.
    pub resident_memory: Option<i64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let messages = Family::default();
        let (ack, lag) = (Histogram::new(ACK_BUCKETS), Histogram::new(LAG_BUCKETS));
        let readers = Family::default();
        let gaps = Family::<Labels<1>, Counter<f64, AtomicU64>>::default();
        let (spool, spool_dropped, echoes) = (Gauge::default(), Counter::default(), Counter::default());
        let mut registry = Registry::default();
        registry.register("showtime_build", "The running version", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        registry.register(
            "showtime_eventsub_messages",
            "Messages of EventSub, by subscription type, outcome and transport",
            messages.clone(),
        );
        registry.register_with_unit(
            "showtime_eventsub_ack_duration",
            "From a message's arrival until it was acknowledged",
            Unit::Seconds,
            ack.clone(),
        );
        registry.register_with_unit(
            "showtime_eventsub_delivery_lag",
            "From Twitch's timestamp of a new message until it arrived",
            Unit::Seconds,
            lag.clone(),
        );
        registry.register("showtime_live_readers", "Connected readers of live feeds", readers.clone());
        let (sessions, reconnects, message_age) = (Family::default(), Family::default(), Gauge::default());
        let help = "WebSocket sessions with Twitch, by state";
        registry.register("showtime_websocket_sessions", help, Family::clone(&sessions));
        let help = "Connections to Twitch that replaced another one, by why that ended";
        registry.register("showtime_websocket_reconnects", help, Family::clone(&reconnects));
        let help = "Silence of the most silent WebSocket session";
        registry.register_with_unit(
            "showtime_websocket_last_message_age",
            help,
            Unit::Seconds,
            Gauge::clone(&message_age),
        );
        let help = "Time in which messages of a channel may have been lost, by cause";
        registry.register_with_unit("showtime_gap", help, Unit::Seconds, gaps.clone());
        let help = "Size of the files with messages that wait for the database";
        registry.register_with_unit("showtime_websocket_spool", help, Unit::Bytes, spool.clone());
        let help = "Messages that were read from a WebSocket and could be kept nowhere";
        registry.register("showtime_websocket_spool_dropped", help, spool_dropped.clone());
        let help = "Messages that told what another subscription had told, while a channel changed its transport";
        registry.register("showtime_echoes", help, echoes.clone());
        let (sink_deliveries, actions) = (Family::default(), Family::default());
        registry.register(
            "showtime_sink_deliveries",
            "Events that left through a sink, by outcome",
            Family::clone(&sink_deliveries),
        );
        registry.register("showtime_actions", "Actions on Twitch, by kind and outcome", Family::clone(&actions));
        let reactions = Histogram::new(REACTION_BUCKETS);
        let help = "From when an action was due, which is when its event or request was received, until it was done";
        registry.register_with_unit("showtime_reaction", help, Unit::Seconds, reactions.clone());
        let chat_connections = Family::default();
        let help = "Connections to Twitch's chat over IRC, by state";
        registry.register("showtime_chat_connections", help, Family::clone(&chat_connections));
        let posts = PostMetrics::new(&mut registry);
        Self {
            registry: Arc::new(registry),
            messages,
            ack,
            lag,
            readers,
            sessions,
            reconnects,
            message_age,
            gaps,
            spool,
            spool_dropped,
            echoes,
            sink_deliveries,
            actions,
            reactions,
            chat_connections,
            posts,
        }
    }
}

/// A connected reader, or a session in some state; counted until this is dropped.
#[derive(Debug)]
pub struct Counted(Gauge);

impl Counted {
    fn new(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// Counts a message by the type that it names, and measures a request to `/callback` that was acknowledged.
    pub fn message(&self, transport: Transport, kind: Option<&str>, outcome: Outcome, took: Duration) {
        let kind = kind.and_then(|kind| TYPES.get(kind)).copied().unwrap_or(OTHER);
        let labels = [("type", kind), ("outcome", outcome.into()), ("transport", transport.into())];
        self.messages.get_or_create(&labels).inc();
        if transport == Transport::Webhook && matches!(outcome, Outcome::Accepted | Outcome::Duplicate) {
            self.ack.observe(took.as_secs_f64());
        }
    }

    /// Measures the time from Twitch's timestamp to the arrival. The two clocks differ, so it can be negative; counts as 0.
    pub fn delivery_lag(&self, lag: time::Duration) {
        self.lag.observe(lag.as_seconds_f64().max(0.0));
    }

    /// Counts a reader of a live feed until the returned value is dropped. `feed` is `events`, `alerts`, …; `transport` is
    /// `sse` or `websocket`.
    #[must_use]
    pub fn reader(&self, feed: &'static str, transport: &'static str) -> Counted {
        Counted::new(self.readers.get_or_create_owned(&[("feed", feed), ("transport", transport)]))
    }

    /// Counts a WebSocket session with Twitch that is in this state, until the returned value is dropped.
    #[must_use]
    pub fn websocket_session(&self, state: &'static str) -> Counted {
        Counted::new(self.sessions.get_or_create_owned(&[("state", state)]))
    }

    /// Counts a connection to Twitch's chat that is in this state, until the returned value is dropped.
    #[must_use]
    pub fn chat_connection(&self, state: &'static str) -> Counted {
        Counted::new(self.chat_connections.get_or_create_owned(&[("state", state)]))
    }

    /// Counts a connection to Twitch that replaced another one, by why that ended.
    pub fn websocket_reconnect(&self, cause: &'static str) {
        self.reconnects.get_or_create(&[("cause", cause)]).inc();
    }

    /// Records for how long the most silent WebSocket session has been silent.
    pub fn websocket_age(&self, age: Duration) {
        self.message_age.set(age.as_secs_f64());
    }

    /// Counts the time in which messages of a channel may have been lost.
    pub fn gap(&self, cause: &'static str, lasted: time::Duration) {
        self.gaps.get_or_create(&[("cause", cause)]).inc_by(lasted.as_seconds_f64().max(0.0));
    }

    /// Records the size of the spool, in bytes.
    pub fn spool(&self, bytes: u64) {
        self.spool.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Counts a message that could be kept nowhere.
    pub fn spool_dropped(&self) {
        self.spool_dropped.inc();
    }

    /// Counts messages that told what another subscription had told.
    pub fn echoes(&self, count: usize) {
        self.echoes.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// Counts an action on Twitch that was settled.
    pub fn action(&self, kind: &str, outcome: &'static str) {
        let labels = [("kind", kind.to_owned()), ("outcome", outcome.to_owned())];
        self.actions.get_or_create(&labels).inc();
    }

    /// Measures the time from when an action was due until it was done.
    pub fn reaction(&self, took: time::Duration) {
        self.reactions.observe(took.as_seconds_f64().max(0.0));
    }

    /// Counts messages to Discord of which this has become.
    pub fn posts(&self, outcome: &'static str, count: u64) {
        if count > 0 {
            self.posts.outcomes.get_or_create(&[("outcome", outcome)]).inc_by(count);
        }
    }

    /// Measures the time from when it was known that a stream began until a message told of it.
    pub fn post_delay(&self, took: time::Duration) {
        self.posts.delay.observe(took.as_seconds_f64().max(0.0));
    }

    /// The counters of the sink with this name.
    #[must_use]
    pub fn sink(&self, name: &str) -> SinkMetrics {
        let counter = |outcome: &str| {
            let labels = [("sink", name.to_owned()), ("outcome", outcome.to_owned())];
            self.sink_deliveries.get_or_create_owned(&labels)
        };
        SinkMetrics { delivered: counter("delivered"), unroutable: counter("unroutable"), failed: counter("failed") }
    }

    /// All metrics, in the format of [`CONTENT_TYPE`].
    #[must_use]
    pub fn encode(&self, gauges: &Gauges) -> String {
        let mut text = String::new();
        // Writing to a String never fails.
        let _ = encode_registry(&mut text, &self.registry);
        let _ = encode_registry(&mut text, &gauges.registry());
        let _ = encode_eof(&mut text);
        text
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Gauges {
    fn registry(&self) -> Registry {
        let mut registry = Registry::default();
        let number = |count: usize| ConstGauge::<i64>::new(i64::try_from(count).unwrap_or(i64::MAX));
        registry.register(
            "showtime_ingest_queue_depth",
            "Messages that wait for the database",
            number(self.queue_depth),
        );
        registry.register(
            "showtime_database_up",
            "Whether the database answered just now",
            number(self.has_database.into()),
        );
        registry.register(
            "showtime_database_writable",
            "Whether messages could be stored when that was last tried",
            number(self.is_writable.into()),
        );
        registry.register(
            "showtime_rule_resting",
            "Rules that rest on a channel, because they reacted too often",
            ConstGauge::<i64>::new(self.rules_resting),
        );
        self.register_incidents(&mut registry);
        if let Some(bytes) = self.resident_memory {
            let help = "Memory of the server's process, without its Postgres";
            registry.register_with_unit("process_resident_memory", help, Unit::Bytes, ConstGauge::<i64>::new(bytes));
        }
        for (name, help, label, counts) in [
            ("showtime_subscriptions", "Desired subscriptions, by status", "status", &self.subscriptions),
            ("showtime_twitch_tokens", "Tokens that Twitch gave us", "status", &self.twitch_tokens),
            ("showtime_access_tokens", "Tokens for the API", "scope", &self.access_tokens),
            ("showtime_actions_waiting", "Actions on Twitch that wait", "bucket", &self.actions_waiting),
            ("showtime_discord_posts_waiting", "Messages to Discord that wait", "kind", &self.posts_waiting),
        ] {
            let family = Family::<[(&'static str, String); 1], Gauge>::default();
            for (value, count) in counts {
                family.get_or_create(&[(label, value.clone())]).set(*count);
            }
            registry.register(name, help, family);
        }
        let [follower, sink] = ["a follower of the log has not handled", "has not left through a sink"];
        register_lags(&mut registry, "follower", follower, &self.follower_lags);
        register_lags(&mut registry, "sink", sink, &self.sink_lags);
        registry
    }

    fn register_incidents(&self, registry: &mut Registry) {
        let family = Family::<[(&'static str, String); 2], Counter>::default();
        for (kind, subject, total) in &self.incidents {
            let labels = [("kind", (*kind).to_owned()), ("subject", subject.clone())];
            family.get_or_create(&labels).inc_by(*total);
        }
        registry.register("showtime_incidents", "What was refused, not stored or not understood", family);
    }
}

/// Registers how far these are behind the log, by name; `reader` is the label, and `what` has not happened to an event.
fn register_lags(registry: &mut Registry, reader: &'static str, what: &str, lags: &[(String, i64, f64)]) {
    let events = Family::<[(&'static str, String); 1], Gauge>::default();
    let seconds = Family::<[(&'static str, String); 1], Gauge<f64, AtomicU64>>::default();
    for (name, events_behind, seconds_behind) in lags {
        let labels = [(reader, name.clone())];
        events.get_or_create(&labels).set(*events_behind);
        seconds.get_or_create(&labels).set(*seconds_behind);
    }
    let name = format!("showtime_{reader}_lag");
    registry.register(format!("{name}_events"), format!("Events that {what}, at most"), events);
    registry.register_with_unit(name, format!("Age of the oldest event that {what}"), Unit::Seconds, seconds);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_types_are_counted_as_one() {
        let metrics = Metrics::default();
        for number in 0..1_000 {
            let kind = format!("channel.invented{number}");
            metrics.message(Transport::Webhook, Some(&kind), Outcome::Forged, Duration::ZERO);
        }
        metrics.message(Transport::Webhook, None, Outcome::Forged, Duration::ZERO);
        let took = Duration::from_millis(3);
        metrics.message(Transport::Webhook, Some("channel.follow"), Outcome::Accepted, took);
        metrics.message(Transport::WebSocket, Some("channel.follow"), Outcome::Accepted, took);
        let text = metrics.encode(&Gauges::default());
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with("showtime_eventsub_messages_total")).collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(text.contains(r#"{type="other",outcome="forged",transport="webhook"} 1001"#), "{text}");
        assert!(text.contains("showtime_eventsub_ack_duration_seconds_count 1"), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
