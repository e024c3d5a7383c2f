//! The server's other commands, its help and its log.

use serde_json::Value;
use showtime::config::env_example;

use super::{Place, SERVER, SIMULATE, TOKEN};
use crate::init::INIT;

/// The first words of the lines of `migrate status`.
fn marks(status: &str) -> Vec<&str> {
    status.lines().filter_map(|line| line.split_once("  ")).map(|(mark, _)| mark).collect()
}

#[tokio::test]
async fn state_is_rebuilt_with_or_without_a_server() {
    let place = Place::new();
    let server = place.serve(&[]).await;
    for kind in ["stream.online", "channel.follow"] {
        assert_eq!(server.simulate(&[kind]).await.0, Some(0));
    }
    let before = server.json("/channels").await;
    assert_eq!(place.done(&[], &["rebuild"]).await, "rebuilt from 2 messages\n");
    assert_eq!(server.json("/channels").await, before);
    server.stop().await;
    assert_eq!(place.done(&[], &["rebuild"]).await, "rebuilt from 2 messages\n");
    assert_eq!(place.processes(), Vec::<String>::new());
    let server = place.serve(&[]).await;
    assert_eq!(server.json("/channels").await, before);
    server.stop().await;
}

#[tokio::test]
async fn migrations_are_shown_reverted_and_applied_with_or_without_a_server() {
    let place = Place::new();
    let status = place.done(&[], &["migrate", "status"]).await;
    assert!(!marks(&status).is_empty() && marks(&status).iter().all(|mark| *mark == "missing"), "{status}");
    assert_eq!(place.processes(), Vec::<String>::new());

    let server = place.serve(&[]).await;
    let status = place.done(&[], &["migrate", "status"]).await;
    assert!(marks(&status).iter().all(|mark| *mark == "applied"), "{status}");
    let said = place.refused(&[], &["migrate", "down"]).await;
    assert!(said.contains("run it again with --force"), "{said}");
    assert_eq!(server.status("/readyz").await, 200);
    let reverted = place.done(&[], &["migrate", "down", "--force"]).await;
    assert!(reverted.starts_with("reverted 0"), "{reverted}");
    assert_eq!(marks(&reverted).last(), Some(&"missing"));
    assert_eq!(server.status("/readyz").await, 503);
    place.done(&[], &["migrate", "up"]).await;
    assert_eq!(server.status("/readyz").await, 200);
    server.stop().await;
}

#[tokio::test]
async fn reset_requires_force() {
    let place = Place::new();
    place.serve(&[]).await.stop().await;
    let said = place.refused(&[], &["local-db", "reset"]).await;
    assert!(said.contains("this deletes all data in .showtime: run it again with --force"), "{said}");
    assert!(place.path().join(".showtime/postgres").exists());
    let said = place.done(&[], &["local-db", "reset", "--force"]).await;
    assert_eq!(said, "removed; the next start makes a new one\n");
    assert!(!place.path().join(".showtime/postgres").exists());
}

#[tokio::test]
async fn second_start_logs_nothing_about_existing_tables() {
    let place = Place::new();
    for _ in 0..2 {
        let log = place.serve(&[]).await.stop().await;
        assert!(log.contains("the private Postgres answers") && !log.contains("already exists"), "{log}");
    }
}

#[tokio::test]
async fn misspelt_settings_are_warned_about() {
    let place = Place::new();
    std::fs::write(place.path().join(".env"), "SHOWTIME_RETENTOIN=30d\n").unwrap();
    let log = place.serve(&[("TWITCH_CHANEL_NAME", "maplearcade")]).await.stop().await;
    for warning in
        ["RETENTOIN is not a setting (did you mean SHOWTIME_RETENTION?)", "(did you mean TWITCH_CHANNEL_NAME?)"]
    {
        assert!(log.contains(warning), "{log}");
    }
}

#[tokio::test]
async fn cause_of_an_error_is_shown_once() {
    let place = Place::new();
    let mut command = place.command(SIMULATE, &[], &["stream.online", "--secret-file", "nowhere"]);
    let output = command.output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "error: nowhere can't be read: No such file or directory (os error 2)\n");
    std::fs::create_dir_all(place.path().join(".showtime/webhook-secret")).unwrap();
    let output = place.command(SIMULATE, &[], &["stream.online"]).output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let text = "error: the secret in .showtime/webhook-secret can't be read or made: Is a directory (os error 21)\n";
    assert_eq!(said, text, "the error's text holds its cause");
}

#[tokio::test]
async fn settings_are_in_the_help_that_asks_for_all() {
    let place = Place::new();
    let help = async |program, arguments: &[&str]| {
        let output = place.command(program, &[], arguments).output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let example = env_example();
    let names = example.lines().filter_map(|line| line.strip_prefix('#')?.split_once('=')).map(|(name, _)| name);
    let names: Vec<_> = names.filter(|name| !name.contains(' ')).collect();
    assert!(names.contains(&"TWITCH_WEBHOOK_SECRET"), "{names:?}");
    for (program, command) in
        [(SERVER, &[][..]), (SERVER, &["sinks", "list"]), (SIMULATE, &[]), (TOKEN, &["create"]), (INIT, &["check"])]
    {
        let own = help(program, &[command, &["--help"]].concat()).await;
        assert!(own.contains("--help-all") && !own.contains("TWITCH_CLIENT_SECRET"), "{own}");
        let all = help(program, &[command, &["--help-all"]].concat()).await;
        assert!(all.starts_with(own.trim_end()), "{own}\n{all}");
        for name in &names {
            assert!(all.contains(name), "{name} is not in {all}");
        }
        assert!(all.contains("[default: 5001]"), "{all}");
    }
}

#[tokio::test]
async fn json_log_is_one_object_per_line_without_secrets() {
    let place = Place::new();
    let secret = "canary-in-the-webhook-secret";
    let (client_secret, previous) = ("canary-in-the-client-secret", "canary-in-the-previous-secret");
    let settings = [
        ("SHOWTIME_LOG", "trace"),
        ("SHOWTIME_LOG_FORMAT", "json"),
        ("TWITCH_CLIENT_ID", "q6batx0epp608isickayubi39itsckt"),
        ("TWITCH_CLIENT_SECRET", client_secret),
        ("TWITCH_WEBHOOK_SECRET", secret),
        ("TWITCH_WEBHOOK_SECRET_PREVIOUS", previous),
    ];
    let server = place.serve(&settings).await;
    for (sender, code) in [(secret, 0), (previous, 0), ("some other secret", 1)] {
        assert_eq!(server.simulate(&["channel.follow", "--secret", sender]).await.0, Some(code));
    }
    server.json("/status").await;
    let log = server.stop().await;
    assert!(log.lines().count() > 20, "{log}");
    for line in log.lines() {
        let object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(object["level"].is_string() && object["timestamp"].is_string(), "{line}");
        assert!(!line.contains("canary"), "{line}");
    }

    let nowhere = [("SHOWTIME_LOG_FORMAT", "json"), ("DATABASE_URL", "postgres:///x?host=/dev/null")];
    let wrong = place.refused(&nowhere, &["rebuild"]).await;
    let object: Value = serde_json::from_str(wrong.trim()).unwrap_or_else(|error| panic!("{error}: {wrong}"));
    assert_eq!(object["level"], "ERROR", "{wrong}");
}
