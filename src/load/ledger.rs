//! The ledger: compares the acknowledged messages with the log, and the log with the state that must follow from it.

use std::fmt;

use roaring::RoaringTreemap;
use serde::Serialize;
use sqlx::PgConnection;

use super::event::{Event, Kind};
use super::oracle::{self, Oracle};
use super::run::Run;
use super::traffic::Traffic;
use crate::store::ledger::{self as store, Viewer};

/// Rows per query.
const PAGE: i64 = 10_000;

/// Number of differences that are described.
const MAX_EXAMPLES: usize = 5;

/// Result of the comparison.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    /// Acknowledged messages.
    pub acknowledged: u64,
    /// Messages in the log.
    pub stored: u64,
    /// Acknowledged messages that are not in the log.
    pub lost: u64,
    /// Messages that are in the log twice, and sums that are greater than those of all messages.
    pub doubled: u64,
    /// Messages in the log that were not acknowledged. Harmless, since Twitch would send them again.
    pub unacknowledged_but_stored: u64,
    /// Rows of viewers, channels and streams that differ from the sum of the messages in the log.
    pub effects_differ: u64,
    /// Descriptions of the first few differences.
    #[serde(skip)]
    pub examples: Vec<String>,
}

impl Verdict {
    /// Whether nothing is lost, doubled or different.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.effects_differ == 0
    }

    fn example(&mut self, text: impl FnOnce() -> String) {
        if self.examples.len() < MAX_EXAMPLES {
            self.examples.push(text());
        }
    }

    fn differs(&mut self, what: &str, expected: &dyn fmt::Debug, found: &dyn fmt::Debug) {
        self.effects_differ += 1;
        self.example(|| format!("{what}: expected {expected:?}, found {found:?}"));
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  ledger        {} acknowledged, {} stored · lost {} · doubled {} · effects that differ {} · stored without \
             acknowledgement {}",
            self.acknowledged,
            self.stored,
            self.lost,
            self.doubled,
            self.effects_differ,
            self.unacknowledged_but_stored
        )?;
        self.examples.iter().try_for_each(|example| writeln!(f, "                {example}"))
    }
}

/// Compares the acknowledged messages of this traffic with the database.
///
/// # Errors
/// If the database fails.
pub async fn verify(
    conn: &mut PgConnection,
    traffic: &Traffic,
    acknowledged: &RoaringTreemap,
) -> sqlx::Result<Verdict> {
    let mut snapshot = store::snapshot(conn).await?;
    let mut verdict = Verdict { acknowledged: acknowledged.len(), ..Verdict::default() };
    let (stored, mut oracle) = messages(&mut snapshot, traffic, &mut verdict).await?;
    verdict.stored = stored.len();
    for number in acknowledged - &stored {
        verdict.lost += 1;
        verdict.example(|| format!("lost: message {} ({number})", traffic.run.message_id(number)));
    }
    verdict.unacknowledged_but_stored = stored.difference_len(acknowledged);
    viewers(&mut snapshot, traffic.run, &mut oracle, &mut verdict).await?;
    channels(&mut snapshot, traffic.run, &mut oracle, &mut verdict).await?;
    streams(&mut snapshot, traffic.run, &oracle, &mut verdict).await?;
    snapshot.rollback().await?;
    Ok(verdict)
}

/// Reads the messages in the log, and computes the state that must follow from them.
async fn messages(
    conn: &mut PgConnection,
    traffic: &Traffic,
    verdict: &mut Verdict,
) -> sqlx::Result<(RoaringTreemap, Oracle<u64>)> {
    let (mut stored, mut oracle) = (RoaringTreemap::new(), Oracle::default());
    let [mut after, last] = traffic.run.message_ids();
    // The query begins after this id, and message 0 has the first id of the run.
    after.pop();
    loop {
        let page = store::messages(conn, &after, &last, PAGE).await?;
        let Some(end) = page.last() else { return Ok((stored, oracle)) };
        after.clone_from(&end.message_id);
        for message in page {
            let id = &message.message_id;
            match traffic.run.number(id).filter(|number| stored.insert(*number)) {
                Some(number) => {
                    let event = traffic.message(number);
                    // A chat message changes no state.
                    if event.kind != Kind::Chat {
                        oracle.add(to_oracle(traffic.run, &event, message));
                    }
                }
                None => {
                    verdict.doubled += 1;
                    verdict.example(|| format!("doubled: message {id}"));
                }
            }
        }
    }
}

async fn viewers(
    conn: &mut PgConnection,
    run: Run,
    oracle: &mut Oracle<u64>,
    verdict: &mut Verdict,
) -> sqlx::Result<()> {
    let [first, last] = channel_ids(run);
    let mut after = (first, String::new());
    loop {
        let page = store::viewers(conn, (&after.0, &after.1), &last, PAGE).await?;
        let Some((channel_id, user_id, _)) = page.last() else { break };
        after = (channel_id.clone(), user_id.clone());
        for (channel_id, user_id, found) in page {
            let key = channel_id.parse().ok().zip(user_id.parse().ok());
            let expected = key.and_then(|key| oracle.viewers.remove(&key)).unwrap_or_default();
            if found != expected {
                verdict.doubled += u64::from(is_more(&found, &expected));
                verdict.differs(&format!("viewer {user_id} of channel {channel_id}"), &expected, &found);
            }
        }
    }
    for ((channel, viewer), expected) in &oracle.viewers {
        verdict.differs(&format!("viewer {viewer} of channel {channel}"), expected, &"no row");
    }
    Ok(())
}

/// Whether a sum is greater than expected.
fn is_more(found: &Viewer, expected: &Viewer) -> bool {
    let sums = |viewer: &Viewer| [viewer.bits, viewer.cheers, viewer.gifts, viewer.gift_events, viewer.raids];
    sums(found).iter().zip(sums(expected)).any(|(found, expected)| *found > expected)
}

async fn channels(
    conn: &mut PgConnection,
    run: Run,
    oracle: &mut Oracle<u64>,
    verdict: &mut Verdict,
) -> sqlx::Result<()> {
    let [first, last] = channel_ids(run);
    for (id, found) in store::channels(conn, [&first, &last]).await? {
        let expected = id.parse().ok().and_then(|id| oracle.channels.remove(&id)).unwrap_or_default();
        if found != expected {
            verdict.doubled += u64::from(found.bits > expected.bits || found.gifts > expected.gifts);
            verdict.differs(&format!("channel {id}"), &expected, &found);
        }
    }
    for (channel, expected) in &oracle.channels {
        verdict.differs(&format!("channel {channel}"), expected, &"no row");
    }
    Ok(())
}

async fn streams(conn: &mut PgConnection, run: Run, oracle: &Oracle<u64>, verdict: &mut Verdict) -> sqlx::Result<()> {
    let [first, last] = channel_ids(run);
    let mut expected = oracle.streams();
    let mut after = String::new();
    loop {
        let page = store::streams(conn, &after, [&first, &last], PAGE).await?;
        let Some((id, _)) = page.last() else { break };
        after.clone_from(id);
        for (id, found) in page {
            let expected = id.parse().ok().and_then(|id| expected.remove(&id));
            if expected.as_ref() != Some(&found) {
                verdict.differs(&format!("stream {id}"), &expected, &found);
            }
        }
    }
    for (id, stream) in &expected {
        verdict.differs(&format!("stream {id}"), stream, &"no row");
    }
    Ok(())
}

/// The lowest and the highest channel id of this run.
fn channel_ids(run: Run) -> [String; 2] {
    [run.channel_id(0).to_string(), run.channel_id(99_999).to_string()]
}

/// A message of the run, with Twitch's ids as numbers.
fn to_oracle(run: Run, event: &Event, message: store::Stored) -> oracle::Message<u64> {
    use oracle::Event as E;
    let (at, amount) = (message.occurred_at, i64::from(event.amount));
    let (viewer, stream) = (run.viewer_id(event.viewer), run.stream_id(event.stream));
    let tier = || event.tier.to_string();
    // Streams start at whole seconds.
    let started_at = at.replace_nanosecond(0).unwrap_or(at);
    let event_of_oracle = match event.kind {
        Kind::Chat | Kind::Update => E::Other,
        Kind::Online => E::Online { stream, started_at, is_inferred: false },
        Kind::Offline => E::Offline { stream: Some(stream), is_inferred: false },
        Kind::Follow => E::Follow { viewer, followed_at: at },
        Kind::Cheer => E::Cheer { viewer: Some(viewer), bits: amount },
        Kind::AnonymousCheer => E::Cheer { viewer: None, bits: amount },
        Kind::Gift => E::Gift { viewer: Some(viewer), total: amount },
        Kind::AnonymousGift => E::Gift { viewer: None, total: amount },
        Kind::Subscribe => E::Subscribe { viewer, tier: tier() },
        Kind::SubscriptionEnd => E::SubscriptionEnd { viewer, tier: tier() },
        Kind::Resubscribe => E::Resubscribe { viewer, tier: tier(), months: amount },
    };
    let channel = run.channel_id(event.channel);
    oracle::Message { id: message.message_id, at, channel, event: event_of_oracle }
}
