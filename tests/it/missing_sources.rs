//! What overlays would show and Twitch does not send.

use serde_json::{Value, json};

use crate::support::server::Server;

/// Two channels: of one, raids arrive and nothing else does; of the other, everything that is desired by default does.
const CHANNELS: &str = "insert into served_channel (id, login, display_name, requested_at) values
        ('1', 'one', 'One', now()), ('2', 'two', 'Two', now());
    insert into desired_subscription (type, version, channel_id, transport, status, since) values
        ('channel.follow', '2', '1', 'websocket', 'needs_consent', now()),
        ('channel.raid', '1', '1', 'websocket', 'enabled', now()),
        ('channel.cheer', '1', '1', 'websocket', 'missing', now());
    insert into desired_subscription (type, version, channel_id, transport, status, since)
        select type, '1', '2', 'websocket', 'enabled', now() from unnest(array['stream.online', 'stream.offline', 'channel.follow',
            'channel.raid', 'channel.cheer', 'channel.subscribe', 'channel.subscription.message', 'channel.subscription.gift']) type;
    insert into chat (channel_id, mode, membership) values ('2', 'live', false)";

#[tokio::test]
async fn alerts_and_chat_that_do_not_come_are_listed_with_what_to_do() {
    let server = Server::start().await;
    assert_eq!(server.json("/overlays/missing").await, json!({ "data": [], "next": null }));
    server.sql(CHANNELS).await;
    let missing = server.json("/overlays/missing").await;
    let of = |channel: &str| -> Vec<Value> {
        missing["data"].as_array().unwrap().iter().filter(|it| it["channel"] == channel).cloned().collect()
    };
    let one = of("one");
    let reason = |kind: &str| one.iter().find(|it| it["alerts"].as_array().unwrap().contains(&json!(kind)));
    assert!(reason("raid").is_none(), "they arrive");
    let follow = reason("follow").unwrap();
    assert_eq!((&follow["alerts"], &follow["command"]), (&json!(["follow"]), &json!("init")));
    assert!(follow["message"].as_str().unwrap().contains("consent"), "{follow}");
    let cheer = reason("cheer").unwrap();
    assert_eq!((&cheer["alerts"], &cheer["command"]), (&json!(["cheer"]), &Value::Null), "the server is about to act");
    let poll = reason("poll_begin").unwrap();
    assert!(poll["message"].as_str().unwrap().contains("TWITCH_EVENTSUB_TYPES"), "{poll}");
    assert!(poll["alerts"].as_array().unwrap().contains(&json!("hype_train_end")), "one reason for all");
    let chat: Vec<_> = one.iter().filter(|it| it["chat"] == true).collect();
    assert_eq!((chat.len(), &chat[0]["command"]), (1, &json!("server chat set one live")));

    let two = of("two");
    assert_eq!(two.len(), 1, "{two:?}");
    for kind in ["online", "follow", "raid", "cheer", "subscribe", "resubscribe", "gift"] {
        assert!(!two[0]["alerts"].as_array().unwrap().contains(&json!(kind)), "{kind}");
    }
    assert_eq!(two[0]["chat"], false, "the chat comes over IRC");
}
