//! Calls on webhooks. The token is in the path, so no address of a request is ever logged or part of an error.

use std::time::Duration;

use oauth2::http::StatusCode;
use reqwest::header::USER_AGENT;
use reqwest::{Method, RequestBuilder};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::{DeserializeOwned, IgnoredAny};
use url::Url;

use super::error::{DiscordError, Refusal};
use super::limits;
use super::message::{Created, Message, Posted, Webhook};
use super::snowflake::Snowflake;
use crate::http::{Answer, Http, RetryPolicy, TransportError};

/// The form that Discord [asks for](https://docs.discord.com/developers/reference#user-agent).
const AGENT: &str = concat!("DiscordBot (self-hosted showtime, ", env!("CARGO_PKG_VERSION"), ")");

/// What leads to a webhook.
#[derive(Clone, Debug)]
pub struct WebhookKey {
    /// Its id.
    pub id: Snowflake,
    /// Its token, which is all that it takes to post.
    pub token: SecretString,
}

/// What Discord answered.
#[derive(Clone, Debug)]
pub struct Reply<T> {
    /// The answer; `None` if it was complete, but can't be read.
    pub value: Option<T>,
    /// How long to wait before the next request on this webhook.
    pub pause: Option<Duration>,
}

/// Calls Discord. A call is made once: whether it may be repeated depends on what it does.
#[derive(Clone, Debug)]
pub struct Discord {
    http: Http,
    base: Url,
}

impl Discord {
    /// Calls the API at this address; each call takes at most `limit`.
    #[must_use]
    pub fn new(http: &Http, base: Url, limit: Duration) -> Self {
        let policy = RetryPolicy { timeout: limit, retries: 0, ..http.policy().clone() };
        Self { http: http.with_policy(policy), base }
    }

    /// Shows a webhook.
    ///
    /// # Errors
    /// [`DiscordError`]
    pub async fn webhook(&self, key: &WebhookKey) -> Result<Reply<Webhook>, DiscordError> {
        self.send(self.request(Method::GET, key, "")).await
    }

    /// Posts a message, into a thread of the webhook's channel if one is given, and waits until it is there.
    ///
    /// # Errors
    /// [`DiscordError`]
    pub async fn post(
        &self,
        key: &WebhookKey,
        thread: Option<Snowflake>,
        message: &Message,
    ) -> Result<Reply<Created>, DiscordError> {
        let query = within(thread, "wait=true&with_components=true");
        self.send(self.request(Method::POST, key, &query).json(message)).await
    }

    /// Edits a message, which is in a thread if one is given. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`DiscordError`]
    pub async fn edit(
        &self,
        key: &WebhookKey,
        (id, thread): (Snowflake, Option<Snowflake>),
        message: &Message,
    ) -> Result<Reply<Posted>, DiscordError> {
        let rest = format!("/messages/{id}{}", within(thread, "with_components=true"));
        self.send(self.request(Method::PATCH, key, &rest).json(message)).await
    }

    /// Deletes a message, which is in a thread if one is given. Doing it again is refused, since it is not there.
    ///
    /// # Errors
    /// [`DiscordError`]
    pub async fn delete(
        &self,
        key: &WebhookKey,
        (id, thread): (Snowflake, Option<Snowflake>),
    ) -> Result<Reply<IgnoredAny>, DiscordError> {
        self.send(self.request(Method::DELETE, key, &format!("/messages/{id}{}", within(thread, "")))).await
    }

    fn request(&self, method: Method, key: &WebhookKey, rest: &str) -> RequestBuilder {
        let url = format!("{}/webhooks/{}/{}{rest}", self.base, key.id, key.token.expose_secret());
        self.http.client().request(method, url).header(USER_AGENT, AGENT)
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<Reply<T>, DiscordError> {
        let request = request.build().map_err(|_| {
            DiscordError::NotSent(TransportError::Setup("the request to Discord can't be built".to_owned()))
        })?;
        let answer = self.http.send(request).await?;
        read(&answer)
    }
}

/// The query of a call about a message, with the thread that it is in.
fn within(thread: Option<Snowflake>, query: &str) -> String {
    let thread = thread.map(|id| format!("thread_id={id}"));
    let parts: Vec<_> = thread.as_deref().into_iter().chain([query]).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) }
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<Reply<T>, DiscordError> {
    match answer.status {
        status if status.is_success() => {
            let pause = limits::pause(&answer.headers);
            Ok(Reply { value: serde_json::from_slice(&answer.body).ok(), pause })
        }
        StatusCode::TOO_MANY_REQUESTS => Err(DiscordError::Limited(limits::limited(answer))),
        _ => Err(DiscordError::Refused(Refusal::new(answer))),
    }
}
