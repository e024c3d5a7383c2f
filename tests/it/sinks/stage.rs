//! A broker, a database for servers whose sink `amqp` publishes there, and a reader of all that comes.

use std::collections::HashSet;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::rabbit::{Rabbit, Reader, cursor};
use crate::process::{Place, Serving};
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
}

impl Stage {
    /// Starts a broker whose queue gets everything; `None` if it is not installed, and the test is skipped.
    pub(crate) async fn set() -> Option<Self> {
        let rabbit = Rabbit::start().await?;
        rabbit.declare_exchange("showtime").await;
        let reader = Reader::open(&rabbit, QUEUE, Some(("showtime", "#"))).await;
        let database = fresh_database().await;
        let pool = PgPoolOptions::new().max_connections(2).connect_lazy_with(database.clone());
        Some(Self { rabbit, database, pool, reader, arrived: Vec::new() })
    }

    /// Starts a server, and returns when the sink has its place in the log.
    pub(crate) async fn serve<'a>(&self, place: &'a Place) -> Serving<'a> {
        let (database, broker) = (url(&self.database, "none"), self.rabbit.url());
        let serving = place.serve(&[("DATABASE_URL", database.as_str()), ("SHOWTIME_AMQP_URL", broker.as_str())]).await;
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

    /// Reads until so many messages have come, counting repeats.
    pub(crate) async fn read(&mut self, count: usize) {
        while self.arrived.len() < count {
            self.arrived.push(cursor(&self.reader.next().await));
        }
    }

    /// Reads until the event with this id has come.
    pub(crate) async fn read_to(&mut self, last: i64) {
        while self.arrived.last() != Some(&last) {
            self.arrived.push(cursor(&self.reader.next().await));
        }
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
        assert_eq!(first, log);
        let repeats = self.arrived.len() - log.len();
        assert!(repeats <= breaks * MAX_REPEATS, "{repeats} repeats after {breaks} breaks");
    }
}
