//! A whole Twitch on this machine: login server, Helix, and EventSub over webhooks.
//!
//! [`Mock::start`] serves it; [`World`] is what happens on it: tests call its methods, people click
//! on its page or use the control API under `/mock`. It speaks the real protocols (oauth.md,
//! helix.md, webhook.md) and knows nothing of showtime. Everything it holds is bounded, every task
//! it starts ends with it, and its random faults are seeded.

mod control;
mod deliver;
mod faults;
mod helix;
mod oauth;
mod scenario;
mod state;
mod subscriptions;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, web};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

pub use self::faults::Faults;
pub use self::scenario::{ChannelEdit, StoryError, Telling};
use self::state::State;
pub use self::state::{Account, Delivery, LiveStream};
use crate::clock::Clock;

/// How many deliveries are under way at once.
const MAX_CONCURRENT_DELIVERIES: usize = 64;

/// What kind of Twitch it is. The defaults are Twitch's own figures where these are known.
#[derive(Clone, Debug)]
pub struct MockConfig {
    /// To listen on, on 127.0.0.1; 0 for any that is free.
    pub port: u16,
    /// What time it is there.
    pub clock: Clock,
    /// Decides which messages and calls the [`Faults`] hit.
    pub seed: u64,
    /// Of the one registered application.
    pub client_id: String,
    /// Of the one registered application. Known to everybody who reads `--help`, so not hidden.
    pub client_secret: String,
    /// Where browsers may be sent back to. Must match exactly.
    pub redirect_urls: Vec<String>,
    /// Logins of the channels that exist at the start.
    pub channels: Vec<String>,
    /// Consents to everything at once, as this login, instead of showing a page.
    pub auto_consent: Option<String>,
    /// Takes callbacks at `http://` on this machine, which the real Twitch does not.
    pub allow_local_http: bool,
    /// How long a callback may take to answer.
    pub delivery_timeout: Duration,
    /// The pauses before each redelivery. When they are used up, the message is lost.
    pub redelivery: Vec<Duration>,
    /// How many messages in a row may be lost before the subscription is revoked.
    pub tolerated_losses: u32,
    /// Of the user tokens' validity.
    pub user_token_lifetime: Duration,
    /// Of the app tokens' validity.
    pub app_token_lifetime: Duration,
    /// What every token and authorization code begins with, so that a search for leaks finds them.
    pub token_prefix: String,
    /// Whether each refresh ends the refresh token that was used.
    pub rotate_refresh_tokens: bool,
    /// Helix calls a minute.
    pub rate_limit: u32,
    /// What all subscriptions together may cost.
    pub max_total_cost: u32,
    /// Subscriptions in one page of a list.
    pub page_size: usize,
}

impl Default for MockConfig {
    fn default() -> Self {
        Self {
            port: 0,
            clock: Clock::default(),
            seed: 0,
            client_id: "mockclientid0000000000000000000".to_owned(),
            client_secret: "mock-client-secret".to_owned(),
            redirect_urls: vec!["http://localhost:3033/auth".to_owned()],
            channels: vec!["maplearcade".to_owned()],
            auto_consent: None,
            allow_local_http: true,
            delivery_timeout: Duration::from_secs(10),
            redelivery: [2, 10, 30, 60].map(Duration::from_secs).to_vec(),
            tolerated_losses: 2,
            user_token_lifetime: Duration::from_secs(4 * 3_600),
            app_token_lifetime: Duration::from_secs(60 * 86_400),
            token_prefix: String::new(),
            rotate_refresh_tokens: true,
            rate_limit: 800,
            max_total_cost: 10_000,
            page_size: 100,
        }
    }
}

/// A running fake Twitch.
#[derive(Debug)]
pub struct Mock {
    /// What happens on it.
    pub world: Arc<World>,
    address: SocketAddr,
    server: ServerHandle,
    serving: JoinHandle<io::Result<()>>,
}

/// Everything on the fake Twitch: who exists, who is live, who is subscribed to what.
#[derive(Debug)]
pub struct World {
    config: MockConfig,
    state: Mutex<State>,
    /// Deliveries outlive the requests that cause them, so they run where the mock was started.
    runtime: Handle,
    deliveries: TaskTracker,
    stop: CancellationToken,
    delivery_slots: Semaphore,
    /// Woken by each delivery: messages held back by [`Faults::reorder`] wait for the next one.
    delivered: Notify,
}

impl Mock {
    /// Serves a fake Twitch on 127.0.0.1 until [`stop`](Self::stop).
    ///
    /// # Errors
    /// If the port is taken, or a login in the configuration can't be one.
    pub async fn start(config: MockConfig) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port))?;
        let address = listener.local_addr()?;
        let state = State::new(&config).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let world = Arc::new(World {
            config,
            state: Mutex::new(state),
            runtime: Handle::current(),
            deliveries: TaskTracker::new(),
            stop: CancellationToken::new(),
            delivery_slots: Semaphore::new(MAX_CONCURRENT_DELIVERIES),
            delivered: Notify::new(),
        });
        let shared = web::Data::from(Arc::clone(&world));
        let app = move || App::new().app_data(shared.clone()).configure(routes);
        let server = HttpServer::new(app).workers(1).disable_signals().tcp_nodelay(true).shutdown_timeout(1);
        let server = server.listen(listener)?.run();
        Ok(Self { world, address, server: server.handle(), serving: tokio::spawn(server) })
    }

    /// Where it is, without a trailing slash.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What stands in for `https://api.twitch.tv/helix`.
    ///
    #[must_use]
    pub fn api_url(&self) -> Url {
        self.url("helix")
    }

    /// What stands in for `https://id.twitch.tv/oauth2`.
    #[must_use]
    pub fn auth_url(&self) -> Url {
        self.url("oauth2")
    }

    fn url(&self, path: &str) -> Url {
        #[expect(clippy::expect_used, reason = "an address makes a URL")]
        Url::parse(&format!("{}/{path}", self.base_url())).expect("an address makes a URL")
    }

    /// Stops serving and delivering, and waits until every task has ended.
    ///
    /// # Errors
    /// If the server had failed.
    pub async fn stop(self) -> io::Result<()> {
        self.world.stop.cancel();
        self.server.stop(true).await;
        self.world.deliveries.close();
        self.world.deliveries.wait().await;
        self.serving.await.map_err(io::Error::other)?
    }
}

impl World {
    /// How it was configured.
    #[must_use]
    pub fn config(&self) -> &MockConfig {
        &self.config
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(web::scope("/oauth2").configure(oauth::routes))
        .service(web::scope("/helix").configure(helix::routes).configure(subscriptions::routes))
        .configure(control::routes);
}
