//! Table `transport_switch`: channels that move from one transport to another.

use serde::Serialize;
use sqlx::PgConnection;
use strum::{AsRefStr, Display, EnumString};
use time::OffsetDateTime;

use crate::twitch::id::ChannelId;
use crate::twitch::transport::TransportKind;

/// How far a switch has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsRefStr, Display, EnumString, Serialize)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum SwitchState {
    /// The new subscriptions are created; the old ones deliver.
    Creating,
    /// All new ones are enabled; both deliver.
    Overlapping,
    /// The old ones are deleted.
    Deleting,
    /// Messages of the old ones may still arrive.
    Lingering,
    /// Only the new ones deliver. The row stays while a message of the old ones may be sent again.
    Done,
    /// The new ones could not be created; the old ones deliver.
    Aborted,
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// The channel.
    pub channel_id: ChannelId,
    /// What delivered before.
    pub from: TransportKind,
    /// What is to deliver.
    pub to: TransportKind,
    /// How far it has got.
    pub state: SwitchState,
    /// When it began.
    pub began_at: OffsetDateTime,
    /// Since when it has been in this state.
    pub since: OffsetDateTime,
    /// Why it was aborted.
    pub problem: Option<String>,
}

impl SwitchState {
    /// Whether the old subscriptions must stay.
    #[must_use]
    pub fn keeps_old(self) -> bool {
        matches!(self, Self::Creating | Self::Overlapping | Self::Aborted)
    }
}

impl From<String> for SwitchState {
    /// A state of a later version counts as one in which nothing is deleted.
    fn from(text: String) -> Self {
        text.parse().unwrap_or(Self::Creating)
    }
}

/// All rows, by channel id.
///
/// # Errors
/// If the database fails.
pub async fn all(conn: &mut PgConnection) -> sqlx::Result<Vec<Switch>> {
    sqlx::query_as!(
        Switch,
        r#"select channel_id as "channel_id: ChannelId", from_transport as "from: TransportKind",
            to_transport as "to: TransportKind", state, began_at, since, problem
        from transport_switch order by channel_id"#
    )
    .fetch_all(conn)
    .await
}

/// Adds a row, or replaces that of an earlier switch of the channel. Notifications that were recorded for that one stay.
///
/// # Errors
/// If the database fails.
pub async fn put(conn: &mut PgConnection, switch: &Switch) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into transport_switch (channel_id, from_transport, to_transport, state, began_at, since, problem)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (channel_id) do update set from_transport = $2, to_transport = $3, state = $4, began_at = $5,
            since = $6, problem = $7",
        switch.channel_id.as_str(),
        switch.from.as_str(),
        switch.to.as_str(),
        switch.state.as_ref(),
        switch.began_at,
        switch.since,
        switch.problem
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes a row, with what was recorded to find echoes.
///
/// # Errors
/// If the database fails.
pub async fn remove(conn: &mut PgConnection, channel_id: &ChannelId) -> sqlx::Result<()> {
    sqlx::query!("delete from transport_switch where channel_id = $1", channel_id.as_str()).execute(conn).await?;
    Ok(())
}
