//! What overlays do with alerts: read from the database when it changes, and passed on to the overlays.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::time::sleep;
use utoipa::ToSchema;

use super::frame::Frame;
use crate::store::overlays::{AlertControl, alert_controls};
use crate::store::signals::Signals;
use crate::store::within;

/// Time without a notification after which the database is asked all the same.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// How long the database may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The data of `control`: what an overlay does with alerts.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertControls {
    /// By channel; the first is for all channels that are not listed.
    pub controls: Vec<AlertControl>,
}

/// The present `control`, for all overlays. `None` until the database was read.
#[derive(Debug, Default)]
pub struct Control(watch::Sender<Option<Arc<Frame>>>);

/// Receives `control` for one overlay.
#[derive(Debug)]
pub struct ControlReceiver(watch::Receiver<Option<Arc<Frame>>>);

impl Control {
    /// A receiver, which counts as an overlay until it is dropped.
    #[must_use]
    pub fn subscribe(&self) -> ControlReceiver {
        let mut receiver = self.0.subscribe();
        receiver.mark_changed();
        ControlReceiver(receiver)
    }

    /// The number of overlays that are connected to this server.
    #[must_use]
    pub fn overlays(&self) -> usize {
        self.0.receiver_count()
    }

    /// Keeps it up to date, through every outage of the database.
    pub(super) async fn run(self: Arc<Self>, pool: PgPool, signals: Signals) -> Infallible {
        let (mut changed, mut known) = (signals.overlays(), None);
        loop {
            let read = async { alert_controls(&mut *pool.acquire().await?).await };
            match within(ANSWER_TIMEOUT, read).await {
                Ok(controls) if known.as_ref() != Some(&controls) => {
                    known = Some(controls.clone());
                    let frame = Frame::new(None, "control", &AlertControls { controls });
                    self.0.send_replace(Some(Arc::new(frame)));
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
    /// Returns the present `control`, and then each that differs from the one before. Cancel safe.
    pub async fn next(&mut self) -> Arc<Frame> {
        loop {
            if self.0.changed().await.is_err() {
                // The server stops; the feed ends by itself.
                std::future::pending().await
            }
            if let Some(frame) = self.0.borrow_and_update().clone() {
                return frame;
            }
        }
    }
}
