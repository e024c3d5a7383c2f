//! Samples of how many viewers the live streams of the served channels have: at the end of each minute, from Helix, into the
//! log. The id of a sample follows from the stream and the minute, so several servers make one.

use std::convert::Infallible;
use std::time::Duration;

use serde_json::json;
use sqlx::PgPool;
use time::OffsetDateTime;

use super::backfill::{BackfillError, with_channel};
use crate::clock::Clock;
use crate::credentials::application::Application;
use crate::incidents::{Incidents, Kind};
use crate::ingest::{Ingest, IngestError};
use crate::message::viewers::STREAM_VIEWERS;
use crate::message::{Inference, Message};
use crate::services::{Services, Tasks};
use crate::store::backfill as store;
use crate::twitch::helix::{Helix, Stream};

const PERIOD: i128 = 60_000_000_000;

/// Starts taking samples, if an application is configured.
pub fn spawn(services: &Services, application: Option<&Application>, tasks: &mut Tasks) {
    let Some(application) = application else { return };
    let sampler = Sampler {
        helix: application.helix.clone(),
        pool: services.pool.clone(),
        ingest: services.ingest.clone(),
        clock: services.clock.clone(),
        incidents: services.incidents.clone(),
    };
    tasks.spawn("samples of viewers", sampler.run());
}

/// Takes the samples.
#[derive(Debug)]
struct Sampler {
    helix: Helix,
    pool: PgPool,
    ingest: Ingest,
    clock: Clock,
    incidents: Incidents,
}

impl Sampler {
    async fn run(self) -> Infallible {
        loop {
            self.clock.sleep(until_next(self.clock.now())).await;
            if let Err(error) = self.sample().await {
                self.incidents.record(Kind::Samples, None, &error);
            }
        }
    }

    async fn sample(&self) -> Result<(), BackfillError> {
        let channels = store::served_live_channels(&self.pool).await?;
        let streams = self.helix.streams(&channels).await?;
        self.incidents.record_items(streams.endpoint(), streams.unreadable());
        let now = self.clock.now();
        for inference in streams.iter().filter_map(|stream| sample(stream, now)) {
            // One after the other: the writer's queue is for Twitch's messages.
            match self.ingest.submit(Message::inferred(&streams, &inference)?).await {
                // One that can't be stored, which the writer has logged, holds up no other.
                Ok(_) | Err(IngestError::Rejected) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// How long it is until the next minute begins.
fn until_next(now: OffsetDateTime) -> Duration {
    let passed = now.unix_timestamp_nanos().rem_euclid(PERIOD);
    Duration::from_nanos(u64::try_from(PERIOD - passed).unwrap_or_default())
}

/// `None` if the answer does not say how many watch the stream.
fn sample(stream: &Stream, now: OffsetDateTime) -> Option<Inference<'_>> {
    let event = json!({ "id": stream.id, "viewers": stream.viewer_count? });
    Some(Inference {
        kind: STREAM_VIEWERS,
        version: "1",
        key: format!("{}:{}", stream.id, now.unix_timestamp_nanos().div_euclid(PERIOD)),
        channel_id: &stream.user_id,
        observed_at: now,
        event: with_channel(&stream.user_id, &stream.user_login, &stream.user_name, event),
    })
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn samples_are_taken_as_minutes_begin() {
        assert_eq!(until_next(datetime!(2026-07-01 12:00:59.75 UTC)), Duration::from_millis(250));
        assert_eq!(until_next(datetime!(2026-07-01 12:01 UTC)), Duration::from_secs(60));
    }
}
