//! A fake Twitch on this machine: login server, Helix, EventSub over webhooks and WebSockets, and chat over IRC.
//!
//! [`Mock::start`] serves it; [`World`] is its state and what happens on it: tests call its methods, users click on its page
//! or use the control API under `/mock`. It speaks [Twitch's own protocols](https://dev.twitch.tv/docs/) and knows nothing of
//! showtime. Everything it holds is bounded, every task it starts ends with it, and its random faults are seeded.

mod actions;
mod chances;
mod compat;
mod config;
mod control;
mod control_client;
mod cut;
mod deliver;
pub mod discord;
mod emotes;
mod fault_generator;
mod faults;
mod helix;
mod irc;
mod oauth;
mod pictures;
mod scenario;
mod schedule;
mod state;
mod subscriptions;
mod tls;
mod videos;
mod websocket;
mod world;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_http::HttpService;
use actix_service::{fn_service, map_config};
use actix_web::dev::{AppConfig, Server, ServerHandle};
use actix_web::{App, web};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use url::Url;

use self::cut::Cut;
use self::tls::Identity;

pub use self::actions::ledger::PerformedAction;
pub use self::actions::rooms::{Ban, ChatSettings, Clip, Pin, Role, Room, RoomMessage};
pub use self::config::MockConfig;
pub use self::control_client::{ControlClient, ControlClientError};
pub use self::emotes::Look;
pub use self::faults::Faults;
pub use self::irc::IrcEnd;
pub use self::scenario::{ChannelEdit, Notify, ScenarioError};
pub use self::schedule::ScheduleError;
pub use self::state::{Account, Delivery, LiveStream};
pub use self::websocket::SessionError;
pub use self::world::World;

/// How long a client may take to end a connection that is being closed.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// A running fake Twitch.
#[derive(Debug)]
pub struct Mock {
    /// Its state, and what happens on it.
    pub world: Arc<World>,
    address: SocketAddr,
    server: ServerHandle,
    serving: JoinHandle<io::Result<()>>,
    /// With TLS: the certificate, and the proxy in front of the server.
    front: Option<(String, JoinHandle<()>)>,
}

impl Mock {
    /// Serves a fake Twitch on this machine until [`stop`](Self::stop).
    ///
    /// # Errors
    /// If the port is taken, or a channel in the configuration has no valid login.
    pub async fn start(config: MockConfig) -> io::Result<Self> {
        let public = TcpListener::bind((config.ip, config.port))?;
        let address = public.local_addr()?;
        let identity = if config.is_tls { Some(Identity::new()?) } else { None };
        let world = World::new(config).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let world = Arc::new(world);
        let (listener, front) = match identity {
            None => (public, None),
            Some(identity) => {
                let inner = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
                let front = identity.start(public, inner.local_addr()?, world.stop.clone())?;
                (inner, Some(front))
            }
        };
        let server = serve(&world, listener)?;
        Ok(Self { world, address, server: server.handle(), serving: tokio::spawn(server), front })
    }

    /// The certificate to trust, as PEM, if it serves TLS.
    #[must_use]
    pub fn certificate(&self) -> Option<&str> {
        self.front.as_ref().map(|(certificate, _)| certificate.as_str())
    }

    /// The mock's address, without a trailing slash.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("{}://{}", if self.front.is_some() { "https" } else { "http" }, self.address)
    }

    /// The URL to use instead of `https://api.twitch.tv/helix`.
    #[must_use]
    pub fn api_url(&self) -> Url {
        self.url("helix")
    }

    /// The URL to use instead of `https://id.twitch.tv/oauth2`.
    #[must_use]
    pub fn auth_url(&self) -> Url {
        self.url("oauth2")
    }

    /// The URL to use instead of `wss://eventsub.wss.twitch.tv/ws`.
    #[must_use]
    pub fn websocket_url(&self) -> Url {
        let mut url = self.url("ws");
        let _ = url.set_scheme(if self.front.is_some() { "wss" } else { "ws" });
        url
    }

    /// The URL to use instead of `wss://irc-ws.chat.twitch.tv`.
    #[must_use]
    pub fn irc_url(&self) -> Url {
        let mut url = self.url("irc");
        let _ = url.set_scheme(if self.front.is_some() { "wss" } else { "ws" });
        url
    }

    /// The URL to use instead of that of a service with emotes, such as `https://7tv.io`, without a trailing slash: the services are
    /// `7tv`, `bttv` and `ffz`.
    #[must_use]
    pub fn emotes_url(&self, service: &str) -> String {
        format!("{}/emotes/{service}", self.base_url())
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
        for tasks in [&self.world.sockets, &self.world.deliveries] {
            tasks.close();
            tasks.wait().await;
        }
        if let Some((_, front)) = self.front {
            front.await.map_err(io::Error::other)?;
        }
        self.serving.await.map_err(io::Error::other)?
    }
}

/// The HTTP server. It is made without actix-web's `HttpServer`, which does not let go of the connections of WebSockets.
fn serve(world: &Arc<World>, listener: TcpListener) -> io::Result<Server> {
    let world = Arc::clone(world);
    let service = move || {
        let (upgrading, stop) = (Arc::clone(&world), world.stop.clone());
        let upgrade = move |(request, framed)| websocket::upgrade(Arc::clone(&upgrading), request, framed);
        let app = App::new().app_data(web::Data::from(Arc::clone(&world))).configure(routes);
        HttpService::build()
            .tcp_nodelay(true)
            .on_connect_ext(|stream: &TcpStream, data| drop(Cut::of(stream).map(|cut| data.insert(cut))))
            .client_disconnect_timeout(DISCONNECT_TIMEOUT)
            .graceful_shutdown_signal(move || stop.clone().cancelled_owned())
            .upgrade(fn_service(upgrade))
            .finish(map_config(app, |()| AppConfig::default()))
            .tcp()
    };
    let server = Server::build().workers(1).disable_signals().shutdown_timeout(1);
    Ok(server.listen("mock-twitch", listener, service)?.run())
}

fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(web::scope("/oauth2").configure(oauth::routes))
        .service(
            web::scope("/helix")
                .configure(helix::routes)
                .configure(pictures::routes)
                .configure(subscriptions::routes)
                .configure(actions::routes),
        )
        .configure(websocket::routes)
        .configure(websocket::control_routes)
        .configure(irc::routes)
        .configure(emotes::routes)
        .configure(compat::routes)
        .configure(control::routes);
}
