//! Sessions: streams that outlast their request. Each ends soon after its token was revoked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::token::TokenHash;

/// The pause between two look-ups of the tokens of all sessions. With the time limit of a look-up it is less than
/// [`TOKEN_TTL`](super::TOKEN_TTL), after which a revoked token is refused everywhere.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// The streams that one token has open.
#[derive(Debug, Default)]
pub struct Session {
    is_revoked: AtomicBool,
    revoked: Notify,
}

impl Session {
    /// Whether the token was revoked.
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        self.is_revoked.load(Ordering::Relaxed)
    }

    /// Waits until the token is revoked.
    pub async fn revoked(&self) {
        let notified = self.revoked.notified();
        if !self.is_revoked() {
            notified.await;
        }
    }

    fn revoke(&self) {
        self.is_revoked.store(true, Ordering::Relaxed);
        self.revoked.notify_waiters();
    }
}

/// The sessions of all tokens. One look-up serves all of them, however many streams are open.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_token: Mutex<HashMap<TokenHash, Arc<Session>>>,
    opened: Notify,
}

impl Sessions {
    /// The session of this token.
    pub(super) fn open(&self, hash: TokenHash) -> Arc<Session> {
        let session = self.lock().entry(hash).or_default().clone();
        self.opened.notify_one();
        session
    }

    /// The tokens that have open streams; waits until there is one.
    pub(super) async fn tokens(&self) -> Vec<TokenHash> {
        loop {
            let opened = self.opened.notified();
            let open = self.open_tokens();
            if !open.is_empty() {
                return open;
            }
            opened.await;
        }
    }

    fn open_tokens(&self) -> Vec<TokenHash> {
        let mut by_token = self.lock();
        by_token.retain(|_, session| Arc::strong_count(session) > 1);
        by_token.keys().copied().collect()
    }

    /// Ends the sessions of these tokens.
    pub(super) fn revoke(&self, hashes: &[TokenHash]) {
        let mut by_token = self.lock();
        for session in hashes.iter().filter_map(|hash| by_token.remove(hash)) {
            session.revoke();
        }
    }

    /// No critical section can panic halfway.
    fn lock(&self) -> MutexGuard<'_, HashMap<TokenHash, Arc<Session>>> {
        self.by_token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
