//! Connections of readers: heartbeats, pings, and their end.

use futures_util::SinkExt as _;
use serde_json::json;
use time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::support::feeds::{Socket, Sse, request};
use crate::support::messages::{at, follow, notification};
use crate::support::server::Server;
use crate::support::{PATIENCE, until};

/// A server that stops drains for up to ten seconds and then cuts the connections without a reason: each reader gets one,
/// so none of them had to be cut.
#[tokio::test]
async fn readers_get_the_reason_when_the_server_stops() {
    let server = Server::start().await;
    let mut readers = Vec::new();
    let mut sockets = Vec::new();
    for path in ["/live/events", "/live/alerts?last=5", "/live/state", "/live/chat?after=0"] {
        readers.push(Sse::open(&server, path).await);
        sockets.push(Socket::open(&server, path).await);
    }
    readers[2].next().await.unwrap();
    sockets[2].next().await.unwrap();
    let stopping = tokio::spawn(server.stop());
    for reader in &mut readers {
        assert_eq!(reader.next().await, None);
        assert!(reader.comments.last().is_some_and(|it| it.starts_with("the server stops")), "{:?}", reader.comments);
    }
    for socket in &mut sockets {
        let reason = socket.next().await.unwrap_err().expect("a reason");
        assert_eq!((u16::from(reason.code), reason.reason.starts_with("the server stops")), (1001, true));
        // The answer to the close frame, as the protocol has it.
        let _ = socket.0.close(None).await;
    }
    timeout(PATIENCE, stopping).await.expect("it stops").unwrap();
}

#[tokio::test]
async fn idle_connection_gets_heartbeats() {
    let server = Server::start().await;
    let mut sse = Sse::open(&server, "/live/alerts").await;
    let mut socket = Socket::open(&server, "/live/alerts").await;
    for user in ["1", "2", "3"] {
        sse.comments.clear();
        server.clock.advance(Duration::seconds(16));
        sse.comment("heartbeat").await;
        assert!(matches!(socket.message().await, Some(Message::Ping(_))));
        // The pong is sent when the socket is used again.
        socket.0.send(Message::Text("I am here".into())).await.unwrap();
        server.clock.advance(Duration::seconds(1));
        assert_eq!(server.deliver(&follow(user, at(0))).await.status, 204);
        assert_eq!(socket.next().await.unwrap().event, "alert");
        assert_eq!(sse.next().await.unwrap().event, "alert");
    }
    server.stop().await;
}

#[tokio::test]
async fn websocket_that_answers_no_ping_is_closed() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\nSec-WebSocket-Protocol: other, showtime\r\n";
    stream.write_all(request("/live/alerts", upgrade).as_bytes()).await.unwrap();
    let mut received = Vec::new();
    let mut read = async |received: &mut Vec<u8>| {
        let mut buffer = [0; 1024];
        match timeout(std::time::Duration::from_millis(200), stream.read(&mut buffer)).await {
            Ok(read) => {
                let read = read.unwrap();
                received.extend_from_slice(&buffer[..read]);
                read > 0
            }
            Err(_) => true,
        }
    };
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !received.ends_with(b"\r\n\r\n") {
        assert!(read(&mut received).await && tokio::time::Instant::now() < deadline);
    }
    let head = String::from_utf8(received.clone()).unwrap().to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101") && head.contains("sec-websocket-protocol: showtime\r\n"), "{head}");
    received.clear();
    // Two pings come, and no answer goes back.
    while !received.windows(4).any(|bytes| bytes[0] == 0x88 && bytes[2..] == 1008_u16.to_be_bytes()) {
        server.clock.advance(Duration::seconds(5));
        assert!(tokio::time::Instant::now() < deadline, "{received:?}");
        read(&mut received).await;
    }
    assert_eq!(received[..2], [0x89, 0], "a ping comes first");
    server.stop().await;
}

#[tokio::test]
async fn messages_of_a_client_are_ignored_unless_too_long() {
    let server = Server::start().await;
    let mut socket = Socket::open(&server, "/live/alerts").await;
    for message in [Message::Text("hello".into()), Message::Binary(vec![0; 4_000].into())] {
        socket.0.send(message).await.unwrap();
    }
    assert_eq!(server.deliver(&follow("1", at(0))).await.status, 204);
    assert_eq!(socket.next().await.unwrap().event, "alert");
    socket.0.send(Message::Text("x".repeat(5_000).into())).await.unwrap();
    let reason = socket.next().await.unwrap_err().expect("a reason");
    assert_eq!(u16::from(reason.code), 1009);
    server.stop().await;
}

/// Neither sends anything: the clock stands still, so there is no heartbeat.
#[tokio::test]
async fn reader_that_leaves_gives_its_place_back_at_once() {
    let server = Server::start().await;
    let (sse, socket) = (Sse::open(&server, "/live/events").await, Socket::open(&server, "/live/events").await);
    let readers = async || {
        let metrics = server.get("/metrics").await.text;
        let counts = metrics.lines().filter(|line| line.starts_with("showtime_live_readers{"));
        counts.map(|line| line.rsplit(' ').next().unwrap().parse::<u32>().unwrap()).sum::<u32>()
    };
    assert_eq!(readers().await, 2);
    drop((sse, socket));
    until("both have left", async || readers().await == 0).await;
    server.stop().await;
}

#[tokio::test]
async fn websocket_gets_heartbeats_as_messages_if_it_asks_for_them() {
    let server = Server::start().await;
    assert_eq!(server.deliver(&follow("1", at(0))).await.status, 204);
    let mut with = Socket::open_for(&server, "/live/alerts", "other, showtime.heartbeat, showtime").await;
    let mut without = Socket::open_for(&server, "/live/alerts", "showtime").await;
    let first = with.next().await.unwrap();
    assert_eq!((first.id, first.event.as_str()), (Some(1), "heartbeat"));
    assert_eq!(first.data["sent_at"].as_str().unwrap()[..2], *"20");

    // An event that the feed leaves out moves the place.
    let mut all = Socket::open(&server, "/live/events").await;
    assert_eq!(server.deliver(&notification("channel.update", at(1), json!({ "title": "t" }))).await.status, 204);
    assert_eq!(all.next().await.unwrap().id, Some(2));
    server.clock.advance(Duration::seconds(16));
    let next = with.next().await.unwrap();
    assert_eq!((next.id, next.event.as_str()), (Some(2), "heartbeat"));
    assert_eq!(server.deliver(&follow("2", at(2))).await.status, 204);
    assert_eq!(without.next().await.unwrap().event, "alert");
    server.stop().await;
}
