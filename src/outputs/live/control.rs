//! What overlays do with alerts, and that their settings have changed: read from the database when it changes, and passed on
//! to the overlays.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::time::sleep;
use utoipa::ToSchema;

use super::feed::Feed;
use super::filter::FeedFilter;
use super::frame::Frame;
use super::overlays::{ConnectedOverlays, OverlayPlace, OverlayReport, Overlays};
use crate::store::overlays::{AlertControl, SettingsVersion, alert_controls, settings_versions};
use crate::store::query;
use crate::store::signals::Signals;

/// Time without a notification after which the database is asked all the same.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// What the database has.
type State = (Vec<AlertControl>, Vec<SettingsVersion>);

/// The data of `control`: what an overlay does with alerts.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertControls {
    /// By channel; the first is for all channels that are not listed.
    pub controls: Vec<AlertControl>,
}

/// The data of `settings`: when the saved settings of overlays were changed. An overlay reads its own again if it has others.
#[derive(Debug, Serialize, ToSchema)]
pub struct OverlayVersions {
    /// By name.
    pub settings: Vec<SettingsVersion>,
}

/// The present `control` and `settings`; `None` until the database was read.
#[derive(Clone, Debug, Default)]
struct Present {
    control: Option<Arc<Frame>>,
    settings: Option<Arc<Frame>>,
}

/// What all overlays are told.
#[derive(Debug, Default)]
pub struct Control {
    present: watch::Sender<Present>,
    overlays: Overlays,
}

/// Receives it for one overlay.
#[derive(Debug)]
pub struct ControlReceiver {
    present: watch::Receiver<Present>,
    /// What the overlay was told last.
    told: Present,
    /// Whether it shows alerts. Others get no `control`.
    has_alerts: bool,
    place: OverlayPlace,
}

impl Control {
    /// A receiver for an overlay with this filter, which is counted until it is dropped.
    #[must_use]
    pub fn subscribe(&self, filter: &FeedFilter) -> ControlReceiver {
        ControlReceiver {
            present: self.present.subscribe(),
            told: Present::default(),
            has_alerts: filter.feed == Feed::Alerts,
            place: self.overlays.add(filter),
        }
    }

    /// The overlays that are connected to this server.
    #[must_use]
    pub fn overlays(&self) -> ConnectedOverlays {
        self.overlays.summary()
    }

    /// Passes on what has changed.
    fn tell(&self, before: Option<&State>, (controls, settings): &State) {
        self.present.send_modify(|present| {
            if before.is_none_or(|before| before.0 != *controls) {
                let data = AlertControls { controls: controls.clone() };
                present.control = Some(Arc::new(Frame::new(None, "control", &data)));
            }
            if before.is_none_or(|before| before.1 != *settings) {
                let data = OverlayVersions { settings: settings.clone() };
                present.settings = Some(Arc::new(Frame::new(None, "settings", &data)));
            }
        });
    }

    /// Keeps it up to date, through every outage of the database.
    pub(super) async fn run(self: Arc<Self>, pool: PgPool, signals: Signals) -> Infallible {
        let (mut changed, mut known) = (signals.overlays(), None::<State>);
        loop {
            let read =
                query(&pool, async |db| Ok((alert_controls(&mut *db).await?, settings_versions(&mut *db).await?)));
            match read.await {
                Ok(now) if known.as_ref() != Some(&now) => {
                    self.tell(known.as_ref(), &now);
                    known = Some(now);
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "the control of overlays can't be read; trying again"),
            }
            tokio::select! {
                () = changed.notified() => {}
                () = sleep(POLL_INTERVAL) => {}
            }
        }
    }
}

impl ControlReceiver {
    /// Returns the present `control` and `settings`, and then each that differs from the one before. Cancel safe.
    pub async fn next(&mut self) -> Arc<Frame> {
        loop {
            if let Some(frame) = self.untold() {
                return frame;
            }
            if self.present.changed().await.is_err() {
                // The server stops; the feed ends by itself.
                std::future::pending().await
            }
        }
    }

    /// Keeps what the overlay reports.
    pub fn report(&self, report: OverlayReport) {
        self.place.report(report);
    }

    /// What the overlay has not been told yet.
    fn untold(&mut self) -> Option<Arc<Frame>> {
        let Present { control, settings } = self.present.borrow_and_update().clone();
        let control = take_news(&mut self.told.control, control.filter(|_| self.has_alerts));
        control.or_else(|| take_news(&mut self.told.settings, settings))
    }
}

/// The present frame, if it is another one than was told last; it is told now.
fn take_news(told: &mut Option<Arc<Frame>>, present: Option<Arc<Frame>>) -> Option<Arc<Frame>> {
    let present = present?;
    let is_known = told.as_ref().is_some_and(|told| Arc::ptr_eq(told, &present));
    if is_known { None } else { Some(told.insert(present).clone()) }
}
