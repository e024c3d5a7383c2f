//! Who is in a chat, as far as IRC tells: `JOIN` and `PART` come late, repeated, or not at all
//! (<https://dev.twitch.tv/docs/chat/irc/#membership>). Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use time::OffsetDateTime;

/// How long a user must be gone to have left.
const ABSENCE: Duration = Duration::from_secs(600);

/// The shortest time between two changes that are told.
const INTERVAL: Duration = Duration::from_secs(5);

/// Users that are known to be in a chat. Twitch tells of none in chats of more than 1,000.
const MAX_PRESENT: usize = 10_000;

/// Since when a user is there, and was last seen; and since when gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Visit {
    pub(super) since: OffsetDateTime,
    pub(super) last_seen: OffsetDateTime,
    pub(super) absent_since: Option<OffsetDateTime>,
}

/// What has changed since the last time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// Users who came.
    pub(super) joined: Vec<String>,
    /// Users who have left.
    pub(super) left: Vec<String>,
}

impl Change {
    pub(super) fn is_empty(&self) -> bool {
        self.joined.is_empty() && self.left.is_empty()
    }
}

/// Who is in a chat.
#[derive(Clone, Debug, Default)]
pub(super) struct Presence {
    visits: BTreeMap<String, Visit>,
    /// Users who came since the last change that was told.
    joined: BTreeSet<String>,
    /// Users whose visit has changed since it was last kept.
    unkept: BTreeSet<String>,
    /// The users of a list that is being sent.
    list: BTreeSet<String>,
    told_at: Option<OffsetDateTime>,
}

impl Presence {
    /// Goes on from what was kept.
    pub(super) fn new(visits: BTreeMap<String, Visit>) -> Self {
        Self { visits, ..Self::default() }
    }

    /// A user came, or wrote something.
    pub(super) fn see(&mut self, login: &str, now: OffsetDateTime) {
        if self.note(login, now) {
            self.joined.insert(login.to_owned());
        }
    }

    /// A user left, maybe only for a moment.
    pub(super) fn miss(&mut self, login: &str, now: OffsetDateTime) {
        if let Some(visit) = self.visits.get_mut(login).filter(|visit| visit.absent_since.is_none()) {
            visit.absent_since = Some(now);
            self.unkept.insert(login.to_owned());
        }
    }

    /// A part of the list of who is there, which comes after a join.
    pub(super) fn list(&mut self, logins: Vec<String>) {
        self.list.extend(logins);
    }

    /// The list is complete. That its users are there is not told; the others are gone.
    pub(super) fn end_list(&mut self, now: OffsetDateTime) {
        let list = std::mem::take(&mut self.list);
        let gone: Vec<_> = self.visits.keys().filter(|login| !list.contains(*login)).cloned().collect();
        gone.iter().for_each(|login| self.miss(login, now));
        for login in list {
            self.note(&login, now);
        }
    }

    /// Keeps that a user is there. Returns whether that is new.
    fn note(&mut self, login: &str, now: OffsetDateTime) -> bool {
        if let Some(visit) = self.visits.get_mut(login) {
            (visit.last_seen, visit.absent_since) = (now, None);
            self.unkept.insert(login.to_owned());
            return false;
        }
        if self.visits.len() >= MAX_PRESENT {
            return false;
        }
        self.visits.insert(login.to_owned(), Visit { since: now, last_seen: now, absent_since: None });
        self.unkept.insert(login.to_owned());
        true
    }

    /// Takes what has changed, if it is time to tell it.
    pub(super) fn change(&mut self, now: OffsetDateTime) -> Change {
        let is_due = self.told_at.is_none_or(|at| now - at >= INTERVAL || now < at);
        let is_over = |visit: &Visit| visit.absent_since.is_some_and(|since| now - since >= ABSENCE);
        if !is_due {
            return Change::default();
        }
        let left: Vec<_> =
            self.visits.iter().filter(|(_, visit)| is_over(visit)).map(|(login, _)| login.clone()).collect();
        for login in &left {
            self.visits.remove(login);
            self.unkept.insert(login.clone());
        }
        let joined = std::mem::take(&mut self.joined);
        let change = Change { joined: joined.into_iter().collect(), left };
        if !change.is_empty() {
            self.told_at = Some(now);
        }
        change
    }

    /// The visits that have changed since they were last kept; `None` for one that is over.
    pub(super) fn unkept(&mut self) -> Vec<(String, Option<Visit>)> {
        let with_visit = |login: String| {
            let visit = self.visits.get(&login).copied();
            (login, visit)
        };
        std::mem::take(&mut self.unkept).into_iter().map(with_visit).collect()
    }

    /// These could not be kept.
    pub(super) fn keep_later(&mut self, logins: impl IntoIterator<Item = String>) {
        self.unkept.extend(logins);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    const START: OffsetDateTime = datetime!(2026-03-14 18:00 UTC);

    fn at(seconds: i64) -> OffsetDateTime {
        START + time::Duration::seconds(seconds)
    }

    fn change(joined: &[&str], left: &[&str]) -> Change {
        let owned = |logins: &[&str]| logins.iter().map(ToString::to_string).collect();
        Change { joined: owned(joined), left: owned(left) }
    }

    #[test]
    fn arrivals_are_told_together_and_at_most_every_five_seconds() {
        let mut presence = Presence::default();
        presence.see("otter", at(0));
        presence.see("kite", at(0));
        presence.see("otter", at(0));
        assert_eq!(presence.change(at(0)), change(&["kite", "otter"], &[]));
        presence.see("yak", at(1));
        assert_eq!(presence.change(at(1)), Change::default());
        assert_eq!(presence.change(at(5)), change(&["yak"], &[]));
        assert_eq!(presence.change(at(10)), Change::default());
    }

    #[test]
    fn user_who_is_gone_for_ten_minutes_has_left() {
        let mut presence = Presence::default();
        presence.see("otter", at(0));
        presence.change(at(0));
        presence.miss("otter", at(60));
        presence.miss("otter", at(300));
        assert_eq!(presence.change(at(659)), Change::default());
        assert_eq!(presence.change(at(660)), change(&[], &["otter"]));
        presence.see("otter", at(700));
        assert_eq!(presence.change(at(700)), change(&["otter"], &[]));
        presence.miss("otter", at(800));
        presence.see("otter", at(1_300));
        assert_eq!(presence.change(at(2_000)), Change::default(), "back in time");
    }

    #[test]
    fn list_after_a_join_is_silent_and_compared() {
        let mut presence = Presence::default();
        presence.list(vec!["otter".to_owned()]);
        presence.list(vec!["kite".to_owned()]);
        presence.end_list(at(0));
        assert_eq!(presence.change(at(0)), Change::default());
        presence.see("otter", at(1));
        assert_eq!(presence.change(at(6)), Change::default(), "known from the list");
        presence.list(vec!["kite".to_owned(), "yak".to_owned()]);
        presence.end_list(at(10));
        assert_eq!(presence.change(at(10)), Change::default());
        assert_eq!(presence.change(at(610)), change(&[], &["otter"]));
    }

    #[test]
    fn what_changed_is_kept_once() {
        let mut presence = Presence::default();
        presence.see("otter", at(0));
        assert_eq!(presence.unkept().len(), 1);
        assert!(presence.unkept().is_empty());
        presence.keep_later(["otter".to_owned()]);
        assert_eq!(presence.unkept()[0].0, "otter");
        presence.miss("otter", at(60));
        presence.change(at(700));
        assert_eq!(presence.unkept(), [("otter".to_owned(), None)], "the visit is over");
    }

    proptest! {
        /// Whatever is repeated and in whatever order: those are there whose last word was that they came, or who have been
        /// gone for less than ten minutes; each arrival is told once until the user leaves.
        #[test]
        fn presence_is_what_an_oracle_says(steps in prop::collection::vec((0..4_usize, any::<bool>(), 0..400_i64), 1..200)) {
            let (mut presence, mut now) = (Presence::default(), 0);
            let mut gone_since: [Option<Option<i64>>; 4] = [None; 4];
            let mut told: BTreeSet<String> = BTreeSet::new();
            for (user, comes, pause) in steps {
                now += pause;
                let change = presence.change(at(now));
                for (user, gone) in gone_since.iter_mut().enumerate() {
                    let is_long_gone = gone.flatten().is_some_and(|since| now - since >= 600);
                    if is_long_gone && change.left.contains(&user.to_string()) {
                        *gone = None;
                    }
                }
                for login in &change.joined {
                    prop_assert!(told.insert(login.clone()), "{} is told twice", login);
                }
                for login in &change.left {
                    prop_assert!(told.remove(login), "{} left and had not come", login);
                }
                let login = user.to_string();
                if comes {
                    presence.see(&login, at(now));
                    gone_since[user] = Some(None);
                } else {
                    presence.miss(&login, at(now));
                    gone_since[user] = gone_since[user].map(|since| since.or(Some(now)));
                }
            }
            for (user, gone) in gone_since.iter().enumerate() {
                let visit = presence.visits.get(&user.to_string());
                prop_assert_eq!(visit.map(|visit| visit.absent_since), gone.map(|since| since.map(at)));
            }
        }
    }
}
