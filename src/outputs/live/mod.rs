//! The live feeds: a tail copies the log into a ring, and each reader follows it at its own pace.

pub mod control;
pub mod entry;
pub mod feed;
pub mod filter;
pub mod frame;
pub mod hub;
pub mod overlays;
mod places;
pub mod reader;
mod ring;
pub mod tail;

use std::sync::Arc;

use self::hub::Hub;
use self::tail::Tail;
use crate::services::{Services, Tasks};

/// Starts the tail of the log, and returns the hub that readers subscribe to.
pub fn spawn(services: &Services, tasks: &mut Tasks) -> Arc<Hub> {
    let hub = Hub::new(services.pool.clone());
    let (database, outages) = (services.database.clone(), services.incidents.outages.clone());
    let tail = Tail::new(hub.clone(), database, services.signals.clone(), outages);
    tasks.spawn("tail of the log", tail.run());
    let control = hub.control.clone().run(services.pool.clone(), services.signals.clone());
    tasks.spawn("control of overlays", control);
    hub
}
