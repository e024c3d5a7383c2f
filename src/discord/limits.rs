//! What answers say about [rate limits](https://docs.discord.com/developers/topics/rate-limits).

use std::time::Duration;

use oauth2::http::HeaderMap;
use serde::Deserialize;

use super::error::{LimitScope, Limited};
use crate::http::Answer;

/// How long nothing is sent after an answer that says that the address is banned, but not for how long.
const BAN_WAIT: Duration = Duration::from_secs(300);

/// The longest wait that is believed.
const MAX_WAIT: Duration = Duration::from_secs(24 * 3_600);

/// How long to wait before the next request on the same webhook, if the answer says that none is left.
pub(super) fn pause(headers: &HeaderMap) -> Option<Duration> {
    let remaining: u32 = number(headers, "x-ratelimit-remaining")?;
    if remaining > 0 { None } else { seconds(number(headers, "x-ratelimit-reset-after")?) }
}

/// What an answer with the status 429 says.
pub(super) fn limited(answer: &Answer) -> Limited {
    #[derive(Deserialize)]
    struct Body {
        retry_after: Option<f64>,
        #[serde(default)]
        global: bool,
    }
    let body = serde_json::from_slice::<Body>(&answer.body).ok();
    let is_global = body.as_ref().is_some_and(|body| body.global);
    let wait = body.and_then(|body| body.retry_after).or_else(|| number(&answer.headers, "retry-after"));
    let Some(wait) = wait.and_then(seconds) else { return Limited { wait: BAN_WAIT, scope: LimitScope::Banned } };
    let scope = match text(&answer.headers, "x-ratelimit-scope") {
        Some("shared") => LimitScope::Shared,
        Some("global") => LimitScope::Global,
        _ if is_global || text(&answer.headers, "x-ratelimit-global") == Some("true") => LimitScope::Global,
        _ => LimitScope::Webhook,
    };
    Limited { wait, scope }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn number<T: std::str::FromStr>(headers: &HeaderMap, name: &str) -> Option<T> {
    text(headers, name)?.trim().parse().ok()
}

fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().map(|wait| wait.min(MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use oauth2::http::{HeaderName, HeaderValue, StatusCode};

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        pairs.iter().map(pair).collect()
    }

    fn of(pairs: &[(&'static str, &'static str)], body: &str) -> (u128, LimitScope) {
        let (status, headers, body) = (StatusCode::TOO_MANY_REQUESTS, headers(pairs), body.as_bytes().to_vec());
        let Limited { wait, scope } = limited(&Answer { status, headers, body });
        (wait.as_millis(), scope)
    }

    #[test]
    fn limit_is_read_from_body_and_headers() {
        let body = r#"{"message":"You are being rate limited.","retry_after":64.57,"global":false}"#;
        assert_eq!(of(&[("retry-after", "65"), ("x-ratelimit-scope", "user")], body), (64_570, LimitScope::Webhook));
        assert_eq!(of(&[("x-ratelimit-scope", "shared")], body), (64_570, LimitScope::Shared));
        assert_eq!(of(&[], r#"{"retry_after":0.3,"global":true}"#), (300, LimitScope::Global));
        assert_eq!(of(&[("retry-after", "2")], "<html>"), (2_000, LimitScope::Webhook));
        let banned = r#"{"code":0,"message":"You are being blocked from accessing our API temporarily"}"#;
        assert_eq!(of(&[], banned), (300_000, LimitScope::Banned));
        assert_eq!(of(&[], r#"{"retry_after":-1}"#).1, LimitScope::Banned);
    }

    #[test]
    fn pause_follows_the_last_request_of_a_window() {
        let last = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset-after", "1.25")];
        assert_eq!(pause(&headers(&last)), Some(Duration::from_millis(1_250)));
        let more = [("x-ratelimit-remaining", "1"), ("x-ratelimit-reset-after", "1.25")];
        assert_eq!(pause(&headers(&more)), None);
        assert_eq!(pause(&headers(&[])), None);
    }
}
