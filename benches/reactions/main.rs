//! Figures of rules: a server with 200 of them, of which 50 have a regular expression, and a fake Twitch that it acts on.
//!
//! `cargo bench --bench reactions` shows
//!
//! - `--latency`: how long it takes from sending a message to `/callback` until the fake Twitch has got the deletion, or the
//!   answer, that follows from it, at 500 events per second;
//! - `--acknowledgements`: how long acknowledgements of 1,000 messages per second take with the rules, in turn with none.
//!
//! An option chooses its part; without one both run. `--brief` divides everything by ten, `--server PATH` measures another build,
//! beside which `init` must be.

#![expect(clippy::expect_used, reason = "a bench may fail")]

mod acknowledgements;
#[path = "../support/figures.rs"]
mod figures;
mod latency;
#[path = "../support/options.rs"]
mod options;
#[path = "../support/rules.rs"]
mod rules;
#[expect(dead_code, reason = "shared with the bench of WebSockets, which needs more of it")]
#[path = "../websocket/scene.rs"]
mod scene;

use std::time::Duration;

use showtime::clock::Clock;
use showtime::load::mix::Mix;
use showtime::load::report::Report;
use showtime::load::run::Run;
use showtime::load::traffic::Traffic;
use showtime::load::{self, Plan, Progress};
use showtime::mock::MockConfig;
use showtime::outputs::reactions::rules::read::from_toml;
use showtime::outputs::reactions::rules::service;
use showtime::simulate::delivery::own_callback;
use showtime::twitch::signature::WebhookSecret;
use tokio_util::sync::CancellationToken;

use self::options::Options;
use self::scene::{CHANNEL, Scene};

/// Rules that do something: one deletes, one answers, one counts.
const REACTING: &str = r#"
[[rule]]
name = "remove"
message = '^remove (\d+)$'
do = [{ delete = {} }]

[[rule]]
name = "answer"
command = "!answer"
max_per_minute = 100000
do = [{ say = "{{ args[0] }}" }]

[[rule]]
name = "follows"
on = "channel.follow"
max_per_minute = 100000
do = [{ count = "follows" }]
"#;

const PARTS: [&str; 2] = ["--latency", "--acknowledgements"];

/// A fake Twitch, and a server that may act on its channel.
async fn set_up(program: &std::path::Path) -> Scene {
    let scene = Scene::start(program, MockConfig::default(), false).await;
    let scopes = ["moderator:manage:chat_messages", "user:write:chat"];
    let scopes = scopes.iter().flat_map(|scope| ["--scope", scope]);
    scene.init(&["--channel", CHANNEL].into_iter().chain(scopes).collect::<Vec<_>>()).await;
    scene
}

/// Makes the stored rules these.
async fn apply(scene: &Scene, rules: &str) {
    let mut connection = scene.pool.acquire().await.expect("a connection");
    let rules = from_toml(rules).expect("rules");
    service::apply(&mut connection, rules, "bench", Clock::default().now()).await.expect("they are stored");
}

fn secret(scene: &Scene) -> WebhookSecret {
    let text = std::fs::read_to_string(scene.data.path().join(".showtime/webhook-secret")).expect("the file");
    WebhookSecret::new(text.trim()).expect("a secret")
}

/// Delivers so many messages per second.
async fn load(scene: &Scene, rate: u32, warm_up: Duration, duration: Duration) -> Report {
    let plan = Plan {
        traffic: Traffic { run: Run::new(), mix: Mix::Chat },
        callback: own_callback(scene.addr).expect("a URL"),
        target: scene.addr,
        replicas: Vec::new(),
        secret: secret(scene),
        connections: 64,
        rate: rate.try_into().ok(),
        warm_up,
        duration,
        flood: 0,
        slow: 0,
    };
    let stop = CancellationToken::new();
    load::run(&plan, Clock::default(), None, Progress::default().into(), stop).await.expect("it runs")
}

#[tokio::main]
async fn main() {
    let options = Options::read(&PARTS, 10);
    let (program, divisor) = (options.program.as_path(), options.divisor);
    if options.has("--latency") {
        latency::run(program, divisor).await;
    }
    if options.has("--acknowledgements") {
        acknowledgements::run(program, divisor).await;
    }
}
