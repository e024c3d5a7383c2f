//! The overlays that are connected to this server, and what they report.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;

use super::feed::Feed;
use super::filter::FeedFilter;
use crate::view::Alert;

/// What an overlay sends over its WebSocket.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct OverlayReport {
    /// How many alerts wait in it for their turn.
    waiting: u32,
}

/// A summary of the overlays that are connected.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ConnectedOverlays {
    /// How many follow the alerts.
    pub alerts: usize,
    /// How many follow the chat.
    pub chats: usize,
    /// The types of alerts that they show.
    pub types: BTreeSet<String>,
    /// How many alerts wait where most do.
    pub waiting: u32,
}

#[derive(Debug)]
struct Overlay {
    feed: Feed,
    /// The types of alerts that it shows; `None` for all.
    types: Option<Vec<String>>,
    waiting: u32,
}

#[derive(Debug, Default)]
struct Connected {
    last_id: u64,
    overlays: HashMap<u64, Overlay>,
}

/// The overlays that are connected. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Overlays(Arc<Mutex<Connected>>);

impl Overlays {
    /// Counts an overlay with this filter until its place is dropped.
    pub(super) fn add(&self, filter: &FeedFilter) -> OverlayPlace {
        let mut connected = self.lock();
        connected.last_id += 1;
        let id = connected.last_id;
        let overlay = Overlay { feed: filter.feed, types: filter.types().map(<[String]>::to_vec), waiting: 0 };
        connected.overlays.insert(id, overlay);
        OverlayPlace { id, overlays: self.clone() }
    }

    /// What is connected now.
    pub(super) fn summary(&self) -> ConnectedOverlays {
        let connected = self.lock();
        let of = |feed: Feed| connected.overlays.values().filter(move |overlay| overlay.feed == feed);
        let types: BTreeSet<&str> = of(Feed::Alerts)
            .flat_map(|overlay| match &overlay.types {
                Some(types) => types.iter().map(String::as_str).collect::<Vec<_>>(),
                None => Alert::kinds().to_vec(),
            })
            .collect();
        ConnectedOverlays {
            alerts: of(Feed::Alerts).count(),
            chats: of(Feed::Chat).count(),
            types: types.into_iter().map(str::to_owned).collect(),
            waiting: of(Feed::Alerts).map(|overlay| overlay.waiting).max().unwrap_or_default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Connected> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of an overlay that is connected.
#[derive(Debug)]
pub(super) struct OverlayPlace {
    id: u64,
    overlays: Overlays,
}

impl OverlayPlace {
    /// Keeps what the overlay reports.
    pub(super) fn report(&self, OverlayReport { waiting }: OverlayReport) {
        if let Some(overlay) = self.overlays.lock().overlays.get_mut(&self.id) {
            overlay.waiting = waiting;
        }
    }
}

impl Drop for OverlayPlace {
    fn drop(&mut self) {
        self.overlays.lock().overlays.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alerts(types: Option<&[&str]>) -> FeedFilter {
        FeedFilter::new(Feed::Alerts, None, types.map(|types| types.iter().map(|it| (*it).to_owned()).collect()))
    }

    #[test]
    fn overlays_are_counted_with_their_types_and_the_longest_queue_until_they_go() {
        let overlays = Overlays::default();
        assert_eq!(overlays.summary(), ConnectedOverlays::default());
        let follows = overlays.add(&alerts(Some(&["follow", "raid"])));
        let raids = overlays.add(&alerts(Some(&["raid"])));
        let chat = overlays.add(&FeedFilter::new(Feed::Chat, None, None));
        follows.report(OverlayReport { waiting: 3 });
        raids.report(OverlayReport { waiting: 2 });
        chat.report(OverlayReport { waiting: 9 });
        let expected = ConnectedOverlays {
            alerts: 2,
            chats: 1,
            types: ["follow".to_owned(), "raid".to_owned()].into(),
            waiting: 3,
        };
        assert_eq!(overlays.summary(), expected);
        drop((follows, chat));
        let expected = ConnectedOverlays { alerts: 1, chats: 0, types: ["raid".to_owned()].into(), waiting: 2 };
        assert_eq!(overlays.summary(), expected);
        let all = overlays.add(&alerts(None));
        assert_eq!(overlays.summary().types.len(), Alert::kinds().len());
        drop((raids, all));
        assert_eq!(overlays.summary(), ConnectedOverlays::default());
    }
}
