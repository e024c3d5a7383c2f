//! The command line.

use super::rabbit::Rabbit;
use super::{append, until_problem, until_state};
use crate::process::Place;
use crate::support::postgres::{fresh_database, url};
use crate::support::server::Server;
use crate::support::{Unused, until};

#[tokio::test]
async fn commands_add_list_rewind_and_remove_a_sink() {
    let (place, database) = (Place::new(), url(&fresh_database().await, "none"));
    let settings = [("DATABASE_URL", database.as_str())];
    let broker = "amqp://me:hunter2@127.0.0.1:1/%2f";
    let add = ["sinks", "add", "audit", "--types", "channel.cheer,stream.*", "--amqp"];
    let with = |url| [add.as_slice(), &[url]].concat();
    // Arguments are no place for passwords.
    let refused = place.refused(&settings, &with(broker)).await;
    assert!(refused.contains("--amqp -") && !refused.contains("hunter2"), "{refused}");
    let refused = place.refused(&settings, &with("-")).await;
    assert!(refused.contains("standard input has no URL"), "{refused}");
    assert_eq!(place.done_with_input(&settings, &with("-"), &format!("{broker}\n")).await, "added audit\n");
    let refused = place.refused(&settings, &with("amqp://127.0.0.1")).await;
    assert!(refused.contains("there is a sink named `audit` already"), "{refused}");
    let listed = place.done(&settings, &["sinks", "list"]).await;
    assert!(listed.contains("audit") && listed.contains("amqp     off"), "{listed}");
    assert!(listed.contains("it runs on no server") && !listed.contains("hunter2"), "{listed}");
    let refused = place.refused(&settings, &["sinks", "test", "audit"]).await;
    assert!(refused.contains("can't be reached") && !refused.contains("hunter2"), "{refused}");
    let rewound = place.done(&settings, &["sinks", "rewind", "audit", "--after", "0"]).await;
    assert_eq!(rewound, "audit goes on after event 0\n");
    let at = ["sinks", "rewind", "audit", "--at", "2026-07-01T18:00:00Z"];
    assert_eq!(place.done(&settings, &at).await, "audit goes on after event 0\n");
    let refused = place.refused(&settings, &["sinks", "rewind", "audit", "--after", "7"]).await;
    assert!(refused.contains("after is the id of no event that the log has"), "{refused}");
    let paused = place.done(&settings, &["sinks", "pause", "audit"]).await;
    assert_eq!(paused, "audit is paused, and keeps its place in the log\n");
    let listed = place.done(&settings, &["sinks", "list"]).await;
    assert!(!listed.contains("runs on no server"), "{listed}");
    assert_eq!(place.done(&settings, &["sinks", "resume", "audit"]).await, "audit goes on\n");
    assert_eq!(place.done(&settings, &["sinks", "remove", "audit"]).await, "removed audit\n");
    let refused = place.refused(&settings, &["sinks", "remove", "audit"]).await;
    assert!(refused.contains("there is no sink `audit`"), "{refused}");
}

#[tokio::test]
async fn file_adds_and_changes_sinks_and_is_idempotent() {
    let (place, database) = (Place::new(), url(&fresh_database().await, "none"));
    let settings = [("DATABASE_URL", database.as_str())];
    let write = |text: &str| std::fs::write(place.path().join("sinks.toml"), text).unwrap();
    let apply = ["sinks", "apply", "sinks.toml"];
    place.done(&settings, &["sinks", "add", "other", "--amqp-url-env", "BROKER_URL"]).await;

    let file = r#"
        [sinks.audit]
        url = "amqp://me:hunter2@127.0.0.1:1/%2f"
        types = ["channel.cheer", "stream.*"]
        after = 0
        [sinks.second]
        settings = { url_env = "BROKER_URL", exchange = "events", tests = true }
    "#;
    write(file);
    let added = place.done(&settings, &apply).await;
    assert_eq!(added, "added audit\nadded second\nother is not in the file, and stays\n");
    let again = place.done(&settings, &apply).await;
    assert_eq!(again, "audit is so already\nsecond is so already\nother is not in the file, and stays\n");

    write(
        &file
            .replace("hunter2", "hunter3")
            .replace(r#", "stream.*""#, "")
            .replace("events", "all")
            .replace(", tests = true", ""),
    );
    let changed = place.done(&settings, &apply).await;
    assert!(
        changed.starts_with("changed audit: url, types\nchanged second: settings.exchange, settings.tests\n"),
        "{changed}"
    );

    // All or nothing, and no password.
    for (wrong, said) in [
        (file.replace("stream.*", "streem.*"), "types has `streem.*`, which matches no type"),
        (file.replace("exchange = ", "exchang = "), "settings.exchang unknown field `exchang`"),
        (file.replace("types =", "tipes ="), "line 5: unknown field `tipes`"),
        (file.replace("after = 0", "kind = \"webhook\""), "kind can't be another than it is"),
        (file.replace("%2f\"", "%2f"), "line 4: "),
    ] {
        write(&format!("[sinks.a]\nsettings = {{ url_env = \"BROKER_URL\" }}{wrong}"));
        let refused = place.refused(&settings, &apply).await;
        assert!(refused.contains(said), "{refused}");
        assert!(refused.contains("nothing was changed") && !refused.contains("hunter"), "{refused}");
    }
    assert!(!place.done(&settings, &["sinks", "list"]).await.contains("\na "));
}

#[tokio::test]
async fn sink_of_the_environment_is_off_without_its_variable_and_keeps_its_place() {
    let Some(rabbit) = Rabbit::start().await else { return };
    let database = fresh_database().await;
    let (place, database_url, broker_url) = (Place::new(), url(&database, "none"), rabbit.url());
    let without = [("DATABASE_URL", database_url.as_str())];
    let with = [without[0], ("SHOWTIME_AMQP_URL", broker_url.as_str())];
    let serving = place.serve(&with).await;
    let observer = Server::on(database).await;
    until_state(&observer, "amqp", "ok").await;
    append(&observer.pool, 5).await;
    until("all were published", async || observer.json("/sinks/amqp").await["cursor"] == 5).await;
    serving.stop().await;
    let serving = place.serve(&without).await;
    append(&observer.pool, 5).await;
    let sink = until_state(&observer, "amqp", "off").await;
    assert_eq!(sink["cursor"], 5);
    assert_eq!(sink["problem"], "it runs on no server: set SHOWTIME_AMQP_URL, or remove the sink");
    serving.stop().await;
    let _serving = place.serve(&with).await;
    until("the rest was published", async || observer.json("/sinks/amqp").await["cursor"] == 10).await;
}

/// Sinks that publish and sinks that fail, for RabbitMQ and webhooks.
#[tokio::test]
async fn secrets_of_sinks_are_in_no_log_error_or_metric() {
    let Some(rabbit) = Rabbit::start().await else { return };
    rabbit.control(&["add_user", "me", "hunter2"]);
    rabbit.control(&["set_permissions", "me", ".*", ".*", ".*"]);
    let (place, database) = (Place::new(), fresh_database().await);
    let (database_url, broker) = (url(&database, "none"), rabbit.url_of("me", "hunter2"));
    let settings =
        [("DATABASE_URL", database_url.as_str()), ("SHOWTIME_AMQP_URL", broker.as_str()), ("SHOWTIME_LOG", "debug")];
    let serving = place.serve(&settings).await;
    let (observer, unused) = (Server::on(database).await, Unused::new());
    let addr = unused.addr();
    let (away, hook) = (format!("amqp://me:hunter2@{addr}/%2f"), format!("http://{addr}/hunter2"));
    let wrong = rabbit.url_of("me", "hunter22");
    let mut keys = Vec::new();
    for (name, url, receiver) in [
        ("away", &away, ["--amqp", "-", "--types", "*"]),
        ("wrong", &wrong, ["--amqp", "-", "--types", "*"]),
        ("hook", &hook, ["--webhook", "-", "--allow", "127.0.0.0/8"]),
    ] {
        let add = [["sinks", "add", name].as_slice(), &receiver].concat();
        let added = place.done_with_input(&settings, &add, url).await;
        keys.extend(added.split_once("whsec_").map(|(_, key)| key.trim().to_owned()));
        let refused = place.refused(&settings, &["sinks", "test", name]).await;
        assert!(!refused.contains("hunter2"), "{refused}");
    }
    let [key] = keys.as_slice() else { panic!("one key: {keys:?}") };
    append(&observer.pool, 5).await;
    until("all were published", async || observer.json("/sinks/amqp").await["cursor"] == 5).await;
    for (name, problem) in [("away", "can't be reached"), ("wrong", "refuses the user"), ("hook", "can't be reached")] {
        until_problem(&observer, name, problem).await;
    }
    let metrics = observer.get("/metrics").await.text;
    let log = serving.stop().await;
    assert!(log.contains("the sink failed; trying again"), "{log}");
    for text in [metrics, log] {
        assert!(!text.contains("hunter2") && !text.contains(key.as_str()), "{text}");
    }
}
