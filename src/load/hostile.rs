//! What no server should be hurt by, beside the genuine traffic: forged messages as fast as they are
//! refused, and connections that take for ever.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Plan;
use super::connection::{Connection, Failure, connect};
use super::report::{self, Tally};
use super::request::{RequestError, Requests, Sending};
use super::traffic::{Run, Traffic};
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
    tasks: JoinSet<report::Slow>,
}

/// Sends messages that somebody else has signed, with ids of their own: one that is stored is in no
/// ledger. Each connection has one, and sends it again and again: it costs the server as much as a
/// new one, and the generator less.
pub(super) fn flood(plan: &Plan, clock: &Clock, stop: &CancellationToken) -> Result<Flood, RequestError> {
    let mut tasks = JoinSet::new();
    if plan.flood > 0 {
        let forger =
            Requests::new(Traffic { run: Run::new(), ..plan.traffic }, &plan.callback, &WebhookSecret::generate())?;
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

/// Keeps connections open that send a genuine request, but one byte a second: one that is cut off is
/// made again when its next byte would have been due. Each has its own place in that second, so that
/// their number is measured, and not that all are made, or sent a byte, at the same moment.
pub(super) fn slow(plan: &Plan, requests: &Requests, clock: &Clock, stop: &CancellationToken) -> Slow {
    let mut tasks = JoinSet::new();
    for number in 0..plan.slow {
        let mut beat = interval_at(Instant::now() + DRIP.mul_f64(number as f64 / plan.slow as f64), DRIP);
        beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut request = Vec::new();
        requests.write(0, Sending { at: clock.now(), retry: 0 }, &mut request);
        let (target, stop) = (plan.target, stop.clone());
        tasks.spawn(async move {
            let mut slow = report::Slow::default();
            // Dropped at the end, whatever it waits for.
            let _ = stop.run_until_cancelled(keep_dripping(target, &request, beat, &mut slow)).await;
            slow
        });
    }
    Slow { tasks }
}

async fn keep_dripping(target: SocketAddr, request: &[u8], mut beat: Interval, slow: &mut report::Slow) {
    loop {
        beat.tick().await;
        let Ok(Ok(stream)) = timeout(CONNECT_TIMEOUT, connect(target)).await else {
            slow.failed += 1;
            continue;
        };
        slow.connections += 1;
        let began = Instant::now();
        drip(stream, request, &mut beat).await;
        slow.add_cut(began.elapsed());
    }
}

/// Returns when the server has lost patience: with an answer, or with nothing.
async fn drip(mut stream: TcpStream, request: &[u8], beat: &mut Interval) {
    let mut answer = [0; 1_024];
    for byte in request {
        tokio::select! {
            _ = stream.read(&mut answer) => return,
            _ = beat.tick() => {}
        }
        if stream.write_all(&[*byte]).await.is_err() {
            return;
        }
    }
}

impl Slow {
    /// Ends what is left; there must have been a stop.
    pub(super) async fn joined(mut self) -> Result<Option<report::Slow>, JoinError> {
        if self.tasks.is_empty() {
            return Ok(None);
        }
        let mut all = report::Slow::default();
        while let Some(slow) = self.tasks.join_next().await {
            all.add(&slow?);
        }
        Ok(Some(all))
    }
}
