//! A server that sends what Twitch never would: it is counted, and not stored.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpListener;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

use super::{Place, events, set, until_events};
use crate::support::twitch::CHANNEL_ID;
use crate::support::until;

/// A server that welcomes, answers joins, and sends these lines after each.
async fn hostile(lines: Vec<String>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut socket = accept_async(stream).await.unwrap();
            while let Some(Ok(Message::Text(text))) = socket.next().await {
                let mut answer = String::new();
                if text.contains("NICK ") {
                    answer += ":tmi.twitch.tv 001 reader :Welcome, GLHF!\r\n";
                } else if text.starts_with("JOIN ") {
                    answer += ":reader.tmi.twitch.tv 366 reader #maplearcade :End of /NAMES list\r\n";
                    answer += &lines.join("\r\n");
                }
                if !answer.is_empty() {
                    socket.send(Message::text(answer)).await.unwrap();
                }
                if text.starts_with("JOIN ") {
                    socket.send(Message::binary(vec![0xff, 0xfe])).await.unwrap();
                }
            }
        }
    });
    port
}

#[tokio::test]
async fn line_that_is_none_is_counted_and_not_stored() {
    let place = Place::new().await;
    let now = place.twitch.clock.now().unix_timestamp_nanos() / 1_000_000;
    let line = |tags: &str, text: &str| {
        format!("@{tags} :quietotter!quietotter@quietotter.tmi.twitch.tv PRIVMSG #maplearcade :{text}")
    };
    let good = format!("id=good;room-id={CHANNEL_ID};user-id=7;tmi-sent-ts={now}");
    let port = hostile(vec![
        line(&good, &"x".repeat(20_000)),
        line("id=;room-id=1;;", "broken tags"),
        line(&format!("id=old;room-id={CHANNEL_ID};user-id=7;tmi-sent-ts=1507246572675"), "of another year"),
        line(&format!("id=other;room-id=1;user-id=7;tmi-sent-ts={now}"), "of another channel"),
        line(&format!("room-id={CHANNEL_ID};user-id=7;tmi-sent-ts={now}"), "without an id"),
        ":tmi.twitch.tv SOMETHING new".to_owned(),
        "\u{0}".to_owned(),
        line(&good, "at last"),
    ])
    .await;
    let server =
        place.serve_as(|config| config.twitch.irc_url = format!("ws://127.0.0.1:{port}").parse().unwrap()).await;
    set(&server, "always", false).await;
    let event = until_events(&server, "channel.chat.message", 1).await.remove(0);
    assert_eq!(
        (&event["message_id"], &event["payload"]["event"]["message"]["text"]),
        (&"irc:good".into(), &"at last".into())
    );
    let all_counted = async || {
        let message = server.check("chat").await.1;
        ["too_long", "tags", "chat message", "id;", "unknown command", "forbidden_character", "frame"]
            .iter()
            .all(|subject| message.contains(subject))
    };
    until("all are counted", all_counted).await;
    assert_eq!(events(&server, "channel.chat.message").await.len(), 1);
}
