//! The changes that `init` makes, and that `init check` makes none.

use std::time::Duration;

use serde_json::{Value, json};
use showtime::store::locks::Lock;
use showtime::store::signals::Channel;
use showtime::twitch::signature::WebhookSecret;
use sqlx::postgres::PgListener;
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::time::timeout;

use super::{CREATE, SCOPES, Scene};
use crate::secret_drift::{keep_from_creating_again, let_leases_end};
use crate::support::postgres::dump;
use crate::support::recorder::Answer;
use crate::support::twitch::{CHANNEL, CHANNEL_ID, callback};
use crate::support::{PATIENCE, until};

/// The ids of all subscriptions at Twitch.
fn held(scene: &Scene) -> Vec<String> {
    scene.twitch.mock.world.subscriptions().into_iter().map(|held| held.id).collect()
}

/// A subscription at our callback, about a channel that is not served.
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
    let mut scene = Scene::new().await;
    scene.settings.remove("SHOWTIME_ENCRYPTION_KEY");
    let before = dump(&scene.database).await;
    let said = scene.run(&["check", "--channel", CHANNEL]).await;
    let scopes = format!("maplearcade has not consented to: {}", SCOPES.join(", "));
    said.has(1, &[&scopes, "something is missing: run `cargo run --bin init`"]);
    let none = "  missing  4 subscriptions of maplearcade: Twitch has none (channel.update v2, stream.online v1, stream.offline v1, \
        channel.raid v1)";
    said.has(1, &[none]);
    assert_eq!(
        said.count("  missing  6 subscriptions need consent of maplearcade (channel.follow v2, "),
        1,
        "{}",
        said.out
    );
    assert_eq!(said.count("  missing"), 2, "one line for each cause: {}", said.out);
    assert_eq!(dump(&scene.database).await, before);
    assert_eq!(held(&scene), Vec::<String>::new());
    let made: Vec<_> = std::fs::read_dir(scene.place.path()).unwrap().collect();
    assert!(made.is_empty(), "no key, no directory: {made:?}");
}

/// Every row of the database but the server's heartbeat, the time of its last comparison, and its leases.
async fn dump_without_heartbeat(scene: &Scene) -> String {
    ["action_lease", "follower", "reconciler", "server"].into_iter().fold(dump(&scene.database).await, |dump, table| {
        let (before, rest) = dump.split_once(&format!("\n{table}\n")).unwrap();
        let other: Vec<_> = rest.lines().skip_while(|line| line.is_empty() || line.starts_with('(')).collect();
        format!("{before}\n{}", other.join("\n"))
    })
}

/// The JSON that `init check` prints, with this exit code.
async fn checked(scene: &Scene, code: i32) -> Value {
    let said = scene.run(&["check", "--json"]).await;
    assert_eq!(said.code, Some(code), "{said:?}");
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"))
}

#[tokio::test]
async fn check_finds_nothing_where_nothing_is_missing() {
    let (scene, server) = Scene::served().await;
    scene.grant().await;
    scene.run(&["--channel", CHANNEL]).await.has(0, &["10 of 10 subscriptions are enabled"]);
    let (before, held_before) = (dump_without_heartbeat(&scene).await, held(&scene));
    let said = scene.run(&["check"]).await;
    said.has(0, &["nothing is missing"]);
    assert_eq!(said.count("  enabled"), 10);
    let report = checked(&scene, 0).await;
    assert_eq!((&report["is_complete"], &report["consents"]), (&json!(true), &json!([])));
    let follow = |subscription: &&Value| subscription["type"] == "channel.follow";
    let follow = report["subscriptions"].as_array().unwrap().iter().find(follow).unwrap();
    let expected = json!({
        "channel_id": CHANNEL_ID, "channel_login": CHANNEL, "type": "channel.follow", "version": "2", "transport": "webhook",
        "subscription_id": follow["subscription_id"], "status": "enabled", "delivers": true, "message": "messages arrive",
    });
    assert_eq!(follow, &expected);
    let callback = &scene.settings["TWITCH_WEBHOOK_CALLBACK_URL"];
    let transport = json!({ "transport": "webhook", "url": callback, "problem": null });
    assert_eq!(report["transports"], json!([transport]));
    assert_eq!((dump_without_heartbeat(&scene).await, held(&scene)), (before, held_before));
    server.stop().await;

    scene.twitch.helix.delete_subscription(&held(&scene)[3]).await.unwrap();
    scene.run(&["check"]).await.has(1, &["something is missing: run `cargo run --bin init`"]);
    let report = checked(&scene, 1).await;
    let missing = |subscription: &&Value| subscription["status"] == "missing" && subscription["delivers"] == false;
    assert_eq!(report["subscriptions"].as_array().unwrap().iter().filter(missing).count(), 1, "{report}");
    assert!(report["is_complete"] == false && report["transports"][0]["problem"].is_string(), "{report}");
}

#[tokio::test]
async fn check_does_not_migrate_an_empty_database() {
    let scene = Scene::new().await;
    let mut connection = PgConnection::connect_with(&scene.database).await.unwrap();
    sqlx::raw_sql("drop schema public cascade; create schema public").execute(&mut connection).await.unwrap();
    let said = scene.run(&["check", "--channel", CHANNEL]).await;
    let text = "error: the database lacks migrations: start the server first, or run `cargo run migrate up`\n";
    assert_eq!((said.code, said.err.as_str()), (Some(1), text));
    assert_eq!(dump(&scene.database).await, "");
}

#[tokio::test]
async fn server_is_woken_once_and_not_by_check() {
    let (scene, server) = Scene::served().await;
    scene.grant().await;
    let pool = PgPool::connect_lazy_with(scene.database.clone());
    let mut listener = PgListener::connect_with(&pool).await.unwrap();
    listener.listen(Channel::Reconcile.name()).await.unwrap();
    scene.run(&["check", "--channel", CHANNEL]).await.has(1, &[]);
    scene.run(&["--channel", CHANNEL]).await.has(0, &["10 of 10 subscriptions are enabled"]);
    timeout(PATIENCE, listener.recv()).await.expect("it is woken").unwrap();
    let more = timeout(Duration::from_millis(200), listener.recv()).await;
    assert!(more.is_err(), "once, and not by the check");
    server.stop().await;
}

#[tokio::test]
async fn subscriptions_with_another_secret_are_shown_and_created_again() {
    let (mut scene, server) = Scene::served().await;
    scene.grant().await;
    scene.run(&["--channel", CHANNEL]).await.has(0, &["10 of 10 subscriptions are enabled"]);
    server.stop().await;

    scene.settings.insert("TWITCH_WEBHOOK_SECRET", "another secret of the tests".to_owned());
    let server = scene.serve().await;
    let secret = WebhookSecret::new(&scene.settings["TWITCH_WEBHOOK_SECRET"]).unwrap();
    keep_from_creating_again(&server.pool, &secret).await;
    let said = scene.run(&["check"]).await;
    said.has(1, &["something is missing: run `cargo run --bin init`"]);
    let refused =
        "  refused  10 subscriptions of maplearcade: not known to have this webhook secret (channel.update v2, ";
    assert_eq!((said.count(refused), said.count("  refused"), scene.calls(CREATE)), (1, 1, 10), "{}", said.out);

    let again = "10 subscriptions are not known to have the server's webhook secret: it creates them again";
    let see = async |line: &str| {
        if line == again {
            let_leases_end(&server.pool, &secret).await;
        }
    };
    scene.watched(&[], see).await.has(0, &[again, "10 of 10 subscriptions are enabled"]);
    assert_eq!(scene.calls(CREATE), 20);
    scene.run(&["check"]).await.has(0, &["nothing is missing"]);
    server.stop().await;
}

#[tokio::test]
async fn unwanted_subscription_is_deleted_only_with_force() {
    let (scene, server) = Scene::served().await;
    scene.grant().await;
    let stray = stray(&scene).await;
    let said = scene.run(&["--channel", CHANNEL]).await;
    let must_go = format!("  must go  stream.online v1 ({stray}): no served channel needs it");
    said.has(0, &[&must_go, "1 subscriptions must go: run again with --force to delete them"]);
    assert!(held(&scene).contains(&stray));

    let said = scene.run(&["--force"]).await;
    said.has(0, &[&format!("  deleted  stream.online v1 ({stray})"), "10 of 10 subscriptions are enabled"]);
    assert!(!held(&scene).contains(&stray) && held(&scene).len() == 10);
    assert_eq!(scene.calls(CREATE), 11, "ten by the server and the stray one");
    server.stop().await;
}

#[tokio::test]
async fn delete_all_requires_force_and_leaves_nothing() {
    let (scene, server) = Scene::served().await;
    let callback = callback(|_| Answer::status(204));
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
    let text = "error: no channel is served yet: run `cargo run --bin init`, which serves the channel that consents\n";
    assert_eq!((said.code, said.err.as_str()), (Some(1), text));
    server.stop().await;
}

#[tokio::test]
async fn delete_all_also_deletes_what_a_cycle_under_way_creates() {
    let scene = Scene::new().await;
    let mut cycle = PgConnection::connect_with(&scene.database).await.unwrap();
    assert!(Lock::Reconciler.try_hold(&mut cycle).await.unwrap());
    let server = async {
        let is_waiting = "select exists (select from pg_locks l join pg_database d on d.oid = l.database
            where d.datname = current_database() and l.locktype = 'advisory' and not l.granted)";
        until("`init` waits", async || sqlx::query_scalar(is_waiting).fetch_one(&mut cycle).await.unwrap()).await;
        scene.twitch.subscribe("channel.update", "2", &scene.settings["TWITCH_WEBHOOK_CALLBACK_URL"]).await.unwrap();
        cycle.close().await.unwrap();
    };
    let (said, ()) = tokio::join!(scene.run(&["delete-all", "--force"]), server);
    said.has(0, &["deleted 1 of 1 subscriptions; no channel is served any more"]);
    assert_eq!(held(&scene), Vec::<String>::new());
}
