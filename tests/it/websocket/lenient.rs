//! A server like twitch-cli's: after a requested reconnect the session has another id, its old connection is silent, and each
//! event has a subscription id of its own that was never created.

use serde_json::Value;

use super::server::{Peer, Sockets, follow};
use super::{serve, subscribe, until_events, until_gaps};
use crate::support::server::Server;

const CODES: [(u16, &str); 8] = [
    (4000, "4000"),
    (4001, "4001"),
    (4002, "4002"),
    (4003, "4003"),
    (4004, "4004"),
    (4005, "4005"),
    (4006, "4006"),
    (4007, "4007"),
];

/// What such a server sends.
struct Stream {
    peer: Peer,
    session: String,
    sent: u32,
}

impl Stream {
    /// Sends an event over the present connection.
    async fn send(&mut self) {
        self.sent += 1;
        let mut event: Value = follow(&self.session, self.sent);
        event["payload"]["subscription"]["id"] = uuid::Uuid::new_v4().to_string().into();
        self.peer.send(&event).await;
    }

    /// Goes on over this connection, as another session. Returns the connection before.
    async fn begin(&mut self, mut peer: Peer, session: String) -> Peer {
        peer.welcome(&session).await;
        self.session = session;
        std::mem::replace(&mut self.peer, peer)
    }

    /// Sends events before and after all is subscribed to.
    async fn run(&mut self, server: &Server) {
        self.send().await;
        subscribe(server, &self.session).await;
        self.send().await;
    }
}

#[tokio::test]
async fn server_that_changes_session_ids_and_invents_subscription_ids_is_followed() {
    let mut sockets = Sockets::listen().await;
    let server = serve(&sockets).await;
    let session = "e411cc1e_a2613d4e";
    let peer = sockets.welcome(session).await;
    let mut stream = Stream { peer, session: session.to_owned(), sent: 0 };
    stream.run(&server).await;
    let mut gaps: Vec<&str> = Vec::new();
    for (code, cause) in CODES {
        let path = format!("/ws?reconnect_id={code}");
        stream.peer.reconnect(sockets.url(&path).as_str()).await;
        let new = sockets.accept().await;
        assert_eq!(new.path, path);
        let mut old = stream.begin(new, format!("{code}moved_a2613d4e")).await;
        assert_eq!(old.until_closed().await, 1000);
        stream.run(&server).await;
        gaps.push("requested");
        until_gaps(&server, &gaps).await;

        let Stream { peer, session, sent } = stream;
        peer.close(code, "a reason").await;
        stream = Stream { peer: sockets.accept_in_time(&server.clock).await, session, sent };
        stream.session = format!("{code}closed_a2613d4e");
        stream.peer.welcome(&stream.session).await;
        stream.run(&server).await;
        gaps.push(cause);
        until_gaps(&server, &gaps).await;
    }
    until_events(&server, stream.sent.into()).await;
    server.stop().await;
}
