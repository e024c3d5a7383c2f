//! Everything that `init` works with, and the complaints about what is missing of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use showtime::clock::Clock;
use showtime::config::{Client, Config, Database};
use showtime::credentials::tokens::Tokens;
use showtime::credentials::vault::Vault;
use showtime::http::{Http, RetryPolicy};
use showtime::postgres::{self, LocalError};
use showtime::program::Program;
use showtime::store::read::health;
use showtime::store::served_channels::{self, ServedChannel};
use showtime::store::signals::Channel;
use showtime::store::{migrations, tokens};
use showtime::subscriptions::desired;
use showtime::twitch::app_token::AppTokens;
use showtime::twitch::catalogue::SubscriptionType;
use showtime::twitch::helix::Helix;
use showtime::twitch::oauth::{Credentials, OAuth};
use showtime::twitch::signature::WebhookSecret;
use sqlx::postgres::{PgPool, PgPoolOptions};
use url::Url;

/// How long the database may take to answer.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the server may take to see what has changed, and how often to look whether it has.
const SERVER_PATIENCE: time::Duration = time::Duration::seconds(5);
const SERVER_PAUSE: Duration = Duration::from_millis(50);

/// The configuration, connected.
pub(crate) struct Session {
    pub(crate) pool: PgPool,
    pub(crate) clock: Clock,
    pub(crate) oauth: OAuth,
    pub(crate) tokens: Tokens,
    pub(crate) helix: Helix,
    app: Arc<AppTokens>,
    pub(crate) types: Vec<&'static SubscriptionType>,
    pub(crate) secret: WebhookSecret,
    pub(crate) callback: Url,
    /// The callback without anything between.
    pub(crate) direct: Url,
    pub(crate) channel_name: Option<String>,
}

impl Session {
    /// Connects to what the settings name.
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
            direct: direct(config)?,
            channel_name: config.twitch.channel_name.clone(),
        })
    }

    /// The app token, which Twitch must be ready to give.
    pub(crate) async fn connect(&self) -> Result<Arc<AppTokens>> {
        self.app.get().await?;
        Ok(self.app.clone())
    }

    /// The channels that are asked for, by name or because they are served already.
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
        channels.extend(users.into_iter().map(|user| ServedChannel {
            id: user.id,
            login: user.login,
            display_name: user.display_name,
        }));
        Ok(channels)
    }

    /// The channels that are served already.
    pub(crate) async fn served(&self) -> Result<Vec<ServedChannel>> {
        Ok(served_channels::all(&mut *self.pool.acquire().await?).await?)
    }

    /// What a channel has consented to, as far as that holds.
    pub(crate) async fn granted(&self, channel: &ServedChannel) -> Result<Vec<String>> {
        let row = tokens::get(&mut *self.pool.acquire().await?, &channel.id).await?;
        Ok(row.filter(|row| row.needs_consent.is_none()).map(|row| row.scopes).unwrap_or_default())
    }

    /// Notes that the server is to serve these.
    pub(crate) async fn serve(&self, channels: &[ServedChannel]) -> Result<()> {
        let mut connection = self.pool.acquire().await?;
        for channel in channels {
            served_channels::put(&mut connection, channel, self.clock.now()).await?;
        }
        Ok(())
    }

    /// Lets the server look at Twitch's list at once.
    pub(crate) async fn announce(&self) -> Result<()> {
        Ok(Channel::Reconcile.notify(&mut *self.pool.acquire().await?, "").await?)
    }

    /// Waits until the server shows that everything is enabled; false if it does not within
    /// [`SERVER_PATIENCE`].
    pub(crate) async fn until_server_agrees(&self) -> Result<bool> {
        let mut connection = self.pool.acquire().await?;
        let until = self.clock.now() + SERVER_PATIENCE;
        loop {
            let (_, count) = health::desired(&mut connection, 0).await?;
            if count.total > 0 && count.enabled == count.total {
                return Ok(true);
            }
            if self.clock.now() > until {
                return Ok(false);
            }
            self.clock.sleep(SERVER_PAUSE).await;
        }
    }

    /// Notes that the server is to serve nobody.
    pub(crate) async fn serve_none(&self) -> Result<()> {
        Ok(served_channels::clear(&mut *self.pool.acquire().await?).await?)
    }
}

/// What nothing can be done without; complains about all of it at once.
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
    let migrations = migrations::status(&mut *pool.acquire().await?).await?;
    if migrations.iter().any(|migration| !migration.is_applied) {
        bail!("the database lacks migrations: start the server first, or run ./db-migrate.sh up");
    }
    Ok(pool)
}

fn direct(config: &Config) -> Result<Url> {
    let ip = match config.bind_addr {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Ok(Url::parse(&format!("http://{}/callback", SocketAddr::new(ip, config.listen_port)))?)
}
