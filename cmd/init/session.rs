//! The clients and settings that `init` works with, and the errors about those that are missing.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use showtime::cli;
use showtime::clock::Clock;
use showtime::config::{Client, Config, Database, Twitch, describe_database};
use showtime::credentials::consent::Account;
use showtime::credentials::tokens::Tokens;
use showtime::credentials::vault::Vault;
use showtime::http::{self, Http, RetryPolicy};
use showtime::outputs::reactions::rules;
use showtime::postgres::{self, LocalError};
use showtime::program::Program;
use showtime::simulate::delivery::own_callback;
use showtime::store::reconciler;
use showtime::store::served_channels::{self, ServedChannel};
use showtime::store::signals::Channel;
use showtime::store::tokens;
use showtime::subscriptions::desired::{self, DesiredSubscription};
use showtime::twitch::catalogue::SubscriptionType;
use showtime::twitch::helix::Helix;
use showtime::twitch::id::ChannelId;
use showtime::twitch::oauth::{Credentials, OAuth};
use showtime::twitch::signature::WebhookSecret;
use showtime::twitch::token_source::TokenSource;
use showtime::twitch::transport::TransportKind;
use sqlx::postgres::{PgPool, PgPoolOptions};
use time::OffsetDateTime;
use url::Url;

/// Time limit for a connection to the database.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(10);

/// Clients of the database and of Twitch, as configured.
pub(crate) struct Session {
    pub(crate) pool: PgPool,
    pub(crate) clock: Clock,
    pub(crate) oauth: OAuth,
    pub(crate) tokens: Tokens,
    pub(crate) helix: Helix,
    pub(crate) app: Arc<TokenSource>,
    pub(crate) types: Vec<&'static SubscriptionType>,
    pub(crate) twitch: Twitch,
    /// That of the server, if it is known.
    secret: Option<WebhookSecret>,
    /// The address of the server's callback without a proxy.
    direct: Url,
}

/// What webhooks need.
pub(crate) struct Webhook<'a> {
    /// The public address of the server's callback.
    pub(crate) callback: &'a Url,
    /// Its address without a proxy.
    pub(crate) direct: &'a Url,
    pub(crate) secret: &'a WebhookSecret,
}

impl Session {
    /// Opens the clients of these settings.
    pub(crate) async fn open(config: &Config, vault: Vault) -> Result<Self> {
        let client = complete(&config.twitch)?;
        let pool = connect(config).await?;
        let clock = Clock::default();
        let credentials = Credentials { client_id: client.id, client_secret: client.secret };
        let http = Http::new(RetryPolicy::default(), clock.clone())?;
        let oauth = OAuth::new(credentials, &config.twitch.auth_url, http);
        let tokens = Tokens::new(pool.clone(), vault, oauth.clone(), clock.clone());
        let app = tokens.app().await?;
        let helix = Helix::new(config.twitch.api_url.clone(), app.clone());
        Ok(Self {
            pool,
            clock,
            oauth,
            tokens,
            helix,
            app,
            types: desired::types(&config.twitch.extra_types),
            twitch: config.twitch.clone(),
            secret: config.existing_webhook_secret()?,
            direct: own_callback(SocketAddr::new(config.bind_addr, config.listen_port))?,
        })
    }

    /// Fails unless Twitch accepts the application's id and secret. A kept token does not prove that.
    pub(crate) async fn prove_client(&self) -> Result<()> {
        self.oauth.app_token().await?;
        Ok(())
    }

    /// The requested channels: those named, or else those that are served already; none if it is for a consent to say.
    pub(crate) async fn channels(&self, logins: &[String]) -> Result<Vec<ServedChannel>> {
        let mut logins: Vec<_> = logins.iter().map(|login| login.to_ascii_lowercase()).collect();
        let served = self.served().await?;
        let mut channels = if logins.is_empty() { served.clone() } else { Vec::new() };
        if logins.is_empty() {
            logins.extend(self.twitch.channel_name.clone());
        }
        logins.retain(|login| channels.iter().all(|channel| channel.login != *login));
        let users = self.helix.users_by_login(&logins).await?;
        if let Some(unknown) = logins.iter().find(|login| users.iter().all(|user| user.login != **login)) {
            bail!("Twitch knows no channel {unknown:?}");
        }
        channels.extend(users.into_iter().map(|user| ServedChannel::new(user, self.clock.now())));
        for channel in &mut channels {
            let known = served.iter().find(|served| served.id == channel.id);
            channel.transport = known.and_then(|known| known.transport);
        }
        Ok(channels)
    }

    /// How Twitch delivers the messages of this channel.
    pub(crate) fn transport(&self, channel: &ServedChannel) -> TransportKind {
        channel.transport.unwrap_or(self.twitch.transport())
    }

    /// Whether messages of one of these channels are delivered so; of none, those of a new one.
    pub(crate) fn uses(&self, kind: TransportKind, channels: &[ServedChannel]) -> bool {
        match channels {
            [] => self.twitch.transport() == kind,
            channels => channels.iter().any(|channel| self.transport(channel) == kind),
        }
    }

    /// Fails unless all is configured that these channels need.
    pub(crate) fn require_settings(&self, channels: &[ServedChannel]) -> Result<()> {
        if self.uses(TransportKind::Webhook, channels) {
            self.webhook()?;
        }
        if self.uses(TransportKind::Websocket, channels) {
            same_twitch(&self.twitch)?;
        }
        Ok(())
    }

    /// What webhooks need; an error names what is missing.
    pub(crate) fn webhook(&self) -> Result<Webhook<'_>> {
        let callback = self.twitch.callback_url.as_ref();
        let callback = callback.with_context(|| missing(&[CALLBACK_MISSING]))?;
        let secret = self.secret.as_ref().context(
            "there is no webhook secret yet: start the server once with the same SHOWTIME_DATA_DIR, or set TWITCH_WEBHOOK_SECRET",
        )?;
        Ok(Webhook { callback, direct: &self.direct, secret })
    }

    /// The channels that are served already.
    pub(crate) async fn served(&self) -> Result<Vec<ServedChannel>> {
        Ok(served_channels::all(&mut *self.pool.acquire().await?).await?)
    }

    /// The scopes that a channel has granted; none if it has to consent again.
    pub(crate) async fn granted(&self, channel: &ServedChannel) -> Result<Vec<String>> {
        let row = tokens::get(&mut *self.pool.acquire().await?, channel.id.as_str()).await?;
        Ok(row.filter(|row| row.needs_consent.is_none()).map(|row| row.scopes).unwrap_or_default())
    }

    /// What these channels should have over these transports.
    pub(crate) async fn desired(
        &self,
        channels: impl IntoIterator<Item = (&ChannelId, TransportKind)>,
    ) -> Result<Vec<DesiredSubscription>> {
        let (mut db, client_id) = (self.pool.acquire().await?, self.oauth.client_id());
        Ok(desired::of_channels(&mut db, &self.types, channels, client_id, self.clock.now()).await?)
    }

    /// The scopes that a channel should grant, of which these are granted: for its subscriptions, and for what rules do.
    pub(crate) async fn scopes(&self, channel: &ServedChannel, granted: &[String]) -> Result<BTreeSet<&'static str>> {
        let mut db = self.pool.acquire().await?;
        let types = desired::types_to_ask(&mut db, &self.types, &channel.id).await?;
        let mut scopes = desired::scopes(&types, granted, self.transport(channel));
        let account = Account::Broadcaster { id: channel.id.clone(), login: channel.login.clone() };
        scopes.extend(rules::scopes::scopes(&mut db, &account).await?);
        Ok(scopes)
    }

    /// Clients that call with the tokens of the users who have consented.
    pub(crate) async fn users(&self) -> Result<Vec<Helix>> {
        let ids = tokens::users(&mut *self.pool.acquire().await?).await?;
        Ok(ids.iter().map(|id| self.as_user(id)).collect())
    }

    /// A client that calls with the token of this user.
    pub(crate) fn as_user(&self, id: &str) -> Helix {
        self.helix.as_user(self.tokens.shared_user(id), RetryPolicy::default())
    }

    /// Requests these channels from the server, and returns the time of that by the database's clock.
    pub(crate) async fn request(&self, channels: &mut [ServedChannel]) -> Result<OffsetDateTime> {
        let mut transaction = self.pool.begin().await?;
        for channel in channels {
            channel.requested_at = self.clock.now();
            served_channels::put(&mut transaction, channel).await?;
            served_channels::set_transport(&mut transaction, &channel.id, channel.transport).await?;
        }
        transaction.commit().await?;
        let mut connection = self.pool.acquire().await?;
        let requested_at = reconciler::now(&mut connection).await?;
        Channel::Reconcile.notify(&mut connection, "").await?;
        // A user who has consented now can have a WebSocket.
        Channel::Session.notify(&mut connection, "").await?;
        Ok(requested_at)
    }
}

const CLIENT_MISSING: [&str; 2] = [
    "  TWITCH_CLIENT_ID             of your application at dev.twitch.tv/console",
    "  TWITCH_CLIENT_SECRET         of your application at dev.twitch.tv/console",
];

const CALLBACK_MISSING: &str =
    "  TWITCH_WEBHOOK_CALLBACK_URL  where Twitch reaches this server: https://…/callback (a WebSocket needs none)";

/// The application; the error names all settings that are missing.
fn complete(twitch: &Twitch) -> Result<Client> {
    let has_callback = twitch.callback_url.is_some() || twitch.transport() == TransportKind::Websocket;
    match &twitch.client {
        Some(client) if has_callback => Ok(client.clone()),
        Some(_) => bail!(missing(&[CALLBACK_MISSING])),
        None if has_callback => bail!(missing(&CLIENT_MISSING)),
        None => bail!(missing(&[CLIENT_MISSING[0], CLIENT_MISSING[1], CALLBACK_MISSING])),
    }
}

fn missing(settings: &[&str]) -> String {
    let settings = format!("these settings are missing:\n{}", settings.join("\n"));
    match settings.contains(CLIENT_MISSING[0]) {
        true => format!(
            "{settings}\nWithout a Twitch application, `{}` prints settings to try things out with",
            Program::MockTwitch
        ),
        false => settings,
    }
}

/// Fails if the addresses of API and WebSocket are not of the same Twitch.
fn same_twitch(twitch: &Twitch) -> Result<()> {
    if !twitch.has_own_websocket() {
        bail!(
            "TWITCH_EVENTSUB_WEBSOCKET_URL leads to {}, but TWITCH_API_URL to {}: both must be of the same Twitch \
            (`{}` prints both of its own)",
            http::host(&twitch.websocket_url),
            http::host(&twitch.api_url),
            Program::MockTwitch
        );
    }
    Ok(())
}

async fn connect(config: &Config) -> Result<PgPool> {
    let options = match &config.database {
        Database::Given(options) => (**options).clone(),
        Database::Private => match postgres::join(&config.data_dir).await {
            Err(LocalError::NotRunning { .. }) => bail!(
                "no server runs with the data directory {}: start it first (`{}`), and run this beside it",
                config.data_dir.display(),
                Program::Server
            ),
            joined => joined?,
        },
    };
    let address = describe_database(&options);
    let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(DATABASE_TIMEOUT).connect_with(options).await;
    let pool = pool.with_context(|| format!("the database can't be used ({address})"))?;
    cli::require_migrations(&mut *pool.acquire().await?).await?;
    Ok(pool)
}
