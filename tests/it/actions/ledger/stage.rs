//! One database, one Twitch, one webhook, and one server after the other.

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use showtime::clock::Clock;
use showtime::mock::{Faults, PerformedAction};
use showtime::twitch::eventsub::outgoing::Outgoing;
use showtime::twitch::signature::WebhookSecret;
use sqlx::{Connection as _, PgConnection, PgPool};
use time::OffsetDateTime;
use tokio::time::{Duration, Instant, sleep};

use super::super::Place;
use super::super::kill::settings;
use super::rules::Expected;
use super::{Point, Tally, Work};
use crate::process::Serving;
use crate::support::messages::notification;
use crate::support::postgres::until_disconnected;
use crate::support::twitch::{CHANNEL, CHANNEL_ID};
use crate::support::until;
use crate::webhooks::receiver::{Received, Receiver, Reply};

const SECRET: &str = "the secret of the ledger";

/// What was begun before a kill.
pub(super) enum Begun {
    /// These actions were requested.
    Actions(Vec<i64>),
    /// Events were acknowledged, from which this follows.
    Events(Vec<Expected>),
}

pub(super) struct Stage {
    work: Work,
    pub(super) twitch: Place,
    pub(super) pool: PgPool,
    pub(super) receiver: Receiver,
    /// The number of the round, which what happens in it says.
    pub(super) round: usize,
    /// The last action of a rule that was verified.
    pub(super) verified: i64,
}

impl Stage {
    pub(super) async fn start(work: Work) -> Self {
        let twitch = Place::new().await;
        let pool = PgPool::connect_lazy_with(twitch.database.clone());
        let receiver = Receiver::start(|_| Reply::Status(204)).await;
        Self { work, twitch, pool, receiver, round: 0, verified: 0 }
    }

    /// The settings of each server.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = settings(&self.twitch);
        settings.push(("TWITCH_WEBHOOK_SECRET", SECRET.to_owned()));
        settings
    }

    /// Adds the webhook, and the rules if there are some.
    pub(super) async fn prepare(&self, server: &Serving<'_>) {
        let sink = json!({ "name": "hook", "kind": "webhook", "url": self.receiver.url(), "types": [],
            "settings": { "allow": ["127.0.0.0/8"] } });
        let added = server.client.post(server.url("/sinks")).bearer_auth(server.token.as_deref().unwrap());
        assert_eq!(added.json(&sink).send().await.unwrap().status(), 201);
        if self.work == Work::Rules {
            self.apply_rules().await;
        }
    }

    async fn begin(&self, server: &Serving<'_>) -> Begun {
        match self.work {
            Work::Requests => Begun::Actions(self.request(server).await),
            Work::Rules => Begun::Events(self.tell(server).await),
        }
    }

    async fn count(&self, state: &str) -> i64 {
        let statement = "select count(*) from action where state = $1";
        sqlx::query_scalar(statement).bind(state).fetch_one(&self.pool).await.unwrap()
    }

    /// When Twitch last acted.
    fn acted_at(&self) -> Option<OffsetDateTime> {
        let calls = self.twitch.twitch.mock.world.actions();
        calls.iter().rev().find(|call| call.refusal.is_none()).map(|call| call.at)
    }

    /// Begins the work of a round, and kills the server at this point of it.
    pub(super) async fn kill(&mut self, point: Point, server: Serving<'_>, random: Duration) -> Begun {
        let mut holder = PgConnection::connect_with(&self.twitch.database).await.unwrap();
        let mut lock = holder.begin().await.unwrap();
        let slow = |delay_ms| Faults { delay_ms, ..Faults::default() };
        let (before, begun) = (self.acted_at(), async || self.begin(&server).await);
        let begun = match point {
            Point::Planning => {
                sqlx::query("lock table counter in exclusive mode").execute(&mut *lock).await.unwrap();
                let begun = begun().await;
                let waits = "select exists (select from pg_stat_activity where datname = current_database()
                    and application_name = 'showtime followers' and wait_event_type = 'Lock')";
                until("the reactor waits in its transaction", async || self.holds(waits).await).await;
                begun
            }
            Point::BeforeClaim => {
                sqlx::query("select from action_lease for update").execute(&mut *lock).await.unwrap();
                let begun = begun().await;
                self.judged().await;
                begun
            }
            Point::AfterSending => {
                self.twitch.faults(Faults { action_delay: 1.0, ..slow(60_000) });
                let begun = begun().await;
                until("an action is sent", async || self.count("sending").await > 0).await;
                begun
            }
            Point::AfterEffect => {
                self.twitch.faults(Faults { action_late_answer: 1.0, ..slow(60_000) });
                let begun = begun().await;
                until("Twitch acts", async || self.acted_at() > before).await;
                begun
            }
            Point::BeforeSettle => {
                self.twitch.faults(Faults { action_delay: 1.0, ..slow(200) });
                let begun = begun().await;
                let is_sent = async || self.count("sending").await > 0 || self.acted_at() > before;
                until("an action is sent", is_sent).await;
                sqlx::query("select from action for update").execute(&mut *lock).await.unwrap();
                until("Twitch acts", async || self.acted_at() > before).await;
                begun
            }
            Point::AnyTime => {
                let begun = begun().await;
                sleep(random).await;
                begun
            }
        };
        server.signal(Signal::SIGKILL);
        server.ended().await;
        until_disconnected(&self.pool).await;
        lock.rollback().await.unwrap();
        self.twitch.faults(Faults::default());
        // The leases of the killed server, which no other could hold.
        sqlx::query("update action_lease set leased_until = now()").execute(&self.pool).await.unwrap();
        sqlx::query("update follower set leased_until = now()").execute(&self.pool).await.unwrap();
        self.round += 1;
        begun
    }

    async fn holds(&self, statement: &'static str) -> bool {
        sqlx::query_scalar(statement).fetch_one(&self.pool).await.unwrap()
    }

    /// Waits until the reactor has judged the whole log.
    pub(super) async fn judged(&self) {
        let statement = "select (select cursor from follower where name = 'reactions')
            >= coalesce((select max(id) from event), 0)";
        until("the reactor has judged the log", async || self.holds(statement).await).await;
    }

    /// Waits until what was begun has ended.
    pub(super) async fn settled(&self) {
        if self.work == Work::Rules {
            self.judged().await;
        }
        // In one statement: an action goes from one of these states to the other.
        let statement = "select not exists (select from action where state in ('pending', 'sending'))
            and not exists (select from rule_batch)";
        until("all actions are settled", async || self.holds(statement).await).await;
    }

    /// Compares what was settled with what arrived.
    pub(super) async fn verify(&self, server: &Serving<'_>, ids: &[i64], tally: &mut Tally) {
        let statement = "select id, kind, class, params, state, coalesce(problem, '') from action where id = any($1)";
        let rows: Vec<(i64, String, String, Value, String, String)> =
            sqlx::query_as(statement).bind(ids).fetch_all(&self.pool).await.unwrap();
        assert_eq!(rows.len(), ids.len());
        let calls = self.twitch.twitch.mock.world.actions();
        let bodies: Vec<_> = self.receiver.received().iter().map(Received::json).collect();
        for (id, kind, class, params, state, problem) in rows {
            assert!(
                ["done", "uncertain", "dry"].contains(&state.as_str()),
                "{id} {kind} {params} is {state}: {problem}"
            );
            *tally.states.entry((class.clone(), state.clone())).or_default() += 1;
            if class == "planning" {
                continue;
            }
            let arrived = match kind.as_str() {
                "webhook" => bodies.iter().filter(|body| **body == params["body"]).cloned().collect(),
                kind => arrived(&calls, kind, &params),
            };
            let most = usize::from(state != "dry");
            tally.twice += usize::from(class == "once" && arrived.len() > most);
            tally.lost += usize::from(state == "done" && arrived.is_empty() || class != "once" && state != "done");
            if !["say", "reply"].contains(&kind.as_str()) || arrived.is_empty() {
                continue;
            }
            if state == "uncertain" {
                tally.unanswered += 1;
                tally.echoed += usize::from(self.echo(server, id, &arrived[0]).await);
            } else if self.work == Work::Rules {
                self.send_echo(server, &arrived[0]).await;
            }
        }
        tally.violations += self.twitch.twitch.mock.world.violations().len();
        assert_eq!((tally.twice, tally.lost, tally.violations), (0, 0, 0), "{tally:?}");
    }

    /// Sends the echo of a message, and says whether that settled it.
    async fn echo(&self, server: &Serving<'_>, id: i64, effect: &Value) -> bool {
        self.send_echo(server, effect).await;
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

    /// Sends the echo of a message, as Twitch does.
    async fn send_echo(&self, server: &Serving<'_>, effect: &Value) {
        let event = json!({
            "chatter_user_id": CHANNEL_ID, "chatter_user_login": CHANNEL, "chatter_user_name": "MapleArcade",
            "message_id": effect["message_id"], "message": { "text": effect["text"], "fragments": [] },
            "message_type": "text", "badges": [{ "set_id": "broadcaster", "id": "1", "info": "" }],
            "source_broadcaster_user_id": null,
        });
        self.deliver(server, &notification("channel.chat.message", Clock::default().now(), event)).await;
    }

    /// Delivers a message as Twitch would, until it is acknowledged.
    pub(super) async fn deliver(&self, server: &Serving<'_>, message: &Outgoing) {
        let signature = message.sign(&WebhookSecret::new(SECRET).unwrap());
        let request = server.client.post(server.url("/callback")).body(message.body.clone());
        let headers = message.headers(Some(&signature));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        assert_eq!(request.send().await.unwrap().status(), 204);
    }
}

/// What Twitch did of an action.
fn arrived(calls: &[PerformedAction], kind: &str, params: &Value) -> Vec<Value> {
    let call = match kind {
        "title" => "channel",
        "reply" => "say",
        "timeout" => "ban",
        kind => kind,
    };
    let is_this = |effect: &Value| match kind {
        "say" => effect["text"] == *params,
        "reply" | "announce" => effect["text"] == params["text"],
        "title" => effect["title"] == *params,
        "delete" => effect["message_id"] == params["message_id"],
        _ => true,
    };
    let performed = calls.iter().filter(|it| it.action == call && it.refusal.is_none() && is_this(&it.effect));
    performed.map(|call| call.effect.clone()).collect()
}
