//! What several tests need.

pub(crate) mod feeds;
pub(crate) mod messages;
pub(crate) mod postgres;
pub(crate) mod proxy;
pub(crate) mod recorder;
pub(crate) mod schema;
pub(crate) mod server;
pub(crate) mod twitch;
pub(crate) mod witnesses;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::time::{Instant, sleep};

/// For whatever a test waits for: a small machine that does much else is slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until it is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "never happened: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// An address at which nobody listens, and which nobody else gets as long as this is held.
pub(crate) struct Unused(TcpSocket);

impl Unused {
    pub(crate) fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        Self(socket)
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }
}

/// Says that a test did not run, and what it wants. Past the harness, which keeps what a test that
/// passes prints to itself. With `NO_SKIP` in the environment, the test fails.
pub(crate) fn skip(wanted: &str) {
    use std::io::Write as _;
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    assert!(std::env::var_os("NO_SKIP").is_none(), "{name} wants {wanted}");
    let _ = writeln!(std::io::stderr(), "SKIPPED {name}: it wants {wanted}");
}
