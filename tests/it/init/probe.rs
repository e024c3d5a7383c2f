//! Callbacks that Twitch can't reach or that answer wrongly, and how `init check` explains them.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use showtime::setup::probe::{ProbeError, probe};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::{Scene, free_port};
use crate::support::recorder::{Answer, Recorder};
use crate::support::server::secret;

/// The output of `init check` about this callback.
async fn explanation(scene: &mut Scene, callback: &str) -> String {
    scene.settings.insert("TWITCH_WEBHOOK_CALLBACK_URL", callback.to_owned());
    let said = scene.run(&["check", "--channel", "maplearcade"]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    let begin = format!("the callback {callback} can't be used: ");
    let text = said.out.lines().find_map(|line| line.strip_prefix(&begin));
    text.unwrap_or_else(|| panic!("no line {begin:?} in {said:?}")).to_owned()
}

/// A server that answers every request with this, and its address.
fn answering(answer: fn() -> Answer) -> (Recorder, String) {
    let recorder = Recorder::start(move |_| answer());
    let url = recorder.url("/callback");
    (recorder, url)
}

/// Listens, and serves each connection with this function.
async fn listen<F: Future<Output = ()> + Send>(port: u16, serve: impl Fn(tokio::net::TcpStream) -> F + Send + 'static) {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            serve(stream).await;
        }
    });
}

#[tokio::test]
async fn wrong_answers_are_told_apart() {
    let mut scene = Scene::new().await;
    let server = scene.serve().await;
    let not_found = "404: a server answers there, but has no such path; the proxy must pass on to showtime's /callback";
    let guarded = "401: the callback requires a password or a token, so it is not showtime's /callback; the proxy must pass \
        requests on to that without a password";
    assert_eq!(explanation(&mut scene, &server.url("/somewhere")).await, guarded);
    for (answer, text) in [
        (
            (|| Answer::redirect("https://www.example.org/callback")) as fn() -> Answer,
            "redirect: the callback answers 301 and redirects to https://www.example.org/callback; Twitch follows no \
             redirects",
        ),
        (|| Answer::status(404), not_found),
        (|| Answer::status(502), "the proxy answers 502: it can't reach showtime behind it"),
        (|| Answer::status(504), "the proxy answers 504: it can't reach showtime behind it"),
        (|| Answer::status(401), guarded),
        (|| Answer::status(500), "other: the callback answers 500 instead of 200 with the challenge"),
        (
            || Answer::new(200, "text/html", "<h1>It works!</h1>"),
            "answer changed: it is 200, but not the challenge; another program answers, or a proxy changes answers",
        ),
    ] {
        let (_recorder, url) = answering(answer);
        assert_eq!(explanation(&mut scene, &url).await, text);
    }
    server.stop().await;
}

#[tokio::test]
async fn unknown_name_and_closed_port_are_told_apart() {
    let mut scene = Scene::new().await;
    assert_eq!(
        explanation(&mut scene, "https://callback.invalid/callback").await,
        "name resolution: callback.invalid has no address; is there a DNS record for it?"
    );
    for scheme in ["http", "https"] {
        let port = free_port();
        assert_eq!(
            explanation(&mut scene, &format!("{scheme}://127.0.0.1:{port}/callback")).await,
            format!("refused: nothing listens at 127.0.0.1:{port}; are the server and the reverse proxy running?")
        );
    }
}

#[tokio::test]
async fn tls_failures_are_told_apart() {
    let mut scene = Scene::new().await;
    let (_plain, url) = answering(|| Answer::status(204));
    let url = url.replace("http:", "https:");
    let place = url.trim_start_matches("https://").trim_end_matches("/callback").to_owned();
    assert_eq!(
        explanation(&mut scene, &url).await,
        format!("TLS: what listens at {place} does not speak TLS; the reverse proxy must serve https there")
    );

    let certificate = CertificateDer::from_pem_slice(include_bytes!("../support/tls/self-signed.crt")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../support/tls/self-signed.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(vec![certificate], key).unwrap()));
    let port = free_port();
    listen(port, move |stream| {
        let acceptor = acceptor.clone();
        async move { drop(acceptor.accept(stream).await) }
    })
    .await;
    let advice = "; Twitch requires a certificate that browsers trust, with its whole chain";
    let text = explanation(&mut scene, &format!("https://127.0.0.1:{port}/callback")).await;
    assert_eq!(text, format!("TLS: invalid peer certificate: UnknownIssuer{advice}"));

    let port = free_port();
    listen(port, async |mut stream| drop(stream.read_u8().await)).await;
    let text = explanation(&mut scene, &format!("https://127.0.0.1:{port}/callback")).await;
    assert_eq!(text, format!("TLS: the connection was closed during the handshake{advice}"));
    let text = explanation(&mut scene, &format!("http://127.0.0.1:{port}/callback")).await;
    assert!(text.starts_with("other: "), "without https it has nothing to do with TLS: {text}");
}

#[tokio::test]
async fn silent_server_is_too_slow() {
    let mut scene = Scene::new().await;
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    for scheme in ["http", "https"] {
        let text = explanation(&mut scene, &format!("{scheme}://{address}/callback")).await;
        assert_eq!(text, "too slow: no answer within 10 s");
    }
}

/// A reverse proxy that parses the body and serializes it again, as some do.
fn reformatting_proxy(server: SocketAddr) -> Recorder {
    Recorder::start(move |request| {
        let body = serde_json::to_string_pretty(&request.json()).unwrap();
        let length = body.len();
        let kept = request.headers.iter().filter(|(name, _)| name.starts_with("twitch-"));
        let headers: String = kept.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut stream = TcpStream::connect(server).unwrap();
        let head = format!("POST /callback HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n");
        write!(stream, "{head}Content-Length: {length}\r\n{headers}\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        Answer::new(status, "application/octet-stream", body)
    })
}

#[tokio::test]
async fn changed_body_and_other_secret_are_told_apart() {
    let mut scene = Scene::new().await;
    let server = scene.serve().await;
    let proxy = reformatting_proxy(server.addr);
    assert_eq!(
        explanation(&mut scene, &proxy.url("/callback")).await,
        "body changed on the way: the server takes the message directly, but not through the public address; the \
         proxy must pass on body and headers byte for byte"
    );

    let differs = "secret differs: the server refuses our signature (403); TWITCH_WEBHOOK_SECRET, or the data directory \
        (SHOWTIME_DATA_DIR), must be the same for both programs";
    scene.settings.insert("TWITCH_WEBHOOK_SECRET", "another secret".to_owned());
    assert_eq!(explanation(&mut scene, &server.url("/callback")).await, differs);
    assert_eq!(explanation(&mut scene, &proxy.url("/callback")).await, differs, "nothing to blame the proxy for");
    server.stop().await;
}

#[tokio::test]
async fn wrong_clock_and_other_secret_are_told_apart() {
    let scene = Scene::new().await;
    let server = scene.serve().await;
    let callback = Url::parse(&server.url("/callback")).unwrap();
    let clock = scene.twitch.clock.clone();
    assert_eq!(probe(&callback, None, &secret(), &clock).await, Ok(()));
    server.clock.advance(time::Duration::minutes(20));
    let error = probe(&callback, Some(&callback), &secret(), &clock).await.unwrap_err();
    assert_eq!(error, ProbeError::Stale);
    let text = "clock: the server finds the message too old (403); set the clocks of both machines";
    assert_eq!(error.to_string(), text);
    server.stop().await;
}
