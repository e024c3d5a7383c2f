//! Figures of sinks: a server that publishes to a RabbitMQ of the bench's own (Debian's package `rabbitmq-server`).
//!
//! `cargo bench --bench sinks` shows
//!
//! - `--publish`: how many events per second are confirmed when a sink reads 200,000 from the log, beside a bare publisher with
//!   the same client and window, whose messages are the payloads without headers, in turn;
//! - `--outage`: the server's memory while the broker is away for ten minutes at 1,000 events per second, and how fast the sink
//!   catches up while these go on;
//! - `--takeover`: how long nothing is published when the server that publishes is killed, ten times;
//! - `--neighbours`: how long acknowledgements of 1,000 messages per second take beside a sink whose receiver is well, away,
//!   slow or refusing, in turn with none, and how long an event takes to leave by another sink meanwhile.
//!
//! An option chooses its part; without one all run. `--brief` divides everything by ten, `--server PATH` measures another build.

#![expect(clippy::expect_used, reason = "a bench may fail")]

#[path = "../support/figures.rs"]
mod figures;
mod neighbours;
#[path = "../support/options.rs"]
mod options;
mod outage;
mod publish;
#[expect(dead_code, clippy::unwrap_used, reason = "shared with the tests, which need more of it")]
#[path = "../../tests/it/sinks/rabbit.rs"]
mod rabbit;
mod rig;
#[path = "../support/server.rs"]
mod server;
mod takeover;
mod way;

use self::options::Options;

/// What `rabbit` takes from the tests.
mod init {
    pub(crate) fn free_port() -> u16 {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        listener.local_addr().expect("its address").port()
    }
}

/// What `rabbit` takes from the tests.
mod support {
    use std::time::Duration;

    use tokio::time::{sleep, timeout};

    pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

    pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let holding = async {
            while !holds().await {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, holding).await.expect(what);
    }

    pub(crate) fn skip(requirement: &str) {
        showtime::cli::note(format_args!("this bench requires {requirement}"));
    }
}

const PARTS: [&str; 4] = ["--publish", "--outage", "--takeover", "--neighbours"];

#[tokio::main]
async fn main() {
    let options = Options::read(&PARTS, 10);
    let (program, divisor) = (options.program.as_path(), options.divisor);
    if options.has("--publish") {
        publish::run(program, divisor).await;
    }
    if options.has("--outage") {
        outage::run(program, divisor).await;
    }
    if options.has("--takeover") {
        takeover::run(program, divisor).await;
    }
    if options.has("--neighbours") {
        neighbours::run(program, divisor).await;
    }
}
