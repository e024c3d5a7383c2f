//! The HTTP request that opens a WebSocket. Its connection leaves the HTTP server, whose buffers go with the request.

use std::sync::Arc;
use std::time::Duration;

use actix_codec::{Encoder as _, Framed, FramedParts};
use actix_http::body::{BodySize, BoxBody, MessageBody as _};
use actix_http::h1::{Codec, Message};
use actix_http::ws::handshake;
use actix_http::{ConnectionType, Request, Response};
use actix_web::http::StatusCode;
use actix_web::http::header::{HOST, HeaderName, X_FORWARDED_HOST};
use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::connection::Connection;
use super::socket::Socket;
use crate::mock::helix::{Query, error_answer};
use crate::mock::irc;
use crate::mock::world::World;

/// The interval of keepalives, unless the client asks for another: 10 to 600 seconds.
const KEEPALIVE: (u64, u64, u64) = (10, 10, 600);

/// The path of the WebSockets.
pub(super) const PATH: &str = "/ws";

/// Answers a request to upgrade, and serves the connection until it ends.
pub(in crate::mock) async fn upgrade(
    world: Arc<World>,
    request: Request,
    framed: Framed<TcpStream, Codec>,
) -> Result<(), actix_web::Error> {
    let FramedParts { io: mut stream, mut codec, read_buf, mut write_buf, .. } = framed.into_parts();
    let (is_accepted, head, body) = match accept(&world, &request) {
        Ok(head) => (true, head, Bytes::new()),
        Err(refusal) => {
            let (mut head, body) = refusal.into_parts();
            head.head_mut().set_connection_type(ConnectionType::Close);
            (false, head, body.try_into_bytes().unwrap_or_default())
        }
    };
    let size = if is_accepted { BodySize::None } else { BodySize::Sized(body.len() as u64) };
    codec.encode(Message::Item((head, size)), &mut write_buf)?;
    write_buf.extend_from_slice(&body);
    stream.write_all(&write_buf).await?;
    if is_accepted {
        match request.path() {
            irc::PATH => world.open_irc(stream.into_std()?, read_buf),
            _ => world.open(&request, stream.into_std()?, read_buf),
        }
    }
    Ok(())
}

/// The head of the answer, if a WebSocket is opened.
fn accept(world: &World, request: &Request) -> Result<Response<()>, Response<BoxBody>> {
    if ![PATH, irc::PATH].contains(&request.path()) {
        return Err(error_answer(StatusCode::NOT_FOUND, "there are WebSockets at /ws and /irc only").into());
    }
    if world.state().faults.draw_upgrade_failure() {
        return Err(error_answer(StatusCode::SERVICE_UNAVAILABLE, "no WebSocket can be opened now").into());
    }
    Ok(handshake(request.head())?.finish().drop_body())
}

/// What the client asked for, moved into the limits. (twitch-cli takes the default instead.)
fn keepalive(query: &Query, is_lenient: bool) -> Duration {
    let (default, min, max) = KEEPALIVE;
    let asked = query.one("keepalive_timeout_seconds").and_then(|text| text.parse::<i64>().ok());
    let asked = asked.map_or(default, |asked| u64::try_from(asked).unwrap_or_default());
    let is_within = (min..=max).contains(&asked);
    Duration::from_secs(if is_lenient && !is_within { default } else { asked.clamp(min, max) })
}

/// The address of this mock, as the client knows it.
fn host(request: &Request) -> String {
    let header = |name: HeaderName| request.head().headers().get(name)?.to_str().ok();
    header(X_FORWARDED_HOST).or_else(|| header(HOST)).unwrap_or_default().to_owned()
}

impl World {
    /// Begins a session or moves one, and starts the task that owns its connection.
    fn open(self: &Arc<Self>, request: &Request, stream: std::net::TcpStream, received: BytesMut) {
        let query = Query::parse(request.uri().query().unwrap_or_default());
        let opened = match (query.one("challenge"), query.one("id")) {
            (None, None) => self.begin_session(keepalive(&query, self.config.is_lenient), host(request)),
            (challenge, id) => self.move_session(id.unwrap_or_default(), challenge.unwrap_or_default()),
        };
        let world = Arc::clone(self);
        let serving = async move {
            // The runtime of the mock takes the connection over from that of the HTTP server.
            let Ok(stream) = TcpStream::from_std(stream) else { return };
            let connection = Connection::new(stream, &received);
            drop(received);
            match opened {
                Ok(opened) => Socket::new(&world, connection, opened).run().await,
                Err(close) => connection.close(close.reason()).await,
            }
        };
        self.sockets.spawn_on(serving, &self.runtime);
    }
}
