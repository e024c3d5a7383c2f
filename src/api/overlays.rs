//! `/overlays`: what is done with alerts; in [`settings`] how overlays look, in [`missing`] what they do not get.

mod fields;
pub(super) mod missing;
pub(super) mod settings;
mod small;

use std::collections::BTreeSet;

use actix_web::web::{Data, Json, Path};
use actix_web::{get, post};
use serde::{Deserialize, Serialize};
use time::macros::datetime;
use utoipa::{IntoParams, ToSchema};

use super::Context;
use super::error::Error;
use super::query::{Name, Nothing, Query};
use super::responses::{BadRequest, NotFound, ServerErrors};
use crate::outputs::live::control::AlertControls;
use crate::outputs::live::overlays::ConnectedOverlays;
use crate::store::LogId;
use crate::store::overlays::{self, AlertAction, AlertControl};

/// How alerts are shown. Each server of a database has overlays of its own.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AlertState {
    /// The number of overlays that follow the alerts of this server now.
    overlays: usize,
    /// The number of overlays that follow its chat.
    chats: usize,
    /// The types of alerts that these overlays show.
    types: BTreeSet<String>,
    /// How many alerts wait for their turn, in the overlay in which most do.
    waiting: u32,
    #[serde(flatten)]
    pub(super) controls: AlertControls,
}

impl AlertState {
    pub(super) fn example() -> Self {
        let all = AlertControl {
            channel_id: None,
            paused_at: Some(datetime!(2026-07-01 18:20:00 UTC)),
            is_muted: false,
            skips: 3,
            cleared_to: LogId(1041),
        };
        let overlays =
            ConnectedOverlays { alerts: 1, chats: 1, types: ["follow", "raid"].map(str::to_owned).into(), waiting: 2 };
        Self::new(overlays, vec![all])
    }

    fn new(
        ConnectedOverlays { alerts, chats, types, waiting }: ConnectedOverlays,
        controls: Vec<AlertControl>,
    ) -> Self {
        Self { overlays: alerts, chats, types, waiting, controls: AlertControls { controls } }
    }
}

impl Context {
    async fn alert_state(&self) -> Result<Json<AlertState>, Error> {
        let controls = self.query(async |db| overlays::alert_controls(db).await).await?;
        Ok(Json(AlertState::new(self.hub.control.overlays(), controls)))
    }
}

/// Get the state of alerts
///
/// Whether they are paused or muted, how many wait, and which overlays are connected.
#[utoipa::path(
    tag = "overlays",
    responses(
        (status = OK, description = "The state", body = AlertState, example = json!(AlertState::example())),
        BadRequest,
        ServerErrors,
    ),
)]
#[get("/overlays/alerts")]
pub(super) async fn get_alert_state(ctx: Data<Context>, _query: Query<Nothing>) -> Result<Json<AlertState>, Error> {
    ctx.alert_state().await
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct AlertActionPath {
    /// What is to be done: `pause` holds alerts back, `resume` shows them again, `skip` ends the present one, `mute` and
    /// `unmute` are about their sounds, `clear` drops those that wait.
    #[param(inline)]
    action: AlertAction,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ControlledChannel {
    /// Only the alerts of this channel: its id or login. Without it, those of all channels.
    #[param(value_type = String, required = false, pattern = "^[!-~]{1,256}$", example = "twitchdev")]
    channel: Option<Name>,
}

/// Control alerts
///
/// It takes effect on every alert overlay at once, on every server; an overlay that is opened later gets the state. A pause lasts
/// until `resume`, also over restarts; the alerts that it holds back do not expire. No body is needed, so a key of a Stream Deck
/// can send it.
#[utoipa::path(
    tag = "overlays",
    params(AlertActionPath, ControlledChannel),
    responses(
        (status = OK, description = "The state now", body = AlertState, example = json!(AlertState::example())),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[post("/overlays/alerts/{action}")]
pub(super) async fn control_alerts(
    ctx: Data<Context>,
    path: Path<AlertActionPath>,
    query: Query<ControlledChannel>,
) -> Result<Json<AlertState>, Error> {
    let channel = match &query.0.channel {
        Some(name) => Some(ctx.channel(name).await?),
        None => None,
    };
    let now = ctx.clock.now();
    ctx.query(async |db| overlays::control_alerts(db, channel.as_ref(), path.action, now).await).await?;
    ctx.alert_state().await
}
