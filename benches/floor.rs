//! Servers that do less than showtime, as a comparison for [`benches/compare.sh`](compare.sh).
//!
//! `cargo bench --bench floor -- verify` reads each message and checks its signature, but keeps nothing;
//! `-- nothing` only answers, to show what the load generator itself can do. Each says where it serves, on a port
//! that the system chose, and ends with its standard input.

#![expect(clippy::expect_used, reason = "a bench may fail")]

use std::io;
use std::net::SocketAddr;

use actix_web::web::{Data, Payload, to};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use bytes::{Buf as _, BytesMut};
use showtime::sources::body::MAX_BODY;
use showtime::twitch::signature::{Verifier, WebhookSecret};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The limit of showtime itself (`src/app/http.rs`).
const MAX_WORKERS: usize = 4;

/// Limit for the number of headers; Twitch sends fewer.
const MAX_HEADERS: usize = 64;

fn main() -> io::Result<()> {
    // cargo adds options of its own.
    match std::env::args().skip(1).find(|argument| !argument.starts_with("--")).as_deref() {
        Some("verify") => serve_verification(),
        Some("nothing") => serve_nothing(),
        Some(other) => Err(io::Error::other(format!("unknown floor `{other}`; allowed: verify, nothing"))),
        None => {
            println!("Measures nothing by itself: benches/compare.sh runs it with `verify` and with `nothing`.");
            Ok(())
        }
    }
}

fn announce(addr: SocketAddr) {
    println!("floor serves on http://{addr}");
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(0);
    });
}

/// Serves what every webhook server with actix-web has to do: read the message and verify its signature.
#[actix_web::main]
async fn serve_verification() -> io::Result<()> {
    let secret = std::env::var_os("TWITCH_WEBHOOK_SECRET").expect("TWITCH_WEBHOOK_SECRET is set");
    let secret = WebhookSecret::new(secret.to_str().expect("text")).expect("a secret");
    let verifier = Data::new(Verifier::new([&secret]));
    let workers = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(MAX_WORKERS));
    let server = HttpServer::new(move || App::new().app_data(verifier.clone()).default_service(to(verify)))
        .workers(workers)
        .tcp_nodelay(true)
        .bind("127.0.0.1:0")?;
    announce(server.addrs()[0]);
    server.run().await
}

async fn verify(verifier: Data<Verifier>, request: HttpRequest, body: Payload) -> HttpResponse {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (signature, id, timestamp) = (
        header("Twitch-Eventsub-Message-Signature"),
        header("Twitch-Eventsub-Message-Id"),
        header("Twitch-Eventsub-Message-Timestamp"),
    );
    match body.to_bytes_limited(MAX_BODY).await {
        Ok(Ok(body)) if verifier.is_genuine(signature, id, timestamp, &body) => HttpResponse::NoContent().finish(),
        _ => HttpResponse::Forbidden().finish(),
    }
}

/// Accepts every request and stores nothing.
#[tokio::main]
async fn serve_nothing() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    announce(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(answer(stream));
    }
}

async fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut received = BytesMut::with_capacity(1 << 16);
    while stream.read_buf(&mut received).await? > 0 {
        while let Some(length) = first_request(&received)? {
            received.advance(length);
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
        }
    }
    Ok(())
}

/// The length of the first request, head and body; `None` until it is complete.
fn first_request(received: &[u8]) -> io::Result<Option<usize>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = request.parse(received).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let announced = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let body = announced.and_then(|header| str::from_utf8(header.value).ok()?.parse::<usize>().ok()).unwrap_or(0);
    let length = head + body;
    Ok((received.len() >= length).then_some(length))
}
