//! Servers are killed at random points of actions, and what Twitch and a webhook got is compared with what is recorded.
//!
//! The suite has a short run. Variables of the environment make it longer: `ACTION_KILLS`, `ACTION_SEED`, and
//! `ACTION_SERVER`, another server program than the one that was built for the tests.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use nix::sys::signal::Signal;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use showtime::cli::note;
use showtime::clock::Clock;
use showtime::mock::Faults;
use showtime::twitch::signature::WebhookSecret;
use sqlx::{Connection as _, PgConnection, PgPool};

use tokio::time::{Instant, sleep};

use super::kill::{settings, until_disconnected};
use super::{Place, VIEWER};
use crate::process::{self, SERVER, Serving};
use crate::support::messages::notification;
use crate::support::twitch::{CHANNEL, CHANNEL_ID};
use crate::support::until;
use crate::webhooks::receiver::{Receiver, Reply};

const SECRET: &str = "the secret of the ledger";

/// What the server is killed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Point {
    /// The actions are there, and nothing was begun.
    BeforeClaim,
    /// It is committed that Twitch is about to be called, and the call has had no effect.
    AfterSending,
    /// Twitch has acted, and its answer is on its way.
    AfterEffect,
    /// Twitch has answered, and that is not recorded.
    BeforeSettle,
    /// Any.
    AnyTime,
}

impl Point {
    const ALL: [Self; 5] =
        [Self::BeforeClaim, Self::AfterSending, Self::AfterEffect, Self::BeforeSettle, Self::AnyTime];
}

fn setting<T: FromStr<Err: fmt::Debug>>(name: &str, default: T) -> T {
    std::env::var_os(name).map_or(default, |value| value.to_str().unwrap().parse().unwrap())
}

/// What was counted.
#[derive(Debug, Default)]
struct Tally {
    kills: BTreeMap<Point, usize>,
    /// Settled actions by class and state.
    states: BTreeMap<(String, String), usize>,
    twice: usize,
    lost: usize,
    /// Messages that arrived although their answer was lost, and those of them that their echo settled.
    unanswered: usize,
    echoed: usize,
}

/// One database, one Twitch, one webhook, and one server after the other.
struct Stage {
    twitch: Place,
    pool: PgPool,
    receiver: Receiver,
    number: usize,
}

impl Stage {
    async fn request(&mut self, server: &Serving<'_>) -> Vec<i64> {
        let mut ids = Vec::new();
        let number = self.number;
        let ban = if number.is_multiple_of(2) {
            json!({ "ban": { "user": VIEWER, "reason": null } })
        } else {
            json!({ "unban": { "user": VIEWER } })
        };
        let mut steps = vec![
            json!({ "say": format!("line {number} a") }),
            ban,
            json!({ "title": format!("title {number}") }),
            json!({ "webhook": { "sink": "hook", "body": { "number": number } } }),
            json!({ "say": format!("line {number} b") }),
        ];
        if number.is_multiple_of(4) {
            steps.push(json!({ "announce": { "text": format!("news {number}") } }));
        }
        self.number += 1;
        for step in steps {
            let url = server.url(&format!("/channels/{CHANNEL}/actions"));
            let answer = server.client.post(url).bearer_auth(server.token.as_deref().unwrap()).json(&step).send().await;
            let answer = answer.unwrap();
            assert_eq!(answer.status(), 202);
            ids.push(answer.json::<Value>().await.unwrap()["id"].as_i64().unwrap());
        }
        ids
    }

    async fn count(&self, state: &str) -> i64 {
        sqlx::query_scalar("select count(*) from action where state = $1")
            .bind(state)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    fn calls(&self) -> usize {
        self.twitch.twitch.mock.world.actions().len()
    }

    /// Requests actions, and kills the server at this point of them.
    async fn kill(&mut self, point: Point, server: Serving<'_>, random: Duration) -> Vec<i64> {
        let mut holder = PgConnection::connect_with(&self.twitch.database).await.unwrap();
        let mut lock = holder.begin().await.unwrap();
        let slow = |delay_ms| Faults { delay_ms, ..Faults::default() };
        let (before, ids);
        match point {
            Point::BeforeClaim => {
                sqlx::query("select from action_lease for update").execute(&mut *lock).await.unwrap();
                ids = self.request(&server).await;
            }
            Point::AfterSending => {
                self.twitch.faults(Faults { action_delay: 1.0, ..slow(60_000) });
                ids = self.request(&server).await;
                until("an action is sent", async || self.count("sending").await > 0).await;
            }
            Point::AfterEffect => {
                self.twitch.faults(Faults { action_late_answer: 1.0, ..slow(60_000) });
                before = self.calls();
                ids = self.request(&server).await;
                until("Twitch acts", async || self.calls() > before).await;
            }
            Point::BeforeSettle => {
                self.twitch.faults(Faults { action_delay: 1.0, ..slow(200) });
                before = self.calls();
                ids = self.request(&server).await;
                until("an action is sent", async || self.count("sending").await > 0 || self.calls() > before).await;
                sqlx::query("select from action for update").execute(&mut *lock).await.unwrap();
                until("Twitch acts", async || self.calls() > before).await;
            }
            Point::AnyTime => {
                ids = self.request(&server).await;
                sleep(random).await;
            }
        }
        server.signal(Signal::SIGKILL);
        server.ended().await;
        until_disconnected(&self.pool).await;
        lock.rollback().await.unwrap();
        self.twitch.faults(Faults::default());
        // The lease of the killed server, which no other could hold.
        sqlx::query("update action_lease set leased_until = now()").execute(&self.pool).await.unwrap();
        ids
    }

    /// Compares what was settled with what arrived.
    async fn verify(&self, server: &Serving<'_>, ids: &[i64], tally: &mut Tally) {
        // In one statement: an action goes from one of these states to the other.
        let open = "select exists (select from action where state in ('pending', 'sending'))";
        until("all actions are settled", async || {
            !sqlx::query_scalar::<_, bool>(open).fetch_one(&self.pool).await.unwrap()
        })
        .await;
        let statement = "select id, kind, class, params, state, coalesce(problem, '') from action where id = any($1)";
        let rows: Vec<(i64, String, String, Value, String, String)> =
            sqlx::query_as(statement).bind(ids).fetch_all(&self.pool).await.unwrap();
        assert_eq!(rows.len(), ids.len());
        for (id, kind, class, params, state, problem) in rows {
            let arrived = self.arrived(&kind, &params);
            assert!(["done", "uncertain"].contains(&state.as_str()), "{id} {kind} {params} is {state}: {problem}");
            tally.twice += usize::from(class == "once" && arrived.len() > 1);
            tally.lost += usize::from(state == "done" && arrived.is_empty() || class != "once" && state != "done");
            if state == "uncertain" && kind == "say" && !arrived.is_empty() {
                tally.unanswered += 1;
                tally.echoed += usize::from(self.echo(server, id, &params, &arrived[0]).await);
            }
            *tally.states.entry((class, state)).or_default() += 1;
        }
        assert_eq!((tally.twice, tally.lost), (0, 0), "{tally:?}");
    }

    /// What Twitch or the webhook got of an action.
    fn arrived(&self, kind: &str, params: &Value) -> Vec<Value> {
        if kind == "webhook" {
            let received = self.receiver.received();
            return received.iter().map(|it| it.json()).filter(|body| *body == params["body"]).collect();
        }
        let call = if kind == "title" { "channel" } else { kind };
        let is_this = |effect: &Value| match kind {
            "say" => effect["text"] == *params,
            "announce" => effect["text"] == params["text"],
            "title" => effect["title"] == *params,
            _ => true,
        };
        self.twitch.performed(call).into_iter().map(|call| call.effect).filter(is_this).collect()
    }

    /// Sends the echo of a message, as Twitch does, and says whether that settled it.
    async fn echo(&self, server: &Serving<'_>, id: i64, text: &Value, effect: &Value) -> bool {
        let event = json!({
            "chatter_user_id": CHANNEL_ID, "chatter_user_login": CHANNEL, "chatter_user_name": "MapleArcade",
            "message_id": effect["message_id"], "message": { "text": text, "fragments": [] }, "message_type": "text",
            "badges": [{ "set_id": "broadcaster", "id": "1", "info": "" }], "source_broadcaster_user_id": null,
        });
        let message = notification("channel.chat.message", Clock::default().now(), event);
        let signature = message.sign(&WebhookSecret::new(SECRET).unwrap());
        let request = server.client.post(server.url("/callback")).body(message.body.clone());
        let headers = message.headers(Some(&signature));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        assert_eq!(request.send().await.unwrap().status(), 204);
        let began = Instant::now();
        let statement = "select state = 'done' from action where id = $1";
        while began.elapsed() < Duration::from_secs(10) {
            if sqlx::query_scalar(statement).bind(id).fetch_one(&self.pool).await.unwrap() {
                return true;
            }
            sleep(Duration::from_millis(10)).await;
        }
        false
    }
}

#[tokio::test]
async fn kills_at_random_points_repeat_no_message_and_lose_no_ban_and_no_webhook() {
    let (kills, seed, program) =
        (setting("ACTION_KILLS", 10), setting("ACTION_SEED", 20_261_126), setting("ACTION_SERVER", SERVER.to_owned()));
    let (twitch, dir, began) = (Place::new().await, process::Place::new(), Instant::now());
    let mut owned = settings(&twitch);
    owned.push(("TWITCH_WEBHOOK_SECRET", SECRET.to_owned()));
    let settings: Vec<_> = owned.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let pool = PgPool::connect_lazy_with(twitch.database.clone());
    let receiver = Receiver::start(|_| Reply::Status(204)).await;
    let mut stage = Stage { twitch, pool, receiver, number: 0 };
    let (mut rng, mut tally) = (SmallRng::seed_from_u64(seed), Tally::default());

    let mut server = dir.serve_program(&program, &settings).await;
    let sink = json!({ "name": "hook", "kind": "webhook", "url": stage.receiver.url(), "types": [],
        "settings": { "allow": ["127.0.0.0/8"] } });
    let added = server.client.post(server.url("/sinks")).bearer_auth(server.token.as_deref().unwrap());
    assert_eq!(added.json(&sink).send().await.unwrap().status(), 201);
    for number in 0..kills {
        // Each once at first.
        let point = Point::ALL.get(number).or_else(|| Point::ALL.choose(&mut rng)).copied().unwrap();
        let ids = stage.kill(point, server, Duration::from_millis(rng.random_range(0..150))).await;
        *tally.kills.entry(point).or_default() += 1;
        server = dir.serve_program(&program, &settings).await;
        stage.verify(&server, &ids, &mut tally).await;
    }
    server.stop().await;
    note(format_args!("{kills} kills, seed {seed}, {:.0} s: {tally:?}", began.elapsed().as_secs_f64()));
    assert_eq!(tally.echoed, tally.unanswered, "the echo settles every message that arrived: {tally:?}");
    let violations = stage.twitch.twitch.mock.world.actions().iter().filter(|call| call.violation.is_some()).count();
    assert_eq!(violations, 0, "Twitch's limits are kept");
}
