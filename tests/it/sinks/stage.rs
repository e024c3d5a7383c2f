//! A broker, a database for servers whose sink `amqp` publishes there, and a reader of all that comes.

use std::collections::HashSet;
use std::time::Duration;

use lapin::options::BasicAckOptions;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::time::timeout;

use super::rabbit::{Rabbit, Reader, cursor};
use crate::process::{Place, SERVER, Serving};
use crate::support::postgres::{fresh_database, url};
use crate::support::until;

/// Messages that a break may repeat: 512 that were not confirmed, and 1,000 whose place was not saved.
pub(crate) const MAX_REPEATS: usize = 1_512;

/// The queue that gets everything.
const QUEUE: &str = "all";

pub(crate) struct Stage {
    pub(crate) rabbit: Rabbit,
    pub(crate) database: PgConnectOptions,
    pub(crate) pool: PgPool,
    reader: Reader,
    /// The ids in the log of what came, in the order in which it came.
    pub(crate) arrived: Vec<i64>,
    /// The highest of them.
    pub(crate) highest: i64,
    seen: HashSet<i64>,
    /// How many that had come the queue told again, since the reader's acknowledgement did not reach it.
    pub(crate) redelivered: usize,
}

impl Stage {
    /// Starts a broker whose queue gets everything; `None` if it is not installed, and the test is skipped.
    pub(crate) async fn set() -> Option<Self> {
        let rabbit = Rabbit::start().await?;
        rabbit.declare_exchange("showtime").await;
        let reader = Reader::open(&rabbit, QUEUE, Some(("showtime", "#"))).await;
        let database = fresh_database().await;
        let pool = PgPoolOptions::new().max_connections(2).connect_lazy_with(database.clone());
        Some(Self {
            rabbit,
            database,
            pool,
            reader,
            arrived: Vec::new(),
            highest: 0,
            seen: HashSet::new(),
            redelivered: 0,
        })
    }

    /// Starts a server, and returns when the sink has its place in the log.
    pub(crate) async fn serve<'a>(&self, place: &'a Place) -> Serving<'a> {
        self.serve_program(SERVER, place).await
    }

    /// Starts this build of the server, and returns when the sink has its place in the log.
    pub(crate) async fn serve_program<'a>(&self, program: &str, place: &'a Place) -> Serving<'a> {
        let (database, broker) = (url(&self.database, "none"), self.rabbit.url());
        let settings = [("DATABASE_URL", database.as_str()), ("SHOWTIME_AMQP_URL", broker.as_str())];
        let serving = place.serve_program(program, &settings).await;
        self.until_added().await;
        serving
    }

    /// Waits until the sink has its place in the log.
    pub(crate) async fn until_added(&self) {
        let is_added =
            async || sqlx::query_scalar("select exists(select from sink)").fetch_one(&self.pool).await.unwrap_or(false);
        until("the sink is there", is_added).await;
    }

    /// Waits until the sink has this state.
    pub(crate) async fn until_state(&self, state: &str) {
        let has_state = async || {
            let read = sqlx::query_scalar::<_, String>("select state from sink").fetch_one(&self.pool).await;
            read.is_ok_and(|is| is == state)
        };
        until(state, has_state).await;
    }

    /// Reads one message. Cancel safe: what is acknowledged was recorded before.
    async fn read_one(&mut self) {
        let delivery = self.reader.receive().await;
        let id = cursor(&delivery);
        self.arrived.push(id);
        self.highest = self.highest.max(id);
        self.redelivered += usize::from(!self.seen.insert(id) && delivery.redelivered);
        delivery.acker.ack(BasicAckOptions::default()).await.unwrap();
    }

    /// Reads until so many messages more have come, counting repeats.
    pub(crate) async fn read(&mut self, count: usize) {
        for _ in 0..count {
            self.read_one().await;
        }
    }

    /// Reads until the event with this id has come.
    pub(crate) async fn read_to(&mut self, last: i64) {
        while self.highest < last {
            self.read_one().await;
        }
    }

    /// Reads for so long.
    pub(crate) async fn read_for(&mut self, time: Duration) {
        let reading = async {
            loop {
                self.read_one().await;
            }
        };
        let _ = timeout(time, reading).await;
    }

    /// Reads from a broker that was away.
    pub(crate) async fn read_again(&mut self) {
        self.reader = Reader::open(&self.rabbit, QUEUE, None).await;
    }

    /// Checks that the whole log came in its order, without the repeats of what came before, and how many these are.
    pub(crate) async fn assert_complete(&self, breaks: usize) {
        let log: Vec<i64> = sqlx::query_scalar("select id from event order by id").fetch_all(&self.pool).await.unwrap();
        let mut seen = HashSet::new();
        let first: Vec<_> = self.arrived.iter().copied().filter(|id| seen.insert(*id)).collect();
        if let Some(place) = (0..log.len().max(first.len())).find(|place| first.get(*place) != log.get(*place)) {
            panic!("{:?} came where {:?} is in the log", first.get(place), log.get(place));
        }
        let repeats = self.arrived.len() - log.len() - self.redelivered;
        assert!(repeats <= breaks * MAX_REPEATS, "{repeats} repeats after {breaks} breaks");
    }
}
