//! Floods on fifty channels under an adjustable clock, with a server that starts anew every twenty seconds: Twitch's limits
//! hold, and moderation waits behind no queue.
//!
//! The suite has a short run. `LIMIT_MINUTES` of the environment makes it longer.

use futures_util::future::join_all;
use serde_json::{Value, json};
use showtime::cli::note;
use showtime::mock::{Notify, Role};
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp};
use time::{Duration, OffsetDateTime};

use super::rules::{apply, deliver, judged};
use super::{Place, VIEWER};
use crate::support::messages::{subscription, text, with_person};
use crate::support::server::Server;
use crate::support::until;

const CHANNELS: usize = 50;

/// On the first of them the bot is a moderator.
const MODERATED: usize = 10;

const RESTART_SECONDS: usize = 20;

const SCOPES: [&str; 6] = [
    "moderator:manage:announcements",
    "moderator:manage:banned_users",
    "moderator:manage:chat_messages",
    "moderator:manage:shoutouts",
    "user:manage:whispers",
    "user:write:chat",
];

const RULES: &str = r#"
[[rule]]
name = "flood"
message = '^flood (\d+)'
max_per_minute = 100000
do = [{ say = "flood {{ match[1] }}" }]

[[rule]]
name = "announcement"
message = '^news (\d+)'
max_per_minute = 100000
do = [{ announce = { text = "news {{ match[1] }}" } }, { shoutout = "quietotter" }]

[[rule]]
name = "whisper"
message = '^whisper (\d+)'
max_per_minute = 100000
do = [{ whisper = { user = "quietotter", text = "whisper {{ match[1] }}" } }]

[[rule]]
name = "spam"
message = '^spam (\d+)'
do = [{ delete = {} }, { timeout = { user = "quietotter", steps = ["10s"] } }]
"#;

struct Flood {
    place: Place,
    bot: String,
    channels: Vec<String>,
    /// Messages so far.
    number: usize,
    /// Calls of Twitch whose echo was sent.
    echoed: Option<OffsetDateTime>,
}

impl Flood {
    async fn start() -> Self {
        let place = Place::new().await;
        let (bot, world) = (place.bot(&SCOPES).await, &place.twitch.mock.world);
        let add = |index: usize| world.add_channel(&format!("channel{index}")).unwrap();
        let channels: Vec<_> = (0..CHANNELS).map(add).collect();
        for channel in &channels[..MODERATED] {
            world.set_role(&channel.login, "showbot", Some(Role::Moderator)).unwrap();
            world.go_live(&channel.login, Notify::No).unwrap();
        }
        Self { channels: channels.into_iter().map(|it| it.id).collect(), place, bot, number: 0, echoed: None }
    }

    fn line(
        &self,
        server: &Server,
        channel: &str,
        (id, login): (&str, &str),
        message_id: &str,
        text: &str,
    ) -> Outgoing {
        let badges = if id == self.bot { json!([{ "set_id": "moderator", "id": "1", "info": "" }]) } else { json!([]) };
        let event = json!({
            "chatter_user_id": id, "chatter_user_login": login, "chatter_user_name": login, "message_id": message_id,
            "message": { "text": text, "fragments": [] }, "message_type": "text", "badges": badges,
        });
        let event = with_person("broadcaster_user_", channel, event);
        let stamp = Stamp::new(self::text(server.clock.now()));
        Outgoing::notification(stamp, &subscription("channel.chat.message", &event), &event)
    }

    /// What happens within a second: floods on two channels and some elsewhere, and spam every now and then.
    async fn second(&mut self, server: &Server, second: usize) {
        let mut lines = Vec::new();
        let mut write = |channel: usize, what: &str| {
            self.number += 1;
            lines.push((self.channels[channel % CHANNELS].clone(), format!("{what} {}", self.number)));
        };
        (0..3).for_each(|_| write(second / 60 % MODERATED, "flood"));
        (0..3).for_each(|step| write(MODERATED + second * 7 + step, "flood"));
        write(second % MODERATED, "news");
        write(second, "whisper");
        if second.is_multiple_of(5) {
            write(second / 5 % MODERATED, "spam");
        }
        let viewer = (self.place.viewer_id.as_str(), VIEWER);
        let lines: Vec<_> = lines
            .iter()
            .map(|(channel, text)| self.line(server, channel, viewer, &text.replace(' ', "-"), text))
            .collect();
        join_all(lines.iter().map(|line| deliver(server, line))).await;
        self.echo(server).await;
        judged(server).await;
        // No clock moves meanwhile: what has to wait for a queue would wait for ever.
        let waits = "select not exists (select from action 
            where state = 'sending' or bucket = 'moderation' and state = 'pending')";
        until("moderation waits for nothing", async || {
            sqlx::query_scalar(waits).fetch_one(&server.pool).await.unwrap()
        })
        .await;
    }

    /// Sends the echoes of what was said since the last time on moderated channels, so that the role is known there.
    async fn echo(&mut self, server: &Server) {
        let calls = self.place.performed("say");
        let is_new = |at: OffsetDateTime| self.echoed.is_none_or(|echoed| at > echoed);
        for call in calls.iter().filter(|call| is_new(call.at)) {
            let channel = call.channel.as_deref().unwrap();
            if let Some(id) = call.effect["message_id"].as_str()
                && self.channels[..MODERATED].iter().any(|known| known == channel)
            {
                let text = call.effect["text"].as_str().unwrap();
                deliver(server, &self.line(server, channel, (&self.bot, "showbot"), id, text)).await;
            }
        }
        self.echoed = calls.last().map(|call| call.at).or(self.echoed);
    }

    fn violations(&self) -> Vec<Value> {
        let calls = self.place.twitch.mock.world.actions();
        let violates = calls.iter().filter(|call| call.violation.is_some() || call.effect["dropped"].is_string());
        violates.map(|call| json!(call)).collect()
    }
}

#[tokio::test]
async fn floods_on_fifty_channels_with_restarts_exceed_no_limit_and_hold_up_no_moderation() {
    let minutes = std::env::var_os("LIMIT_MINUTES").map_or(1, |minutes| minutes.to_str().unwrap().parse().unwrap());
    let mut flood = Flood::start().await;
    let mut server = flood.place.serve().await;
    apply(&server, RULES).await;
    for second in 0..minutes * 60 {
        if second % RESTART_SECONDS == RESTART_SECONDS - 1 {
            server.stop().await;
            server = flood.place.serve().await;
        }
        flood.second(&server, second).await;
        assert_eq!(flood.violations(), Vec::<Value>::new(), "in second {second}");
        server.clock.advance(Duration::SECOND);
    }
    let (undone, longest): (i64, f64) = sqlx::query_as(
        "select count(*) filter (where state <> 'done'),
            max(extract(epoch from sending_at - created_at))::float8 from action where kind in ('delete', 'timeout')",
    )
    .fetch_one(&server.pool)
    .await
    .unwrap();
    note(format_args!("{minutes} minutes of floods: moderation waited for {longest:.2} s at most"));
    assert_eq!(undone, 0, "all moderation is done");
    // Messages wait for up to a minute. A busy machine takes its time, too.
    assert!(longest < 5.0, "moderation waits behind no queue: {longest} s");
    for (kind, at_least) in [("say", 20), ("announce", 20), ("shoutout", 1), ("whisper", 20), ("ban", 10)] {
        assert!(flood.place.performed(kind).len() >= at_least, "{kind}: {}", flood.place.performed(kind).len());
    }
    server.stop().await;
}
