//! Values whose merge does not depend on the order in which they arrive.

use time::OffsetDateTime;

/// What orders messages when their values compete: Twitch's time, then the message id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// When Twitch sent the message, to the microsecond.
    pub at: OffsetDateTime,
    /// The message's id.
    pub by: String,
}

/// A value of which the one with the newest stamp wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latest<T> {
    /// Where the value came from.
    pub stamp: Stamp,
    /// The value.
    pub value: T,
}

impl<T> Latest<T> {
    /// Takes the other one if it is newer.
    pub fn merge(&mut self, other: Self) {
        if other.stamp > self.stamp {
            *self = other;
        }
    }

    /// Puts it in the slot, if it is newer than what is there.
    pub(super) fn merge_into(self, slot: &mut Option<Self>) {
        match slot {
            Some(known) => known.merge(self),
            None => *slot = Some(self),
        }
    }
}

/// How much a viewer gave of something, how often, and when first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The first time.
    pub first_at: Option<OffsetDateTime>,
    /// The sum.
    pub total: i64,
    /// How many times.
    pub count: i64,
}

impl Tally {
    pub(super) fn add(&mut self, at: OffsetDateTime, amount: u32) {
        earliest(&mut self.first_at, at);
        self.total += i64::from(amount);
        self.count += 1;
    }
}

/// Keeps the smaller of the two.
pub(super) fn earliest<T: Ord>(slot: &mut Option<T>, value: T) {
    if slot.as_ref().is_none_or(|known| value < *known) {
        *slot = Some(value);
    }
}

/// Keeps the greater of the two.
pub(super) fn latest<T: Ord>(slot: &mut Option<T>, value: T) {
    if slot.as_ref().is_none_or(|known| value > *known) {
        *slot = Some(value);
    }
}
