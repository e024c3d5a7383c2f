//! When Twitch's API is asked for streams, and for those of which channels.

use std::time::{Duration, Instant};

use time::OffsetDateTime;

use crate::clock::Clock;

const MINUTE: Duration = Duration::from_secs(60);

/// From one look-up of all known channels to the next.
const BACKFILL_PERIOD: Duration = Duration::from_secs(300);

/// Time before the next look-up of all known channels after one that failed.
const BACKFILL_RETRY: Duration = Duration::from_secs(30);

/// Time before the next attempt, while others have the lock.
const LOCKED_PAUSE: Duration = Duration::from_secs(1);

/// The shortest time between the beginnings of two rounds over the tracked channels, and from a failed call to the next round.
const ROUND_PERIOD: Duration = Duration::from_secs(20);

/// Between two calls of a round: 600 of the application's 800 points a minute, so that 84,000 channels take 84 seconds.
const CALL_PAUSE: Duration = Duration::from_millis(100);

/// What is looked up at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// All known channels: at start, and every five minutes, as a minute begins.
    Backfill,
    /// The served channels that are live, as each minute begins.
    Samples,
    /// One call of the round over the channels that bots track and about which Twitch sends nothing.
    Tracked,
}

/// The wall clock and the monotonic one at the same moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) wall: OffsetDateTime,
    instant: Instant,
}

impl Moment {
    pub(super) fn now(clock: &Clock) -> Self {
        Self { wall: clock.now(), instant: clock.instant() }
    }

    /// The beginning of the next minute.
    fn next_minute(self) -> Instant {
        let minute = i128::try_from(MINUTE.as_nanos()).unwrap_or(1);
        let passed = self.wall.unix_timestamp_nanos().rem_euclid(minute);
        self.instant + Duration::from_nanos(u64::try_from(minute - passed).unwrap_or_default())
    }
}

/// When each turn is due.
#[derive(Debug)]
pub(super) struct Schedule {
    backfill_at: Instant,
    samples_at: Instant,
    tracked_at: Instant,
    /// When the round over the tracked channels began that is under way.
    round_began: Option<Instant>,
}

impl Schedule {
    /// The backfill and a round over the tracked channels are due at once.
    pub(super) fn start(now: Moment) -> Self {
        let instant = now.instant;
        Self { backfill_at: instant, samples_at: now.next_minute(), tracked_at: instant, round_began: None }
    }

    /// The turn to take now. One that is seldom due comes before one that often is.
    pub(super) fn due(&self, now: Instant) -> Option<Turn> {
        self.turns().into_iter().find(|(at, _)| *at <= now).map(|(_, turn)| turn)
    }

    /// When a turn is due, at the earliest.
    pub(super) fn next_at(&self) -> Instant {
        self.backfill_at.min(self.samples_at).min(self.tracked_at)
    }

    fn turns(&self) -> [(Instant, Turn); 3] {
        [(self.backfill_at, Turn::Backfill), (self.samples_at, Turn::Samples), (self.tracked_at, Turn::Tracked)]
    }

    /// The samples of this minute were made.
    pub(super) fn sampled(&mut self, at: Moment) {
        self.samples_at = at.next_minute();
    }

    /// All known channels were looked up. The next time falls together with the samples of a minute.
    pub(super) fn backfilled(&mut self, at: Moment) {
        self.backfill_at = at.next_minute() + (BACKFILL_PERIOD - MINUTE);
    }

    /// The known channels can't be looked up now, since another has the lock.
    pub(super) fn postpone_backfill(&mut self, now: Moment) {
        self.backfill_at = now.instant + LOCKED_PAUSE;
    }

    /// A call of the round over the tracked channels, which was made then, was answered.
    pub(super) fn called(&mut self, at: Moment, is_last: bool) {
        let round_began = *self.round_began.get_or_insert(at.instant);
        self.tracked_at = at.instant + CALL_PAUSE;
        if is_last {
            self.round_began = None;
            self.tracked_at = self.tracked_at.max(round_began + ROUND_PERIOD);
        }
    }

    /// A turn failed. What the round over the tracked channels lacks is left to the next one.
    pub(super) fn failed(&mut self, turn: Turn, now: Moment) {
        match turn {
            Turn::Backfill => self.backfill_at = now.instant + BACKFILL_RETRY,
            Turn::Samples => self.samples_at = now.next_minute(),
            Turn::Tracked => {
                self.round_began = None;
                self.tracked_at = now.instant + ROUND_PERIOD;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock a second after the beginning of a minute.
    fn clock() -> Clock {
        let clock = Clock::default();
        let passed = clock.now().unix_timestamp().rem_euclid(60);
        clock.advance(time::Duration::seconds(61 - passed));
        clock
    }

    /// Takes all turns until then without a failure, each at the moment when it is due. Returns how long after the start each was.
    fn turns(clock: &Clock, rounds: usize, until: Duration) -> Vec<(Turn, Duration)> {
        let start = Moment::now(clock);
        let at = |instant: Instant| Moment { wall: start.wall + (instant - start.instant), instant };
        let (mut schedule, mut now, mut calls, mut taken) = (Schedule::start(start), start, 0_usize, Vec::new());
        while now.instant - start.instant <= until {
            let Some(turn) = schedule.due(now.instant) else {
                now = at(schedule.next_at());
                continue;
            };
            taken.push((turn, now.instant - start.instant));
            match turn {
                Turn::Backfill => {
                    schedule.sampled(now);
                    schedule.backfilled(now);
                }
                Turn::Samples => schedule.sampled(now),
                Turn::Tracked => {
                    calls += 1;
                    schedule.called(now, calls.is_multiple_of(rounds));
                }
            }
        }
        taken
    }

    fn of(kind: Turn, taken: &[(Turn, Duration)]) -> Vec<Duration> {
        taken.iter().filter(|(turn, _)| *turn == kind).map(|(_, after)| *after).collect()
    }

    #[test]
    fn samples_are_due_as_minutes_begin_and_every_fifth_falls_together_with_a_backfill() {
        let taken = turns(&clock(), 1, Duration::from_secs(11 * 60));
        // The start is a second, and what the test took, after the beginning of a minute.
        let minutes = |kind| of(kind, &taken).iter().map(|after| (after.as_secs() + 2) / 60).collect::<Vec<_>>();
        assert_eq!(minutes(Turn::Backfill), [0, 5, 10]);
        assert_eq!(minutes(Turn::Samples), [1, 2, 3, 4, 6, 7, 8, 9, 11]);
        assert_eq!(of(Turn::Tracked, &taken)[..3], [0, 20, 40].map(Duration::from_secs));
    }

    #[test]
    fn long_round_delays_nothing_and_the_next_begins_at_once() {
        let taken = turns(&clock(), 840, Duration::from_secs(170));
        let tracked = of(Turn::Tracked, &taken);
        assert!(tracked.windows(2).all(|pair| pair[1] - pair[0] == CALL_PAUSE), "no pause between rounds");
        let others: Vec<_> = taken.iter().map(|(turn, _)| *turn).filter(|turn| *turn != Turn::Tracked).collect();
        assert_eq!(others, [Turn::Backfill, Turn::Samples, Turn::Samples]);
        let samples = of(Turn::Samples, &taken);
        assert_eq!(samples[1] - samples[0], MINUTE);
    }

    #[test]
    fn what_is_seldom_due_comes_first() {
        let clock = clock();
        let schedule = Schedule::start(Moment::now(&clock));
        clock.advance(time::Duration::minutes(2));
        assert_eq!(schedule.due(clock.instant()), Some(Turn::Backfill));
    }

    #[test]
    fn turn_that_failed_is_taken_again_after_its_time() {
        let clock = clock();
        let start = Moment::now(&clock);
        let mut schedule = Schedule::start(start);
        schedule.failed(Turn::Backfill, start);
        schedule.called(start, false);
        schedule.failed(Turn::Tracked, start);
        assert_eq!(schedule.due(start.instant), None);
        assert_eq!(schedule.tracked_at - start.instant, ROUND_PERIOD, "its pause is that of a round");
        clock.advance(time::Duration::seconds(30));
        assert_eq!(schedule.due(clock.instant()), Some(Turn::Backfill));
        schedule.backfilled(Moment::now(&clock));
        assert_eq!(schedule.due(clock.instant()), Some(Turn::Tracked));
        schedule.called(Moment::now(&clock), true);
        clock.advance(time::Duration::seconds(30));
        assert_eq!(schedule.due(clock.instant()), Some(Turn::Samples));
        schedule.failed(Turn::Samples, Moment::now(&clock));
        let left = schedule.samples_at - clock.instant();
        assert!(left > Duration::from_secs(50) && left <= MINUTE, "{left:?}");
    }

    #[test]
    fn minute_ends_when_the_next_begins() {
        let instant = Clock::default().instant();
        let at = |wall| Moment { wall, instant }.next_minute() - instant;
        assert_eq!(at(time::macros::datetime!(2026-07-01 12:00:59.75 UTC)), Duration::from_millis(250));
        assert_eq!(at(time::macros::datetime!(2026-07-01 12:01 UTC)), MINUTE);
    }
}
