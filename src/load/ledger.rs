//! The ledger: what was acknowledged against what is there, and what is there against what must
//! have come of it.

use std::fmt;

use serde::Serialize;
use sqlx::PgConnection;

use super::effects::Effects;
use super::numbers::Numbers;
use super::traffic::{Run, Traffic};
use crate::store::ledger::{self as store, Stream, Viewer};

/// Rows that are read at a time.
const PAGE: i64 = 10_000;

/// Differences of which more is said than that they are there.
const MAX_EXAMPLES: usize = 5;

/// What the ledger comes to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    /// Messages that were acknowledged.
    pub acknowledged: u64,
    /// Messages that the log has.
    pub stored: u64,
    /// Acknowledged, and not in the log.
    pub lost: u64,
    /// In the log twice, or in sums that are greater than all messages together.
    pub doubled: u64,
    /// In the log, and not acknowledged. No harm: Twitch would send these again.
    pub unacknowledged_but_stored: u64,
    /// Rows of viewers, channels and streams that are not what the messages in the log add up to.
    pub effects_differ: u64,
    /// The first few of all these, in words.
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

/// Compares what was acknowledged of this traffic with the database, as it is now.
///
/// # Errors
/// If the database fails.
pub async fn close(conn: &mut PgConnection, traffic: &Traffic, acknowledged: &Numbers) -> sqlx::Result<Verdict> {
    let mut snapshot = store::snapshot(conn).await?;
    let mut verdict = Verdict { acknowledged: acknowledged.count(), ..Verdict::default() };
    let (stored, mut effects) = messages(&mut snapshot, traffic, &mut verdict).await?;
    verdict.stored = stored.count();
    for number in acknowledged.without(&stored) {
        verdict.lost += 1;
        verdict.example(|| format!("lost: message {} ({number})", traffic.run.message_id(number)));
    }
    verdict.unacknowledged_but_stored = stored.without(acknowledged).count() as u64;
    viewers(&mut snapshot, traffic.run, &mut effects, &mut verdict).await?;
    channels(&mut snapshot, traffic.run, &mut effects, &mut verdict).await?;
    streams(&mut snapshot, traffic.run, &effects, &mut verdict).await?;
    snapshot.rollback().await?;
    Ok(verdict)
}

/// The messages that the log has, and what must have come of them.
async fn messages(
    conn: &mut PgConnection,
    traffic: &Traffic,
    verdict: &mut Verdict,
) -> sqlx::Result<(Numbers, Effects)> {
    let (mut stored, mut effects) = (Numbers::default(), Effects::default());
    let [mut after, last] = traffic.run.message_ids();
    // The range begins after an id; number 0 has the first one.
    after.pop();
    loop {
        let page = store::messages(conn, &after, &last, PAGE).await?;
        let Some(end) = page.last() else { return Ok((stored, effects)) };
        after.clone_from(&end.message_id);
        for message in page {
            let id = &message.message_id;
            match traffic.run.number(id).filter(|number| stored.insert(*number)) {
                Some(number) => effects.add(&traffic.message(number), message.occurred_at, id),
                None => {
                    verdict.doubled += 1;
                    verdict.example(|| format!("doubled: message {id}"));
                }
            }
        }
    }
}

async fn viewers(conn: &mut PgConnection, run: Run, effects: &mut Effects, verdict: &mut Verdict) -> sqlx::Result<()> {
    let [first, last] = channel_ids(run);
    let mut after = (first, String::new());
    loop {
        let page = store::viewers(conn, (&after.0, &after.1), &last, PAGE).await?;
        let Some((channel_id, user_id, _)) = page.last() else { break };
        after = (channel_id.clone(), user_id.clone());
        for (channel_id, user_id, found) in page {
            let key = offset(&channel_id, run.channel_id(0)).zip(offset(&user_id, run.viewer_id(0)));
            let expected = key.and_then(|key| effects.viewers.remove(&key)).unwrap_or_default();
            if found != expected {
                verdict.doubled += u64::from(is_more(&found, &expected));
                verdict.differs(&format!("viewer {user_id} of channel {channel_id}"), &expected, &found);
            }
        }
    }
    for ((channel, viewer), expected) in &effects.viewers {
        let (viewer, channel) = (run.viewer_id(*viewer), run.channel_id(*channel));
        verdict.differs(&format!("viewer {viewer} of channel {channel}"), expected, &"no row");
    }
    Ok(())
}

/// Whether something counted that never was sent.
fn is_more(found: &Viewer, expected: &Viewer) -> bool {
    let sums = |viewer: &Viewer| [viewer.bits, viewer.cheers, viewer.gifts, viewer.gift_events, viewer.raids];
    sums(found).iter().zip(sums(expected)).any(|(found, expected)| *found > expected)
}

async fn channels(conn: &mut PgConnection, run: Run, effects: &mut Effects, verdict: &mut Verdict) -> sqlx::Result<()> {
    let [first, last] = channel_ids(run);
    for (id, found) in store::channels(conn, [&first, &last]).await? {
        let key = offset(&id, run.channel_id(0));
        let expected = key.and_then(|key| effects.channels.remove(&key)).unwrap_or_default();
        if found != expected {
            verdict.doubled += u64::from(found.bits > expected.bits || found.gifts > expected.gifts);
            verdict.differs(&format!("channel {id}"), &expected, &found);
        }
    }
    for (channel, expected) in &effects.channels {
        verdict.differs(&format!("channel {}", run.channel_id(*channel)), expected, &"no row");
    }
    Ok(())
}

async fn streams(conn: &mut PgConnection, run: Run, effects: &Effects, verdict: &mut Verdict) -> sqlx::Result<()> {
    let [first, last] = channel_ids(run);
    let mut expected = effects.streams(run);
    let mut after = String::new();
    loop {
        let page = store::streams(conn, &after, [&first, &last], PAGE).await?;
        let Some((id, _)) = page.last() else { break };
        after.clone_from(id);
        for (id, found) in page {
            let number = id.parse().ok().and_then(|id: u64| id.checked_sub(run.stream_id(0)));
            let expected: Option<Stream> = number.and_then(|number| expected.remove(&number));
            if expected.as_ref() != Some(&found) {
                verdict.differs(&format!("stream {id}"), &expected, &found);
            }
        }
    }
    for (number, stream) in &expected {
        verdict.differs(&format!("stream {}", run.stream_id(*number)), stream, &"no row");
    }
    Ok(())
}

/// The least and the greatest id that a channel of this run can have.
fn channel_ids(run: Run) -> [String; 2] {
    [run.channel_id(0).to_string(), run.channel_id(99_999).to_string()]
}

/// Which one of the run it is.
fn offset(id: &str, first: u64) -> Option<u32> {
    u32::try_from(id.parse::<u64>().ok()?.checked_sub(first)?).ok()
}
