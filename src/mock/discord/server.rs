//! The server of the fake Discord.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use actix_web::body::SizedStream;
use actix_web::dev::{Extensions, ServerHandle};
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use futures_util::{StreamExt as _, stream};
use tokio::task::JoinHandle;
use url::Url;

use super::answer::{Answer, Body, Refusal};
use super::body::{MAX_BODY, RawBody};
use super::calls::{self, ApiCall, Query};
use super::config::DiscordConfig;
use super::respond::Outcome;
use super::world::DiscordWorld;
use super::{control, page};
use crate::mock::cut::Cut;

/// A running fake Discord.
#[derive(Debug)]
pub struct FakeDiscord {
    /// Its state, and what happens on it.
    pub world: Arc<DiscordWorld>,
    address: SocketAddr,
    server: ServerHandle,
    serving: JoinHandle<io::Result<()>>,
}

impl FakeDiscord {
    /// Serves a fake Discord on this machine until [`stop`](Self::stop).
    ///
    /// # Errors
    /// If the port is taken.
    pub async fn start(config: DiscordConfig) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((config.ip, config.port))?;
        let address = listener.local_addr()?;
        let world = Arc::new(DiscordWorld::new(config).map_err(io::Error::other)?);
        let served = Arc::clone(&world);
        let app = move || {
            App::new()
                .app_data(web::Data::from(Arc::clone(&served)))
                .app_data(web::PayloadConfig::new(MAX_BODY))
                .configure(control::routes)
                .configure(page::routes)
                .service(web::scope("/api").default_service(web::to(answer)))
        };
        let server = HttpServer::new(app)
            .workers(1)
            .on_connect(keep_cut)
            .disable_signals()
            .shutdown_timeout(1)
            .listen(listener)?
            .run();
        Ok(Self { world, address, server: server.handle(), serving: tokio::spawn(server) })
    }

    /// Its address, without a trailing slash.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The URL to use instead of `https://discord.com/api/v10`.
    #[must_use]
    pub fn api_url(&self) -> Url {
        #[expect(clippy::expect_used, reason = "an address makes a URL")]
        Url::parse(&format!("{}/api/v10", self.base_url())).expect("an address makes a URL")
    }

    /// Stops serving, and waits until every call has ended.
    ///
    /// # Errors
    /// If the server had failed.
    pub async fn stop(self) -> io::Result<()> {
        self.world.stop.cancel();
        self.server.stop(true).await;
        self.world.calls.close();
        self.world.calls.wait().await;
        self.serving.await.map_err(io::Error::other)?
    }
}

/// Keeps the means to end a connection with what belongs to it.
fn keep_cut(connection: &dyn std::any::Any, extensions: &mut Extensions) {
    let stream = connection.downcast_ref::<tokio::net::TcpStream>();
    if let Some(cut) = stream.and_then(Cut::of) {
        extensions.insert(cut);
    }
}

/// Answers a call of the API. It goes on even if the client does not wait for it.
async fn answer(
    world: web::Data<DiscordWorld>,
    request: HttpRequest,
    body: Result<web::Bytes, actix_web::Error>,
) -> HttpResponse {
    let Ok(bytes) = body else { return respond(Refusal::too_large().0) };
    let world = world.into_inner();
    let call = world.calls.spawn_on(Arc::clone(&world).respond(read(&request, bytes)), &world.runtime);
    match call.await.unwrap_or(Outcome::Closed) {
        Outcome::Answer(answer) => respond(answer),
        Outcome::Truncated(answer) => truncated(answer),
        Outcome::Closed => {
            if let Some(cut) = request.conn_data::<Cut>() {
                cut.end();
            }
            HttpResponse::InternalServerError().force_close().finish()
        }
    }
}

fn read(request: &HttpRequest, bytes: web::Bytes) -> ApiCall {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let path = request.path().strip_prefix("/api").unwrap_or_default();
    let (version, target) = calls::parse(request.method().as_str(), path);
    ApiCall {
        version,
        target,
        query: Query::parse(request.query_string()),
        body: RawBody { content_type: header(CONTENT_TYPE).unwrap_or_default(), bytes },
        address: request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip()),
        authorization: header(AUTHORIZATION),
    }
}

/// Status, headers, and the body as bytes with their type.
fn respond(answer: Answer) -> HttpResponse {
    let mut response = HttpResponse::build(status(&answer));
    for header in answer.headers {
        response.insert_header(header);
    }
    match answer.body {
        Body::Empty => response.finish(),
        Body::Json(body) => response.json(body),
        Body::Html(text) => response.content_type("text/html").body(text),
    }
}

/// The first half of the body, after which the connection is closed.
fn truncated(answer: Answer) -> HttpResponse {
    let Body::Json(body) = &answer.body else { return respond(answer) };
    let text = body.to_string();
    let half = web::Bytes::copy_from_slice(&text.as_bytes()[..text.len() / 2]);
    let broken = async {
        // What was given before is sent only when the body is not ready.
        tokio::task::yield_now().await;
        Err(io::Error::other("the answer breaks off"))
    };
    let parts = Box::pin(stream::iter([Ok(half)]).chain(stream::once(broken)));
    let body = SizedStream::new(text.len() as u64, parts);
    HttpResponse::build(status(&answer)).content_type("application/json").body(body)
}

fn status(answer: &Answer) -> StatusCode {
    StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
