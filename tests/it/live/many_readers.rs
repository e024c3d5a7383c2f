//! Many readers at once.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::PATIENCE;
use crate::support::feeds::request;
use crate::support::messages::{at, follow};
use crate::support::server::Server;

const READERS: usize = 1_000;
const EVENTS: usize = 50;

/// A reader with little more than a socket.
struct Raw {
    stream: TcpStream,
    text: Vec<u8>,
    ids: Vec<i64>,
}

impl Raw {
    async fn open(server: &Server) -> Self {
        let stream = TcpStream::connect(server.addr).await.unwrap();
        let mut raw = Self { stream, text: Vec::new(), ids: Vec::new() };
        raw.stream.write_all(request("/live/events", "").as_bytes()).await.unwrap();
        while !raw.text.windows(6).any(|text| text == b"retry:") {
            raw.read().await;
        }
        raw
    }

    async fn read(&mut self) {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.text)).await.expect("something comes").unwrap();
        assert!(read > 0, "it ended");
    }

    /// Reads this many events. Each is one chunk, so its lines are together.
    async fn take(&mut self, count: usize) {
        while self.ids.len() < count {
            self.read().await;
            let mut lines: Vec<_> = self.text.split(|byte| *byte == b'\n').collect();
            let rest = lines.pop().unwrap_or_default().to_vec();
            let mut lines = lines.into_iter().peekable();
            let mut open = Vec::new();
            while let Some(line) = lines.next() {
                let Some(id) = line.strip_prefix(b"id: ") else { continue };
                match lines.peek() {
                    Some(next) if next.starts_with(b"event: event") => {
                        self.ids.push(std::str::from_utf8(id).unwrap().parse().unwrap());
                    }
                    Some(_) => {}
                    None => open = [line, b"\n"].concat(),
                }
            }
            self.text = [open, rest].concat();
        }
    }
}

async fn deliver(server: &Server, from: usize, until: usize) {
    for second in from..until {
        let second = i64::try_from(second).unwrap();
        assert_eq!(server.deliver(&follow(&second.to_string(), at(second))).await.status, 204);
    }
}

/// The reader that stalls costs no more than its socket: it has no queue that could grow, and no other reader waits for
/// it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousand_readers_get_all_events_in_order_beside_one_that_stalls() {
    let server = Server::start().await;
    let mut stalled = Raw::open(&server).await;
    let mut readers = Vec::new();
    for _ in 0..READERS {
        readers.push(Raw::open(&server).await);
    }
    let mut reading = JoinSet::new();
    for mut reader in readers {
        reading.spawn(async move {
            reader.take(EVENTS).await;
            reader
        });
    }
    deliver(&server, 0, EVENTS).await;
    let all: Vec<i64> = sqlx::query_scalar("select id from event order by id").fetch_all(&server.pool).await.unwrap();
    assert_eq!(all.len(), EVENTS);
    let mut count = 0;
    while let Some(reader) = reading.join_next().await {
        assert_eq!(reader.unwrap().ids, all);
        count += 1;
    }
    assert_eq!(count, READERS);
    stalled.take(EVENTS).await;
    assert_eq!(stalled.ids, all);
    server.stop().await;
}

/// A restart makes all of them reconnect at once; the events they missed are read from the database once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconnecting_readers_share_one_read_of_the_database() {
    let server = Server::start().await;
    deliver(&server, 0, 10).await;
    let statements = async || -> i64 {
        sqlx::query_scalar("select sum(xact_commit)::bigint from pg_stat_database where datname = current_database()")
            .fetch_one(&server.pool)
            .await
            .unwrap()
    };
    let before = statements().await;
    let first: i64 = sqlx::query_scalar("select min(id) from event").fetch_one(&server.pool).await.unwrap();
    let mut opening = JoinSet::new();
    for _ in 0..300 {
        let text = request(&format!("/live/events?after={first}"), "");
        let addr = server.addr;
        opening.spawn(async move {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            stream.write_all(text.as_bytes()).await.unwrap();
            let mut raw = Raw { stream, text: Vec::new(), ids: Vec::new() };
            raw.take(9).await;
            raw.ids.len()
        });
    }
    assert!(opening.join_all().await.into_iter().all(|count| count >= 9));
    let asked = statements().await - before;
    assert!(asked < 250, "{asked} transactions for 300 readers");
    server.stop().await;
}
