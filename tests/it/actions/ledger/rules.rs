//! Twenty rules, the events of a round, and what has to follow from them.

use futures_util::future::join_all;
use serde_json::{Value, json};
use showtime::clock::Clock;
use showtime::mock::Role;
use showtime::outputs::reactions::rules::read::from_toml;
use showtime::outputs::reactions::rules::service;
use showtime::twitch::eventsub::outgoing::Outgoing;

use super::super::VIEWER;
use super::stage::Stage;
use crate::process::Serving;
use crate::support::messages::{notification, text, with_user};
use crate::support::twitch::{CHANNEL, CHANNEL_ID};

const RULES: &str = include_str!("rules.toml");

/// Whose links are timed out.
const LINKER: &str = "copperkite";

/// What follows from an event: `rule kind` of each action.
pub(super) struct Expected {
    subject: String,
    actions: &'static [&'static str],
    /// Whether a cooldown may keep the last action away.
    has_cooldown: bool,
}

/// An event, and what follows from it.
type Told = (Outgoing, Expected);

impl Stage {
    /// Makes the stored rules these, once the reactor has begun to read the log.
    pub(super) async fn apply_rules(&self) {
        self.judged().await;
        let world = &self.twitch.twitch.mock.world;
        for login in ["mintcomet", LINKER] {
            world.add_channel(login).unwrap();
        }
        // So that the mock does not limit what the viewer writes.
        world.set_role(CHANNEL, VIEWER, Some(Role::Vip)).unwrap();
        let rules = from_toml(RULES).unwrap();
        assert_eq!(rules.rules.len(), 20);
        let mut connection = self.pool.acquire().await.unwrap();
        service::apply(&mut connection, rules, "tests", Clock::default().now()).await.unwrap();
    }

    /// A message of a viewer; all rules but `all` are given.
    fn line(&self, text: &str, actions: &'static [&'static str]) -> Told {
        let message_id = self.twitch.twitch.mock.world.say(CHANNEL, VIEWER, text).unwrap();
        self.line_of((&self.twitch.viewer_id, VIEWER), message_id, text, actions)
    }

    fn line_of(
        &self,
        (id, login): (&str, &str),
        message_id: String,
        text: &str,
        actions: &'static [&'static str],
    ) -> Told {
        let event = json!({
            "chatter_user_id": id, "chatter_user_login": login, "chatter_user_name": login, "message_id": message_id,
            "message": { "text": text, "fragments": [] }, "message_type": "text", "badges": [],
        });
        let message = notification("channel.chat.message", Clock::default().now(), event);
        (message, Expected { subject: format!("chat/{message_id}"), actions, has_cooldown: false })
    }

    /// The events of a round: some always, and of the others two in turn.
    fn events(&self) -> Vec<Told> {
        let (round, now) = (self.round, Clock::default().now());
        let mut events = vec![
            self.line(&format!("hello {round}"), &["all webhook", "hello say", "hello webhook", "dry say"]),
            self.line(&format!("!death {round}"), &["all webhook", "deaths count", "deaths say"]),
        ];
        for line in 0..3 {
            let (message, cool) = self.line(&format!("!cool {round}-{line}"), &["all webhook", "cool say"]);
            events.push((message, Expected { has_cooldown: true, ..cool }));
        }
        for turn in [round, round + 4] {
            match turn % 8 {
                0 => events.push(self.line(&format!("!p {round}"), &["all webhook", "ping reply"])),
                1 => events.push(self.line(&format!("!title {round}"), &["all webhook", "title title", "title reply"])),
                2 => events.push(self.line(&format!("!ban {round}"), &["all webhook", "ban ban", "ban say"])),
                3 => events.push(self.line(&format!("!unban {round}"), &["all webhook", "unban unban"])),
                4 => events.push(self.line(&format!("!set {round}"), &["all webhook", "today set", "today reply"])),
                5 => {
                    events.push(self.line(&format!("buy {round}"), &["all webhook", "spam delete"]));
                    let (id, link) = (format!("link-{round}"), format!("see {round}.example.com"));
                    let linker = self.twitch.twitch.mock.world.add_channel(LINKER).unwrap().id;
                    events.push(self.line_of((&linker, LINKER), id, &link, &["all webhook", "links timeout"]));
                    for line in 0..2 {
                        let mine = format!("!mine {round}-{line}");
                        let (message, mine) = self.line(&mine, &["all webhook", "cool for each webhook"]);
                        events.push((message, Expected { has_cooldown: true, ..mine }));
                    }
                }
                6 => {
                    let (user, at) = (format!("{}", 1_000_000 + round), now.replace_nanosecond(0).unwrap());
                    let follow = || {
                        let message = with_user(&user, json!({ "followed_at": text(at) }));
                        notification("channel.follow", Clock::default().now(), message)
                    };
                    let subject = format!("channel.follow/{user}/{}", at.unix_timestamp());
                    let actions = &["welcome say", "followers batch"];
                    events.push((follow(), Expected { subject: subject.clone(), actions, has_cooldown: false }));
                    // Twitch sends some follows twice.
                    events.push((follow(), Expected { subject, actions, has_cooldown: false }));
                }
                _ => {
                    let bits = json!({ "is_anonymous": false, "message": "hi", "bits": 1_000 + round });
                    let raid = json!({
                        "from_broadcaster_user_id": "71330092", "from_broadcaster_user_login": "pixelharbor",
                        "from_broadcaster_user_name": "PixelHarbor", "to_broadcaster_user_id": CHANNEL_ID,
                        "to_broadcaster_user_login": CHANNEL, "to_broadcaster_user_name": CHANNEL, "viewers": round,
                    });
                    let events_of = [
                        ("channel.cheer", with_user("7", bits), &["cheer say"]),
                        ("channel.raid", raid, &["raid announce"]),
                    ];
                    events.extend(events_of.map(|(kind, event, actions)| {
                        let message = notification(kind, now, event);
                        let subject = message.stamp.message_id.clone();
                        (message, Expected { subject, actions, has_cooldown: false })
                    }));
                }
            }
        }
        events
    }

    /// Delivers the events of a round at once, until all are acknowledged, and returns what has to follow from them.
    pub(super) async fn tell(&self, server: &Serving<'_>) -> Vec<Expected> {
        let (messages, expected): (Vec<_>, Vec<_>) = self.events().into_iter().unzip();
        join_all(messages.iter().map(|message| self.deliver(server, message))).await;
        expected
    }

    /// Compares the reactions of a round with those that have to follow, and returns all of its actions.
    pub(super) async fn verify_reactions(&mut self, expected: &[Expected]) -> Vec<i64> {
        let statement = "select rule.name || ' ' || kind from action join rule on rule.id = rule_id
            where subject = $1 order by rule.position, step";
        for Expected { subject, actions, has_cooldown } in expected {
            let rows: Vec<String> = sqlx::query_scalar(statement).bind(subject).fetch_all(&self.pool).await.unwrap();
            let is_cooled = *has_cooldown && rows == actions[..actions.len() - 1];
            assert!(is_cooled || rows == *actions, "{subject}: {rows:?} in place of {actions:?}");
        }
        let statement = "select id from action where rule_id <> 0 and id > $1 order by id";
        let ids: Vec<i64> = sqlx::query_scalar(statement).bind(self.verified).fetch_all(&self.pool).await.unwrap();
        self.verified = ids.last().copied().unwrap_or(self.verified);
        ids
    }

    /// Verifies what only all rounds together show.
    pub(super) async fn verify_rules(&self) {
        let number = async |statement: &'static str| -> i64 {
            sqlx::query_scalar(statement).fetch_one(&self.pool).await.unwrap()
        };
        let own = "select count(*) from action join event on event.id = event_id
            where rule_id <> 0 and payload::text like '%\"chatter_user_id\":\"90210441\"%'";
        assert_eq!(number(own).await, 0, "no rule reacts to what the bot wrote");
        let rounds = i64::try_from(self.round).unwrap();
        assert_eq!(number("select value from counter where name = 'deaths'").await, rounds, "each is counted once");
        let links = (0..self.round).flat_map(|round| [round, round + 4]).filter(|turn| turn % 8 == 5).count();
        assert_eq!(
            number("select coalesce(max(count), 0)::bigint from rule_strike").await,
            i64::try_from(links).unwrap()
        );
        for (rule, seconds) in [("cool", 10.0), ("cool for each", 15.0)] {
            let statement = "select extract(epoch from occurred_at)::float8 from action
                join event on event.id = event_id join rule on rule.id = rule_id where rule.name = $1 order by 1";
            let times: Vec<f64> = sqlx::query_scalar(statement).bind(rule).fetch_all(&self.pool).await.unwrap();
            let violations = times.windows(2).filter(|pair| pair[1] - pair[0] < seconds).count();
            assert!(!times.is_empty() && violations == 0, "{rule}: {violations} violations in {times:?}");
        }
        self.verify_batches();
    }

    /// Verifies that each follower is in one batch.
    fn verify_batches(&self) {
        let mut bodies: Vec<Value> = self.receiver.received().iter().map(|it| it.json()).collect();
        bodies.retain(|body| body["users"].is_string());
        bodies.sort_by_key(ToString::to_string);
        bodies.dedup();
        let mut told: Vec<_> = bodies.iter().flat_map(|body| body["users"].as_str().unwrap().split(' ')).collect();
        told.sort_unstable();
        let followed = (0..self.round).filter(|round| round % 4 == 2).map(|round| format!("User{}", 1_000_000 + round));
        assert_eq!(told, followed.collect::<Vec<_>>());
    }
}
