//! Table `channel`: what is known of a channel, beyond its names.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use super::keys;
use crate::stream::{Channel, ChannelInfo, Latest, Stamp, State};

/// The columns from `title` to `updated_by` are null until a `channel.update` came.
#[derive(Serialize)]
struct Row {
    id: String,
    title: Option<String>,
    language: Option<String>,
    category_id: Option<String>,
    category_name: Option<String>,
    content_classification_labels: Option<Vec<String>>,
    #[serde(with = "time::serde::rfc3339::option")]
    updated_at: Option<OffsetDateTime>,
    updated_by: Option<String>,
    anonymous_bits: i64,
    anonymous_gifts: i64,
}

pub(super) async fn load(conn: &mut PgConnection, touched: &State) -> sqlx::Result<BTreeMap<String, Channel>> {
    if touched.channels.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query_as!(
        Row,
        r#"
        select id, title, language, category_id, category_name, content_classification_labels,
            updated_at, updated_by, anonymous_bits, anonymous_gifts
        from channel where id = any($1)
        "#,
        &keys(&touched.channels)
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row.into())).collect())
}

pub(super) async fn save(conn: &mut PgConnection, state: &State) -> sqlx::Result<()> {
    if state.channels.is_empty() {
        return Ok(());
    }
    let rows: Vec<Row> = state.channels.iter().map(|(id, channel)| Row::new(id, channel)).collect();
    sqlx::query!(
        r#"
        insert into channel select * from jsonb_populate_recordset(null::channel, $1)
        on conflict (id) do update set
            title = excluded.title, language = excluded.language,
            category_id = excluded.category_id, category_name = excluded.category_name,
            content_classification_labels = excluded.content_classification_labels,
            updated_at = excluded.updated_at, updated_by = excluded.updated_by,
            anonymous_bits = excluded.anonymous_bits, anonymous_gifts = excluded.anonymous_gifts
        where channel is distinct from excluded
        "#,
        Json(rows) as _
    )
    .execute(conn)
    .await?;
    Ok(())
}

impl Row {
    fn new(id: &str, channel: &Channel) -> Self {
        let (stamp, info) = channel.info.clone().map(|info| (info.stamp, info.value)).unzip();
        let (updated_at, updated_by) = stamp.map(|stamp: Stamp| (stamp.at, stamp.by)).unzip();
        Self {
            id: id.to_owned(),
            title: info.as_ref().map(|info: &ChannelInfo| info.title.clone()),
            language: info.as_ref().map(|info| info.language.clone()),
            category_id: info.as_ref().map(|info| info.category_id.clone()),
            category_name: info.as_ref().map(|info| info.category_name.clone()),
            content_classification_labels: info.map(|info| info.content_classification_labels),
            updated_at,
            updated_by,
            anonymous_bits: channel.anonymous_bits,
            anonymous_gifts: channel.anonymous_gifts,
        }
    }
}

impl From<Row> for Channel {
    fn from(row: Row) -> Self {
        let info = row.updated_at.zip(row.updated_by).map(|(at, by)| Latest {
            stamp: Stamp { at, by },
            value: ChannelInfo {
                title: row.title.unwrap_or_default(),
                language: row.language.unwrap_or_default(),
                category_id: row.category_id.unwrap_or_default(),
                category_name: row.category_name.unwrap_or_default(),
                content_classification_labels: row.content_classification_labels.unwrap_or_default(),
            },
        });
        Self { info, anonymous_bits: row.anonymous_bits, anonymous_gifts: row.anonymous_gifts }
    }
}
