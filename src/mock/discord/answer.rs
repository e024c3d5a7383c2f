//! Answers of the API, and its errors with their codes
//! (<https://docs.discord.com/developers/topics/opcodes-and-status-codes>).

use serde::Serialize;
use serde_json::{Value, json};

/// An answer: its status, headers and body.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Body,
}

#[derive(Clone, Debug)]
pub(super) enum Body {
    Empty,
    Json(Value),
    Html(&'static str),
}

impl Answer {
    /// 200 with this.
    pub(super) fn ok(shown: &impl Serialize) -> Self {
        Self::json(200, json!(shown))
    }

    pub(super) fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Body::Json(body) }
    }

    pub(super) fn no_content() -> Self {
        Self { status: 204, headers: Vec::new(), body: Body::Empty }
    }

    pub(super) fn html(status: u16, text: &'static str) -> Self {
        Self { status, headers: Vec::new(), body: Body::Html(text) }
    }

    /// The `code` of an error; `None` if it has none.
    pub(super) fn code(&self) -> Option<u64> {
        match &self.body {
            Body::Json(body) if self.status >= 400 => body["code"].as_u64(),
            _ => None,
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

/// A call that was refused.
#[derive(Clone, Debug)]
pub(super) struct Refusal(pub(super) Answer);

impl Refusal {
    pub(super) fn new(status: u16, code: u64, message: &str) -> Self {
        Self(Answer::json(status, json!({ "message": message, "code": code })))
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(401, 0, "401: Unauthorized")
    }

    pub(super) fn not_found() -> Self {
        Self::new(404, 0, "404: Not Found")
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(405, 0, "405: Method Not Allowed")
    }

    pub(super) fn unknown_channel() -> Self {
        Self::new(404, 10_003, "Unknown Channel")
    }

    pub(super) fn unknown_message() -> Self {
        Self::new(404, 10_008, "Unknown Message")
    }

    pub(super) fn unknown_webhook() -> Self {
        Self::new(404, 10_015, "Unknown Webhook")
    }

    pub(super) fn invalid_token() -> Self {
        Self::new(401, 50_027, "Invalid Webhook Token")
    }

    pub(super) fn empty_message() -> Self {
        Self::new(400, 50_006, "Cannot send an empty message")
    }

    pub(super) fn too_large() -> Self {
        Self::new(413, 40_005, "Request entity too large")
    }

    pub(super) fn invalid_json() -> Self {
        Self::new(400, 50_109, "The request body contains invalid JSON.")
    }
}
