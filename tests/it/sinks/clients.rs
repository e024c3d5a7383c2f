//! Consumers in other languages: the programs of docs/sinks.md, and one in the shape of another program.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;
use tokio_tungstenite::connect_async;

use super::rabbit::Rabbit;
use super::{server, until_state};
use crate::init::free_port;
use crate::process::Place;
use crate::support::messages::{at, cheer, follow, notification, with_user};
use crate::support::postgres::{fresh_database, url};
use crate::support::server::Server;
use crate::support::{PATIENCE, skip, until};

/// The program in the document, in this language, whose text contains this.
fn program(language: &str, words: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/sinks.md");
    let document = std::fs::read_to_string(path).unwrap();
    let begin = format!("```{language}\n");
    let blocks = document.split(&begin).skip(1).filter_map(|rest| rest.split("```").next());
    let found: Vec<_> = blocks.filter(|block| block.contains(words)).collect();
    assert_eq!(found.len(), 1, "one program in {language} with {words}");
    found[0].to_owned()
}

/// A consumer that runs, and what it prints.
struct Consumer {
    _program: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Consumer {
    async fn start(mut command: Command, text: &str, rabbit: &Rabbit, port: u16) -> Self {
        let command = command.env("AMQP_URL", rabbit.url()).env("PORT", port.to_string()).kill_on_drop(true);
        let mut program = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        program.stdin.take().unwrap().write_all(text.as_bytes()).await.unwrap();
        let lines = BufReader::new(program.stdout.take().unwrap()).lines();
        Self { _program: program, lines }
    }

    async fn line(&mut self) -> String {
        timeout(PATIENCE, self.lines.next_line()).await.expect("a line comes").unwrap().expect("it runs")
    }
}

fn python() -> Option<Command> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients/bin/python3");
    let has_pika = std::process::Command::new(&path).args(["-c", "import pika"]).stderr(Stdio::null()).status();
    let mut command = Command::new(&path);
    command.arg("-");
    has_pika.is_ok_and(|status| status.success()).then_some(command)
}

/// Node, which reads a module from its input, and finds packages here.
fn node() -> Option<Command> {
    let directory: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let mut command = Command::new("node");
    command.args(["--input-type=module", "-"]).current_dir(&directory);
    directory.join("node_modules/amqplib").is_dir().then_some(command)
}

#[tokio::test]
async fn python_consumer_of_the_document_reads_follows() {
    let Some(rabbit) = Rabbit::start().await else { return };
    let Some(python) = python() else {
        return skip("pika: run `target/clients/bin/pip install -r tests/clients/requirements.txt`");
    };
    let server = server(fresh_database().await, &rabbit.url()).await;
    until_state(&server, "amqp", "ok").await;
    let mut consumer = Consumer::start(python, &program("python", "import pika"), &rabbit, 0).await;
    assert_eq!(consumer.line().await, "waiting for follows");
    let followed = follow("1", at(0));
    for message in [&cheer("2", 100, at(1)), &followed, &follow("3", at(2))] {
        assert_eq!(server.deliver(message).await.status, 204);
    }
    assert_eq!(consumer.line().await, format!("{} User1", followed.stamp.message_id));
    // What is sent again has the same id, and is left out.
    until("all were published", async || server.json("/sinks/amqp").await["cursor"] == 3).await;
    let rewound = server.post_json("/sinks/amqp/rewind", &json!({ "after": 0 })).await;
    assert_eq!(rewound.status, 204, "{rewound:?}");
    assert!(consumer.line().await.ends_with(" User3"));
    assert_eq!(server.deliver(&follow("4", at(3))).await.status, 204);
    assert!(consumer.line().await.ends_with(" User4"));
}

#[tokio::test]
async fn javascript_consumer_of_the_document_passes_events_on_to_a_page() {
    let Some(rabbit) = Rabbit::start().await else { return };
    let Some(node) = node() else { return skip("amqplib: run `npm ci` in tests/clients") };
    let server = server(fresh_database().await, &rabbit.url()).await;
    until_state(&server, "amqp", "ok").await;
    let port = free_port();
    let mut consumer = Consumer::start(node, &program("js", "amqplib"), &rabbit, port).await;
    assert_eq!(consumer.line().await, format!("pages connect to ws://127.0.0.1:{port}"));
    let (mut page, _) = connect_async(format!("ws://127.0.0.1:{port}")).await.unwrap();
    assert_eq!(consumer.line().await, "a page has connected");
    assert_eq!(server.deliver(&cheer("2", 100, at(1))).await.status, 204);
    let message = timeout(PATIENCE, futures_util::StreamExt::next(&mut page)).await.unwrap().unwrap().unwrap();
    let event: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
    assert_eq!((&event["id"], &event["type"]), (&json!(1), &json!("channel.cheer")));
}

/// Reads what twitch-servitor publishes: <https://github.com/search?q=twitch-servitor>.
const SERVITOR: &str = r#"
import amqp from "amqplib";

const connection = await amqp.connect(process.env.AMQP_URL);
const channel = await connection.createChannel();
await channel.assertExchange("topic_twitch_servitor", "topic", { durable: true });
const { queue } = await channel.assertQueue("", { exclusive: true });
for (const topic of ["follows", "subscriptions", "hosts"]) {
  await channel.bindQueue(queue, "topic_twitch_servitor", `topic.twitch.${topic}`);
}
await channel.consume(queue, (message) => {
  const { type, username, message: details } = JSON.parse(message.content);
  switch (type) {
    case "FOLLOW": console.log(`${username} follows ${JSON.stringify(details)}`); break;
    case "SUBSCRIPTION": console.log(`${username} ${details.type} ${details.months} ${details.message}`); break;
    default: console.log(`unknown: ${message.content}`);
  }
}, { noAck: true });
console.log("ready");
"#;

#[tokio::test]
async fn sink_of_the_document_feeds_a_consumer_of_twitch_servitor() {
    let Some(rabbit) = Rabbit::start().await else { return };
    let Some(node) = node() else { return skip("amqplib: run `npm ci` in tests/clients") };
    let database = fresh_database().await;
    let (place, database_url, broker_url) = (Place::new(), url(&database, "none"), rabbit.url());
    std::fs::write(place.path().join("sinks.toml"), program("toml", "topic_twitch_servitor")).unwrap();
    let settings = [("DATABASE_URL", database_url.as_str())];
    assert_eq!(place.done(&settings, &["sinks", "apply", "sinks.toml"]).await, "added servitor\n");
    let settings = [settings[0], ("BROKER_URL", broker_url.as_str())];
    let _serving = place.serve(&settings).await;
    let server = Server::on(database).await;
    until_state(&server, "servitor", "ok").await;
    let mut consumer = Consumer::start(node, SERVITOR, &rabbit, 0).await;
    assert_eq!(consumer.line().await, "ready");
    let again = json!({ "tier": "1000", "cumulative_months": 12, "duration_months": 1, "streak_months": null,
        "message": { "text": "a \"year\"", "emotes": [] } });
    for message in [
        follow("1", at(0)),
        cheer("2", 100, at(1)),
        notification("channel.subscribe", at(2), with_user("3", json!({ "tier": "1000", "is_gift": false }))),
        notification("channel.subscription.message", at(3), with_user("4", again)),
    ] {
        assert_eq!(server.deliver(&message).await.status, 204);
    }
    for line in ["User1 follows \"\"", "User3 sub 1 ", "User4 resub 12 a \"year\""] {
        assert_eq!(consumer.line().await, line);
    }
}
