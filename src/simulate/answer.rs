//! Answers of a callback, and whether they are as Twitch expects them
//! (<https://dev.twitch.tv/docs/eventsub/handling-webhook-events/>).

use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;

/// The answer of a callback to one message.
#[derive(Clone, Debug)]
pub struct CallbackAnswer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The content type, if any.
    pub content_type: Option<String>,
    /// The first 64 KiB of the body.
    pub body: Vec<u8>,
    /// From sending until the answer was complete.
    pub latency: Duration,
}

/// The answer that a message should get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpectedAnswer {
    /// Any 2xx: the message is accepted.
    Success,
    /// 200 with this challenge as plain text and nothing else.
    Challenge(String),
    /// This status: the message is refused for the right reason.
    Status(StatusCode),
}

impl ExpectedAnswer {
    /// Returns what is wrong with an answer, or `None` if it is the expected one.
    #[must_use]
    pub fn objection(&self, answer: &CallbackAnswer) -> Option<String> {
        let is_text = || answer.content_type.as_deref().is_some_and(|kind| kind.starts_with("text/plain"));
        match self {
            Self::Success if answer.status.is_success() => None,
            Self::Status(status) if answer.status == *status => None,
            Self::Challenge(challenge) if answer.status == StatusCode::OK => match () {
                () if answer.body != challenge.as_bytes() => Some(format!("its body is not just {challenge}")),
                () if !is_text() => Some("its content type is not text/plain".to_owned()),
                () => None,
            },
            _ => Some(format!("its status is {}", answer.status.as_u16())),
        }
    }
}

impl fmt::Display for ExpectedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => f.write_str("204, or another 2xx"),
            Self::Challenge(_) => f.write_str("200 with the challenge as plain text"),
            Self::Status(status) => write!(f, "{}", status.as_u16()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, content_type: &str, body: &str) -> CallbackAnswer {
        CallbackAnswer {
            status: StatusCode::from_u16(status).unwrap(),
            content_type: Some(content_type.to_owned()).filter(|kind| !kind.is_empty()),
            body: body.into(),
            latency: Duration::ZERO,
        }
    }

    #[test]
    fn any_2xx_accepts_a_message() {
        for status in [200, 202, 204] {
            assert_eq!(ExpectedAnswer::Success.objection(&answer(status, "", "")), None);
        }
        for status in [302, 403, 503] {
            assert_eq!(
                ExpectedAnswer::Success.objection(&answer(status, "", "")),
                Some(format!("its status is {status}"))
            );
        }
        assert_eq!(ExpectedAnswer::Status(StatusCode::FORBIDDEN).objection(&answer(403, "", "")), None);
        assert!(ExpectedAnswer::Status(StatusCode::FORBIDDEN).objection(&answer(204, "", "")).is_some());
    }

    #[test]
    fn challenge_is_answered_with_itself_and_nothing_else() {
        let objection =
            |status, kind, body| ExpectedAnswer::Challenge("abc".to_owned()).objection(&answer(status, kind, body));
        assert_eq!(objection(200, "text/plain", "abc"), None);
        assert_eq!(objection(200, "text/plain; charset=utf-8", "abc"), None);
        for (status, kind, body) in
            [(204, "text/plain", "abc"), (200, "text/html", "abc"), (200, "", "abc"), (200, "text/plain", "\"abc\"")]
        {
            assert!(objection(status, kind, body).is_some(), "{status} {kind} {body}");
        }
    }
}
