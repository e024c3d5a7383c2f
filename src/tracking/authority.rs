//! Issues the tokens of bots, and admits those who have one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use sqlx::{PgConnection, PgPool};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::jwt::{self, Claims, Subject};
use super::keys::{KeyError, Keys};
use super::secret;
use crate::clock::Clock;
use crate::services::Services;
use crate::store::tracking::bots::{self, Credentials};
use crate::store::within;

/// How long the generation of a bot's tokens is cached, and so how long a token of a rotated secret may still be used.
const GENERATION_TTL: Duration = Duration::from_secs(5);

/// How long a secret is remembered that was right: of 300 processes that start at once, one waits for the slow hash.
const VERIFIED_TTL: Duration = Duration::from_secs(600);

/// Secrets that are remembered at once. A bot has one.
const MAX_VERIFIED: usize = 1_024;

/// Hashes that are computed at once, each on 19 MiB and a thread of its own.
const MAX_HASHES: usize = 2;

/// How long a request waits for its turn to have its secret hashed.
const HASH_TIMEOUT: Duration = Duration::from_secs(10);

/// Time limit of a look-up in the database.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a bot gets no token, or is not admitted.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// No bot of this name, or another secret: which of both is not said.
    #[error("the name or the secret is wrong")]
    WrongSecret,
    /// Not signed here, expired, or of a secret that was rotated.
    #[error("the token is wrong, has expired, or is of a secret that was rotated: get another one")]
    WrongToken,
    /// Too many wait to have a secret checked.
    #[error("too many secrets are being checked")]
    Busy,
    /// The keys that sign tokens can't be used.
    #[error(transparent)]
    Key(KeyError),
    /// The token can't be signed.
    #[error("the token can't be signed: {0}")]
    Sign(#[from] jsonwebtoken::errors::Error),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<KeyError> for AuthError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Database(error) => Self::Database(error),
            error => Self::Key(error),
        }
    }
}

/// A bot that has shown a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BotGrant {
    /// The bot.
    pub bot_id: i64,
    /// The shard that its process serves.
    pub shard: i64,
    generation: i32,
    /// In seconds since 1970.
    expires_at: i64,
}

/// Issues tokens and checks them.
#[derive(Debug)]
pub struct Authority {
    pool: PgPool,
    clock: Clock,
    ttl: Duration,
    keys: Arc<Keys>,
    /// Hashes what is remembered of secrets; of this process alone.
    memory_key: [u8; 32],
    verified: Mutex<HashMap<[u8; 32], Instant>>,
    /// The generation of each bot's tokens, until it has to be looked up again; none for a bot that is gone or switched off.
    generations: Mutex<HashMap<i64, (Option<i32>, Instant)>>,
    hashes: Semaphore,
}

impl Authority {
    /// An authority on the database of the services.
    pub(super) fn new(services: &Services, keys: Arc<Keys>) -> Self {
        Self {
            pool: services.pool.clone(),
            clock: services.clock.clone(),
            ttl: services.config.tracking.token_ttl,
            keys,
            memory_key: rand::random(),
            verified: Mutex::default(),
            generations: Mutex::default(),
            hashes: Semaphore::new(MAX_HASHES),
        }
    }

    /// Makes a token for a process of a bot.
    ///
    /// # Errors
    /// [`AuthError`]
    pub async fn issue(&self, name: &str, shard: i64, secret: SecretString) -> Result<SecretString, AuthError> {
        let found = self.query(async |db| Ok(bots::credentials(db, name).await?)).await?;
        let is_right = match &found {
            Some(bot) if self.is_verified(bot, &secret) => true,
            _ => self.check(found.as_ref(), secret).await?,
        };
        let Some(Credentials { id: bot_id, generation, .. }) = found.filter(|_| is_right) else {
            return Err(AuthError::WrongSecret);
        };
        let now = self.clock.now();
        let key = self.query(async |db| self.keys.signing(db, now).await).await?;
        let iat = now.unix_timestamp();
        let exp = iat.saturating_add_unsigned(self.ttl.as_secs());
        Ok(key.sign(&Claims::new(Subject { bot_id, name, shard, generation }, iat, exp))?)
    }

    /// The bot to which a token was given.
    ///
    /// # Errors
    /// [`AuthError`]
    pub async fn admit(&self, token: &str) -> Result<BotGrant, AuthError> {
        let id = jwt::key_id(token).ok_or(AuthError::WrongToken)?;
        let key = match self.keys.known(&id) {
            Some(key) => Some(key),
            None => self.query(async |db| self.keys.get(db, &id).await).await?,
        };
        let claims = key.and_then(|key| key.verify(token, self.clock.now().unix_timestamp()));
        let claims = claims.ok_or(AuthError::WrongToken)?;
        let bot_id = claims.sub.parse().map_err(|_| AuthError::WrongToken)?;
        match self.generation(bot_id).await? {
            Some(generation) if generation == claims.generation => {
                Ok(BotGrant { bot_id, shard: claims.shard, generation, expires_at: claims.exp })
            }
            _ => Err(AuthError::WrongToken),
        }
    }

    /// Whether a token that was admitted would be refused now. Without a database it goes on.
    pub async fn is_over(&self, grant: &BotGrant) -> bool {
        let is_expired = self.clock.now().unix_timestamp() >= grant.expires_at;
        is_expired || self.generation(grant.bot_id).await.is_ok_and(|current| current != Some(grant.generation))
    }

    /// Compares a secret with the hash, on a thread of its own, and remembers it if it is right. Takes as long if there is
    /// no bot.
    async fn check(&self, bot: Option<&Credentials>, secret: SecretString) -> Result<bool, AuthError> {
        let turn = timeout(HASH_TIMEOUT, self.hashes.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(AuthError::Busy) };
        // Another process of the bot may have been first.
        if bot.is_some_and(|bot| self.is_verified(bot, &secret)) {
            return Ok(true);
        }
        let (hash, hashed) = (bot.map(|bot| bot.secret_hash.clone()), secret.clone());
        let verified = spawn_blocking(move || secret::verify(&hashed, hash.as_deref())).await;
        let is_right = verified.unwrap_or(false);
        if let Some(bot) = bot.filter(|_| is_right) {
            self.remember(self.memory_of(bot, &secret));
        }
        Ok(is_right)
    }

    fn is_verified(&self, bot: &Credentials, secret: &SecretString) -> bool {
        let now = self.clock.instant();
        lock(&self.verified).get(&self.memory_of(bot, secret)).is_some_and(|until| now < *until)
    }

    fn remember(&self, memory: [u8; 32]) {
        let now = self.clock.instant();
        let mut verified = lock(&self.verified);
        if verified.len() >= MAX_VERIFIED {
            verified.retain(|_, until| now < *until);
        }
        if verified.len() < MAX_VERIFIED {
            verified.insert(memory, now + VERIFIED_TTL);
        }
    }

    /// What is remembered of a secret: its HMAC, with the hash that it belongs to, so that it ends with a rotation.
    fn memory_of(&self, bot: &Credentials, secret: &SecretString) -> [u8; 32] {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.memory_key).expect("a key of any length");
        mac.update(&bot.id.to_be_bytes());
        mac.update(bot.secret_hash.as_bytes());
        mac.update(secret.expose_secret().as_bytes());
        mac.finalize().into_bytes().into()
    }

    async fn generation(&self, bot_id: i64) -> Result<Option<i32>, AuthError> {
        let now = self.clock.instant();
        let cached = lock(&self.generations).get(&bot_id).filter(|(_, until)| now < *until).map(|found| found.0);
        if let Some(generation) = cached {
            return Ok(generation);
        }
        let generation = self.query(async |db| Ok(bots::generation(db, bot_id).await?)).await?;
        lock(&self.generations).insert(bot_id, (generation, now + GENERATION_TTL));
        Ok(generation)
    }

    async fn query<T>(
        &self,
        query: impl AsyncFnOnce(&mut PgConnection) -> Result<T, KeyError>,
    ) -> Result<T, AuthError> {
        let answer = async {
            let mut connection = self.pool.acquire().await?;
            Ok(query(&mut connection).await)
        };
        Ok(within(LOOKUP_TIMEOUT, answer).await??)
    }
}

/// No critical section of these locks can panic halfway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
