//! Authentication of API requests, by the server's own tokens or by a Twitch user access token of a broadcaster that the
//! server serves.
//!
//! Tokens are looked up by their hash. The time of a look-up only shows how far the hash of a guess equals a stored hash,
//! which leads to no token.

mod bootstrap;
pub mod grant;
mod limiter;
pub mod session;
mod token;

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;

pub use self::bootstrap::{BootstrapToken, NAME, bootstrap};
use self::grant::{Grant, Scope};
use self::limiter::FailureLimiter;
use self::session::{CHECK_INTERVAL, Session, Sessions};
pub use self::token::{TokenHash, check_name, generate};
use crate::clock::Clock;
use crate::credentials::application::Application;
use crate::services::{Services, Tasks};
use crate::store::{access_tokens, served_channels, within};
use crate::twitch::oauth::{OAuth, OAuthError, TokenUser};

/// How long a token is cached after it was looked up, and so how long a revoked one may still be used.
pub const TOKEN_TTL: Duration = Duration::from_secs(5);

/// How long a token of Twitch's is cached after Twitch confirmed it.
pub const TWITCH_TOKEN_TTL: Duration = Duration::from_secs(300);

/// Tokens that are cached at once; others are looked up each time.
const MAX_CACHED: usize = 1_024;

/// Time limit of a look-up in the database.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);

/// Time limit of a validation by Twitch.
const TWITCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Validations by Twitch at once.
const MAX_VALIDATIONS: usize = 4;

/// The longest text that is sent to Twitch for validation. Its tokens have 30 characters.
const MAX_TWITCH_TOKEN: usize = 128;

/// The pause between two writes of when tokens were used.
const RECORD_INTERVAL: Duration = Duration::from_secs(60);

/// Why a token gives no permission.
#[derive(Debug, thiserror::Error)]
pub enum Denial {
    /// No such token, or it was revoked.
    #[error("the token is not known: mistyped, revoked, or of another server")]
    Unknown,
    /// An unknown token, after many others from the same address; holds how long to wait.
    #[error("too many wrong tokens came from this address")]
    TooMany(Duration),
    /// The database did not answer.
    #[error("the token can't be looked up")]
    Unavailable(#[from] sqlx::Error),
    /// Twitch did not answer.
    #[error("Twitch can't be asked about the token")]
    TwitchUnavailable(#[source] Option<OAuthError>),
}

/// Authenticates broadcasters by their Twitch tokens.
#[derive(Debug)]
pub struct TwitchSignIn {
    /// Validates tokens; those of other applications are refused.
    pub oauth: OAuth,
    /// The login of the configured channel, which is served beside those in the database.
    pub channel_name: Option<String>,
}

/// Authenticates API tokens.
#[derive(Debug)]
pub struct Access {
    pool: PgPool,
    clock: Clock,
    /// Without it, tokens of Twitch's are refused.
    twitch: Option<TwitchSignIn>,
    /// Bounds the validations in progress.
    validations: Semaphore,
    /// Valid tokens, each until it has to be looked up again.
    cached: Mutex<HashMap<TokenHash, (Grant, Instant)>>,
    sessions: Sessions,
    failures: FailureLimiter,
    /// The last use of each token that is not in the database yet, by row.
    used: Mutex<HashMap<i32, OffsetDateTime>>,
    /// Wakes [`record_use`](Access::record_use).
    was_used: Notify,
}

/// Starts the tasks that record when tokens were used, and that end the streams of revoked tokens.
pub fn spawn(services: &Services, application: Option<&Application>, tasks: &mut Tasks) -> Arc<Access> {
    let twitch = application.map(|application| TwitchSignIn {
        oauth: application.oauth.clone(),
        channel_name: services.config.twitch.channel_name.clone(),
    });
    let access = Arc::new(Access::new(services.pool.clone(), services.clock.clone(), twitch));
    tasks.spawn("recording of tokens' use", access.clone().record_use());
    tasks.spawn("revocation of tokens", access.clone().end_revoked_sessions());
    access
}

impl Access {
    /// Accepts the tokens of this database and, with `twitch`, those of broadcasters.
    #[must_use]
    pub fn new(pool: PgPool, clock: Clock, twitch: Option<TwitchSignIn>) -> Self {
        Self {
            pool,
            twitch,
            validations: Semaphore::new(MAX_VALIDATIONS),
            cached: Mutex::default(),
            sessions: Sessions::default(),
            failures: FailureLimiter::new(clock.clone()),
            used: Mutex::default(),
            was_used: Notify::new(),
            clock,
        }
    }

    /// The permission of this token. Only failures are limited, so a valid token works however many wrong ones come from
    /// the same address. The exception are tokens of Twitch's that were never valid here, since each costs a call.
    ///
    /// # Errors
    /// [`Denial`]
    pub async fn admit(&self, token: &str, peer: IpAddr) -> Result<Grant, Denial> {
        let hash = TokenHash::new(token);
        if let Some(grant) = self.cached(&hash) {
            return Ok(grant);
        }
        if self.failures.is_wrong(&hash) {
            return Err(Denial::Unknown);
        }
        if token::is_ours(token) {
            if let Some(grant) = self.look_up(hash).await? {
                return Ok(grant);
            }
        } else if let Some(twitch) = self.twitch.as_ref().filter(|_| is_twitchs(token)) {
            if !self.was_valid(&hash) {
                self.failures.count(peer).map_err(Denial::TooMany)?;
            }
            let grant = self.validate(twitch, token, hash).await?;
            return grant.ok_or(Denial::Unknown);
        }
        self.failures.remember(hash);
        Err(self.failures.count(peer).map_or_else(Denial::TooMany, |()| Denial::Unknown))
    }

    /// Counts a wrong secret of another kind against the address that it came from.
    ///
    /// # Errors
    /// How long to wait, if there were too many.
    pub fn count_failure(&self, peer: IpAddr) -> Result<(), Duration> {
        self.failures.count(peer)
    }

    /// The session of a stream that outlasts its request. A broadcaster's token has one that is never revoked, and none is
    /// revoked while the database is away.
    #[must_use]
    pub fn open_session(&self, grant: &Grant) -> Arc<Session> {
        if grant.id.is_some() { self.sessions.open(grant.hash) } else { Arc::default() }
    }

    /// Looks up the tokens of all sessions every few seconds, and ends those of revoked tokens.
    async fn end_revoked_sessions(self: Arc<Self>) -> Infallible {
        loop {
            let held = self.sessions.tokens().await;
            let hashes: Vec<_> = held.iter().map(|hash| hash.as_bytes().to_vec()).collect();
            match self.query(async |db| access_tokens::known(db, &hashes).await).await {
                Ok(known) => {
                    let is_revoked = |hash: &TokenHash| !known.iter().any(|known| known == hash.as_bytes());
                    self.sessions.revoke(&held.into_iter().filter(is_revoked).collect::<Vec<_>>());
                }
                Err(error) => tracing::debug!(%error, "the tokens of open streams can't be looked up"),
            }
            self.clock.sleep(CHECK_INTERVAL).await;
        }
    }

    /// Writes when tokens were used: the first use at once, then at most once a minute. No request waits for it.
    async fn record_use(self: Arc<Self>) -> Infallible {
        loop {
            self.was_used.notified().await;
            let next = self.clock.instant() + RECORD_INTERVAL;
            let used = std::mem::take(&mut *lock(&self.used));
            let (ids, at): (Vec<_>, Vec<_>) = used.into_iter().unzip();
            if let Err(error) = self.query(async |db| access_tokens::record_use(db, &ids, &at).await).await {
                tracing::debug!(%error, "the use of tokens could not be recorded");
            }
            self.clock.sleep_until(next).await;
        }
    }

    fn cached(&self, hash: &TokenHash) -> Option<Grant> {
        let now = self.clock.instant();
        let grant = lock(&self.cached).get(hash).filter(|(_, until)| now < *until).map(|(grant, _)| grant.clone());
        self.mark_used(grant.as_ref()?);
        grant
    }

    /// Whether this token was valid when it was last looked up. The cache keeps what has expired until it needs the room.
    fn was_valid(&self, hash: &TokenHash) -> bool {
        lock(&self.cached).contains_key(hash)
    }

    fn cache(&self, grant: &Grant, ttl: Duration) {
        let now = self.clock.instant();
        self.mark_used(grant);
        let mut cached = lock(&self.cached);
        if cached.len() >= MAX_CACHED {
            cached.retain(|_, (_, until)| now < *until);
        }
        if cached.len() < MAX_CACHED {
            cached.insert(grant.hash, (grant.clone(), now + ttl));
        }
    }

    fn mark_used(&self, grant: &Grant) {
        if let Some(id) = grant.id {
            let is_new = lock(&self.used).insert(id, self.clock.now()).is_none();
            if is_new {
                self.was_used.notify_one();
            }
        }
    }

    async fn look_up(&self, hash: TokenHash) -> Result<Option<Grant>, Denial> {
        let found = self.query(async |db| access_tokens::by_hash(db, hash.as_bytes()).await).await?;
        let grant = found.map(|(id, scope)| Grant::new(scope, hash, Some(id)));
        if let Some(grant) = &grant {
            self.cache(grant, TOKEN_TTL);
        }
        Ok(grant)
    }

    /// Has Twitch validate a token (<https://dev.twitch.tv/docs/authentication/validate-tokens/>). Its user must be the
    /// broadcaster of a served channel, and its application our own.
    async fn validate(&self, twitch: &TwitchSignIn, token: &str, hash: TokenHash) -> Result<Option<Grant>, Denial> {
        let validated = timeout(TWITCH_TIMEOUT, async {
            let _permit = self.validations.acquire().await;
            twitch.oauth.validate(&SecretString::from(token)).await
        });
        let user = match validated.await {
            Ok(Ok(validated)) => validated.user,
            Ok(Err(OAuthError::Refused { .. })) => {
                lock(&self.cached).remove(&hash);
                self.failures.remember(hash);
                None
            }
            Ok(Err(error)) => return Err(Denial::TwitchUnavailable(Some(error))),
            Err(_) => return Err(Denial::TwitchUnavailable(None)),
        };
        let Some(user) = user else { return Ok(None) };
        let is_served = self.query(async |db| is_served(db, twitch, &user).await).await?;
        let grant = is_served.then_some(Grant::new(Scope::Admin, hash, None));
        if let Some(grant) = &grant {
            self.cache(grant, TWITCH_TOKEN_TTL);
        }
        Ok(grant)
    }

    async fn query<T>(&self, query: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>) -> Result<T, Denial> {
        let answer = async { query(&mut *self.pool.acquire().await?).await };
        Ok(within(LOOKUP_TIMEOUT, answer).await?)
    }
}

/// Whether this user's channel is served. The configured login means the channel that was served under it first, also if
/// another account has that login now.
async fn is_served(db: &mut PgConnection, twitch: &TwitchSignIn, user: &TokenUser) -> sqlx::Result<bool> {
    let configured = twitch.channel_name.as_deref().filter(|login| *login == user.login);
    served_channels::contains(db, &user.id.channel(), configured).await
}

/// Whether a text has the shape of a token of Twitch's.
fn is_twitchs(token: &str) -> bool {
    (1..=MAX_TWITCH_TOKEN).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// No critical section of these locks can panic halfway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
