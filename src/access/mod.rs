//! Who may do what: the server's own tokens, and those that Twitch gave to the broadcasters that it
//! serves.
//!
//! Tokens are looked up by their hash. What an attacker can learn from the time that takes is where
//! a hash of theirs ends to equal one of ours, which leads to no token.

mod failures;
mod first;
mod token;

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;

use self::failures::Failures;
pub use self::first::{NAME, OwnToken, find_or_make};
pub use self::token::{TokenHash, check_name, generate};
use crate::clock::Clock;
pub use crate::store::access_tokens::Scope;
use crate::store::{access_tokens, served_channels, within};
use crate::twitch::oauth::{OAuth, OAuthError};

/// How long a token counts after it was looked up, and so how long one that was revoked may still
/// be used.
pub const TOKEN_MEMORY: Duration = Duration::from_secs(5);

/// How long a token of Twitch's counts after Twitch confirmed it.
pub const TWITCH_MEMORY: Duration = Duration::from_secs(300);

/// Tokens that are remembered at once; others are looked up each time.
const MAX_REMEMBERED: usize = 1_024;

/// How long a token may take to be looked up.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);

/// How long Twitch may take to confirm one.
const TWITCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Questions to Twitch at once.
const MAX_QUESTIONS: usize = 4;

/// What is longer is no token of Twitch's (they have 30 characters).
const MAX_TWITCH_LEN: usize = 128;

/// Between two writes of when tokens were used.
const NOTE_INTERVAL: Duration = Duration::from_secs(60);

/// Leave to act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// How far.
    pub scope: Scope,
    hash: TokenHash,
    /// The row; a broadcaster's token of Twitch's has none.
    id: Option<i32>,
}

/// Why there is no leave.
#[derive(Debug, thiserror::Error)]
pub enum Denial {
    /// The token is none of ours, or not any more.
    #[error("the token is not known: mistyped, revoked, or of another server")]
    Unknown,
    /// Nor are many others that came from the same address.
    #[error("too many wrong tokens came from this address")]
    TooMany(Duration),
    /// The database could not be asked.
    #[error("the token can't be looked up")]
    Unavailable(#[from] sqlx::Error),
    /// Twitch could not be asked.
    #[error("Twitch can't be asked about the token")]
    TwitchUnavailable(#[source] Option<OAuthError>),
}

/// The channels whose broadcasters may sign in with a token of Twitch's.
#[derive(Debug)]
pub struct TwitchSignIn {
    /// As our application: tokens of others don't count.
    pub oauth: OAuth,
    /// The configured channel; those in the database count as well.
    pub channel_name: Option<String>,
}

/// Knows whom to let in.
#[derive(Debug)]
pub struct Access {
    pool: PgPool,
    clock: Clock,
    twitch: Option<TwitchSignIn>,
    questions: Semaphore,
    remembered: Mutex<HashMap<TokenHash, (Grant, OffsetDateTime)>>,
    failures: Failures,
    used: Mutex<HashMap<i32, OffsetDateTime>>,
    was_used: Notify,
}

impl Access {
    /// Lets in the tokens of this database and, with `twitch`, broadcasters.
    #[must_use]
    pub fn new(pool: PgPool, clock: Clock, twitch: Option<TwitchSignIn>) -> Self {
        Self {
            pool,
            twitch,
            questions: Semaphore::new(MAX_QUESTIONS),
            remembered: Mutex::default(),
            failures: Failures::new(clock.clone()),
            used: Mutex::default(),
            was_used: Notify::new(),
            clock,
        }
    }

    /// What this token is good for. Only failures are counted, and only they are refused for being
    /// too many: a good token works, whoever else comes from that address. The exception are
    /// tokens of Twitch's that are not known yet, since each costs a question.
    ///
    /// # Errors
    /// [`Denial`]
    pub async fn admit(&self, token: &str, peer: IpAddr) -> Result<Grant, Denial> {
        let hash = TokenHash::of(token);
        if let Some(grant) = self.recall(&hash) {
            return Ok(grant);
        }
        if token::is_ours(token) {
            if let Some(grant) = self.look_up(hash).await? {
                return Ok(grant);
            }
        } else if let Some(twitch) = self.twitch.as_ref().filter(|_| is_twitchs(token)) {
            self.failures.count(peer).map_err(Denial::TooMany)?;
            let grant = self.ask(twitch, token, hash).await?;
            return grant.ok_or(Denial::Unknown);
        }
        Err(self.failures.count(peer).map_or_else(Denial::TooMany, |()| Denial::Unknown))
    }

    /// Whether this leave still holds; for what goes on longer than a request. A broadcaster's
    /// holds for as long as it is used, and so does every one while the database is away.
    pub async fn still_holds(&self, grant: &Grant) -> bool {
        grant.id.is_none() || self.recall(&grant.hash).is_some() || !matches!(self.look_up(grant.hash).await, Ok(None))
    }

    /// Writes when tokens were used: soon for the first time, then at most once a minute, and
    /// never while a request waits.
    pub async fn note_use(self: Arc<Self>) -> Infallible {
        loop {
            self.was_used.notified().await;
            let used = std::mem::take(&mut *lock(&self.used));
            let (ids, at): (Vec<_>, Vec<_>) = used.into_iter().unzip();
            if let Err(error) = self.query(async |db| access_tokens::note_use(db, &ids, &at).await).await {
                tracing::debug!(%error, "when tokens were used is not known");
            }
            self.clock.sleep(NOTE_INTERVAL).await;
        }
    }

    fn recall(&self, hash: &TokenHash) -> Option<Grant> {
        let now = self.clock.now();
        let grant = lock(&self.remembered).get(hash).filter(|(_, until)| now < *until).map(|(grant, _)| grant.clone());
        self.note(grant.as_ref()?, now);
        grant
    }

    fn remember(&self, grant: &Grant, span: Duration) {
        let now = self.clock.now();
        self.note(grant, now);
        let mut remembered = lock(&self.remembered);
        if remembered.len() >= MAX_REMEMBERED {
            remembered.retain(|_, (_, until)| now < *until);
        }
        if remembered.len() < MAX_REMEMBERED {
            remembered.insert(grant.hash, (grant.clone(), now + span));
        }
    }

    fn note(&self, grant: &Grant, now: OffsetDateTime) {
        if let Some(id) = grant.id {
            let is_new = lock(&self.used).insert(id, now).is_none();
            if is_new {
                self.was_used.notify_one();
            }
        }
    }

    async fn look_up(&self, hash: TokenHash) -> Result<Option<Grant>, Denial> {
        let found = self.query(async |db| access_tokens::by_hash(db, hash.as_bytes()).await).await?;
        let grant = found.map(|(id, scope)| Grant { scope, hash, id: Some(id) });
        if let Some(grant) = &grant {
            self.remember(grant, TOKEN_MEMORY);
        }
        Ok(grant)
    }

    /// Asks Twitch whose token this is (oauth.md "Validate"): it must be a broadcaster's whom we
    /// serve, given to our own application.
    async fn ask(&self, twitch: &TwitchSignIn, token: &str, hash: TokenHash) -> Result<Option<Grant>, Denial> {
        let validated = timeout(TWITCH_TIMEOUT, async {
            let _permit = self.questions.acquire().await;
            twitch.oauth.validate(&SecretString::from(token)).await
        });
        let user = match validated.await {
            Ok(Ok(validated)) => validated.user,
            Ok(Err(OAuthError::Refused { .. })) => None,
            Ok(Err(error)) => return Err(Denial::TwitchUnavailable(Some(error))),
            Err(_) => return Err(Denial::TwitchUnavailable(None)),
        };
        let Some(user) = user else { return Ok(None) };
        let is_served = twitch.channel_name.as_ref() == Some(&user.login)
            || self.query(async |db| served_channels::contains(db, &user.id).await).await?;
        let grant = is_served.then_some(Grant { scope: Scope::Admin, hash, id: None });
        if let Some(grant) = &grant {
            self.remember(grant, TWITCH_MEMORY);
        }
        Ok(grant)
    }

    async fn query<T>(&self, query: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>) -> Result<T, Denial> {
        let answer = async { query(&mut *self.pool.acquire().await?).await };
        Ok(within(LOOKUP_TIMEOUT, answer).await?)
    }
}

fn is_twitchs(token: &str) -> bool {
    (1..=MAX_TWITCH_LEN).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Nothing that holds one of these locks can panic halfway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
