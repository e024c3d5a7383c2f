//! Requests for a feed that are refused.

use reqwest::Method;

use crate::support::feeds::{Socket, Sse};
use crate::support::messages::{at, follow};
use crate::support::server::Server;

#[tokio::test]
async fn invalid_parameters_are_named() {
    let server = Server::start().await;
    for (path, parameter) in [
        ("/live/events?after=-1", "after"),
        ("/live/events?after=x", "after"),
        ("/live/events?last=0", "last"),
        ("/live/events?last=101", "last"),
        ("/live/events?after=1&last=1", "last"),
        ("/live/alerts?after=1&last=1", "last"),
        ("/live/chat?after=1&last=1", "last"),
        ("/live/alerts?type=fellow", "type"),
        ("/live/alerts?type=follow,,raid", "type"),
        ("/live/events?channel=", "channel"),
        ("/live/state?channel=a%20b", "channel"),
    ] {
        let problem = server.get(path).await.problem(400, "invalid-parameter");
        assert_eq!(problem["parameters"][0], parameter, "{path}");
        assert_eq!(Socket::refused(&server, path).await, 400, "{path}");
    }
    for path in ["/live/state?last=1", "/live/state?type=x", "/live/chat?type=x", "/live/events?token=x"] {
        server.get(path).await.problem(400, "unknown-parameter");
    }
    let many = vec!["x"; 101].join(",");
    server.get(&format!("/live/events?channel={many}")).await.problem(400, "invalid-parameter");
    server.stop().await;
}

#[tokio::test]
async fn invalid_last_event_id_is_refused() {
    let server = Server::start().await;
    let answer = server.open("/live/events", &[("last-event-id", "x".to_owned())]).await;
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.unwrap().contains("Last-Event-ID"));
    server.stop().await;
}

#[tokio::test]
async fn incomplete_websocket_handshake_is_refused() {
    let server = Server::start().await;
    let answer = server.open("/live/events", &[("upgrade", "websocket".to_owned())]).await;
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.unwrap().contains("urn:showtime:problem:invalid-handshake"));
    server.stop().await;
}

#[tokio::test]
async fn head_request_ends() {
    let server = Server::start().await;
    let answer = server.send(Method::HEAD, "/live/events").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""));
    assert_eq!(answer.headers["content-type"], "text/event-stream");
    server.send(Method::POST, "/live/events").await.problem(405, "method-not-allowed");
    // The connection can be used again.
    let mut sse = Sse::open(&server, "/live/alerts").await;
    assert_eq!(server.deliver(&follow("1", at(0))).await.status, 204);
    assert_eq!(sse.next().await.unwrap().event, "alert");
    server.stop().await;
}
