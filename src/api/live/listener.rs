//! A client of a feed: the frames to send to it, over either transport.

use std::collections::VecDeque;
use std::sync::Arc;

use actix_web::web::Data;
use futures_util::FutureExt as _;

use super::data::Snapshot;
use crate::access::grant::Grant;
use crate::access::session::Session;
use crate::api::Context;
use crate::api::error::Error;
use crate::metrics::Counted;
use crate::outputs::live::control::ControlReceiver;
use crate::outputs::live::entry::Entry;
use crate::outputs::live::feed::Feed;
use crate::outputs::live::filter::FeedFilter;
use crate::outputs::live::frame::Frame;
use crate::outputs::live::reader::{End, Reader, Start};
use crate::store::LogId;
use crate::view::Channel;

/// A client of a feed: a [`Reader`] of its entries, and the frames that they become.
pub(super) struct Listener {
    ctx: Data<Context>,
    /// Ends when its token is revoked.
    session: Arc<Session>,
    reader: Reader,
    feed: Feed,
    /// Frames that come before all others: `resync`, `snapshot`.
    opening: VecDeque<Arc<Frame>>,
    /// What an overlay is told; `None` if the client is no overlay.
    control: Option<ControlReceiver>,
    /// The entry whose frame is being rendered.
    current: Option<Arc<Entry>>,
    _reading: Counted,
}

impl Listener {
    /// Subscribes to the feed. `transport` is its label in the metrics. Boxed, because each future that takes a listener
    /// reserves room for it, more than once.
    pub(super) async fn open(
        ctx: Data<Context>,
        grant: Grant,
        transport: &'static str,
        filter: FeedFilter,
        start: Start,
        is_overlay: bool,
    ) -> Result<Box<Self>, Error> {
        let feed = filter.feed;
        let mut control = is_overlay.then(|| ctx.hub.control.subscribe(&filter));
        let (mut reader, resync) = Reader::open(ctx.hub.clone(), grant.token(), filter, start).await?;
        let mut opening = VecDeque::new();
        if let Some(resync) = resync {
            opening.push_back(Frame::new(Some(reader.cursor()), "resync", &resync));
        }
        if feed == Feed::State {
            let (newest, rows) = ctx.hub.snapshot(reader.channel_ids().as_deref()).await?;
            reader.skip_to(newest);
            let snapshot = Snapshot { channels: rows.into_iter().map(Channel::from).collect() };
            opening.push_back(Frame::new(Some(newest), "snapshot", &snapshot));
        }
        let mut opening: VecDeque<_> = opening.into_iter().map(Arc::new).collect();
        // Before all alerts, so that none is shown that is held back.
        opening.extend(std::iter::from_fn(|| control.as_mut()?.next().now_or_never()));
        let reading = ctx.metrics.reader(feed.name(), transport);
        let session = ctx.access.open_session(&grant);
        Ok(Box::new(Self { ctx, session, reader, feed, opening, control, current: None, _reading: reading }))
    }

    /// The session of its token.
    pub(super) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// The id up to which the log was read: the `Last-Event-ID` to reconnect with.
    pub(super) fn cursor(&self) -> LogId {
        self.reader.cursor()
    }

    /// Takes what an overlay reports. All else that clients send is ignored.
    pub(super) fn receive(&self, text: &str) {
        if let (Some(control), Ok(report)) = (&self.control, serde_json::from_str(text)) {
            control.report(report);
        }
    }

    /// The next frame to send. Cancel-safe: nothing is lost if the future is dropped.
    pub(super) async fn next(&mut self) -> Result<Arc<Frame>, End> {
        if let Some(frame) = self.opening.pop_front() {
            return Ok(frame);
        }
        loop {
            let entry = match &self.current {
                Some(entry) => entry.clone(),
                None => tokio::select! {
                    biased;
                    frame = next(&mut self.control) => return Ok(frame),
                    entry = self.reader.next() => self.current.insert(entry?).clone(),
                },
            };
            let frame = self.feed.frame(&entry, &self.ctx.pool).await?;
            self.current = None;
            if let Some(frame) = frame {
                return Ok(frame);
            }
        }
    }
}

/// What an overlay is told next; never for a client that is none.
async fn next(control: &mut Option<ControlReceiver>) -> Arc<Frame> {
    match control {
        Some(control) => control.next().await,
        None => std::future::pending().await,
    }
}
