//! `/counters`.

use actix_web::get;
use actix_web::web::{Data, Json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Context;
use super::error::Error;
use super::page::Page;
use super::query::{Limit, Name, Query};
use super::responses::{BadRequest, NotFound, ServerErrors};
use crate::store::Order;
use crate::store::rules::outcomes;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListCounters {
    /// Only counters of this channel: its id or login.
    #[param(value_type = String, required = false, pattern = "^[!-~]{1,256}$")]
    channel: Option<Name>,
    /// The order of the ids and names.
    #[serde(default)]
    #[param(inline, required = false)]
    order: Order,
    /// Start after this: the `next` of the previous page.
    #[param(value_type = String, required = false, pattern = "^[!-~]{1,256}$")]
    after: Option<Name>,
    /// Maximum number of items.
    #[serde(default)]
    #[param(value_type = u8, required = false, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
}

/// What rules count on a channel.
#[derive(Debug, Serialize, ToSchema)]
struct Counter {
    /// The channel.
    channel_id: String,
    /// Its name.
    name: String,
    /// How often.
    value: i64,
}

impl From<outcomes::Counter> for Counter {
    fn from(row: outcomes::Counter) -> Self {
        Self { channel_id: row.channel_id, name: row.name, value: row.value }
    }
}

impl Counter {
    fn example() -> Self {
        Self { channel_id: "141981764".into(), name: "deaths".into(), value: 42 }
    }
}

/// List counters
///
/// What rules count, by channel and name.
#[utoipa::path(
    tag = "rules",
    params(ListCounters),
    responses(
        (status = OK, description = "A page of counters", body = Page<Counter>,
            example = json!(Page::example(Counter::example(), "141981764/deaths"))),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[get("/counters")]
pub(super) async fn list_counters(
    ctx: Data<Context>,
    query: Query<ListCounters>,
) -> Result<Json<Page<Counter>>, Error> {
    let Query(ListCounters { channel, order, after, limit }) = query;
    let channel = match channel {
        Some(name) => Some(ctx.served_channel(&name).await?.id),
        None => None,
    };
    let after = after.as_ref().map(Name::as_str).map(|after| after.split_once('/').unwrap_or((after, "")));
    let channel = channel.as_ref().map(|channel| channel.as_str());
    let rows = ctx.query(async |db| outcomes::counters(db, channel, order, after, limit.rows()).await).await?;
    Ok(Json(Page::new(rows, limit, |row| format!("{}/{}", row.channel_id, row.name), Counter::from)))
}
