//! What a rule made of an event: it reacted, or the first check that said no, in words for a person.

use std::fmt;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::state::RuleId;

/// What a rule made of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The rule.
    pub rule: RuleId,
    /// What it did.
    pub outcome: Outcome,
}

/// What a rule did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It reacted.
    Fired,
    /// It will react when the batch ends.
    Joined(OffsetDateTime),
    /// It would have reacted, but the event is too old.
    Stale,
    /// It did not react.
    Refused(Refusal),
}

/// The first check that said no.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "its text says what it means")]
pub enum Refusal {
    Repeat,
    Own,
    IgnoredUser(String),
    OutgoingRaid,
    Disabled,
    OtherChannel,
    OtherType(String),
    OtherCommand(String),
    NoMatch(String),
    NothingFiltered,
    Copy,
    Protected,
    Denied(String),
    NotAllowed(String),
    NotLive,
    Live,
    ConditionFalse(String),
    ConditionFailed(String),
    Permitted,
    AlreadyReacted,
    OncePerUser,
    Cooldown(OffsetDateTime),
    UserCooldown(OffsetDateTime),
    InBatch,
    Resting(OffsetDateTime),
    Stopped(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repeat => write!(f, "an earlier event told the same, or took it back"),
            Self::Own => write!(f, "it is the bot's own"),
            Self::IgnoredUser(user) => write!(f, "{user} is in ignore_users"),
            Self::OutgoingRaid => write!(f, "the raid went to another channel"),
            Self::Disabled => write!(f, "the rule is turned off"),
            Self::OtherChannel => write!(f, "the rule is for other channels"),
            Self::OtherType(types) => write!(f, "it waits for {types}"),
            Self::OtherCommand(commands) => write!(f, "the message does not begin with {commands}"),
            Self::NoMatch(pattern) => write!(f, "the message does not match {pattern}"),
            Self::NothingFiltered => write!(f, "the filter found nothing in the message"),
            Self::Copy => write!(f, "it is a copy from another channel of a shared chat"),
            Self::Protected => write!(f, "the broadcaster can't be moderated"),
            Self::Denied(who) => write!(f, "not for {who}"),
            Self::NotAllowed(who) => write!(f, "only for {who}"),
            Self::NotLive => write!(f, "the channel is not live"),
            Self::Live => write!(f, "the channel is live"),
            Self::ConditionFalse(source) => write!(f, "`{source}` is false"),
            Self::ConditionFailed(reason) => write!(f, "the condition fails: {reason}"),
            Self::Permitted => write!(f, "the user has a permit"),
            Self::AlreadyReacted => write!(f, "the rule has reacted to it already"),
            Self::OncePerUser => write!(f, "the rule has reacted to the user already"),
            Self::Cooldown(until) => write!(f, "cooldown until {}", time(*until)),
            Self::UserCooldown(until) => write!(f, "cooldown of the user until {}", time(*until)),
            Self::InBatch => write!(f, "the user is in the batch already"),
            Self::Resting(until) => write!(f, "too many reactions in a minute; the rule rests until {}", time(*until)),
            Self::Stopped(rule) => write!(f, "rule `{rule}` stopped the rules after it"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fired => write!(f, "fired"),
            Self::Joined(due) => write!(f, "joined the batch that ends at {}", time(*due)),
            Self::Stale => write!(f, "the event is too old"),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

fn time(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}
