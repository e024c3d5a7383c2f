//! `server backup` and `server restore`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::{Place, Serving};
use crate::support::postgres::{fresh_database, url};

/// Makes a channel with a follower.
async fn fill(server: &Serving<'_>) {
    for kind in ["stream.online", "channel.follow"] {
        assert_eq!(server.simulate(&[kind]).await.0, Some(0));
    }
}

async fn contents(server: &Serving<'_>) -> (Vec<Value>, Vec<Value>) {
    (server.list("/events").await, server.list("/channels").await)
}

fn secrets(place: &Place) -> [String; 2] {
    ["webhook-secret", "token"].map(|file| fs::read_to_string(place.path().join(".showtime").join(file)).unwrap())
}

#[tokio::test]
async fn backup_of_a_running_server_is_restored_on_another_machine() {
    let (place, other) = (Place::new(), Place::new());
    let key = "0123456789abcdef".repeat(4);
    fs::create_dir(place.path().join(".showtime")).unwrap();
    fs::write(place.path().join(".showtime/encryption-key"), &key).unwrap();
    fs::set_permissions(place.path().join(".showtime/encryption-key"), fs::Permissions::from_mode(0o600)).unwrap();
    let server = place.serve(&[]).await;
    fill(&server).await;
    let before = contents(&server).await;
    let file = other.path().join("backup");
    let file = file.to_str().unwrap();
    fs::write(file, "an older one").unwrap();
    let said = place.done(&[], &["backup", file]).await;
    assert!(said.contains("keep it as safe"), "{said}");
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(server.simulate(&["channel.cheer"]).await.0, Some(0), "it goes on");
    let [webhook_secret, token] = secrets(&place);
    server.stop().await;

    assert_eq!(other.done(&[], &["restore", file]).await, format!("{file} is restored\n"));
    assert_eq!(other.processes(), Vec::<String>::new());
    for (name, text) in [("webhook-secret", webhook_secret.trim()), ("encryption-key", &key)] {
        let path = other.path().join(".showtime").join(name);
        assert_eq!(fs::read_to_string(&path).unwrap().trim(), text);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let mut server = other.serve(&[]).await;
    server.token = Some(token.trim().to_owned());
    assert_eq!(contents(&server).await, before);
    fill(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn restore_replaces_data_only_with_force() {
    let place = Place::new();
    let server = place.serve(&[]).await;
    fill(&server).await;
    let before = contents(&server).await;
    place.done(&[], &["backup", "backup"]).await;
    assert_eq!(server.simulate(&["channel.cheer"]).await.0, Some(0));
    for force in [&["restore", "backup"][..], &["restore", "backup", "--force"]] {
        let said = place.refused(&[], force).await;
        assert!(said.contains("another showtime (pid "), "{said}");
    }
    server.stop().await;

    let said = place.refused(&[], &["restore", "backup"]).await;
    assert!(said.contains("the database is not empty") && said.contains("--force"), "{said}");
    let whole = fs::read(place.path().join("backup")).unwrap();
    fs::write(place.path().join("damaged"), &whole[..whole.len() - 100]).unwrap();
    let said = place.refused(&[], &["restore", "damaged", "--force"]).await;
    assert!(said.contains("pg_restore failed"), "{said}");
    fs::write(place.path().join("other"), "no backup\n").unwrap();
    let said = place.refused(&[], &["restore", "other", "--force"]).await;
    assert!(said.contains("other is no backup that this version can read"), "{said}");
    let server = place.serve(&[]).await;
    assert_eq!(server.list("/events").await.len(), 3, "nothing of this changed the data");
    server.stop().await;

    place.done(&[], &["restore", "backup", "--force"]).await;
    let server = place.serve(&[]).await;
    assert_eq!(contents(&server).await, before);
    fill(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn backup_of_nothing_is_an_error() {
    let place = Place::new();
    let said = place.refused(&[], &["backup", "backup"]).await;
    assert!(said.contains("there is nothing to back up"), "{said}");
    assert!(!place.path().join("backup").exists());
}

#[tokio::test]
async fn other_secret_is_replaced_only_with_force() {
    let (place, other) = (Place::new(), Place::new());
    place.serve(&[]).await.stop().await;
    let file = other.path().join("backup");
    let file = file.to_str().unwrap();
    place.done(&[], &["backup", file]).await;
    let [secret, _] = secrets(&place);

    let configured = [("TWITCH_WEBHOOK_SECRET", "a secret of this machine")];
    let said = other.refused(&configured, &["restore", file, "--force"]).await;
    assert!(said.contains("TWITCH_WEBHOOK_SECRET is another one than that of the backup"), "{said}");
    fs::create_dir(other.path().join(".showtime")).unwrap();
    fs::write(other.path().join(".showtime/webhook-secret"), "a secret of this machine\n").unwrap();
    let said = other.refused(&[], &["restore", file]).await;
    assert!(said.contains(".showtime/webhook-secret is another one than that of the backup"), "{said}");
    other.done(&[], &["restore", file, "--force"]).await;
    assert_eq!(fs::read_to_string(other.path().join(".showtime/webhook-secret")).unwrap(), secret);
}

#[tokio::test]
async fn given_database_is_backed_up_and_restored_without_a_private_one() {
    let place = Place::new();
    let (source, target) = (fresh_database().await, fresh_database().await);
    let given = ("TWITCH_WEBHOOK_SECRET", "a secret of the backup");
    let from = url(&source, "p%40ss%2Bw%25rd");
    let from = [("DATABASE_URL", from.as_str()), given];
    let server = place.serve(&from).await;
    let secret = ["--secret", "a secret of the backup"];
    assert_eq!(server.simulate(&[&["channel.follow"][..], &secret].concat()).await.0, Some(0));
    let before = contents(&server).await;
    place.done(&from, &["backup", "backup"]).await;
    server.stop().await;

    let name = target.get_database().unwrap().to_owned();
    let mut connection = PgConnection::connect_with(&target.clone().database("postgres")).await.unwrap();
    for statement in [format!("drop database {name}"), format!("create database {name}")] {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    let to = url(&target, "secret");
    let to = [("DATABASE_URL", to.as_str()), given];
    place.done(&to, &["restore", "backup"]).await;
    assert!(!place.path().join(".showtime/postgres").exists());

    let server = place.serve(&to).await;
    assert_eq!(contents(&server).await, before);
    let said = place.refused(&to, &["restore", "backup", "--force"]).await;
    assert!(said.contains("a server uses the database: stop it first"), "{said}");
    server.stop().await;
    place.done(&to, &["restore", "backup", "--force"]).await;
    let server = place.serve(&to).await;
    assert_eq!(contents(&server).await, before);
    server.stop().await;
}
