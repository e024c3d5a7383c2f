//! Limits wrong tokens, by token and by address.
//!
//! 256 bits can't be guessed, so nothing here protects the tokens. A token that was wrong a moment ago is refused without
//! another look-up, and counts once: a program that keeps its revoked token uses up nothing that others behind the same
//! proxy need. Different wrong tokens count against their address. When it has none left, a wrong token is answered with
//! 429. Twitch, where each question is a call, is then asked about known tokens alone; a token of this server's shape is
//! looked up all the same, since it may be valid, and costs one read of an index.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::token::TokenHash;
use crate::clock::Clock;

/// Failures that an address may have at once; after that one per second.
const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(59);

/// How long a wrong token is remembered: no longer than a valid one.
const WRONG_TTL: Duration = super::TOKEN_TTL;

/// Wrong tokens that are remembered at once; others are looked up each time.
const MAX_WRONG: usize = 1_024;

/// Addresses that are counted separately. Beyond that all new ones count as one, which bounds the memory.
const MAX_ADDRESSES: usize = 10_000;

/// The key of all addresses beyond [`MAX_ADDRESSES`].
const OTHERS: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// Counts down the failures that each address has left, and remembers wrong tokens.
#[derive(Debug)]
pub(super) struct FailureLimiter {
    limiter: RateLimiter<IpAddr, HashMapStateStore<IpAddr>, Clock, NoOpMiddleware<Instant>>,
    max_addresses: usize,
    /// Each until it has to be looked up again.
    wrong: Mutex<HashMap<TokenHash, Instant>>,
}

impl FailureLimiter {
    pub(super) fn new(clock: Clock) -> Self {
        let quota = Quota::per_second(NonZeroU32::MIN).allow_burst(BURST);
        let limiter = RateLimiter::hashmap_with_clock(quota, clock);
        Self { limiter, max_addresses: MAX_ADDRESSES, wrong: Mutex::default() }
    }

    /// Whether this token was wrong a moment ago.
    pub(super) fn is_wrong(&self, token: &TokenHash) -> bool {
        let now = self.limiter.clock().instant();
        self.lock().get(token).is_some_and(|until| now < *until)
    }

    /// Remembers a wrong token.
    pub(super) fn remember(&self, token: TokenHash) {
        let now = self.limiter.clock().instant();
        let mut wrong = self.lock();
        if wrong.len() >= MAX_WRONG {
            wrong.retain(|_, until| now < *until);
        }
        if wrong.len() < MAX_WRONG {
            wrong.insert(token, now + WRONG_TTL);
        }
    }

    /// No critical section can panic halfway.
    fn lock(&self) -> MutexGuard<'_, HashMap<TokenHash, Instant>> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a failure of this address.
    ///
    /// # Errors
    /// How long to wait, if it has none left.
    pub(super) fn count(&self, peer: IpAddr) -> Result<(), Duration> {
        if self.limiter.len() >= self.max_addresses {
            self.limiter.retain_recent();
        }
        let key = if self.limiter.len() >= self.max_addresses { OTHERS } else { network(peer) };
        let now = governor::clock::Clock::now(self.limiter.clock());
        self.limiter.check_key(&key).map_err(|refused| refused.wait_time_from(now))
    }
}

/// The /64 network of an IPv6 address: its owner has all of its 2⁶⁴ addresses.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64)).into(),
        ip => ip,
    }
}

impl governor::clock::Clock for Clock {
    type Instant = Instant;

    fn now(&self) -> Instant {
        self.instant()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(failures: &FailureLimiter, peer: IpAddr) -> usize {
        std::iter::repeat_with(|| failures.count(peer)).take(100).take_while(Result::is_ok).count()
    }

    #[test]
    fn one_address_runs_out_alone_and_recovers() {
        let clock = Clock::default();
        let failures = FailureLimiter::new(clock.clone());
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|ip| ip.parse().unwrap());
        assert!(left(&failures, one) >= 60);
        let wait = failures.count(one).unwrap_err();
        assert!(wait <= Duration::from_secs(1) && !wait.is_zero(), "{wait:?}");
        assert_eq!(failures.count(other), Ok(()));
        clock.advance(time::Duration::seconds(1));
        assert_eq!(failures.count(one), Ok(()));
    }

    #[test]
    fn ipv6_network_counts_as_one_address() {
        let failures = FailureLimiter::new(Clock::default());
        assert!(left(&failures, "2001:db8::1".parse().unwrap()) >= 60);
        assert!(failures.count("2001:db8::2".parse().unwrap()).is_err());
        assert!(failures.count("2001:db8:0:1::1".parse().unwrap()).is_ok());
    }

    #[test]
    fn memory_is_bounded_for_any_number_of_addresses() {
        let clock = Clock::default();
        let failures = FailureLimiter { max_addresses: 10, ..FailureLimiter::new(clock.clone()) };
        let ip = |number: u32| IpAddr::from(number.to_be_bytes());
        for number in 0..10 {
            left(&failures, ip(number));
        }
        let others = (10..1_000).map(|number| failures.count(ip(number))).filter(Result::is_err).count();
        assert!(others > 0, "addresses beyond the limit count as one");
        assert_eq!(failures.limiter.len(), 11);
        clock.advance(time::Duration::minutes(30));
        assert_eq!(failures.count(ip(2_000)), Ok(()), "old failures are forgotten");
        assert_eq!(failures.limiter.len(), 1);
    }
}
