//! What no server should be hurt by, beside the genuine traffic: forged messages as fast as they are
//! refused, and connections that take for ever.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Plan;
use super::connection::{Connection, Failure, connect};
use super::report::{self, Tally};
use super::request::{RequestError, Requests, Sending};
use crate::clock::Clock;
use crate::twitch::signature::WebhookSecret;

/// Between two bytes of a slow connection.
const DRIP: Duration = Duration::from_secs(1);

/// How long a slow connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections that send forged messages.
pub(super) struct Flood {
    began: Instant,
    tasks: JoinSet<Tally>,
}

/// Connections that send a byte a second.
pub(super) struct Slow {
    connections: usize,
    /// When each was cut off, if it was.
    tasks: JoinSet<Option<Duration>>,
}

/// Sends messages that somebody else has signed. Each connection has one, and sends it again and
/// again: it costs the server as much as a new one, and the generator less.
pub(super) fn flood(plan: &Plan, clock: &Clock, stop: &CancellationToken) -> Result<Flood, RequestError> {
    let mut tasks = JoinSet::new();
    if plan.flood > 0 {
        let forger = Requests::new(plan.traffic, &plan.callback, &WebhookSecret::generate())?;
        for number in 0..plan.flood as u64 {
            let mut request = Vec::new();
            forger.write(number, Sending { at: clock.now(), retry: 0 }, &mut request);
            tasks.spawn(send_forged(Connection::to(plan.target), request, stop.clone()));
        }
    }
    Ok(Flood { began: Instant::now(), tasks })
}

async fn send_forged(mut connection: Connection, request: Vec<u8>, stop: CancellationToken) -> Tally {
    let mut tally = Tally::default();
    while !stop.is_cancelled() {
        let began = Instant::now();
        let answer = connection.exchange(&request).await;
        tally.count(answer, began.elapsed());
        if answer == Err(Failure::Refused) {
            sleep(Duration::from_millis(50)).await;
        }
    }
    tally
}

impl Flood {
    /// Waits for the last answers; there must have been a stop.
    pub(super) async fn joined(mut self) -> Result<Option<report::Flood>, JoinError> {
        if self.tasks.is_empty() {
            return Ok(None);
        }
        let mut all = Tally::default();
        while let Some(tally) = self.tasks.join_next().await {
            all.add(&tally?);
        }
        let per_second = all.sent as f64 / self.began.elapsed().as_secs_f64();
        Ok(Some(report::Flood { sent: all.sent, statuses: all.statuses, errors: all.errors, per_second }))
    }
}

/// Opens connections that send a genuine request, but one byte a second.
pub(super) fn slow(plan: &Plan, requests: &Requests, clock: &Clock, stop: &CancellationToken) -> Slow {
    let mut tasks = JoinSet::new();
    for _ in 0..plan.slow {
        let mut request = Vec::new();
        requests.write(0, Sending { at: clock.now(), retry: 0 }, &mut request);
        let (target, stop) = (plan.target, stop.clone());
        tasks.spawn(async move {
            let mut stream = timeout(CONNECT_TIMEOUT, connect(target)).await.ok()?.ok()?;
            let began = Instant::now();
            let mut answer = [0; 1_024];
            for byte in request {
                tokio::select! {
                    () = stop.cancelled() => return None,
                    // Whether an answer comes first or nothing: the server has lost patience.
                    _ = stream.read(&mut answer) => return Some(began.elapsed()),
                    () = sleep(DRIP) => {}
                }
                if stream.write_all(&[byte]).await.is_err() {
                    return Some(began.elapsed());
                }
            }
            None
        });
    }
    Slow { connections: plan.slow, tasks }
}

impl Slow {
    /// Ends what is left; there must have been a stop.
    pub(super) async fn joined(mut self) -> Result<Option<report::Slow>, JoinError> {
        if self.tasks.is_empty() {
            return Ok(None);
        }
        let mut slow = report::Slow { connections: self.connections as u64, ..report::Slow::default() };
        while let Some(cut) = self.tasks.join_next().await {
            let Some(after) = cut?.map(|after| after.as_secs_f64()) else { continue };
            slow.cut_off += 1;
            slow.first_cut_after_seconds = Some(slow.first_cut_after_seconds.map_or(after, |first| first.min(after)));
        }
        Ok(Some(slow))
    }
}
