//! Samples of how many viewers the live streams of the served channels have: what an answer of Helix shows goes into the log. The
//! id of a sample follows from the stream and the minute, so there is one for each, however often Helix is asked.

use std::collections::HashSet;

use serde_json::json;
use time::OffsetDateTime;

use super::backfill::{BackfillError, with_channel};
use crate::ingest::{Ingest, IngestError};
use crate::message::viewers::STREAM_VIEWERS;
use crate::message::{Inference, Message};
use crate::twitch::helix::{Answer, Stream};
use crate::twitch::id::ChannelId;

/// Submits a sample of each stream of these channels that the answer shows.
pub(super) async fn submit(
    ingest: &Ingest,
    streams: &Answer<Stream>,
    served: &HashSet<ChannelId>,
    now: OffsetDateTime,
) -> Result<(), BackfillError> {
    let shown = streams.iter().filter(|stream| served.contains(&stream.user_id));
    let samples: Vec<_> = shown.filter_map(|stream| sample(stream, now)).collect();
    for sample in &samples {
        // One after the other: the writer's queue is for Twitch's messages.
        match ingest.submit(Message::inferred(streams, sample)?).await {
            // One that can't be stored, which the writer has logged, holds up no other.
            Ok(_) | Err(IngestError::Rejected) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// `None` if the answer does not say how many watch the stream.
fn sample(stream: &Stream, now: OffsetDateTime) -> Option<Inference<'_>> {
    let event = json!({ "id": stream.id, "viewers": stream.viewer_count? });
    Some(Inference {
        kind: STREAM_VIEWERS,
        version: "1",
        key: format!("{}:{}", stream.id, now.unix_timestamp().div_euclid(60)),
        channel_id: &stream.user_id,
        observed_at: now,
        event: with_channel(&stream.user_id, &stream.user_login, &stream.user_name, event),
    })
}
