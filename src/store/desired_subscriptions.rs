//! Table `desired_subscription`: the subscriptions that each served channel should have, and how far each has got.

use serde::Serialize;
use sqlx::PgConnection;
use strum::{AsRefStr, Display, EnumString};
use time::OffsetDateTime;

use crate::twitch::id::ChannelId;
use crate::twitch::signature::SecretFingerprint;
use crate::twitch::subscription_status::SubscriptionStatus;
use crate::twitch::transport::TransportKind;

/// The status of a desired subscription. `AsRef<str>` is the word for it in the database and in answers.
#[derive(Clone, Debug, PartialEq, Eq, AsRefStr, Display, EnumString, Serialize)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum DesiredStatus {
    /// Twitch has none.
    Missing,
    /// Twitch refuses to create it without the user's consent.
    NeedsConsent,
    /// There is no WebSocket session to create it on.
    NoSession,
    /// Twitch has one, or had one that ended for this reason.
    #[strum(default, transparent)]
    #[serde(untagged)]
    Held(SubscriptionStatus),
}

impl From<String> for DesiredStatus {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl DesiredStatus {
    /// Whether it delivers.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        *self == Self::Held(SubscriptionStatus::Enabled)
    }

    /// Whether it delivers, or will once Twitch has verified the callback.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        matches!(self, Self::Held(status) if status.is_alive())
    }

    /// Whether only a person can help, by consenting.
    #[must_use]
    pub fn needs_consent(&self) -> bool {
        matches!(self, Self::NeedsConsent | Self::Held(SubscriptionStatus::AuthorizationRevoked))
    }
}

/// A row, with the channel's login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredRow {
    /// Twitch's id of the channel.
    pub channel_id: ChannelId,
    /// The channel's login.
    pub channel_login: String,
    /// For example `channel.follow`.
    pub kind: String,
    /// For example `2`.
    pub version: String,
    /// How Twitch is to deliver.
    pub transport: TransportKind,
    /// Twitch's id of the subscription, once created.
    pub subscription_id: Option<String>,
    /// Of the webhook secret that it was created with, if that is known.
    pub secret_fingerprint: Option<SecretFingerprint>,
    /// Whether it is alive, but a server that runs has another webhook secret and refuses its messages. Only read.
    pub has_other_secret: bool,
    /// How far it has got.
    pub status: DesiredStatus,
    /// Since when it has had this status.
    pub since: OffsetDateTime,
    /// Why it could not be created, in words.
    pub problem: Option<String>,
    /// The number of consecutive failures.
    pub attempts: i32,
    /// The time of the last attempt to create it.
    pub attempted_at: Option<OffsetDateTime>,
    /// The time of the next attempt; `None` for at once, if it is not alive.
    pub next_attempt_at: Option<OffsetDateTime>,
}

impl DesiredRow {
    /// Whether its messages arrive and are accepted.
    #[must_use]
    pub fn delivers(&self) -> bool {
        self.status.is_enabled() && !self.has_other_secret
    }

    /// Sets the status, and since when it has been so, unless it is the same.
    pub fn set_status(&mut self, status: DesiredStatus, now: OffsetDateTime) {
        if self.status != status {
            (self.status, self.since) = (status, now);
        }
    }
}

/// The rows of these channels, or of all, those first that don't deliver.
///
/// # Errors
/// If the database fails.
pub async fn list(
    db: &mut PgConnection,
    channel_ids: Option<&[ChannelId]>,
    limit: Option<i64>,
) -> sqlx::Result<Vec<DesiredRow>> {
    sqlx::query_as!(
        DesiredRow,
        r#"select d.channel_id as "channel_id!: ChannelId", c.login as channel_login, d.type as "kind!",
            d.version as "version!", d.transport as "transport!: TransportKind", d.subscription_id, d.secret_fingerprint as "secret_fingerprint: SecretFingerprint",
            d.has_other_secret as "has_other_secret!", d.status as "status!", d.since as "since!", d.problem,
            d.attempts as "attempts!", d.attempted_at, d.next_attempt_at
        from desired_subscription_state d join served_channel c on c.id = d.channel_id
        where $1::text[] is null or d.channel_id = any ($1)
        order by d.status = 'enabled' and not d.has_other_secret, d.channel_id, d.type, d.version, d.transport
        limit $2"#,
        channel_ids as Option<&[ChannelId]>,
        limit
    )
    .fetch_all(db)
    .await
}

/// Makes the table say that these channels should have these types in these versions (three columns) over this transport: adds new
/// rows as `missing`, and deletes all other rows of the transport.
///
/// # Errors
/// If the database fails.
pub async fn set(
    db: &mut PgConnection,
    transport: TransportKind,
    (channel_ids, kinds, versions): (&[&str], &[&str], &[&str]),
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from desired_subscription where transport = $1
            and (channel_id, type, version) not in (select * from unnest($2::text[], $3::text[], $4::text[]))",
        transport.as_str(),
        channel_ids as &[&str],
        kinds as &[&str],
        versions as &[&str]
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "insert into desired_subscription (type, version, channel_id, transport, status, since)
        select desired.type, desired.version, channel.id, $1, 'missing', $5
        from unnest($2::text[], $3::text[], $4::text[]) as desired (channel_id, type, version)
        join served_channel channel on channel.id = desired.channel_id
        on conflict do nothing",
        transport.as_str(),
        channel_ids as &[&str],
        kinds as &[&str],
        versions as &[&str],
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Why a channel has no subscription over WebSocket.
#[derive(Clone, Debug)]
pub struct Unavailable {
    /// Twitch's id of the channel.
    pub channel_id: ChannelId,
    /// [`DesiredStatus::NoSession`] or [`DesiredStatus::NeedsConsent`].
    pub status: DesiredStatus,
    /// In words, unless the status says it all.
    pub problem: Option<String>,
}

/// Writes that these channels have no subscriptions over WebSocket, and why. They are created as soon as there is a session.
///
/// # Errors
/// If the database fails.
pub async fn set_unavailable(db: &mut PgConnection, channels: &[Unavailable], now: OffsetDateTime) -> sqlx::Result<()> {
    let ids: Vec<_> = channels.iter().map(|it| it.channel_id.as_str()).collect();
    let statuses: Vec<_> = channels.iter().map(|it| it.status.as_ref()).collect();
    let problems: Vec<_> = channels.iter().map(|it| it.problem.as_deref()).collect();
    sqlx::query!(
        "update desired_subscription desired
        set status = new.status, problem = new.problem, subscription_id = null, attempts = 0, next_attempt_at = null,
            since = case when desired.status = new.status then since else $4 end
        from unnest($1::text[], $2::text[], $3::text[]) as new (id, status, problem)
        where channel_id = new.id and transport = 'websocket'
            and (desired.status, desired.problem) is distinct from (new.status, new.problem)",
        &ids as &[&str],
        &statuses as &[&str],
        &problems as &[Option<&str>],
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Saves a row, if it is still there.
///
/// # Errors
/// If the database fails.
pub async fn update(db: &mut PgConnection, row: &DesiredRow) -> sqlx::Result<()> {
    sqlx::query!(
        "update desired_subscription
        set subscription_id = $4, status = $5, since = $6, problem = $7, attempts = $8, attempted_at = $9,
            next_attempt_at = $10, secret_fingerprint = $11
        where channel_id = $1 and type = $2 and version = $3 and transport = $12",
        row.channel_id.as_str(),
        row.kind,
        row.version,
        row.subscription_id,
        row.status.as_ref(),
        row.since,
        row.problem,
        row.attempts,
        row.attempted_at,
        row.next_attempt_at,
        row.secret_fingerprint.as_ref().map(SecretFingerprint::as_str),
        row.transport.as_str()
    )
    .execute(db)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_ours_or_twitchs() {
        for (text, status) in [
            ("missing", DesiredStatus::Missing),
            ("needs_consent", DesiredStatus::NeedsConsent),
            ("no_session", DesiredStatus::NoSession),
            ("enabled", DesiredStatus::Held(SubscriptionStatus::Enabled)),
            ("brand_new", DesiredStatus::Held(SubscriptionStatus::Other("brand_new".to_owned()))),
        ] {
            assert_eq!(DesiredStatus::from(text), status);
            assert_eq!((status.as_ref(), status.to_string().as_str()), (text, text));
            assert_eq!(serde_json::to_value(&status).unwrap(), text);
        }
    }
}
