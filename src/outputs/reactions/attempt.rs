//! What comes of an attempt.

use serde_json::Value;
use time::OffsetDateTime;

use crate::twitch::id::UserId;

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Attempt {
    /// It happened; with what Twitch answered.
    Done(Value),
    /// Twitch took the message and does not show it: the code, and why.
    Dropped(String, String),
    /// It did not happen, and will not.
    Failed(String),
    /// It may have happened.
    Uncertain(String),
    /// Nothing was done: this is the user that its login names.
    Resolved(UserId),
    /// It is to be tried again, since it did not happen or may be repeated; with what Twitch answered so far.
    Again(Again),
}

/// When and why an action is tried again.
#[derive(Clone, Debug, PartialEq)]
pub struct Again {
    /// When.
    pub at: OffsetDateTime,
    /// Why; `None` if it goes on as it should.
    pub problem: Option<String>,
    /// What Twitch answered so far.
    pub result: Option<Value>,
}
