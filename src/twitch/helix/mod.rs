//! Twitch's [REST API](https://dev.twitch.tv/docs/api/reference/), as far as an EventSub backend and a chat bot need it.
//!
//! A client calls with one token, the application's or a user's. It is renewed once if Twitch refuses it; outages are
//! waited out for a bounded time; the rate limit, which each token has of its own, is obeyed before Twitch has to insist.

mod answer;
mod bucket;
pub mod channel;
pub mod chat;
mod error;
pub mod moderation;
pub mod pictures;
mod types;
pub mod videos;

use std::collections::HashSet;
use std::sync::Arc;

use reqwest::Method;
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use url::Url;

pub use self::answer::Answer;
use self::bucket::Bucket;
pub use self::error::{Certainty, HelixError, Refusal, RefusalKind, SESSION_LIMIT_MESSAGE};
pub use self::types::{
    ChannelInformation, Condition, Follower, HeldSubscription, HeldTransport, NewSubscription, Stream,
    SubscriptionList, Transport, User,
};
use self::types::{Listing, SubscriptionRequest};
use super::id::ChannelId;
use super::token_source::TokenSource;
use super::tolerant::Items;
use crate::http::{Http, RetryPolicy};

/// The limit of ids or logins in one call.
const MAX_IDS: usize = 100;

/// The limit of pages that are read of one list. At 100 subscriptions a page this is ten times what
/// `max_total_cost` allows, so only a server that never ends its list gets there.
const MAX_PAGES: usize = 1_000;

/// The limit of pages that are read of one channel's followers.
const MAX_FOLLOWER_PAGES: usize = 100;

/// How often one call waits for the rate limit.
const MAX_RATE_LIMIT_WAITS: usize = 3;

/// A client of Helix, with one token. Clones share the token and the rate limit.
#[derive(Clone, Debug)]
pub struct Helix(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    api_url: Url,
    http: Http,
    tokens: Arc<TokenSource>,
    bucket: Bucket,
}

/// What became of a call that may be repeated without harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The call did it.
    Now,
    /// It was so before.
    Already,
}

/// One call: what it is in a sentence that begins "Twitch refused to", and how to make it.
struct Call<'a> {
    name: &'static str,
    method: Method,
    path: &'static str,
    query: Vec<(&'static str, &'a str)>,
    body: Option<serde_json::Value>,
}

impl<'a> Call<'a> {
    fn get(name: &'static str, path: &'static str, query: Vec<(&'static str, &'a str)>) -> Self {
        Self::new(name, Method::GET, path, query)
    }

    fn new(name: &'static str, method: Method, path: &'static str, query: Vec<(&'static str, &'a str)>) -> Self {
        Self { name, method, path, query, body: None }
    }

    fn with(self, body: serde_json::Value) -> Self {
        Self { body: Some(body), ..self }
    }
}

impl Helix {
    /// `api_url` is the base, `https://api.twitch.tv/helix` for the real Twitch. The client and its clock
    /// are those of `tokens`.
    #[must_use]
    pub fn new(api_url: Url, tokens: Arc<TokenSource>) -> Self {
        let http = tokens.oauth().http().clone();
        Self(Arc::new(Inner { api_url, http, tokens, bucket: Bucket::default() }))
    }

    /// The same API called with a user's token, which has a rate limit of its own, and with this retry policy.
    #[must_use]
    pub fn as_user(&self, tokens: Arc<TokenSource>, policy: RetryPolicy) -> Self {
        let Inner { api_url, http, .. } = &*self.0;
        let http = http.with_policy(policy);
        Self(Arc::new(Inner { api_url: api_url.clone(), http, tokens, bucket: Bucket::default() }))
    }

    /// The users with these logins; unknown ones are missing.
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn users_by_login(&self, logins: &[impl AsRef<str>]) -> Result<Vec<User>, HelixError> {
        Ok(self.look_up("look up users", "users", "login", logins).await?.read)
    }

    /// The users with these ids; unknown ones are missing.
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn users_by_id(&self, ids: &[impl AsRef<str>]) -> Result<Vec<User>, HelixError> {
        Ok(self.look_up("look up users", "users", "id", ids).await?.read)
    }

    /// The current streams of these channels; channels that are not live are missing.
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn streams(&self, user_ids: &[impl AsRef<str>]) -> Result<Answer<Stream>, HelixError> {
        let data = self.look_up("look up streams", "streams", "user_id", user_ids).await?;
        Ok(Answer::new("Get Streams", data))
    }

    /// Title, category, language and labels of these channels; unknown ones are missing.
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn channels(&self, ids: &[impl AsRef<str>]) -> Result<Answer<ChannelInformation>, HelixError> {
        let data = self.look_up("look up channels", "channels", "broadcaster_id", ids).await?;
        Ok(Answer::new("Get Channel Information", data))
    }

    /// The followers of a channel since this time, newest first; at most ten thousand. The token must be that of the
    /// broadcaster or of a moderator, with the scope `moderator:read:followers`: otherwise there are none.
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn followers_since(
        &self,
        broadcaster: &ChannelId,
        since: OffsetDateTime,
    ) -> Result<Answer<Follower>, HelixError> {
        let name = "look up followers";
        let query = [("broadcaster_id", broadcaster.as_str()), ("first", "100")];
        let mut found = Items::<Follower>::default();
        let mut cursor: Option<String> = None;
        for _ in 0..MAX_FOLLOWER_PAGES {
            let mut query = query.to_vec();
            query.extend(cursor.as_deref().map(|cursor| ("after", cursor)));
            let page: Listing<Follower> = read(name, &self.send(&Call::get(name, "channels/followers", query)).await?)?;
            let is_last = page.data.read.last().is_none_or(|oldest| oldest.followed_at < since);
            cursor = page.cursor().map(str::to_owned).filter(|_| !is_last);
            found.unreadable += page.data.unreadable;
            found.read.extend(page.data.read.into_iter().filter(|follower| follower.followed_at >= since));
            if cursor.is_none() {
                break;
            }
        }
        Ok(Answer::new("Get Channel Followers", found))
    }

    /// Every subscription of any status, each once: with the app token those over webhooks and conduits, with a user's
    /// token those over this user's WebSocket sessions.
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn subscriptions(&self) -> Result<SubscriptionList, HelixError> {
        let pages =
            self.pages::<HeldSubscription>("list the subscriptions", "eventsub/subscriptions", &[], None).await?;
        let (total_cost, max_total_cost) = pages.last().map_or((0, 0), |page| (page.total_cost, page.max_total_cost));
        let mut seen = HashSet::new();
        let unreadable = pages.iter().map(|page| page.data.unreadable).sum();
        let mut subscriptions: Vec<_> = pages.into_iter().flat_map(|page| page.data.read).collect();
        subscriptions.retain(|subscription| seen.insert(subscription.id.clone()));
        Ok(SubscriptionList { subscriptions, total_cost, max_total_cost, unreadable })
    }

    /// Subscribes: to a callback with the app token, on a WebSocket session with its user's. Twitch sends its challenge to a
    /// callback at once, maybe before this returns; on a session the subscription is enabled at once.
    ///
    /// # Errors
    /// [`HelixError`]. A call that broke may have made the subscription; then the retry gets
    /// [`RefusalKind::AlreadyExists`].
    pub async fn create_subscription(&self, new: &NewSubscription<'_>) -> Result<HeldSubscription, HelixError> {
        let name = "create the subscription";
        let body = serde_json::to_value(SubscriptionRequest::from(new))
            .map_err(|error| HelixError::Malformed { call: name, reason: error.to_string() })?;
        self.first(&Call::new(name, Method::POST, "eventsub/subscriptions", vec![]).with(body)).await
    }

    /// Ends a subscription.
    ///
    /// # Errors
    /// [`HelixError`]; [`RefusalKind::NotFound`] if there is none of this id (any more).
    pub async fn delete_subscription(&self, id: &str) -> Result<(), HelixError> {
        let call = Call::new("delete the subscription", Method::DELETE, "eventsub/subscriptions", vec![("id", id)]);
        self.send(&call).await.map(drop)
    }

    async fn look_up<T: DeserializeOwned>(
        &self,
        name: &'static str,
        path: &'static str,
        parameter: &'static str,
        values: &[impl AsRef<str>],
    ) -> Result<Items<T>, HelixError> {
        let mut found = Items::default();
        for chunk in values.chunks(MAX_IDS) {
            let mut query: Vec<_> = chunk.iter().map(|value| (parameter, value.as_ref())).collect();
            // Unless it is asked for more, a page of streams has 20. The other lists have no pages.
            if path == "streams" {
                query.push(("first", "100"));
            }
            let pages = self.pages::<T>(name, path, &query, Some(chunk.len())).await?;
            for page in pages {
                found.read.extend(page.data.read);
                found.unreadable += page.data.unreadable;
            }
        }
        Ok(found)
    }

    /// Reads until there is no [cursor](https://dev.twitch.tv/docs/api/guide/#pagination), or until everything that was
    /// requested has come. A page may be empty without being the last.
    async fn pages<T: DeserializeOwned>(
        &self,
        name: &'static str,
        path: &'static str,
        query: &[(&'static str, &str)],
        enough: Option<usize>,
    ) -> Result<Vec<Listing<T>>, HelixError> {
        let mut pages: Vec<Listing<T>> = Vec::new();
        let mut count = 0;
        while pages.len() < MAX_PAGES {
            let mut query = query.to_vec();
            let cursor = pages.last().and_then(Listing::cursor);
            query.extend(cursor.map(|cursor| ("after", cursor)));
            let page: Listing<T> = read(name, &self.send(&Call::get(name, path, query)).await?)?;
            count += page.data.read.len() + page.data.unreadable;
            let is_last = page.cursor().is_none() || enough.is_some_and(|enough| count >= enough);
            pages.push(page);
            if is_last {
                return Ok(pages);
            }
        }
        Err(HelixError::Malformed { call: name, reason: format!("the list has no end after {MAX_PAGES} pages") })
    }

    /// The first item of an answer.
    async fn first<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, HelixError> {
        let listing: Listing<T> = read(call.name, &self.send(call).await?)?;
        let missing = || HelixError::Malformed { call: call.name, reason: "it holds no item".to_owned() };
        listing.data.read.into_iter().next().ok_or_else(missing)
    }

    /// Makes a call that changes something; `is_already` tells the refusals that say that it is so already.
    async fn apply(&self, call: &Call<'_>, is_already: fn(&Refusal) -> bool) -> Result<Applied, HelixError> {
        match self.send(call).await {
            Ok(_) => Ok(Applied::Now),
            Err(HelixError::Refused(refusal)) if is_already(&refusal) => Ok(Applied::Already),
            Err(error) => Err(error),
        }
    }

    /// Makes a call until there is an answer to keep.
    #[tracing::instrument(name = "helix", skip_all, fields(helix.call = call.name))]
    async fn send(&self, call: &Call<'_>) -> Result<Vec<u8>, HelixError> {
        let Inner { http, tokens, bucket, .. } = &*self.0;
        let no_token = |error| HelixError::Token { token: tokens.name().to_owned(), error };
        let mut token = tokens.get().await.map_err(no_token)?;
        let (mut is_renewed, mut waits) = (false, 0);
        loop {
            self.wait_for_points(call.name).await?;
            let request = self.request(call, token.access_token.expose_secret())?;
            let answer = http.send(request).await.map_err(|error| HelixError::Transport { call: call.name, error })?;
            let is_bucket_empty = bucket.observe(&answer.headers, http.clock());
            match answer.status.as_u16() {
                200..300 => return Ok(answer.body),
                401 if !is_renewed => {
                    token = tokens.replace(&token.access_token).await.map_err(no_token)?;
                    is_renewed = true;
                }
                429 if is_bucket_empty && waits < MAX_RATE_LIMIT_WAITS => waits += 1,
                status => return Err(HelixError::Refused(Refusal::new(call.name, status, answer.message()))),
            }
        }
    }

    async fn wait_for_points(&self, call: &'static str) -> Result<(), HelixError> {
        let http = &self.0.http;
        while let Err(until) = self.0.bucket.take(http.clock().instant()) {
            let wait = until.saturating_duration_since(http.clock().instant());
            if wait > http.policy().rate_limit_wait {
                return Err(HelixError::RateLimited { call, until: http.clock().now() + wait });
            }
            tracing::info!(call, wait.seconds = wait.as_secs(), "waiting for Twitch's rate limit");
            http.clock().sleep_until(until).await;
        }
        Ok(())
    }

    fn request(&self, call: &Call<'_>, token: &str) -> Result<reqwest::Request, HelixError> {
        let url = super::endpoint(&self.0.api_url, call.path);
        let mut request = self.0.http.client().request(call.method.clone(), url).bearer_auth(token);
        request = request.header("Client-Id", self.0.tokens.oauth().client_id());
        if !call.query.is_empty() {
            request = request.query(&call.query);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let unsendable = |error: reqwest::Error| error.without_url().to_string();
        request.build().map_err(|error| HelixError::Malformed { call: call.name, reason: unsendable(error) })
    }
}

fn read<T: DeserializeOwned>(call: &'static str, body: &[u8]) -> Result<T, HelixError> {
    let deserializer = &mut serde_json::Deserializer::from_slice(body);
    serde_path_to_error::deserialize(deserializer)
        .map_err(|error| HelixError::Malformed { call, reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A promise to the compiler: calls may run in tasks of their own.
    #[expect(dead_code, reason = "compiling it is the test")]
    fn calls_can_be_spawned(helix: &Helix, ids: &[&str]) {
        fn must_be_send(_: impl Send) {}
        must_be_send(helix.users_by_id(ids));
        must_be_send(helix.subscriptions());
    }
}
