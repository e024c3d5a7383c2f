//! Table `transport_switch_message`: finds the echoes among messages that are being appended
//! ([`projection::echo`](crate::projection::echo)).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Deserialize;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

use super::LogId;
use crate::message::{Message, MessageType};
use crate::projection::echo::{self, MAX_COMPARED, Notification};
use crate::twitch::transport::TransportKind;

/// By how much the clocks of the database and of Twitch may differ.
const CLOCK_SKEW: Duration = Duration::minutes(2);

type Fingerprint = [u8; 32];

/// The channels with a switch, and when each had stopped delivering over one of its transports, if it has.
pub(super) type Switching = HashMap<String, Option<OffsetDateTime>>;

/// Records those of these new messages that are notifications of these channels while both transports deliver, and marks the
/// echoes among them. Returns the ids of the echoes. The caller holds the append lock.
///
/// # Errors
/// If the database fails.
pub(super) async fn mark(
    conn: &mut PgConnection,
    messages: &[&Message],
    new: &HashMap<&str, LogId>,
    channels: &Switching,
) -> sqlx::Result<BTreeSet<LogId>> {
    let mut candidates: Vec<_> = messages.iter().filter_map(|message| Candidate::new(message, new, channels)).collect();
    candidates.sort_by_key(|candidate| candidate.told.id);
    candidates.dedup_by_key(|candidate| candidate.told.id);
    if candidates.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut told = earlier(conn, &candidates).await?;
    let mut echoes = Vec::new();
    for candidate in &candidates {
        let same = told.entry(candidate.fingerprint).or_default();
        echoes.extend(echo::find(&candidate.told, same).map(|of| (candidate.told.id, of)));
        same.push(candidate.told.clone());
    }
    record(conn, &candidates).await?;
    let (ids, originals): (Vec<_>, Vec<_>) = echoes.into_iter().unzip();
    if !ids.is_empty() {
        sqlx::query!(
            "update event set is_echo = true, repeats = ($2::bigint[])[array_position($1::bigint[], id)] where id = any($1)",
            &ids,
            &originals
        )
        .execute(conn)
        .await?;
    }
    Ok(ids.into_iter().map(LogId).collect())
}

/// A message that may be an echo, or have one.
struct Candidate<'a> {
    channel_id: &'a str,
    fingerprint: Fingerprint,
    told: Notification,
}

/// How Twitch delivers a message.
#[derive(Deserialize)]
struct Delivery<'a> {
    method: &'a str,
}

impl<'a> Candidate<'a> {
    fn new(message: &'a Message, new: &HashMap<&str, LogId>, channels: &Switching) -> Option<Self> {
        let content = message.content();
        let (channel_id, subscription) = (content.channel_id.as_ref()?.as_str(), content.subscription()?);
        let gone_at = channels.get(channel_id)?;
        let is_candidate = *message.message_type() == MessageType::Notification
            && !content.is_test
            && gone_at.is_none_or(|gone_at| message.at() <= gone_at + CLOCK_SKEW);
        if !is_candidate {
            return None;
        }
        let delivery: Delivery<'_> = serde_json::from_str(subscription.transport.as_ref()?.get()).ok()?;
        let told = Notification {
            id: new.get(message.id())?.0,
            transport: delivery.method.parse().ok()?,
            sent_at: message.at(),
        };
        Some(Self { channel_id, fingerprint: echo::fingerprint(message.body())?, told })
    }
}

/// What was told before with the same fingerprints: of each side of each message as many as it can be compared with.
async fn earlier(
    conn: &mut PgConnection,
    candidates: &[Candidate<'_>],
) -> sqlx::Result<BTreeMap<Fingerprint, Vec<Notification>>> {
    let fingerprints: Vec<_> = candidates.iter().map(|candidate| candidate.fingerprint.to_vec()).collect();
    let sent: Vec<_> = candidates.iter().map(|candidate| candidate.told.sent_at).collect();
    let limit = i64::try_from(MAX_COMPARED).unwrap_or(i64::MAX);
    let rows = sqlx::query!(
        r#"select distinct event_id as "event_id!", near.fingerprint as "fingerprint!",
            transport as "transport!: TransportKind", near.sent_at as "sent_at!"
        from unnest($1::bytea[], $2::timestamptz[]) as own (fingerprint, sent_at)
        cross join lateral (
            (select * from transport_switch_message
            where fingerprint = own.fingerprint and sent_at <= own.sent_at order by sent_at desc limit $3)
            union all
            (select * from transport_switch_message
            where fingerprint = own.fingerprint and sent_at > own.sent_at order by sent_at limit $3)
        ) near"#,
        &fingerprints,
        &sent,
        limit
    )
    .fetch_all(conn)
    .await?;
    let mut told: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in rows {
        let Ok(fingerprint) = row.fingerprint.try_into() else { continue };
        told.entry(fingerprint).or_default().push(Notification {
            id: row.event_id,
            transport: row.transport,
            sent_at: row.sent_at,
        });
    }
    Ok(told)
}

async fn record(conn: &mut PgConnection, candidates: &[Candidate<'_>]) -> sqlx::Result<()> {
    fn column<'a, T>(candidates: &'a [Candidate<'_>], value: impl Fn(&'a Candidate<'_>) -> T) -> Vec<T> {
        candidates.iter().map(value).collect()
    }
    sqlx::query!(
        "insert into transport_switch_message (event_id, channel_id, fingerprint, transport, sent_at)
        select * from unnest($1::bigint[], $2::text[], $3::bytea[], $4::text[], $5::timestamptz[])",
        &column(candidates, |it| it.told.id),
        &column(candidates, |it| it.channel_id.to_owned()),
        &column(candidates, |it| it.fingerprint.to_vec()),
        &column(candidates, |it| it.told.transport.as_str()) as &[&str],
        &column(candidates, |it| it.told.sent_at)
    )
    .execute(conn)
    .await?;
    Ok(())
}
