//! Attacks during the load: forged messages as fast as they are refused, and connections that send very slowly.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Plan;
use super::connection::{Connection, Failure, connect};
use super::report::{FloodReport, SlowReport};
use super::request::{Requests, Sending};
use super::run::Run;
use super::tally::Tally;
use super::template::RequestError;
use super::traffic::Traffic;
use crate::clock::Clock;
use crate::twitch::signature::WebhookSecret;

/// Time between two bytes of a slow connection.
const BYTE_INTERVAL: Duration = Duration::from_secs(1);

/// Time limit for opening a slow connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections that send forged messages.
pub(super) struct Flood {
    began: Instant,
    tasks: JoinSet<Tally>,
}

/// Connections that send a byte per second.
pub(super) struct SlowConnections {
    tasks: JoinSet<SlowReport>,
}

/// Starts connections that send messages signed with another secret and with ids of another run. Each sends the same message
/// again and again, which costs the server as much as new ones, and the generator less.
pub(super) fn start_flood(plan: &Plan, clock: &Clock, stop: &CancellationToken) -> Result<Flood, RequestError> {
    let mut tasks = JoinSet::new();
    if plan.flood > 0 {
        let forger =
            Requests::new(Traffic { run: Run::new(), ..plan.traffic }, &plan.callback, &WebhookSecret::generate())?;
        for number in 0..plan.flood as u64 {
            let mut request = Vec::new();
            forger.write(number, Sending { at: clock.now(), retry: 0 }, &mut request);
            tasks.spawn(send_forged(Connection::new(plan.target), request, stop.clone()));
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
    /// Waits for the last answers after the stop token was cancelled. `None` if there was no flood.
    pub(super) async fn join(mut self) -> Result<Option<FloodReport>, JoinError> {
        if self.tasks.is_empty() {
            return Ok(None);
        }
        let mut all = Tally::default();
        while let Some(tally) = self.tasks.join_next().await {
            all.add(&tally?);
        }
        let per_second = all.sent as f64 / self.began.elapsed().as_secs_f64();
        Ok(Some(FloodReport { sent: all.sent, statuses: all.statuses, errors: all.errors, per_second }))
    }
}

/// Starts connections that send a genuine request at one byte per second. One that is cut off is opened again when its next
/// byte would have been due. They are spread over the second, so that not all of them connect or send at the same moment.
pub(super) fn start_slow(plan: &Plan, requests: &Requests, clock: &Clock, stop: &CancellationToken) -> SlowConnections {
    let mut tasks = JoinSet::new();
    for number in 0..plan.slow {
        let mut beat =
            interval_at(Instant::now() + BYTE_INTERVAL.mul_f64(number as f64 / plan.slow as f64), BYTE_INTERVAL);
        beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut request = Vec::new();
        requests.write(0, Sending { at: clock.now(), retry: 0 }, &mut request);
        let (target, stop) = (plan.target, stop.clone());
        tasks.spawn(async move {
            let mut slow = SlowReport::default();
            let _ = stop.run_until_cancelled(keep_sending(target, &request, beat, &mut slow)).await;
            slow
        });
    }
    SlowConnections { tasks }
}

async fn keep_sending(target: SocketAddr, request: &[u8], mut beat: Interval, slow: &mut SlowReport) {
    loop {
        beat.tick().await;
        let Ok(Ok(stream)) = timeout(CONNECT_TIMEOUT, connect(target)).await else {
            slow.failed += 1;
            continue;
        };
        slow.connections += 1;
        let began = Instant::now();
        send_slowly(stream, request, &mut beat).await;
        slow.add_cut(began.elapsed());
    }
}

/// Returns when the server answers or closes the connection.
async fn send_slowly(mut stream: TcpStream, request: &[u8], beat: &mut Interval) {
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

impl SlowConnections {
    /// Collects the reports after the stop token was cancelled. `None` if there were no slow connections.
    pub(super) async fn join(mut self) -> Result<Option<SlowReport>, JoinError> {
        if self.tasks.is_empty() {
            return Ok(None);
        }
        let mut all = SlowReport::default();
        while let Some(slow) = self.tasks.join_next().await {
            all.add(&slow?);
        }
        Ok(Some(all))
    }
}
