//! Tables `alert_control` and `overlay_settings`: what overlays do with the alerts of each channel, and how they look.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::types::Json;
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
    /// How many times an alert was skipped. When it increases, the current alert ends.
    pub skips: i64,
    /// Alerts up to the event with this id are not shown.
    #[schema(value_type = i64)]
    pub cleared_to: LogId,
}

/// When settings of overlays were changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SettingsVersion {
    /// Their name.
    pub name: String,
    /// When they were last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub changed_at: OffsetDateTime,
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

/// The greatest number of settings, which every server names to all its overlays.
pub const MAX_SETTINGS: i64 = 50;

/// Settings of overlays.
#[derive(Debug)]
#[expect(missing_docs, reason = "the columns of overlay_settings, which db/migrations describes")]
pub struct SettingsRow {
    pub name: String,
    pub changed_at: OffsetDateTime,
    pub settings: Json<Box<RawValue>>,
}

/// All settings, by name.
///
/// # Errors
/// If the database fails.
pub async fn all_settings(conn: &mut PgConnection) -> sqlx::Result<Vec<SettingsRow>> {
    sqlx::query_as!(
        SettingsRow,
        r#"select name, changed_at, settings as "settings: Json<Box<RawValue>>" from overlay_settings order by name"#
    )
    .fetch_all(conn)
    .await
}

/// The settings of this name.
///
/// # Errors
/// If the database fails.
pub async fn settings(conn: &mut PgConnection, name: &str) -> sqlx::Result<Option<SettingsRow>> {
    sqlx::query_as!(
        SettingsRow,
        r#"select name, changed_at, settings as "settings: Json<Box<RawValue>>" from overlay_settings where name = $1"#,
        name
    )
    .fetch_optional(conn)
    .await
}

/// The names of all settings, and when each was changed.
///
/// # Errors
/// If the database fails.
pub async fn settings_versions(conn: &mut PgConnection) -> sqlx::Result<Vec<SettingsVersion>> {
    sqlx::query_as!(SettingsVersion, "select name, changed_at from overlay_settings order by name")
        .fetch_all(conn)
        .await
}

/// Saves settings under this name, and tells every server. `None` if there are [`MAX_SETTINGS`] others.
///
/// # Errors
/// If the database fails.
pub async fn save_settings(
    conn: &mut PgConnection,
    name: &str,
    settings: &RawValue,
    now: OffsetDateTime,
) -> sqlx::Result<Option<SettingsRow>> {
    let mut tx = conn.begin().await?;
    let row = sqlx::query_as!(
        SettingsRow,
        r#"insert into overlay_settings (name, settings, changed_at) select $1, $2, $3
            where (select count(*) from overlay_settings where name <> $1) < $4
        on conflict (name) do update
            set settings = excluded.settings,
                -- Later than before, by whatever clock: overlays compare it.
                changed_at = greatest(excluded.changed_at, overlay_settings.changed_at + interval '1 microsecond')
        returning name, changed_at, settings as "settings: Json<Box<RawValue>>""#,
        name,
        Json(settings) as _,
        now,
        MAX_SETTINGS
    )
    .fetch_optional(&mut *tx)
    .await?;
    Channel::Overlay.notify(&mut tx, "").await?;
    tx.commit().await?;
    Ok(row)
}

/// Deletes the settings of this name, and tells every server. False if there are none.
///
/// # Errors
/// If the database fails.
pub async fn delete_settings(conn: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    let mut tx = conn.begin().await?;
    let done = sqlx::query!("delete from overlay_settings where name = $1", name).execute(&mut *tx).await?;
    Channel::Overlay.notify(&mut tx, "").await?;
    tx.commit().await?;
    Ok(done.rows_affected() == 1)
}
