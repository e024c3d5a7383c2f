//! The clients and settings that `init` works with, and the errors about those that are missing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use showtime::cli;
use showtime::clock::Clock;
use showtime::config::{Client, Config, Database};
use showtime::credentials::tokens::Tokens;
use showtime::credentials::vault::Vault;
use showtime::http::{Http, RetryPolicy};
use showtime::postgres::{self, LocalError};
use showtime::program::Program;
use showtime::simulate::delivery::own_callback;
use showtime::store::reconciler;
use showtime::store::served_channels::{self, ServedChannel};
use showtime::store::signals::Channel;
use showtime::store::tokens;
use showtime::subscriptions::desired;
use showtime::twitch::catalogue::SubscriptionType;
use showtime::twitch::helix::Helix;
use showtime::twitch::oauth::{Credentials, OAuth};
use showtime::twitch::signature::WebhookSecret;
use showtime::twitch::token_source::TokenSource;
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
    pub(crate) secret: WebhookSecret,
    pub(crate) callback: Url,
    /// The address of the server's callback without a proxy.
    pub(crate) direct: Url,
    pub(crate) channel_name: Option<String>,
}

impl Session {
    /// Opens the clients of these settings.
    pub(crate) async fn open(config: &Config, vault: Vault) -> Result<Self> {
        let (client, callback) = complete(config)?;
        let pool = connect(config).await?;
        let secret = config.existing_webhook_secret()?.context(
            "there is no webhook secret yet: start the server once with the same SHOWTIME_DATA_DIR, or set TWITCH_WEBHOOK_SECRET",
        )?;
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
            secret,
            callback,
            direct: own_callback(SocketAddr::new(config.bind_addr, config.listen_port))?,
            channel_name: config.twitch.channel_name.clone(),
        })
    }

    /// Fails unless Twitch accepts the application's id and secret. A kept token does not prove that.
    pub(crate) async fn prove_client(&self) -> Result<()> {
        self.oauth.app_token().await?;
        Ok(())
    }

    /// The requested channels: those named, or else those that are served already.
    pub(crate) async fn channels(&self, logins: &[String]) -> Result<Vec<ServedChannel>> {
        let mut logins: Vec<_> = logins.iter().map(|login| login.to_ascii_lowercase()).collect();
        let mut channels = Vec::new();
        if logins.is_empty() {
            channels = self.served().await?;
            logins.extend(self.channel_name.clone());
        }
        logins.retain(|login| channels.iter().all(|channel| channel.login != *login));
        if logins.is_empty() && channels.is_empty() {
            bail!("there is no channel to serve: give --channel LOGIN, or set TWITCH_CHANNEL_NAME");
        }
        let users = self.helix.users_by_login(&logins).await?;
        if let Some(unknown) = logins.iter().find(|login| users.iter().all(|user| user.login != **login)) {
            bail!("Twitch knows no channel {unknown:?}");
        }
        channels.extend(users.into_iter().map(|user| ServedChannel::new(user, self.clock.now())));
        Ok(channels)
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

    /// Requests these channels from the server, and returns the time of that by the database's clock.
    pub(crate) async fn request(&self, channels: &[ServedChannel]) -> Result<OffsetDateTime> {
        let mut transaction = self.pool.begin().await?;
        for channel in channels {
            let channel = ServedChannel { requested_at: self.clock.now(), ..channel.clone() };
            served_channels::put(&mut transaction, &channel).await?;
        }
        transaction.commit().await?;
        let mut connection = self.pool.acquire().await?;
        let requested_at = reconciler::now(&mut connection).await?;
        Channel::Reconcile.notify(&mut connection, "").await?;
        Ok(requested_at)
    }
}

/// The settings that are required; the error names all that are missing.
fn complete(config: &Config) -> Result<(Client, Url)> {
    match (config.twitch.client.clone(), config.twitch.callback_url.clone()) {
        (Some(client), Some(callback)) => Ok((client, callback)),
        (client, callback) => {
            let mut missing = Vec::new();
            if client.is_none() {
                missing.extend([
                    "  TWITCH_CLIENT_ID             of your application at dev.twitch.tv/console",
                    "  TWITCH_CLIENT_SECRET         of your application at dev.twitch.tv/console",
                ]);
            }
            if callback.is_none() {
                missing.push("  TWITCH_WEBHOOK_CALLBACK_URL  where Twitch reaches this server: https://…/callback");
            }
            bail!(
                "these settings are missing:\n{}\nWithout a Twitch application, `{}` prints settings to try \
                 things out with",
                missing.join("\n"),
                Program::MockTwitch
            )
        }
    }
}

async fn connect(config: &Config) -> Result<PgPool> {
    let options = match &config.database {
        Database::Given(options) => (**options).clone(),
        Database::Private => match postgres::join(&config.data_dir).await {
            Err(LocalError::NotRunning { .. }) => bail!(
                "no server runs with the data directory {}: start it first (`{}`), since Twitch must be able to \
                 reach its callback",
                config.data_dir.display(),
                Program::Server
            ),
            joined => joined?,
        },
    };
    let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(DATABASE_TIMEOUT).connect_with(options).await;
    let pool = pool.context("the database can't be used")?;
    cli::require_migrations(&mut *pool.acquire().await?).await?;
    Ok(pool)
}
