//! The mark of test events.

use serde_json::Value;

use crate::twitch::eventsub::outgoing::{Outgoing, Stamp, Subscription};

/// The top-level field of a body that says, if it is `true`, that the message is a test. It is showtime's own: Twitch
/// sends no tests. It stands in the signed body, so that only those who know the secret can set it.
pub const TEST_MARK: &str = "is_test";

/// A notification that is marked as a test, and otherwise the same as one of Twitch's.
#[must_use]
pub fn test_notification(stamp: Stamp, subscription: &Subscription, event: &Value) -> Outgoing {
    marked(Outgoing::notification(stamp, subscription, event))
}

/// A message with the mark of a test.
#[must_use]
pub fn marked(mut message: Outgoing) -> Outgoing {
    let behind_brace = 1..1;
    message.body.splice(behind_brace, format!("\"{TEST_MARK}\":true,").into_bytes());
    message
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::twitch::catalogue;

    #[test]
    fn test_notification_differs_by_its_mark_only() {
        let event = json!({ "user_id": "1" });
        let kind = catalogue::find("channel.follow", None).unwrap();
        let subscription = Subscription::new(kind, &event, "http://127.0.0.1:5001/callback");
        let stamp = Stamp::new("2026-11-21T12:00:00Z".to_owned());
        let body = |message: Outgoing| serde_json::from_slice::<Value>(&message.body).unwrap();
        let mut expected = body(Outgoing::notification(stamp.clone(), &subscription, &event));
        expected[TEST_MARK] = true.into();
        assert_eq!(body(test_notification(stamp, &subscription, &event)), expected);
    }
}
