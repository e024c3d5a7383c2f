//! How many requests Discord may get now, from the address that all servers share.
//!
//! Discord allows [50 requests a second](https://docs.discord.com/developers/topics/rate-limits#global-rate-limit) of an
//! address, and bans one that got 10,000 answers 401, 403 or 429 within ten minutes.

use time::{Duration, OffsetDateTime};

use crate::discord::error::{DiscordError, LimitScope, Limited};
use crate::store::tracking::egress::Egress;

/// The part of a second's requests that may be made at once.
const BURST: f64 = 0.1;

/// The part of the burst that must be free before requests are made again: each group of them costs a few transactions.
const GROUP: f64 = 2.0 / 3.0;

/// How fast a rate that was halved grows again, per second.
const GROWTH: f64 = 1.0 / 60.0;

/// Invalid requests are counted so long.
const INVALID_WINDOW: Duration = Duration::minutes(10);

/// After so many invalid requests, one a second is made; after the second number, none.
pub const MAX_INVALID: [i32; 2] = [500, 5_000];

/// The limits of the address at a time.
#[derive(Debug)]
pub struct Budget<'a> {
    egress: &'a mut Egress,
    /// Requests per second that the settings allow; 0 for any number.
    limit: f64,
    now: OffsetDateTime,
}

impl<'a> Budget<'a> {
    /// The limits now.
    #[must_use]
    pub fn new(egress: &'a mut Egress, limit: u32, now: OffsetDateTime) -> Self {
        if egress.invalid_since + INVALID_WINDOW <= now || egress.invalid_since > now {
            (egress.invalid_count, egress.invalid_since) = (0, now);
        }
        let budget = Self { egress, limit: f64::from(limit), now };
        if let Some(rate) = budget.rate() {
            let passed = (now - budget.egress.tokens_at).as_seconds_f64().max(0.0);
            budget.egress.tokens = (budget.egress.tokens + passed * rate).min((rate * BURST).max(1.0));
        }
        budget.egress.tokens_at = now;
        budget
    }

    /// Requests per second; `None` for any number.
    fn rate(&self) -> Option<f64> {
        let limit = if self.egress.invalid_count >= MAX_INVALID[0] { 1.0 } else { self.limit };
        let halved = self.egress.rate.zip(self.egress.rate_at);
        let halved = halved.map(|(rate, at)| rate + (self.now - at).as_seconds_f64().max(0.0) * GROWTH);
        match halved {
            _ if limit == 0.0 => None,
            Some(rate) => Some(rate.clamp(1.0, limit.max(1.0))),
            None => Some(limit),
        }
    }

    /// Until when no request may be made at all.
    #[must_use]
    pub fn stopped_until(&self) -> Option<OffsetDateTime> {
        let broken = (self.egress.invalid_count >= MAX_INVALID[1]).then(|| self.egress.invalid_since + INVALID_WINDOW);
        self.egress.not_before.max(broken).filter(|until| *until > self.now)
    }

    /// How many requests may be made, at most `most`.
    #[must_use]
    pub fn available(&self, most: usize) -> usize {
        match self.rate() {
            _ if self.stopped_until().is_some() => 0,
            None => most,
            Some(_) => most.min(self.egress.tokens.max(0.0) as usize),
        }
    }

    /// Counts requests that are made.
    pub fn take(&mut self, count: usize) {
        if self.rate().is_some() {
            self.egress.tokens -= count as f64;
        }
    }

    /// When the next group of requests may be made; `None` if it may be now.
    #[must_use]
    pub fn next_at(&self) -> Option<OffsetDateTime> {
        if let Some(until) = self.stopped_until() {
            return Some(until);
        }
        let rate = self.rate()?;
        let missing = (rate * BURST * GROUP).max(1.0) - self.egress.tokens;
        (missing > 0.0).then(|| self.now + Duration::seconds_f64(missing / rate))
    }

    /// Records what an answer says of the address: that it comes closer to a ban, or must wait.
    pub fn record(&mut self, error: &DiscordError) {
        if !error.is_of_address() {
            return;
        }
        self.egress.invalid_count += 1;
        if let DiscordError::Limited(Limited { wait, scope: scope @ (LimitScope::Global | LimitScope::Banned) }) = error
        {
            self.stop(*wait, *scope == LimitScope::Global);
        }
    }

    /// Stops all requests for this time. After the global limit, they go on half as fast.
    fn stop(&mut self, wait: std::time::Duration, is_limit: bool) {
        let is_known = self.egress.not_before.is_some_and(|until| until > self.now);
        if is_limit && !is_known {
            let rate = self.rate().map(|rate| (rate / 2.0).max(1.0));
            (self.egress.rate, self.egress.rate_at) = (rate, rate.map(|_| self.now));
        }
        let until = Some(self.now + wait);
        self.egress.not_before = self.egress.not_before.max(until);
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const START: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);

    fn egress() -> Egress {
        Egress {
            rate: None,
            rate_at: None,
            tokens: 0.0,
            tokens_at: START,
            not_before: None,
            invalid_count: 0,
            invalid_since: START,
        }
    }

    /// How many requests are made within this time, if as many are made as may be.
    fn sent(egress: &mut Egress, limit: u32, from: OffsetDateTime, time: Duration) -> usize {
        let (mut now, mut count) = (from, 0);
        while now < from + time {
            let mut budget = Budget::new(egress, limit, now);
            let available = budget.available(100);
            budget.take(available);
            count += available;
            now = budget.next_at().unwrap_or(now).max(now + Duration::milliseconds(1));
        }
        count
    }

    #[test]
    fn rate_is_kept_and_used() {
        let mut egress = egress();
        let count = sent(&mut egress, 45, START, Duration::seconds(10));
        assert!((445..=455).contains(&count), "{count}");
        // After a pause no more than a tenth of a second's requests are made at once.
        assert_eq!(Budget::new(&mut egress, 45, START + Duration::HOUR).available(100), 4);
        assert_eq!(Budget::new(&mut egress, 0, START).available(100), 100);
    }

    #[test]
    fn global_limit_halves_the_rate_for_a_while() {
        let mut egress = egress();
        for _ in 0..3 {
            let wait = std::time::Duration::from_secs(1);
            let limited = DiscordError::Limited(Limited { wait, scope: LimitScope::Global });
            Budget::new(&mut egress, 40, START).record(&limited);
        }
        assert_eq!(egress.rate, Some(20.0), "answers to requests that were under way halve it once");
        assert_eq!(Budget::new(&mut egress, 40, START).available(9), 0);
        let later = START + Duration::seconds(1);
        let count = sent(&mut egress, 40, later, Duration::seconds(10));
        assert!((195..=210).contains(&count), "{count}");
        let count = sent(&mut egress, 40, later + Duration::minutes(20), Duration::seconds(10));
        assert!((395..=405).contains(&count), "{count}");
    }

    #[test]
    fn invalid_requests_slow_down_and_then_stop() {
        let mut egress = egress();
        egress.invalid_count = MAX_INVALID[0] - 1;
        let limited = |scope| DiscordError::Limited(Limited { wait: std::time::Duration::ZERO, scope });
        Budget::new(&mut egress, 45, START).record(&limited(LimitScope::Shared));
        assert_eq!(egress.invalid_count, MAX_INVALID[0] - 1, "Discord does not count what others have caused");
        Budget::new(&mut egress, 45, START).record(&limited(LimitScope::Webhook));
        let count = sent(&mut egress, 45, START, Duration::seconds(10));
        assert!((9..=11).contains(&count), "{count}");
        egress.invalid_count = MAX_INVALID[1];
        let budget = Budget::new(&mut egress, 45, START + Duration::seconds(10));
        assert_eq!((budget.available(9), budget.next_at()), (0, Some(START + INVALID_WINDOW)));
        assert_eq!(Budget::new(&mut egress, 45, START + INVALID_WINDOW).available(9), 4);
    }
}
