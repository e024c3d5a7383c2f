//! `--json` of the commands that list something: what the API answers.

use serde_json::{Value, json};

use crate::process::{Place, SERVER};
use crate::support::postgres::{fresh_database, url};
use crate::support::server::Server;
use crate::support::until;

const TOKEN: &str = env!("CARGO_BIN_EXE_token");

/// What a program prints on standard output, which must be JSON and nothing else.
async fn printed(place: &Place, program: &str, database: &str, arguments: &[&str]) -> Value {
    let arguments = [arguments, &["--json"]].concat();
    let output = place.command(program, &[("DATABASE_URL", database)], &arguments).output().await.unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {output:?}"))
}

#[tokio::test]
async fn lists_of_the_command_line_have_the_items_of_the_api() {
    let (place, database) = (Place::new(), fresh_database().await);
    let server = Server::on(database.clone()).await;
    let database = url(&database, "none");
    let settings = [("DATABASE_URL", database.as_str())];
    place.done(&settings, &["bot", "add", "tatsu"]).await;
    place.done(&settings, &["bot", "disable", "tatsu"]).await;
    place.done(&settings, &["sinks", "add", "audit", "--amqp-url-env", "BROKER_URL", "--types", "channel.cheer"]).await;
    place.done(&settings, &["sinks", "add", "hook", "--webhook", "https://hooks.example.org/x"]).await;
    for name in ["audit", "hook"] {
        place.done(&settings, &["sinks", "pause", name]).await;
    }
    let rule = json!({ "name": "title", "command": "!title", "enabled": false, "do": [{ "say": "hi" }] });
    assert_eq!(server.post_json("/rules", &rule).await.status, 201);
    server
        .sql(
            "insert into delivery (sink_id, event_id, attempts, next_at, last_status, problem)
            select id, 7, 2, '2026-07-01T18:50:00Z', 500, 'it answered 500 \u{1b}[2J' from sink where name = 'hook'",
        )
        .await;
    let lists: [(&str, &[&str], &str); 5] = [
        (TOKEN, &["list"], "/tokens"),
        (SERVER, &["bot", "list"], "/bots"),
        (SERVER, &["sinks", "list"], "/sinks"),
        (SERVER, &["sinks", "deliveries", "hook"], "/sinks/hook/deliveries"),
        (SERVER, &["rules", "list"], "/rules"),
    ];
    for (program, arguments, path) in lists {
        // The last use of a token, and how a sink does, are written now and then.
        until(path, async || {
            let (listed, answer) = (printed(&place, program, &database, arguments).await, server.json(path).await);
            assert!(listed.as_array().is_some_and(|items| !items.is_empty()), "{path}: {listed}");
            listed == answer["data"]
        })
        .await;
    }
    server.stop().await;
}

#[tokio::test]
async fn chats_and_trials_of_the_command_line_have_the_fields_of_the_api() {
    let (place, database) = (Place::new(), fresh_database().await);
    let server = Server::on(database.clone()).await;
    let database = url(&database, "none");
    let rule = json!({ "name": "title", "command": "!title", "do": [{ "title": "{{ args[0] }}" }] });
    assert_eq!(server.post_json("/rules", &rule).await.status, 201);
    server.sql("insert into served_channel values ('90210441', 'maplearcade', 'MapleArcade', now())").await;
    let chats = printed(&place, SERVER, &database, &["chat", "list"]).await;
    let mut chat = server.json("/channels/90210441/chat").await;
    chat["channel"] = "maplearcade".into();
    assert_eq!(chats, json!([chat]));

    let trial = ["rules", "test", "--chat", "!title Speedrun", "--as", "broadcaster"];
    let tried = printed(&place, SERVER, &database, &trial).await;
    let body = json!({ "chat": "!title Speedrun", "as": "broadcaster" });
    assert_eq!(tried, server.post_json("/rules/test", &body).await.json()["results"]);
    assert_eq!(tried[0]["fired"], true);

    let migrations = printed(&place, SERVER, &database, &["migrate", "status"]).await;
    assert_eq!(migrations[0], json!({ "version": 1, "description": migrations[0]["description"], "is_applied": true }));
    server.stop().await;
}
