//! A reader of a feed, and what it is sent: the same for both transports.

use std::collections::VecDeque;
use std::sync::Arc;

use actix_web::web::Data;

use super::Snapshot;
use crate::access::grant::Grant;
use crate::api::Context;
use crate::api::error::Error;
use crate::metrics::Reading;
use crate::outputs::live::entry::Entry;
use crate::outputs::live::feed::Feed;
use crate::outputs::live::filter::FeedFilter;
use crate::outputs::live::frame::Frame;
use crate::outputs::live::reader::{End, Reader, Start};
use crate::view::Channel;

/// Somebody who is sent a feed.
pub(super) struct Listener {
    ctx: Data<Context>,
    /// The leave to read, which may be taken back.
    grant: Grant,
    reader: Reader,
    feed: Feed,
    /// What comes before anything else.
    opening: VecDeque<Arc<Frame>>,
    /// What is being made ready.
    current: Option<Arc<Entry>>,
    _reading: Reading,
}

impl Listener {
    /// `transport` is what the metrics call it.
    pub(super) async fn open(
        ctx: Data<Context>,
        grant: Grant,
        transport: &'static str,
        filter: FeedFilter,
        start: Start,
    ) -> Result<Self, Error> {
        let (feed, channels) = (filter.feed, filter.channels.clone());
        let (mut reader, resync) = Reader::open(ctx.hub.clone(), filter, start).await?;
        let mut opening = VecDeque::new();
        if let Some(resync) = resync {
            opening.push_back(Frame::new(Some(reader.cursor()), "resync", &resync));
        }
        if feed == Feed::State {
            let (newest, rows) = ctx.hub.snapshot(channels.as_deref()).await?;
            reader.skip_to(newest);
            let snapshot = Snapshot { channels: rows.into_iter().map(Channel::from).collect() };
            opening.push_back(Frame::new(Some(newest), "snapshot", &snapshot));
        }
        let opening = opening.into_iter().map(Arc::new).collect();
        let reading = ctx.metrics.reader(feed.name(), transport);
        Ok(Self { ctx, grant, reader, feed, opening, current: None, _reading: reading })
    }

    /// Whether the token that it came with is still good.
    pub(super) async fn is_welcome(&self) -> bool {
        Box::pin(self.ctx.access.still_holds(&self.grant)).await // as with `channel`
    }

    /// The id to come back with who has seen all so far.
    pub(super) fn cursor(&self) -> i64 {
        self.reader.cursor()
    }

    /// What is to be sent next. Nothing is lost if the caller stops waiting.
    pub(super) async fn next(&mut self) -> Result<Arc<Frame>, End> {
        if let Some(frame) = self.opening.pop_front() {
            return Ok(frame);
        }
        loop {
            let entry = match &self.current {
                Some(entry) => entry.clone(),
                None => self.current.insert(self.reader.next().await?).clone(),
            };
            let frame = self.feed.frame(&entry, &self.ctx.pool).await?;
            self.current = None;
            if let Some(frame) = frame {
                return Ok(frame);
            }
        }
    }
}
