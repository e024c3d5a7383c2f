//! Helpers of several tests.

pub(crate) mod bots;
pub(crate) mod feeds;
pub(crate) mod messages;
pub(crate) mod postgres;
pub(crate) mod proxy;
pub(crate) mod recorder;
pub(crate) mod schema;
pub(crate) mod server;
pub(crate) mod sinks;
pub(crate) mod snapshot;
pub(crate) mod twitch;
pub(crate) mod witnesses;

use std::fmt;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::time::{Instant, sleep};

/// Time limit for all conditions that tests wait for. Generous, for busy machines.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Ports from the first on that are mostly free, up to those that the system gives to connections.
const FIRST_PORT: u16 = 20_000;
const FIRST_EPHEMERAL: u16 = 32_768;

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    until_some(what, async || holds().await.then_some(())).await;
}

/// Waits until the function returns a value.
pub(crate) async fn until_some<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "never happened: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// A variable of the environment that makes a test longer.
pub(crate) fn setting<T: FromStr<Err: fmt::Debug>>(name: &str, default: T) -> T {
    std::env::var_os(name).map_or(default, |value| value.to_str().unwrap().parse().unwrap())
}

/// This test binary again, running an ignored test in another process.
pub(crate) fn child(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "--nocapture", test]).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// An address on which no process listens, reserved as long as this is held. Its port is one that the system gives to no
/// connection, so that a server that stops finds it free when it starts again.
pub(crate) struct Unused(TcpSocket);

impl Unused {
    pub(crate) fn new() -> Self {
        static NEXT: OnceLock<AtomicU16> = OnceLock::new();
        let next = NEXT.get_or_init(|| AtomicU16::new(rand::random()));
        std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed) % (FIRST_EPHEMERAL - FIRST_PORT) + FIRST_PORT)
            .find_map(|port| {
                let socket = TcpSocket::new_v4().unwrap();
                socket.bind(([127, 0, 0, 1], port).into()).is_ok().then_some(Self(socket))
            })
            .unwrap()
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }
}

/// Prints that a test was skipped and which program it requires. With `NO_SKIP` in the environment, the test fails.
pub(crate) fn skip(requirement: &str) {
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    assert!(std::env::var_os("NO_SKIP").is_none(), "{name} requires {requirement}");
    skip_for_lack_of(requirement);
}

/// Prints that a test was skipped and which right it requires. Not even `NO_SKIP` makes it fail: in a container, root often
/// lacks it, and nothing can be installed for it. Writes directly to standard error, since the harness hides the output of
/// tests that pass.
pub(crate) fn skip_for_lack_of(requirement: &str) {
    use std::io::Write as _;
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "SKIPPED {name}: it requires {requirement}");
}
