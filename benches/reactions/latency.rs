//! From a message at `/callback` to what the fake Twitch gets because of it.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use showtime::clock::Clock;
use showtime::twitch::catalogue;
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp, Subscription};
use showtime::twitch::samples;
use showtime::twitch::signature::WebhookSecret;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use super::figures::percentile;
use super::scene::{CHANNEL, Scene};
use super::{REACTING, apply, load, rules, secret, set_up};

/// Events per second, beside those that are reacted to.
const RATE: u32 = 490;

/// Between two messages that are reacted to.
const PAUSE: Duration = Duration::from_millis(100);

/// Of so many messages that are reacted to one is answered, and the others are deleted: Twitch limits answers.
const ANSWERED: u64 = 10;

const WARM_UP: Duration = Duration::from_secs(5);

const MEASURED: Duration = Duration::from_secs(120);

/// Time for the last reactions.
const REST: Duration = Duration::from_secs(3);

pub(crate) async fn run(program: &Path, divisor: u32) {
    let scene = set_up(program).await;
    apply(&scene, &format!("{REACTING}{}", rules::text())).await;
    let measured = MEASURED / divisor;
    let (report, sent) = tokio::join!(load(&scene, RATE, WARM_UP, measured), send(&scene, measured));
    assert_eq!(report.acknowledged, report.sent, "all are acknowledged");
    sleep(REST).await;
    let mut delays: HashMap<&str, Vec<f64>> = HashMap::new();
    for call in scene.twitch.world.actions().iter().filter(|call| call.refusal.is_none()) {
        let key = if call.action == "say" { &call.effect["text"] } else { &call.effect["message_id"] };
        if let Some(at) = key.as_str().and_then(|key| sent.get(key)) {
            delays.entry(call.action).or_default().push((call.at - *at).as_seconds_f64() * 1e3);
        }
    }
    let counted: usize = delays.values().map(Vec::len).sum();
    assert_eq!(counted, sent.len(), "one action follows from each message");
    println!("\n| from `/callback` to Twitch, at 500 events/s with 200 rules | messages | p50 ms | p99 ms |");
    println!("|---|---:|---:|---:|");
    for (kind, name) in [("delete", "deletion"), ("say", "answer")] {
        let times = delays.entry(kind).or_default();
        println!("| {name} | {} | {:.1} | {:.1} |", times.len(), percentile(times, 50), percentile(times, 99));
    }
}

/// Sends messages that are reacted to, after the warm-up. Returns when each was sent, by its id or, if it is answered, by the answer.
async fn send(scene: &Scene, duration: Duration) -> HashMap<String, OffsetDateTime> {
    sleep(WARM_UP).await;
    let (clock, secret, mut ticks, mut sending) = (Clock::default(), secret(scene), interval(PAUSE), JoinSet::new());
    let mut sent = HashMap::new();
    let began = clock.instant();
    for number in 0_u64.. {
        ticks.tick().await;
        if clock.instant() - began > duration {
            break;
        }
        let is_answered = number % ANSWERED == 0;
        let text = if is_answered { format!("!answer {number}") } else { format!("remove {number}") };
        let message_id = scene.twitch.world.say(CHANNEL, "quietotter", &text).expect("a message");
        let request = request(scene, &secret, &line(&message_id, &text, clock.now()));
        sent.insert(if is_answered { number.to_string() } else { message_id }, clock.now());
        sending.spawn(async move { request.send().await.expect("an answer").error_for_status().expect("it is taken") });
    }
    sending.join_all().await;
    sent
}

fn line(message_id: &str, text: &str, at: OffsetDateTime) -> Outgoing {
    let kind = catalogue::find("channel.chat.message", None).expect("a type");
    let sample = samples::sample("channel.chat.message", "1", None).expect("a sample");
    let mut event: serde_json::Value = serde_json::from_str(sample).expect("JSON");
    (event["message_id"], event["message"]) = (json!(message_id), json!({ "text": text, "fragments": [] }));
    let subscription = Subscription::new(kind, &event, "https://hooks.example.org/callback");
    Outgoing::notification(Stamp::new(at.format(&Rfc3339).expect("a time")), &subscription, &event)
}

fn request(scene: &Scene, secret: &WebhookSecret, message: &Outgoing) -> reqwest::RequestBuilder {
    let request = scene.client.post(format!("http://{}/callback", scene.addr)).body(message.body.clone());
    let headers = message.headers(Some(&message.sign(secret)));
    headers.iter().fold(request, |request, (name, value)| request.header(*name, value))
}
