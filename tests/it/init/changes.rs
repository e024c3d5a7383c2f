//! What `init` changes, and what it leaves alone.

use std::time::Duration;

use showtime::store::signals::Channel;
use sqlx::postgres::PgListener;
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::time::timeout;

use super::{SCOPES, Scene};
use crate::support::PATIENCE;
use crate::support::postgres::dump;
use crate::support::twitch::{CHANNEL, CHANNEL_ID};

/// The ids of all that Twitch holds.
fn held(scene: &Scene) -> Vec<String> {
    scene.twitch.mock.world.subscriptions().into_iter().map(|held| held.id).collect()
}

/// A subscription at our callback, about a channel that nobody serves.
async fn stray(scene: &Scene) -> String {
    let other = scene.twitch.mock.world.add_channel("copperkite").unwrap().id;
    let condition = [("broadcaster_user_id".to_owned(), other)].into();
    let callback = &scene.settings["TWITCH_WEBHOOK_CALLBACK_URL"];
    let id = scene.twitch.subscribe_to("stream.online", "1", &condition, callback).await.unwrap().id;
    scene.twitch.until_status(&id, "enabled").await;
    id
}

#[tokio::test]
async fn check_says_what_is_missing_and_changes_nothing() {
    let (mut scene, _callback) = Scene::without_server().await;
    scene.settings.remove("SHOWTIME_ENCRYPTION_KEY");
    let before = dump(&scene.database).await;
    let said = scene.run(&["check", "--channel", CHANNEL]).await;
    let scopes = format!("maplearcade has not consented to: {}", SCOPES.join(", "));
    said.has(1, &[&scopes, "  missing  maplearcade  stream.online v1"]);
    said.has(1, &["something is missing: run `cargo run --bin init`"]);
    assert_eq!(said.count("  missing"), 10);
    assert_eq!(dump(&scene.database).await, before);
    assert_eq!(held(&scene), Vec::<String>::new());
    let made: Vec<_> = std::fs::read_dir(scene.place.path()).unwrap().collect();
    assert!(made.is_empty(), "no key, no directory: {made:?}");
}

#[tokio::test]
async fn check_finds_nothing_where_nothing_is_missing() {
    let (scene, _callback) = Scene::without_server().await;
    scene.grant().await;
    scene.run(&["--channel", CHANNEL]).await.has(0, &["10 of 10 subscriptions are enabled"]);
    let (before, held_before) = (dump(&scene.database).await, held(&scene));
    let said = scene.run(&["check"]).await;
    said.has(0, &["nothing is missing"]);
    assert_eq!(said.count("  enabled"), 10);
    assert_eq!((dump(&scene.database).await, held(&scene)), (before, held_before));

    scene.twitch.helix.delete_subscription(&held(&scene)[3]).await.unwrap();
    scene.run(&["check"]).await.has(1, &["something is missing: run `cargo run --bin init`"]);
}

#[tokio::test]
async fn check_does_not_even_touch_a_database_without_tables() {
    let (scene, _callback) = Scene::without_server().await;
    let mut connection = PgConnection::connect_with(&scene.database).await.unwrap();
    sqlx::raw_sql("drop schema public cascade; create schema public").execute(&mut connection).await.unwrap();
    let said = scene.run(&["check", "--channel", CHANNEL]).await;
    let text = "error: the database lacks migrations: start the server first, or run ./db-migrate.sh up\n";
    assert_eq!((said.code, said.err.as_str()), (Some(1), text));
    assert_eq!(dump(&scene.database).await, "");
}

#[tokio::test]
async fn a_server_that_runs_is_told_to_look() {
    let (scene, _callback) = Scene::without_server().await;
    scene.grant().await;
    let pool = PgPool::connect_lazy_with(scene.database.clone());
    let mut listener = PgListener::connect_with(&pool).await.unwrap();
    listener.listen(Channel::Reconcile.name()).await.unwrap();
    scene.run(&["check", "--channel", CHANNEL]).await.has(1, &[]);
    scene.run(&["--channel", CHANNEL]).await.has(0, &["10 of 10 subscriptions are enabled"]);
    timeout(PATIENCE, listener.recv()).await.expect("it is told").unwrap();
    let more = timeout(Duration::from_millis(200), listener.recv()).await;
    assert!(more.is_err(), "once, and not by the check");
}

#[tokio::test]
async fn what_must_go_goes_only_with_force() {
    let (scene, _callback) = Scene::without_server().await;
    scene.grant().await;
    let stray = stray(&scene).await;
    let said = scene.run(&["--channel", CHANNEL]).await;
    let must_go = format!("  must go  stream.online v1 ({stray}): nobody wants it");
    said.has(0, &[&must_go, "1 subscriptions must go: run again with --force to delete them"]);
    assert!(held(&scene).contains(&stray));

    let said = scene.run(&["--force"]).await;
    said.has(0, &[&format!("  deleted  stream.online v1 ({stray})"), "10 of 10 subscriptions are enabled"]);
    assert!(!held(&scene).contains(&stray) && held(&scene).len() == 10);
}

#[tokio::test]
async fn what_died_is_made_again_and_its_remains_go_with_force() {
    let (scene, _callback) = Scene::without_server().await;
    scene.grant().await;
    scene.run(&["--channel", CHANNEL]).await.has(0, &["10 of 10 subscriptions are enabled"]);
    let dead = held(&scene)[0].clone();
    scene.twitch.mock.world.end_subscription(&dead, "notification_failures_exceeded").unwrap();
    let said = scene.run(&["--force"]).await;
    said.has(0, &["10 of 10 subscriptions are enabled"]);
    assert_eq!((said.count("  deleted"), said.count("  created")), (1, 1), "{}", said.out);
    assert!(!held(&scene).contains(&dead) && held(&scene).len() == 10);
}

#[tokio::test]
async fn delete_all_wants_force_and_then_leaves_nothing() {
    let (scene, callback) = Scene::without_server().await;
    scene.grant().await;
    scene.run(&["--channel", CHANNEL]).await.has(0, &["10 of 10 subscriptions are enabled"]);
    let elsewhere = callback.url("/elsewhere");
    scene.twitch.subscribe("channel.update", "2", &elsewhere).await.unwrap();

    let said = scene.run(&["delete-all"]).await;
    let refused =
        "error: nothing was deleted: --force deletes these 11 subscriptions, and ends serving every channel\n";
    assert_eq!((said.code, said.err.as_str()), (Some(1), refused));
    said.has(1, &["  stream.online v1 (enabled)"]);
    assert_eq!(held(&scene).len(), 11);
    assert!(dump(&scene.database).await.contains(&format!("served_channel\n({CHANNEL_ID},")));

    let said = scene.run(&["delete-all", "--force"]).await;
    said.has(0, &["deleted 11 of 11 subscriptions; no channel is served any more"]);
    assert_eq!(held(&scene), Vec::<String>::new());
    assert!(!dump(&scene.database).await.contains(&format!("served_channel\n({CHANNEL_ID},")));

    let said = scene.run(&["check"]).await;
    let text = "error: there is no channel to serve: give --channel LOGIN, or set TWITCH_CHANNEL_NAME\n";
    assert_eq!((said.code, said.err.as_str()), (Some(1), text));
}
