//! Twitch's limits on actions, as sliding windows over what the database says was sent: a restart or another server can't
//! exceed them. A tenth is kept spare.

use std::collections::HashSet;

use strum::{EnumString, IntoStaticStr};
use time::{Duration, OffsetDateTime};

use crate::store::actions::execute::{DueAction, SentAction};

/// Which of Twitch's limits an action counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Bucket {
    /// Limited by Helix alone.
    Moderation,
    /// Limited by Helix alone.
    Channel,
    /// Messages: of each author 20 in 30 s, or 100 for a broadcaster, moderator or VIP, who else may send one a second
    /// (<https://dev.twitch.tv/docs/chat/#rate-limits>).
    Chat,
    /// One in two seconds.
    Announcement,
    /// One in two minutes, and one an hour for the same target.
    Shoutout,
    /// Three a second, a hundred a minute, to forty new users a day.
    Whisper,
    /// Ten in ten seconds.
    Vip,
    /// Not limited: it is no call of Twitch.
    Webhook,
}

const MESSAGE_WINDOW: Duration = Duration::seconds(30);
const MAX_MESSAGES: usize = 18;
const MAX_PRIVILEGED_MESSAGES: usize = 90;
const MESSAGE_PAUSE: Duration = Duration::milliseconds(1_100);
const ANNOUNCEMENT_PAUSE: Duration = Duration::milliseconds(2_200);
const SHOUTOUT_PAUSE: Duration = Duration::seconds(132);
const SAME_SHOUTOUT_PAUSE: Duration = Duration::minutes(66);
const MAX_WHISPERS_A_SECOND: usize = 2;
const MAX_WHISPERS_A_MINUTE: usize = 90;
const MAX_RECIPIENTS_A_DAY: usize = 36;
const VIP_WINDOW: Duration = Duration::seconds(10);
const MAX_VIPS: usize = 9;

/// What was sent lately.
#[derive(Debug, Default)]
pub struct Windows(Vec<SentAction>);

impl Windows {
    /// Windows over these.
    #[must_use]
    pub fn new(sent: Vec<SentAction>) -> Self {
        Self(sent)
    }

    /// Counts an action that is about to be sent.
    ///
    /// # Errors
    /// When it may be sent, if that is later.
    pub fn admit(&mut self, due: &DueAction, now: OffsetDateTime) -> Result<(), OffsetDateTime> {
        if let Some(at) = self.free_at(due, now).filter(|at| *at > now) {
            return Err(at);
        }
        self.0.push(SentAction {
            bucket: due.bucket.clone(),
            channel_id: due.channel_id.clone(),
            as_user: due.as_user.clone(),
            target: due.target.clone(),
            at: now,
        });
        Ok(())
    }

    /// When the limits of an action allow it.
    fn free_at(&self, due: &DueAction, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let by_user = |sent: &SentAction| sent.as_user == due.as_user;
        let in_channel = |sent: &SentAction| sent.channel_id == due.channel_id;
        let free = |count, span, counts: &dyn Fn(&SentAction) -> bool| self.window(due, now, count, span, counts);
        match due.bucket.parse().unwrap_or(Bucket::Moderation) {
            Bucket::Moderation | Bucket::Channel | Bucket::Webhook => None,
            Bucket::Chat if due.is_privileged => free(MAX_PRIVILEGED_MESSAGES, MESSAGE_WINDOW, &by_user),
            Bucket::Chat => {
                free(MAX_MESSAGES, MESSAGE_WINDOW, &by_user)
                    .max(free(1, MESSAGE_PAUSE, &|sent: &SentAction| by_user(sent) && in_channel(sent)))
            }
            Bucket::Announcement => free(1, ANNOUNCEMENT_PAUSE, &in_channel),
            Bucket::Shoutout => {
                free(1, SHOUTOUT_PAUSE, &in_channel).max(free(1, SAME_SHOUTOUT_PAUSE, &|sent: &SentAction| {
                    in_channel(sent) && sent.target == due.target && due.target.is_some()
                }))
            }
            Bucket::Whisper => free(MAX_WHISPERS_A_SECOND, Duration::SECOND, &by_user)
                .max(free(MAX_WHISPERS_A_MINUTE, Duration::MINUTE, &by_user))
                .max(self.recipient_free_at(due, now)),
            Bucket::Vip => free(MAX_VIPS, VIP_WINDOW, &in_channel),
        }
    }

    /// When fewer than `count` of those that count are within the span; `None` if so now.
    fn window(
        &self,
        due: &DueAction,
        now: OffsetDateTime,
        count: usize,
        span: Duration,
        counts: &dyn Fn(&SentAction) -> bool,
    ) -> Option<OffsetDateTime> {
        let counted = self.0.iter().filter(|sent| sent.bucket == due.bucket && sent.at + span > now && counts(sent));
        let mut times: Vec<_> = counted.map(|sent| sent.at).collect();
        times.sort_unstable();
        let oldest_that_must_leave = times.len().checked_sub(count)?;
        Some(times[oldest_that_must_leave] + span)
    }

    /// When another user may be whispered to, unless it is one of today's.
    fn recipient_free_at(&self, due: &DueAction, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let day = Duration::DAY;
        let is_of_today =
            |sent: &&SentAction| sent.bucket == due.bucket && sent.as_user == due.as_user && sent.at + day > now;
        let today: Vec<_> = self.0.iter().filter(is_of_today).collect();
        let recipients: HashSet<_> = today.iter().map(|sent| &sent.target).collect();
        if recipients.len() < MAX_RECIPIENTS_A_DAY || recipients.contains(&due.target) {
            return None;
        }
        today.iter().map(|sent| sent.at + day).min()
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::store::actions::ActionClass;

    const START: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);

    fn due(bucket: Bucket, channel: &str, target: &str, is_privileged: bool) -> DueAction {
        DueAction {
            id: 1,
            kind: String::new(),
            params: serde_json::Value::Null,
            class: ActionClass::Once,
            channel_id: channel.parse().unwrap(),
            as_user: "7".parse().unwrap(),
            target: target.parse().ok(),
            bucket: <&str>::from(bucket).to_owned(),
            created_at: START,
            expires_at: START,
            attempts: 0,
            result: None,
            is_privileged,
        }
    }

    /// The seconds at which so many actions are sent, if each is sent as soon as it may be.
    fn sent(count: usize, make: impl Fn(usize) -> DueAction) -> Vec<f64> {
        let (mut windows, mut now, mut times) = (Windows::default(), START, Vec::new());
        for index in 0..count {
            while let Err(at) = windows.admit(&make(index), now) {
                assert!(at > now);
                now = at;
            }
            times.push((now - START).as_seconds_f64());
        }
        times
    }

    /// The largest number of these times within any span.
    fn most_within(times: &[f64], seconds: f64) -> usize {
        times.iter().map(|from| times.iter().filter(|at| (*from..from + seconds).contains(*at)).count()).max().unwrap()
    }

    #[test]
    fn messages_stay_below_twitchs_limits() {
        let times = sent(200, |index| due(Bucket::Chat, &(index % 50).to_string(), "", false));
        assert_eq!(most_within(&times, 30.0), MAX_MESSAGES);
        let times = sent(50, |_| due(Bucket::Chat, "1", "", false));
        assert_eq!(most_within(&times, 1.0), 1, "in one channel");
        let times = sent(300, |_| due(Bucket::Chat, "1", "", true));
        assert_eq!(most_within(&times, 30.0), MAX_PRIVILEGED_MESSAGES);
    }

    #[test]
    fn shoutouts_wait_for_channel_and_target() {
        let times = sent(3, |index| due(Bucket::Shoutout, "1", ["2", "3", "2"][index], false));
        assert_eq!(times, [0.0, 132.0, 3_960.0]);
    }

    #[test]
    fn announcements_and_vips_wait() {
        assert_eq!(sent(3, |_| due(Bucket::Announcement, "1", "", false)), [0.0, 2.2, 4.4]);
        assert_eq!(most_within(&sent(40, |_| due(Bucket::Vip, "1", "2", false)), 10.0), MAX_VIPS);
    }

    #[test]
    fn whispers_go_to_few_new_users_a_day() {
        let times = sent(37, |index| due(Bucket::Whisper, "1", &index.to_string(), false));
        assert!(times[35] < 60.0 && times[36] >= 86_400.0, "{times:?}");
        let times = sent(200, |_| due(Bucket::Whisper, "1", "2", false));
        assert_eq!((most_within(&times, 1.0), most_within(&times, 60.0)), (2, 90));
    }

    #[test]
    fn moderation_never_waits() {
        assert_eq!(sent(500, |_| due(Bucket::Moderation, "1", "2", false))[499], 0.0);
    }
}
