//! The memory for bodies of `POST /callback` whose sender is not proved yet.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::messages::{at, follow, notification};
use crate::support::server::Server;
use crate::support::until;

/// The largest body.
const MIB: usize = 1 << 20;

/// Bodies of one MiB that fit into the budget.
const FIT: usize = 64;

/// Announces a body of one MiB and sends all but its last byte.
async fn send_all_but_a_byte(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let mut head = format!("POST /callback HTTP/1.1\r\nHost: localhost\r\nContent-Length: {MIB}\r\n");
    for (name, value) in follow("1", at(0)).headers(Some("sha256=00")) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
    stream.write_all(&vec![b'x'; MIB - 1]).await.unwrap();
    stream
}

/// Nothing else would end these connections within ten seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_wait_longest_are_dropped_when_their_memory_is_used_up() {
    let server = Server::start().await;
    let mut answers = JoinSet::new();
    for _ in 0..FIT + 16 {
        let mut stream = send_all_but_a_byte(&server).await;
        answers.spawn(async move {
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            String::from_utf8(answer).unwrap()
        });
    }
    let large = notification("channel.poll.begin", at(1), json!({ "text": "y".repeat(200_000) }));
    for message in [&large, &follow("2", at(2))] {
        assert_eq!(server.deliver(message).await.status, 204, "genuine messages are taken meanwhile");
    }
    let mut dropped = 0;
    until("what does not fit is dropped", async || {
        while let Some(answer) = answers.try_join_next() {
            let answer = answer.unwrap();
            assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: "), "{answer}");
            dropped += 1;
        }
        dropped >= 16
    })
    .await;
    assert_eq!(answers.len(), FIT + 16 - dropped);
    assert_eq!(server.count_events().await, 2);
}
