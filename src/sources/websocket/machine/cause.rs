//! Why a connection was replaced, and how long the next one waits for that.

use std::time::Duration;

/// The longest pause before the first new connection.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause between connections.
pub(super) const MAX_PAUSE: Duration = Duration::from_secs(30);

/// The pause after a session on which nothing was subscribed to.
const UNUSED_PAUSE: Duration = Duration::from_secs(10);

/// The longest of these pauses.
const MAX_UNUSED_PAUSE: Duration = Duration::from_secs(120);

/// The pause after Twitch counted too many sessions, and how much longer it may be. Twitch needs about a minute to notice
/// that a connection is dead.
const LIMIT_PAUSE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(30));

/// [Twitch's close codes](https://dev.twitch.tv/docs/eventsub/handling-websocket-events/#close-message) that are not
/// answered like a broken connection.
pub(super) const UNUSED: u16 = 4003;
pub(super) const GRACE_EXPIRED: u16 = 4004;
pub(super) const INVALID_RECONNECT: u16 = 4007;

/// Why a connection was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Cause {
    /// Twitch asked for it.
    Requested,
    /// Nothing came for longer than the keepalive.
    Keepalive,
    /// It broke, or could not be opened.
    Io,
    /// Twitch closed it, with this code.
    Code(u16),
    /// Twitch counts too many sessions of this user.
    Limit,
    /// No server kept the session: none ran, or the user had to consent again.
    Restart,
}

impl Cause {
    /// The label of the metrics.
    pub(in super::super) fn label(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Keepalive => "keepalive",
            Self::Io => "io",
            Self::Limit => "limit",
            Self::Restart => "restart",
            Self::Code(4000) => "4000",
            Self::Code(4001) => "4001",
            Self::Code(4002) => "4002",
            Self::Code(4003) => "4003",
            Self::Code(4004) => "4004",
            Self::Code(4005) => "4005",
            Self::Code(4006) => "4006",
            Self::Code(4007) => "4007",
            Self::Code(_) => "closed",
        }
    }

    /// How long to wait before the next connection, after so many failures in a row. `jitter` is a number from 0 to 1.
    pub(super) fn pause(self, failures: u32, jitter: f64) -> Duration {
        let doubled = |first: Duration, max: Duration| first.saturating_mul(2_u32.saturating_pow(failures)).min(max);
        match self {
            Self::Code(GRACE_EXPIRED) => Duration::ZERO,
            Self::Code(INVALID_RECONNECT) if failures == 0 => Duration::ZERO,
            Self::Code(UNUSED) => doubled(UNUSED_PAUSE, MAX_UNUSED_PAUSE),
            Self::Limit => LIMIT_PAUSE.0 + LIMIT_PAUSE.1.mul_f64(jitter),
            _ if failures == 0 => FIRST_PAUSE.mul_f64(jitter),
            _ => doubled(FIRST_PAUSE, MAX_PAUSE).mul_f64(0.5 + jitter / 2.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_follow_the_cause() {
        let secs = |cause: Cause, failures| cause.pause(failures, 1.0).as_secs_f64();
        for cause in [Cause::Io, Cause::Keepalive, Cause::Code(4000), Cause::Code(4001), Cause::Code(1000)] {
            assert_eq!([0, 1, 2, 3, 6, 40].map(|failures| secs(cause, failures)), [0.5, 1.0, 2.0, 4.0, 30.0, 30.0]);
        }
        assert_eq!([0, 1, 9].map(|failures| secs(Cause::Code(UNUSED), failures)), [10.0, 20.0, 120.0]);
        assert_eq!([0, 1].map(|failures| secs(Cause::Code(INVALID_RECONNECT), failures)), [0.0, 1.0]);
        assert_eq!((secs(Cause::Limit, 0), Cause::Limit.pause(5, 0.0).as_secs()), (90.0, 60));
    }
}
