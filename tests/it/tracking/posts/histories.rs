//! Random histories of streams, with faults of Discord, against an oracle and the ledger of the fake Discord.
//!
//! `POST_HISTORIES` is the number of histories, `POST_SEED` begins another series.

use std::collections::BTreeSet;

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use showtime::cli::note;
use showtime::mock::discord::{DiscordFault, DiscordFaults, DiscordMessage, Webhook};
use showtime::twitch::eventsub::outgoing::Outgoing;
use time::{Duration, OffsetDateTime};

use super::super::{Stage, setting};
use super::{offline, online, update};

/// Faults after which Discord has no message, and those after which it may have one.
const CERTAIN: [DiscordFault; 5] = [
    DiscordFault::RateLimited,
    DiscordFault::RateLimitedGlobally,
    DiscordFault::ChannelWriteLimit,
    DiscordFault::BlockedByEdge,
    DiscordFault::NotFoundWithoutJson,
];
const UNCERTAIN: [DiscordFault; 6] = [
    DiscordFault::ResetBefore,
    DiscordFault::ErrorBefore,
    DiscordFault::BadGateway,
    DiscordFault::ResetAfter,
    DiscordFault::ErrorAfter,
    DiscordFault::Truncated,
];

/// What is known of a broadcast.
#[derive(Debug)]
struct Broadcast {
    began: OffsetDateTime,
    ended: Option<OffsetDateTime>,
    title: String,
    /// Messages to Discord before it began.
    before: usize,
}

/// A Twitch channel, and what happens on it.
struct History<'a> {
    stage: &'a Stage,
    rng: SmallRng,
    channel: String,
    webhook: Webhook,
    streams: usize,
    live: Option<String>,
    title: String,
    broadcasts: Vec<Broadcast>,
    sent: Vec<Outgoing>,
    faults: BTreeSet<DiscordFault>,
    log: Vec<String>,
}

impl<'a> History<'a> {
    async fn new(stage: &'a Stage, seed: u64) -> Self {
        let channel = (10_000 + seed % 1_000_000).to_string();
        let webhook = stage.new_webhook(&format!("of-{seed}"));
        stage.deliver(update(&channel, "First", "Chess", stage.clock.now())).await;
        // The first token expires when many histories have passed.
        let (token, path) = (stage.new_token().await, format!("/v1/api/{}/{channel}", webhook.channel_id));
        let body = json!({ "id": webhook.id, "token": webhook.token });
        let tracked = stage.server.send_json_as(&token, reqwest::Method::POST, &path, &body).await;
        assert_eq!(tracked.status, 201, "{tracked:?}");
        let settings = json!({ "mentions": { "everyone": true } });
        let statement = "update track set settings = $1 where twitch_id = $2";
        sqlx::query(statement).bind(settings).bind(&channel).execute(&stage.server.pool).await.unwrap();
        Self {
            stage,
            rng: SmallRng::seed_from_u64(seed),
            channel,
            webhook,
            streams: 0,
            live: None,
            title: "First".to_owned(),
            broadcasts: Vec::new(),
            sent: Vec::new(),
            faults: BTreeSet::new(),
            log: Vec::new(),
        }
    }

    fn messages(&self) -> Vec<DiscordMessage> {
        self.stage.messages().into_iter().filter(|it| it.webhook_id == self.webhook.id).collect()
    }

    async fn deliver(&mut self, message: Outgoing) {
        self.sent.push(message.clone());
        self.stage.deliver(message).await;
    }

    async fn step(&mut self) {
        let step = self.rng.random_range(0..100);
        self.log.push(format!("{step} at {}", self.stage.clock.now()));
        match step {
            0..25 if self.live.is_none() => self.begin().await,
            0..25 => self.finish().await,
            25..45 => self.rename().await,
            45..55 => {
                if let Some(message) = self.sent.choose(&mut self.rng).cloned() {
                    // Refused if it is old, known otherwise.
                    self.stage.server.deliver(&message).await;
                }
            }
            55..75 => self.fault(),
            75..90 => {
                let seconds = self.rng.random_range(1..90);
                self.wait(Duration::seconds(seconds)).await;
            }
            _ => {
                let seconds = self.rng.random_range(90..1_800);
                self.wait(Duration::seconds(seconds)).await;
            }
        }
    }

    async fn begin(&mut self) {
        let now = self.stage.clock.now();
        let stream = format!("{}{:04}", self.channel, self.streams);
        self.streams += 1;
        let message = online(&self.channel, &stream, now);
        match self.broadcasts.last_mut() {
            Some(last) if last.ended.is_some_and(|ended| now - ended <= Duration::minutes(15)) => {
                last.ended = None;
                last.title.clone_from(&self.title);
            }
            _ => self.broadcasts.push(Broadcast {
                began: now,
                ended: None,
                title: self.title.clone(),
                before: self.messages().len(),
            }),
        }
        self.live = Some(stream);
        self.deliver(message).await;
    }

    async fn finish(&mut self) {
        // What Twitch shows of times is cut to what a message says; a moment lies between any two of them.
        self.stage.clock.advance(Duration::SECOND);
        let now = self.stage.clock.now();
        let stream = self.live.take().unwrap();
        self.broadcasts.last_mut().unwrap().ended = Some(now);
        self.deliver(offline(&self.channel, &stream, now)).await;
        self.stage.settled().await;
        self.stage.clock.advance(Duration::SECOND);
    }

    async fn rename(&mut self) {
        self.stage.clock.advance(Duration::SECOND);
        self.title = format!("Title {}", self.rng.random_range(0..1_000_000));
        if self.live.is_some() {
            self.broadcasts.last_mut().unwrap().title.clone_from(&self.title);
        }
        let message = update(&self.channel, &self.title, "Chess", self.stage.clock.now());
        self.deliver(message).await;
        self.stage.settled().await;
        self.stage.clock.advance(Duration::SECOND);
    }

    fn fault(&mut self) {
        let all = [&CERTAIN[..], &UNCERTAIN[..]].concat();
        let fault = *all.choose(&mut self.rng).unwrap();
        self.faults.insert(fault);
        self.stage.next(fault, self.rng.random_range(1..4));
    }

    async fn wait(&mut self, time: Duration) {
        self.stage.after(time).await;
    }

    /// Whether the message of a broadcast is known.
    async fn is_posted(&self, broadcast: &Broadcast) -> bool {
        let statement = "select exists (select from post join announcement using (stream_id)
            where twitch_id = $1 and started_at = $2 and state = 'posted')";
        let found = sqlx::query_scalar(statement).bind(&self.channel).bind(broadcast.began);
        found.fetch_one(&self.stage.server.pool).await.unwrap()
    }

    /// Lets what is live be posted, and compares.
    async fn verify(&mut self) {
        if self.live.is_none() {
            self.begin().await;
        }
        self.stage.discord.world.set_faults(DiscordFaults::default()).unwrap();
        for _ in 0..3 {
            self.stage.after(Duration::minutes(6)).await;
        }
        let (log, messages) = (self.log.join("\n"), self.messages());
        let is_certain = !self.faults.iter().any(|fault| UNCERTAIN.contains(fault));
        for (number, broadcast) in self.broadcasts.iter().enumerate() {
            let next = self.broadcasts.get(number + 1).map_or(messages.len(), |next| next.before);
            let of = &messages[broadcast.before..next];
            let notifying = of.iter().filter(|message| message.is_notifying()).count();
            assert!(notifying <= 1, "{notifying} pings for {broadcast:?}\n{log}");
            assert!(!is_certain || of.len() <= 1, "{} messages for {broadcast:?}\n{log}", of.len());
            let Some(card) = of.last() else {
                assert!(broadcast.ended.is_some(), "no message for {broadcast:?}\n{log}");
                continue;
            };
            // The message of an answer that was lost is not known; if the stream ends before it is posted again, it stays as it is.
            let is_known = self.is_posted(broadcast).await;
            assert!(is_known || !is_certain && broadcast.ended.is_some(), "{broadcast:?} is not posted\n{log}");
            if !is_known {
                continue;
            }
            let embed = &card.embeds[0];
            assert_eq!(embed["title"], broadcast.title, "{broadcast:?}\n{log}");
            let is_end = embed.get("description").is_some();
            assert_eq!(is_end, broadcast.ended.is_some(), "{embed} of {broadcast:?}\n{log}");
            if let Some(ended) = broadcast.ended {
                let minutes = (ended - broadcast.began).whole_minutes();
                let words = embed["description"].as_str().unwrap();
                assert!(
                    minutes == 0 || words.contains(&format!("{} min", minutes % 60)) || minutes % 60 == 0,
                    "{words}"
                );
            }
        }
        self.finish().await;
        self.stage.after(Duration::minutes(20)).await;
    }
}

#[tokio::test]
async fn random_histories_end_in_the_right_card_and_ping_once() {
    let (number, seed) = (setting("POST_HISTORIES", 12), setting("POST_SEED", 20_261_126_u64));
    let stage = Stage::start().await;
    let (mut broadcasts, mut messages) = (0, 0);
    for seed in seed..seed + number {
        let mut history = History::new(&stage, seed).await;
        for _ in 0..30 {
            history.step().await;
        }
        history.verify().await;
        broadcasts += history.broadcasts.len();
        messages += history.messages().len();
    }
    note(format_args!("{number} histories, {broadcasts} broadcasts, {messages} messages"));
    stage.end().await;
}
