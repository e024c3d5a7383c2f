//! State of the fake Twitch. All of it is bounded.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use rand::distr::{Alphanumeric, SampleString as _};
use serde::Serialize;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
use url::Url;

use super::actions::ledger::Ledger;
use super::actions::rooms::Rooms;
use super::config::MockConfig;
use super::fault_generator::FaultGenerator;
use super::irc::connections::Clients;
use super::videos::Video;
use super::websocket::sessions::Sessions;
use crate::simulate::delivery::CallbackClient;
use crate::simulate::people::{Person, PersonError};
use crate::twitch::eventsub::outgoing::Subscription;
use crate::twitch::signature::WebhookSecret;

/// Limit of accounts, of tokens of each kind, and of codes. When it is reached, tokens and codes are cleared.
pub(super) const MAX_HELD: usize = 10_000;

/// Limit of deliveries in the log.
const MAX_LOG: usize = 1_000;

/// Lifetime of an authorization code.
const CODE_LIFETIME: Duration = Duration::minutes(10);

/// A user of the fake Twitch, with a channel.
#[derive(Clone, Debug, Serialize)]
pub struct Account {
    /// Digits only.
    pub id: String,
    /// Lower-case ASCII.
    pub login: String,
    /// The name that viewers see.
    pub display_name: String,
    /// Title of the current or next stream.
    pub title: String,
    /// The category's id.
    pub game_id: String,
    /// The category.
    pub game_name: String,
    /// An ISO 639-1 code.
    pub language: String,
    /// Content classification labels.
    pub labels: Vec<String>,
    /// Tags of the stream.
    pub tags: Vec<String>,
    /// Present while live.
    pub stream: Option<LiveStream>,
}

/// What services with emotes of their own tell.
#[derive(Debug, Default)]
pub(super) struct EmoteState {
    /// Emotes by service and channel, those of all channels without one.
    pub(super) emotes: BTreeMap<(&'static str, Option<String>), Vec<Value>>,
    /// The services that answer 500.
    pub(super) broken: BTreeSet<&'static str>,
}

/// A stream that is live.
#[derive(Clone, Debug, Serialize)]
pub struct LiveStream {
    /// Digits only.
    pub id: String,
    /// To the second.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// Number of viewers.
    pub viewers: u32,
}

/// A follower of a channel, as Get Channel Followers shows it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Follower {
    /// Digits only.
    pub(super) user_id: String,
    /// Lower-case ASCII.
    pub(super) user_login: String,
    /// The name that viewers see.
    pub(super) user_name: String,
    /// To the second.
    #[serde(with = "time::serde::rfc3339")]
    pub(super) followed_at: OffsetDateTime,
}

/// One attempt to deliver a message.
#[derive(Clone, Debug, Serialize)]
pub struct Delivery {
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The same for all attempts.
    pub message_id: String,
    /// `notification`, `revocation` or `webhook_callback_verification`.
    pub message_type: &'static str,
    /// The subscription's type.
    pub subscription_type: String,
    /// The subscription's id.
    pub subscription_id: String,
    /// Number of earlier attempts.
    pub retry: u32,
    /// Whether the callback accepted it.
    pub is_accepted: bool,
    /// The answer, or why there was none.
    pub outcome: String,
}

/// A subscription, with what only Twitch knows about it.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) shown: Subscription,
    pub(super) route: Route,
}

/// How the messages of a subscription are sent.
#[derive(Debug)]
pub(super) enum Route {
    Webhook {
        secret: WebhookSecret,
        client: CallbackClient,
        /// Messages lost in a row.
        losses: u32,
    },
    /// Over the session that its transport names.
    Websocket {
        /// The user who created it.
        user_id: String,
    },
}

impl Held {
    /// The user who created it over a WebSocket.
    pub(super) fn user_id(&self) -> Option<&str> {
        match &self.route {
            Route::Webhook { .. } => None,
            Route::Websocket { user_id } => Some(user_id),
        }
    }
}

/// An authorization code that has not been exchanged for tokens.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) user_id: String,
    pub(super) scopes: BTreeSet<String>,
    pub(super) redirect_url: String,
    pub(super) expires_at: OffsetDateTime,
}

/// An access or a refresh token.
#[derive(Clone, Debug)]
pub(super) struct Token {
    /// `None` for the application's own.
    pub(super) user_id: Option<String>,
    pub(super) scopes: BTreeSet<String>,
    /// Refresh tokens don't expire by themselves.
    pub(super) expires_at: Option<OffsetDateTime>,
}

/// The rate limit.
#[derive(Debug)]
pub(super) struct Points {
    pub(super) remaining: u32,
    pub(super) full_at: OffsetDateTime,
}

#[derive(Debug)]
pub(super) struct State {
    /// By id.
    pub(super) accounts: BTreeMap<String, Account>,
    /// Each channel's followers by the channel's id, oldest first.
    followers: BTreeMap<String, Vec<Follower>>,
    /// Scopes that each user has consented to, by user id.
    pub(super) consents: BTreeMap<String, BTreeSet<String>>,
    /// The user who consented last, as a browser would be signed in.
    pub(super) signed_in: Option<String>,
    pub(super) codes: HashMap<String, Code>,
    pub(super) access_tokens: HashMap<String, Token>,
    pub(super) refresh_tokens: HashMap<String, Token>,
    /// [`MockConfig::token_prefix`]
    token_prefix: String,
    /// Oldest first.
    pub(super) subscriptions: Vec<Held>,
    pub(super) sessions: Sessions,
    pub(super) log: VecDeque<Delivery>,
    pub(super) points: Points,
    /// Services with emotes of their own.
    pub(super) services: EmoteState,
    /// Number of calls, by method and path.
    pub(super) calls: BTreeMap<String, usize>,
    pub(super) faults: FaultGenerator,
    /// Of streams, oldest first.
    pub(super) videos: VecDeque<Video>,
    /// The chats, and what else actions change.
    pub(super) rooms: Rooms,
    pub(super) ledger: Ledger,
    pub(super) irc: Clients,
    /// One for each callback.
    clients: HashMap<Url, CallbackClient>,
}

impl State {
    pub(super) fn new(config: &MockConfig) -> Result<Self, PersonError> {
        let mut state = Self {
            accounts: BTreeMap::new(),
            followers: BTreeMap::new(),
            consents: BTreeMap::new(),
            signed_in: None,
            codes: HashMap::new(),
            access_tokens: HashMap::new(),
            refresh_tokens: HashMap::new(),
            token_prefix: config.token_prefix.clone(),
            subscriptions: Vec::new(),
            sessions: Sessions::default(),
            log: VecDeque::new(),
            points: Points { remaining: config.rate_limit, full_at: OffsetDateTime::UNIX_EPOCH },
            services: EmoteState::default(),
            calls: BTreeMap::new(),
            faults: FaultGenerator::new(config.seed),
            videos: VecDeque::new(),
            rooms: Rooms::default(),
            ledger: Ledger::default(),
            irc: Clients::default(),
            clients: HashMap::new(),
        };
        for name in config.channels.iter().chain(&config.auto_consent) {
            state.account_or_new(name)?;
        }
        if let Some(bot) = &config.bot {
            let bot = state.account_or_new(bot)?.id;
            for channel in &config.channels {
                let channel = state.account_or_new(channel)?.id;
                state.rooms.entry(&channel).moderators.insert(bot.clone());
            }
        }
        Ok(state)
    }

    /// The account of this login or id.
    pub(super) fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.values().find(|account| account.login == name || account.id == name)
    }

    pub(super) fn account_mut(&mut self, name: &str) -> Option<&mut Account> {
        self.accounts.values_mut().find(|account| account.login == name || account.id == name)
    }

    /// The account of this display name, login or id, added if necessary.
    pub(super) fn account_or_new(&mut self, name: &str) -> Result<Person, PersonError> {
        if let Some(account) = self.account(&name.to_lowercase()) {
            return Ok(account.person());
        }
        let is_id = name.bytes().all(|byte| byte.is_ascii_digit());
        let described =
            if is_id { Person::described(None, None, Some(name)) } else { Person::described(Some(name), None, None) };
        let described = described?;
        let person = described.ok_or_else(|| PersonError::InvalidLogin(name.to_owned()))?;
        if self.accounts.len() < MAX_HELD {
            self.accounts.insert(person.id.clone(), Account::new(&person));
        }
        Ok(person)
    }

    /// Keeps a video, in place of the oldest one if there are too many.
    pub(super) fn keep_video(&mut self, video: Video) {
        if self.videos.len() >= MAX_HELD {
            self.videos.pop_front();
        }
        self.videos.push_back(video);
    }

    /// Keeps the follower that the event of a `channel.follow` names.
    pub(super) fn add_follower(&mut self, event: &Value) {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let Ok(followed_at) = OffsetDateTime::parse(&text("followed_at"), &Rfc3339) else { return };
        if self.followers.len() >= MAX_HELD {
            self.followers.clear();
        }
        let followers = self.followers.entry(text("broadcaster_user_id")).or_default();
        let user_id = text("user_id");
        followers.retain(|it| it.user_id != user_id);
        if followers.len() >= MAX_HELD {
            followers.remove(0);
        }
        let followed_at = followed_at.replace_nanosecond(0).unwrap_or(followed_at);
        let (user_login, user_name) = (text("user_login"), text("user_name"));
        followers.push(Follower { user_id, user_login, user_name, followed_at });
    }

    /// The followers of a channel, newest first.
    pub(super) fn followers(&self, channel_id: &str) -> Vec<&Follower> {
        let mut followers: Vec<_> = self.followers.get(channel_id).into_iter().flatten().collect();
        followers.sort_by_key(|it| std::cmp::Reverse(it.followed_at));
        followers
    }

    pub(super) fn subscription_mut(&mut self, id: &str) -> Option<&mut Held> {
        self.subscriptions.iter_mut().find(|held| held.shown.id == id)
    }

    pub(super) fn client(&mut self, callback: &Url) -> Result<CallbackClient, String> {
        if let Some(client) = self.clients.get(callback) {
            return Ok(client.clone());
        }
        if self.clients.len() >= MAX_LOG {
            self.clients.clear();
        }
        let client = CallbackClient::new(callback.clone(), &[]).map_err(|error| error.to_string())?;
        self.clients.insert(callback.clone(), client.clone());
        Ok(client)
    }

    pub(super) fn log_delivery(&mut self, delivery: Delivery) {
        if self.log.len() >= MAX_LOG {
            self.log.pop_front();
        }
        self.log.push_back(delivery);
    }

    /// Counts a call. The number of different calls is bounded by the routes.
    pub(super) fn count(&mut self, call: String) {
        *self.calls.entry(call).or_default() += 1;
    }

    pub(super) fn new_code(
        &mut self,
        user_id: &str,
        scopes: BTreeSet<String>,
        redirect_url: &str,
        now: OffsetDateTime,
    ) -> String {
        self.codes.retain(|_, code| code.expires_at > now);
        if self.codes.len() >= MAX_HELD {
            self.codes.clear();
        }
        let (user_id, redirect_url) = (user_id.to_owned(), redirect_url.to_owned());
        let text = random_text(&self.token_prefix);
        self.codes.insert(text.clone(), Code { user_id, scopes, redirect_url, expires_at: now + CODE_LIFETIME });
        text
    }

    pub(super) fn new_access_token(&mut self, token: Token, now: OffsetDateTime) -> String {
        self.access_tokens.retain(|_, token| token.is_alive(now));
        insert(&mut self.access_tokens, token, &self.token_prefix)
    }

    pub(super) fn new_refresh_token(&mut self, token: Token) -> String {
        insert(&mut self.refresh_tokens, token, &self.token_prefix)
    }

    /// Ends all tokens that match.
    pub(super) fn end_tokens(&mut self, matches: impl Fn(&Token) -> bool) {
        self.access_tokens.retain(|_, token| !matches(token));
        self.refresh_tokens.retain(|_, token| !matches(token));
    }
}

impl Account {
    pub(super) fn new(person: &Person) -> Self {
        Self {
            id: person.id.clone(),
            login: person.login.clone(),
            display_name: person.display_name.clone(),
            title: "Speedrun practice, then co-op".to_owned(),
            game_id: "27471".to_owned(),
            game_name: "Minecraft".to_owned(),
            language: "en".to_owned(),
            labels: Vec::new(),
            tags: Vec::new(),
            stream: None,
        }
    }

    pub(super) fn person(&self) -> Person {
        Person { id: self.id.clone(), login: self.login.clone(), display_name: self.display_name.clone() }
    }
}

impl Token {
    /// What a call without a token may do.
    pub(super) fn anonymous() -> Self {
        Self { user_id: None, scopes: BTreeSet::new(), expires_at: None }
    }

    pub(super) fn is_alive(&self, now: OffsetDateTime) -> bool {
        self.expires_at.is_none_or(|at| at > now)
    }
}

/// Makes a token or code as long as Twitch's. Not seeded: two runs must not issue the same tokens.
fn random_text(prefix: &str) -> String {
    prefix.to_owned() + &Alphanumeric.sample_string(&mut rand::rng(), 30).to_lowercase()
}

fn insert(tokens: &mut HashMap<String, Token>, token: Token, prefix: &str) -> String {
    if tokens.len() >= MAX_HELD {
        tokens.clear();
    }
    let text = random_text(prefix);
    tokens.insert(text.clone(), token);
    text
}

/// Formats a time as Twitch does.
pub(super) fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}
