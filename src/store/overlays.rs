//! Table `alert_control`: what overlays do with the alerts of each channel.

use serde::{Deserialize, Serialize};
use sqlx::{Connection as _, PgConnection};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::LogId;
use super::signals::Channel;
use crate::twitch::id::ChannelId;

/// What is to be done with alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AlertAction {
    /// Hold them back.
    Pause,
    /// Show them again, first those that were held back.
    Resume,
    /// End the present one.
    Skip,
    /// Play no sounds.
    Mute,
    /// Play sounds again.
    Unmute,
    /// Drop those that wait.
    Clear,
}

/// What overlays do with the alerts of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AlertControl {
    /// Twitch's id of the channel; `null` for every channel that is not listed.
    #[schema(value_type = Option<String>)]
    pub channel_id: Option<ChannelId>,
    /// Since when alerts are held back; `null` if they are shown.
    #[serde(with = "time::serde::rfc3339::option")]
    pub paused_at: Option<OffsetDateTime>,
    /// Whether alerts make no sound.
    pub is_muted: bool,
    /// How many times the present alert was skipped. When it grows, the present alert ends.
    pub skips: i64,
    /// Alerts up to the event with this id are not shown.
    #[schema(value_type = i64)]
    pub cleared_to: LogId,
}

/// All rows, that of every other channel first.
///
/// # Errors
/// If the database fails.
pub async fn alert_controls(conn: &mut PgConnection) -> sqlx::Result<Vec<AlertControl>> {
    sqlx::query_as!(
        AlertControl,
        r#"select nullif(channel_id, '') as "channel_id?: ChannelId", paused_at, is_muted, skips, cleared_to as "cleared_to: LogId"
        from alert_control order by alert_control.channel_id"#
    )
    .fetch_all(conn)
    .await
}

/// Does this with the alerts of a channel, or of all channels, and tells every server.
///
/// # Errors
/// If the database fails.
pub async fn control_alerts(
    conn: &mut PgConnection,
    channel: Option<&ChannelId>,
    action: AlertAction,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let channel = channel.map_or("", ChannelId::as_str);
    let is_paused = match action {
        AlertAction::Pause => Some(true),
        AlertAction::Resume => Some(false),
        _ => None,
    };
    let is_muted = match action {
        AlertAction::Mute => Some(true),
        AlertAction::Unmute => Some(false),
        _ => None,
    };
    let mut tx = conn.begin().await?;
    // The lock keeps what is done with all channels from passing by a row that is being made.
    sqlx::query!(
        "insert into alert_control (channel_id, paused_at, is_muted, skips, cleared_to)
        select $1, paused_at, is_muted, skips, cleared_to from alert_control where channel_id = '' for update
        on conflict do nothing",
        channel
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "update alert_control set
            paused_at = case when $2::boolean then coalesce(paused_at, $6) when not $2::boolean then null else paused_at end,
            is_muted = coalesce($3, is_muted),
            skips = skips + $4::boolean::integer,
            cleared_to = case when $5 then (select coalesce(max(id), 0) from event) else cleared_to end
        where $1 in ('', channel_id)",
        channel,
        is_paused,
        is_muted,
        action == AlertAction::Skip,
        action == AlertAction::Clear,
        now
    )
    .execute(&mut *tx)
    .await?;
    Channel::Overlay.notify(&mut tx, "").await?;
    tx.commit().await
}
