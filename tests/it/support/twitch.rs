//! A fake Twitch, and the program's clients of it.

use std::sync::Arc;
use std::time::Duration;

use oauth2::RedirectUrl;
use reqwest::header::LOCATION;
use secrecy::SecretString;
use showtime::backoff::Backoff;
use showtime::clock::Clock;
use showtime::config::{Client, Config, EncryptionKey};
use showtime::credentials::tokens::Tokens;
use showtime::credentials::vault::Vault;
use showtime::http::{Http, RetryPolicy};
use showtime::incidents::Incidents;
use showtime::ingest::Ingest;
use showtime::metrics::Metrics;
use showtime::mock::{Mock, MockConfig};
use showtime::sources::backfill::Backfill;
use showtime::twitch::helix::{Condition, HeldSubscription, Helix, HelixError, NewSubscription, Transport};
use showtime::twitch::oauth::{ConsentRequest, Credentials, OAuth, TokenUser, UserToken};
use showtime::twitch::subscription_status::SubscriptionStatus;
use showtime::twitch::token_source::TokenSource;
use sqlx::postgres::{PgConnectOptions, PgPool};
use url::Url;

use super::postgres::pool;
use super::recorder::{Answer, Recorder, Request};
use super::server;
use super::{PATIENCE, until};

/// The mock's only channel by default.
pub(crate) const CHANNEL: &str = "maplearcade";

/// The id of [`CHANNEL`].
pub(crate) const CHANNEL_ID: &str = "90210441";

/// A running mock, and clients of it.
pub(crate) struct Twitch {
    pub(crate) mock: Mock,
    pub(crate) clock: Clock,
    pub(crate) oauth: OAuth,
    pub(crate) helix: Helix,
    pub(crate) browser: reqwest::Client,
}

/// The default retries, almost without pauses.
pub(crate) fn quick_retries() -> RetryPolicy {
    let backoff = Backoff { first: Duration::from_millis(1), max: Duration::from_millis(10) };
    RetryPolicy { backoff, ..RetryPolicy::default() }
}

pub(crate) fn credentials(config: &MockConfig) -> Credentials {
    let client_secret = SecretString::from(config.client_secret.as_str());
    Credentials { client_id: config.client_id.clone(), client_secret }
}

/// A client of Helix and its login server at these addresses.
pub(crate) fn clients(api_url: Url, auth_url: &Url, policy: RetryPolicy, clock: &Clock) -> (OAuth, Helix) {
    let credentials = credentials(&MockConfig::default());
    let oauth = OAuth::new(credentials, auth_url, Http::new(policy, clock.clone()).unwrap());
    let helix = Helix::new(api_url, Arc::new(TokenSource::app(oauth.clone(), None)));
    (oauth, helix)
}

/// Has the servers of this database serve a channel.
pub(crate) async fn serve_channel(pool: &PgPool, id: &str, login: &str) {
    let statement = "insert into served_channel (id, login, display_name, requested_at) values ($1, $2, $2, now())";
    sqlx::query(statement).bind(id).bind(login).execute(pool).await.unwrap();
}

/// A backfill with this client of Helix, and a writer of its own.
pub(crate) fn backfill(helix: &Helix, clock: &Clock, database: &PgConnectOptions) -> Backfill {
    let (ingest, writer) = Ingest::new(database.clone(), clock.clone(), Incidents::default(), Metrics::default());
    tokio::spawn(writer.run());
    Backfill {
        helix: helix.clone(),
        pool: pool(database),
        ingest,
        clock: clock.clone(),
        incidents: Incidents::default(),
    }
}

impl Twitch {
    pub(crate) async fn start() -> Self {
        Self::with(MockConfig::default()).await
    }

    /// Starts a mock that redelivers almost without pauses.
    pub(crate) async fn with(config: MockConfig) -> Self {
        let clock = Clock::default();
        let redelivery = vec![Duration::from_millis(5); 4];
        let config = MockConfig { clock: clock.clone(), redelivery, ..config };
        let mock = Mock::start(config).await.unwrap();
        let (oauth, helix) = clients(mock.api_url(), &mock.auth_url(), quick_retries(), &clock);
        let browser =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE).build().unwrap();
        Self { mock, clock, oauth, helix, browser }
    }

    /// Gives a server the application of this mock.
    pub(crate) fn configure(&self, config: &mut Config) {
        let Credentials { client_id: id, client_secret: secret } = credentials(self.mock.world.config());
        config.twitch.client = Some(Client { id, secret });
        (config.twitch.api_url, config.twitch.auth_url) = (self.mock.api_url(), self.mock.auth_url());
    }

    /// Keeps the token of a user in the database of a server with this key, as `init` does.
    pub(crate) async fn keep(&self, pool: &PgPool, key: &EncryptionKey, id: &str, login: &str, token: &UserToken) {
        let vault = Vault::new(key, String::new());
        let tokens = Tokens::new(pool.clone(), vault, self.oauth.clone(), self.clock.clone());
        tokens.keep_user(&TokenUser { id: id.parse().unwrap(), login: login.to_owned() }, token).await.unwrap();
    }

    /// Presses a button on the consent page, and returns where the browser is sent.
    pub(crate) async fn press(&self, button: &str, request: &ConsentRequest) -> Url {
        self.press_as(CHANNEL, button, request).await
    }

    /// Presses a button on the consent page as this user.
    async fn press_as(&self, login: &str, button: &str, request: &ConsentRequest) -> Url {
        let query: Vec<_> = request.url.query_pairs().into_owned().collect();
        let mut form = query;
        form.extend([("login", login), ("decision", button)].map(|(name, value)| (name.into(), value.into())));
        let mut page = request.url.clone();
        page.set_query(None);
        redirect(&self.browser.post(page).form(&form).send().await.unwrap())
    }

    /// The channel consents to these scopes.
    pub(crate) async fn consent(&self, scopes: &[&str]) -> UserToken {
        self.consent_as(CHANNEL, scopes).await
    }

    /// This user consents to these scopes.
    pub(crate) async fn consent_as(&self, login: &str, scopes: &[&str]) -> UserToken {
        let request = self.oauth.request_consent(scopes.iter().copied(), &redirect_url(), false);
        let location = self.press_as(login, "consent", &request).await;
        let code = request.answer(location.query().unwrap()).unwrap();
        self.oauth.exchange(&code, &redirect_url()).await.unwrap()
    }

    /// Subscribes to a type of event on the channel.
    pub(crate) async fn subscribe(
        &self,
        kind: &str,
        version: &str,
        callback: &str,
    ) -> Result<HeldSubscription, HelixError> {
        let fields: &[_] = match kind {
            "channel.raid" => &["to_broadcaster_user_id"],
            "channel.follow" => &["broadcaster_user_id", "moderator_user_id"],
            _ => &["broadcaster_user_id"],
        };
        let condition = fields.iter().map(|field| ((*field).to_owned(), CHANNEL_ID.to_owned())).collect();
        self.subscribe_to(kind, version, &condition, callback).await
    }

    pub(crate) async fn subscribe_to(
        &self,
        kind: &str,
        version: &str,
        condition: &Condition,
        callback: &str,
    ) -> Result<HeldSubscription, HelixError> {
        let (callback, secret) = (Url::parse(callback).unwrap(), server::secret());
        let transport = &Transport::Webhook { callback, secret };
        self.helix.create_subscription(&NewSubscription { kind, version, condition, transport }).await
    }

    /// Waits until a subscription has this status.
    pub(crate) async fn until_status(&self, id: &str, status: &str) {
        let shown = || self.mock.world.subscriptions().into_iter().find(|shown| shown.id == id);
        until(status, async || shown().is_some_and(|shown| shown.status == SubscriptionStatus::from(status))).await;
    }
}

pub(crate) fn redirect_url() -> RedirectUrl {
    RedirectUrl::new(MockConfig::default().redirect_urls.remove(0)).unwrap()
}

pub(crate) fn redirect(response: &reqwest::Response) -> Url {
    assert_eq!(response.status(), 302);
    Url::parse(response.headers()[LOCATION].to_str().unwrap()).unwrap()
}

/// A callback that answers challenges correctly, and everything else by this function.
pub(crate) fn callback(respond: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Recorder {
    Recorder::start(move |request| match request.twitch("message-type") {
        Some("webhook_callback_verification") => {
            Answer::new(200, "text/plain", request.json()["challenge"].as_str().unwrap())
        }
        _ => respond(request),
    })
}

/// The messages of a type that a callback has received.
pub(crate) fn received(callback: &Recorder, message_type: &str) -> Vec<Request> {
    let of_type = |request: &Request| request.twitch("message-type") == Some(message_type);
    callback.requests().into_iter().filter(of_type).collect()
}
