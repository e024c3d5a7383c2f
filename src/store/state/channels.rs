//! Table `channel`.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::projection::{Channel, ChannelInfo, Stamp};

/// A row. The columns from `title` to `updated_by` are null until there is a `channel.update`.
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

/// Merges these channels into the table: the newest `channel.update` wins, amounts are added.
pub(super) async fn merge(conn: &mut PgConnection, channels: &BTreeMap<String, Channel>) -> sqlx::Result<()> {
    if channels.is_empty() {
        return Ok(());
    }
    let rows: Vec<Row> = channels.iter().map(|(id, channel)| Row::new(id, channel)).collect();
    sqlx::query!(
        r#"
        insert into channel as stored select * from jsonb_populate_recordset(null::channel, $1)
        on conflict (id) do update set
            (title, language, category_id, category_name, content_classification_labels, updated_at, updated_by) = (
                select newest.* from (values
                    (stored.title, stored.language, stored.category_id, stored.category_name,
                        stored.content_classification_labels, stored.updated_at, stored.updated_by),
                    (excluded.title, excluded.language, excluded.category_id, excluded.category_name,
                        excluded.content_classification_labels, excluded.updated_at, excluded.updated_by)
                ) as newest (title, language, category_id, category_name, labels, at, by)
                order by newest.at desc nulls last, newest.by desc
                limit 1
            ),
            anonymous_bits = stored.anonymous_bits + excluded.anonymous_bits,
            anonymous_gifts = stored.anonymous_gifts + excluded.anonymous_gifts
        -- Most messages only name the channel, and change nothing here.
        where excluded.updated_at is not null or excluded.anonymous_bits > 0 or excluded.anonymous_gifts > 0
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
