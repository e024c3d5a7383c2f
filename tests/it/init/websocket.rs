//! Set-up over a WebSocket: no callback, no public address; and what keeps it from working.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::SinkExt as _;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use showtime::mock::Notify;
use showtime::setup::websocket::probe;
use showtime::twitch::subscription_status::SubscriptionStatus;
use sqlx::PgPool;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

use super::{CREATE, SCOPES, Said, Scene};
use crate::support::twitch::CHANNEL;
use crate::support::{Unused, until};

/// What `init` prints once Twitch's WebSocket could be opened.
fn proven(scene: &Scene) -> String {
    format!("the WebSocket {} can be opened", scene.settings["TWITCH_EVENTSUB_WEBSOCKET_URL"])
}

/// Runs `init`, and consents as the only channel, whichever is asked for.
async fn consenting(scene: &Scene, args: &[&str]) -> Said {
    scene.attended(args, async |url, _| assert_eq!(scene.press("consent", url, CHANNEL).await.0, 200)).await
}

/// The transport that was chosen for the only channel.
async fn chosen(pool: &PgPool) -> Option<String> {
    sqlx::query_scalar("select transport from served_channel").fetch_one(pool).await.unwrap()
}

/// The transports of the enabled subscriptions at Twitch, each once.
fn methods(scene: &Scene) -> BTreeSet<&'static str> {
    let held = scene.twitch.mock.world.subscriptions().into_iter();
    let enabled = held.filter(|held| held.status == SubscriptionStatus::Enabled);
    enabled.map(|held| if held.transport.session_id().is_some() { "websocket" } else { "webhook" }).collect()
}

#[tokio::test]
async fn channel_that_consents_is_served_without_a_public_address() {
    let (scene, server) = Scene::served_over_websocket().await;
    let none = "error: no channel is served yet: run `cargo run --bin init`, which serves the channel that consents\n";
    assert_eq!(scene.run(&["check"]).await.err, none);

    let said = consenting(&scene, &[]).await;
    let asked = format!("your channel has to consent to: {}", SCOPES.join(", "));
    said.has(0, &[&asked, "maplearcade has consented", &proven(&scene), "10 of 10 subscriptions are enabled"]);
    assert_eq!((said.count("  enabled"), said.err.as_str()), (10, ""), "{}", said.out);
    assert_eq!(methods(&scene), ["websocket"].into());
    let status = server.json("/status").await;
    assert!(status.to_string().contains("all 10 wanted subscriptions are enabled"), "{status}");

    let stream = scene.twitch.mock.world.go_live(CHANNEL, Notify::Yes).unwrap();
    let channel = async || server.json("/channels").await["data"][0].clone();
    until("the channel is live", async || channel().await["is_live"] == true).await;
    assert_eq!((&channel().await["login"], &channel().await["stream"]["id"]), (&CHANNEL.into(), &stream.into()));

    let created = scene.calls(CREATE);
    let again = scene.run(&[]).await;
    again.has(0, &["maplearcade has consented to everything that is needed", "10 of 10 subscriptions are enabled"]);
    scene.run(&["check"]).await.has(0, &[&proven(&scene), "nothing is missing"]);
    assert_eq!(scene.calls(CREATE), created, "nothing is created again");
    server.stop().await;
}

#[tokio::test]
async fn denied_consent_serves_no_channel() {
    let (scene, server) = Scene::served_over_websocket().await;
    let deny = async |url: &str, _: &str| assert_eq!(scene.press("deny", url, CHANNEL).await.0, 403);
    let said = scene.attended(&[], deny).await;
    assert_eq!(said.err, "error: consent was not given: The user denied you access\n");
    assert_eq!(said.code, Some(1));

    let said = scene.attended(&["--channel", CHANNEL], deny).await;
    said.has(1, &["0 of 10 subscriptions are enabled"]);
    assert!(said.out.contains("10 subscriptions need consent of maplearcade to "), "{}", said.out);
    let said = scene.run(&["check"]).await;
    let missing = format!("{CHANNEL} has not consented to: {}", SCOPES.join(", "));
    said.has(1, &[&missing, "something is missing: run `cargo run --bin init`"]);
    assert_eq!(
        said.count("  missing  10 subscriptions need consent of maplearcade (channel.update v2, "),
        1,
        "{}",
        said.out
    );
    server.stop().await;
}

#[tokio::test]
async fn chosen_transport_is_kept_for_the_channel() {
    let (scene, server) = Scene::served().await;
    scene.consenting(&["--channel", CHANNEL]).await.has(0, &["10 of 10 subscriptions are enabled"]);
    assert_eq!((chosen(&server.pool).await, methods(&scene)), (None, ["webhook"].into()));

    let said = scene.run(&["--transport", "websocket"]).await;
    let switching = "maplearcade changes from the webhook to the websocket";
    said.has(0, &[&proven(&scene), "10 of 10 subscriptions are enabled"]);
    assert_eq!(said.count(switching), 1, "{}", said.out);
    assert_eq!(chosen(&server.pool).await.as_deref(), Some("websocket"));
    assert!(methods(&scene).contains("websocket"));
    scene.run(&["check"]).await.has(0, &[&proven(&scene), "nothing is missing"]);
    scene.run(&[]).await.has(0, &[&proven(&scene), "10 of 10 subscriptions are enabled"]);
    assert_eq!(chosen(&server.pool).await.as_deref(), Some("websocket"), "without the option it stays");
    server.stop().await;
}

#[tokio::test]
async fn ended_subscriptions_of_our_earlier_session_are_not_of_others() {
    let (scene, server) = Scene::served_over_websocket().await;
    consenting(&scene, &[]).await.has(0, &["10 of 10 subscriptions are enabled"]);
    let world = &scene.twitch.mock.world;
    let first = world.sessions().remove(0);
    let close = format!("{}/mock/websocket/{first}/close", scene.twitch.mock.base_url());
    assert!(scene.twitch.browser.post(close).body(r#"{"code":4000}"#).send().await.unwrap().status().is_success());
    until("another session is subscribed on", async || {
        let alive = world.subscriptions().into_iter().filter(|it| it.status.is_alive());
        alive.filter(|it| it.transport.session_id().is_some_and(|id| id != first)).count() == 10
    })
    .await;
    let said = scene.run(&["check"]).await;
    said.has(0, &["nothing is missing"]);
    assert_eq!(said.count("are left alone"), 0, "{}", said.out);
    server.stop().await;
}

#[tokio::test]
async fn delete_all_deletes_what_only_the_users_token_shows() {
    let (scene, server) = Scene::served_over_websocket().await;
    consenting(&scene, &[]).await.has(0, &["10 of 10 subscriptions are enabled"]);
    let said = scene.run(&["delete-all"]).await;
    assert!(said.err.starts_with("error: nothing was deleted: --force deletes these 10 subscriptions"), "{}", said.err);
    scene
        .run(&["delete-all", "--force"])
        .await
        .has(0, &["deleted 10 of 10 subscriptions; no channel is served any more"]);
    assert!(methods(&scene).is_empty());
    server.stop().await;
}

#[tokio::test]
async fn wrong_transports_are_refused_with_the_remedy() {
    let mut scene = Scene::new().await;
    let said = scene.run(&["--transport", "conduit"]).await;
    assert!(said.err.contains("[possible values: webhook, websocket]"), "{}", said.err);

    scene.settings.remove("TWITCH_WEBHOOK_CALLBACK_URL");
    let said = scene.run(&["--channel", CHANNEL, "--transport", "webhook"]).await;
    assert!(said.err.contains("TWITCH_WEBHOOK_CALLBACK_URL  where Twitch reaches this server"), "{}", said.err);

    let api = scene.twitch.mock.base_url().replace("http://", "");
    scene.settings.remove("TWITCH_EVENTSUB_WEBSOCKET_URL");
    let other = format!(
        "error: TWITCH_EVENTSUB_WEBSOCKET_URL leads to eventsub.wss.twitch.tv, but TWITCH_API_URL to {api}: both must be of \
        the same Twitch (`cargo run --bin mock-twitch` prints both of its own)\n"
    );
    for args in [&["check", "--channel", CHANNEL][..], &["--channel", CHANNEL]] {
        assert_eq!(scene.run(args).await.err, other);
    }
}

/// What `init check` says about this WebSocket.
#[tokio::test]
async fn unusable_websocket_is_explained() {
    let (mut scene, server) = Scene::served_over_websocket().await;
    let proxy = format!("http://{}", answering("403 Forbidden").await);
    for (url, text) in [
        (
            "ws://127.0.0.1:1/ws",
            "refused: nothing listens at 127.0.0.1:1; a firewall may reject the connection, or \
             TWITCH_EVENTSUB_WEBSOCKET_URL is wrong",
        ),
        (
            "wss://eventsub.invalid/ws",
            "proxy: it does not connect (unsuccessful); the proxy that HTTPS_PROXY or HTTP_PROXY names must let this \
             machine connect to Twitch",
        ),
    ] {
        scene.settings.insert("TWITCH_EVENTSUB_WEBSOCKET_URL", url.to_owned());
        scene.settings.insert("HTTPS_PROXY", proxy.clone());
        let said = scene.run(&["check", "--channel", CHANNEL]).await;
        said.has(1, &[&format!("the WebSocket {url} can't be used: {text}")]);
    }
    server.stop().await;
}

/// The error of a probe of this address, as text.
async fn failure(url: &str) -> String {
    probe(&url.parse().unwrap()).await.expect_err(url).to_string()
}

/// The address of a server that answers every request with this.
async fn answering(status: &'static str) -> String {
    listen(move |mut stream| async move {
        // The head of a request arrives at once.
        let _ = stream.read(&mut [0; 4_096]).await;
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await
}

/// The address of a server that serves each connection with this function.
async fn listen<F: Future<Output = ()> + Send>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            serve(stream).await;
        }
    });
    address.to_string()
}

#[tokio::test]
async fn unknown_name_closed_port_and_wrong_answers_are_told_apart() {
    assert_eq!(
        failure("wss://eventsub.invalid/ws").await,
        "name resolution: eventsub.invalid has no address; is this machine online, and does it have a DNS server?"
    );
    let unused = Unused::new();
    let refused = format!("refused: nothing listens at {}; ", unused.addr());
    for scheme in ["ws", "wss"] {
        assert!(failure(&format!("{scheme}://{}/ws", unused.addr())).await.starts_with(&refused), "{scheme}");
    }
    for status in ["403 Forbidden", "404 Not Found", "200 OK", "503 Service Unavailable"] {
        let host = answering(status).await;
        let text = format!(
            "no upgrade: {host} answers {status} instead of opening a WebSocket; a proxy on the way may refuse WebSockets, \
             or the path of TWITCH_EVENTSUB_WEBSOCKET_URL is wrong"
        );
        assert_eq!(failure(&format!("ws://{host}/ws")).await, text);
    }
}

#[tokio::test]
async fn tls_failures_of_the_websocket_are_told_apart() {
    let plain = answering("400 Bad Request").await;
    let text = failure(&format!("wss://{plain}/ws")).await;
    assert!(text.starts_with(&format!("TLS: what listens at {plain} does not speak TLS; ")), "{text}");

    let certificate = CertificateDer::from_pem_slice(include_bytes!("../support/tls/self-signed.crt")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../support/tls/self-signed.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(vec![certificate], key).unwrap()));
    let address = listen(move |stream| {
        let acceptor = acceptor.clone();
        async move { drop(acceptor.accept(stream).await) }
    })
    .await;
    assert_eq!(
        failure(&format!("wss://{address}/ws")).await,
        "TLS: invalid peer certificate: UnknownIssuer; a program that inspects TLS on the way, or a wrong clock, may be the \
         cause"
    );
}

#[tokio::test]
async fn missing_welcome_is_told_apart_from_no_answer() {
    let advice = "; what answers at TWITCH_EVENTSUB_WEBSOCKET_URL may be no EventSub server";
    let talkative = listen(async |stream| {
        let mut socket = accept_async(stream).await.unwrap();
        socket.send(Message::text("hello")).await.unwrap();
        socket.close(None).await.unwrap();
    })
    .await;
    let text = failure(&format!("ws://{talkative}/ws")).await;
    assert_eq!(text, format!("no welcome: the first frame is no welcome{advice}"));

    let closing = listen(async |stream| accept_async(stream).await.unwrap().close(None).await.unwrap()).await;
    let text = failure(&format!("ws://{closing}/ws")).await;
    assert!(text.starts_with("no welcome: ") && text.ends_with(advice), "{text}");

    let silent = listen(async |stream| {
        let _socket = accept_async(stream).await.unwrap();
        std::future::pending().await
    })
    .await;
    let unanswering = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (silent, unanswering) = (format!("ws://{silent}/ws"), format!("ws://{}/ws", unanswering.local_addr().unwrap()));
    let (silent, unanswering) = tokio::join!(failure(&silent), failure(&unanswering));
    assert_eq!(silent, format!("no welcome: no welcome came within 10 s{advice}"));
    assert_eq!(unanswering, "too slow: no answer within 10 s; a firewall may drop the packets");
}
