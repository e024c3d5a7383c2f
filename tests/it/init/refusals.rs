//! Failures of `init`, and what it prints then.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use showtime::mock::Faults;
use sqlx::{Connection as _, PgConnection};

use super::{SCOPES, Scene};
use crate::support::Unused;
use crate::support::postgres::dump;
use crate::support::recorder::{Answer, Recorder, Request};
use crate::support::twitch::{CHANNEL, CHANNEL_ID, callback};

const NO_CLIENT: &str = "  TWITCH_CLIENT_ID             of your application at dev.twitch.tv/console
  TWITCH_CLIENT_SECRET         of your application at dev.twitch.tv/console
";
const NO_CALLBACK: &str =
    "  TWITCH_WEBHOOK_CALLBACK_URL  where Twitch reaches this server: https://…/callback (a WebSocket needs none)
";
const NO_ACCOUNT: &str =
    "Without a Twitch application, `cargo run --bin mock-twitch` prints settings to try things out with
";

/// Runs `init` without these settings; it must print nothing but this.
async fn without(scene: &mut Scene, missing: &[&'static str], text: &str) {
    let all = scene.settings.clone();
    scene.settings.retain(|name, _| !missing.contains(name));
    let said = scene.run(&["--channel", CHANNEL]).await;
    scene.settings = all;
    assert_eq!((said.code, said.out.as_str(), said.err), (Some(1), "", format!("error: {text}")), "{missing:?}");
}

#[tokio::test]
async fn missing_settings_are_named_with_the_remedy() {
    let mut scene = Scene::new().await;
    let (client, callback) = (["TWITCH_CLIENT_ID", "TWITCH_CLIENT_SECRET"], "TWITCH_WEBHOOK_CALLBACK_URL");
    let settings = "these settings are missing:\n";
    without(&mut scene, &client, &format!("{settings}{NO_CLIENT}{NO_ACCOUNT}")).await;
    without(&mut scene, &[client[0], client[1], callback], &format!("{settings}{NO_CLIENT}{NO_ACCOUNT}")).await;
    scene.settings.insert("TWITCH_EVENTSUB_TRANSPORT", "webhook".to_owned());
    let all = format!("{settings}{NO_CLIENT}{NO_CALLBACK}{NO_ACCOUNT}");
    without(&mut scene, &[client[0], client[1], callback], &all).await;
    without(&mut scene, &[callback], &format!("{settings}{NO_CALLBACK}")).await;
    scene.settings.remove("TWITCH_EVENTSUB_TRANSPORT");
    let half = "wrong settings:\n  TWITCH_CLIENT_SECRET is not set, but TWITCH_CLIENT_ID is: set both or neither\n";
    without(&mut scene, &client[1..], half).await;
    let half = "wrong settings:\n  TWITCH_CLIENT_ID is not set, but TWITCH_CLIENT_SECRET is: set both or neither\n";
    without(&mut scene, &client[..1], half).await;
    let no_secret = "there is no webhook secret yet: start the server once with the same SHOWTIME_DATA_DIR, or set \
        TWITCH_WEBHOOK_SECRET\n";
    without(&mut scene, &["TWITCH_WEBHOOK_SECRET"], no_secret).await;
    let no_server =
        "no server runs with the data directory .showtime: start it first (`cargo run`), and run this beside it\n";
    without(&mut scene, &["DATABASE_URL"], no_server).await;
}

/// Runs `init` with other settings; it must fail, and print this at the end.
async fn with(scene: &mut Scene, other: &[(&'static str, &str)], text: &str) {
    let all = scene.settings.clone();
    scene.settings.extend(other.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let said = scene.run(&["--channel", CHANNEL]).await;
    scene.settings = all;
    assert_eq!(said.err.lines().last(), Some(text), "{}", said.err);
    assert_eq!(said.code, Some(1));
}

#[tokio::test]
async fn wrong_settings_are_named_once_with_the_remedy() {
    let mut scene = Scene::new().await;
    let wrong_secret = "error: Twitch does not accept this application: invalid client secret. Its client id, client \
        secret and redirect URL must be those shown at dev.twitch.tv/console";
    with(&mut scene, &[("TWITCH_CLIENT_SECRET", "wrong")], wrong_secret).await;
    let wrong_id = wrong_secret.replace("client secret. Its", "client. Its");
    with(&mut scene, &[("TWITCH_CLIENT_ID", "wrong")], &wrong_id).await;

    let unused = Recorder::start(|_| Answer::status(500));
    let (api, host) = (unused.url("/helix"), unused.url("").replace("http://", ""));
    let unwell = format!("error: can't look up users: {host} is in trouble: Internal Server Error (500)");
    with(&mut scene, &[("TWITCH_API_URL", &api)], &unwell).await;

    let database = scene.settings["DATABASE_URL"].replace("/test_", "/no_such_");
    let name = database.split(['/', '?']).nth(3).unwrap().to_owned();
    let all = scene.settings.clone();
    scene.settings.insert("DATABASE_URL", database);
    let said = scene.run(&["--channel", CHANNEL]).await;
    scene.settings = all;
    let place = format!(", database {name}): error returned from database: database");
    assert!(said.err.starts_with("error: the database can't be used (host "), "{}", said.err);
    assert!(said.err.contains(&format!("{place} \"{name}\" does not exist")), "{}", said.err);
    assert_eq!(said.err.matches("does not exist").count(), 1, "{}", said.err);

    let said = scene.run(&["--channel", "no_such_channel"]).await;
    assert_eq!(said.err, "error: Twitch knows no channel \"no_such_channel\"\n");

    scene.twitch.mock.world.set_faults(Faults { token_revoked: 1.0, ..Faults::default() }).unwrap();
    let dead = "error: Twitch refused to look up users: Invalid OAuth token (401: the access token was refused, a new one \
        too: client id and secret must belong together)";
    with(&mut scene, &[], dead).await;
}

#[tokio::test]
async fn wrong_client_secret_and_outage_of_the_login_server_fail_in_spite_of_a_kept_token() {
    let (mut scene, server) = Scene::served().await;
    scene.grant().await;
    scene.run(&["--channel", CHANNEL]).await.has(0, &["10 of 10 subscriptions are enabled"]);
    let unused = Unused::new();
    let auth_url = format!("http://{}/oauth2", unused.addr());
    let refused = "error: Twitch does not accept this application: invalid client secret. Its client id, client secret and \
        redirect URL must be those shown at dev.twitch.tv/console\n";
    let outage = format!("error: {} can't be reached: Connection refused (os error 111)\n", unused.addr());
    for (name, value, text) in
        [("TWITCH_CLIENT_SECRET", "wrong", refused), ("TWITCH_AUTH_URL", auth_url.as_str(), outage.as_str())]
    {
        let right = scene.settings.insert(name, value.to_owned()).unwrap();
        for args in [&["check"][..], &[]] {
            let said = scene.run(args).await;
            assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(1), "", text), "{args:?}");
        }
        scene.settings.insert(name, right);
    }
    scene.run(&["check"]).await.has(0, &["nothing is missing"]);
    server.stop().await;
}

#[tokio::test]
async fn denied_consent_fails_though_all_is_enabled() {
    let (scene, server) = Scene::served().await;
    scene.grant().await;
    scene.run(&["--channel", CHANNEL]).await.has(0, &["10 of 10 subscriptions are enabled"]);
    server.sql("delete from token where holder <> 'app'").await;
    let deny = async |url: &str, login: &str| assert_eq!(scene.press("deny", url, login).await.0, 403);
    let said = scene.attended(&[], deny).await;
    let denied = "maplearcade: no consent: consent was not given: The user denied you access";
    said.has(1, &[denied, "10 of 10 subscriptions are enabled", "not everything succeeded: see above"]);
    server.stop().await;
}

#[tokio::test]
async fn tokens_of_another_key_are_named_with_the_remedies() {
    let (mut scene, server) = Scene::served().await;
    scene.grant().await;
    scene.run(&["--channel", CHANNEL]).await.has(0, &["10 of 10 subscriptions are enabled"]);
    let text = "error: what the database holds for \"app\" can't be decrypted with the key in SHOWTIME_ENCRYPTION_KEY: \
        it was encrypted with another one. Restore that key, or delete the row from the table `token` and run `cargo \
        run --bin init`";
    with(&mut scene, &[("SHOWTIME_ENCRYPTION_KEY", &"f".repeat(64))], text).await;
    server.stop().await;
}

#[tokio::test]
async fn limit_is_explained_and_stops_none_of_the_others() {
    let (scene, server) = Scene::served().await;
    let callback = callback(|_| Answer::status(204));
    scene.grant().await;
    for path in ["/a", "/b", "/c"] {
        scene.twitch.subscribe("stream.online", "1", &callback.url(path)).await.unwrap();
    }
    let said = scene.run(&["--channel", CHANNEL]).await;
    let limit = "  stream.online v1 of maplearcade: Twitch refused to create the subscription: maximum subscriptions with \
        type and condition exceeded (429: a limit on subscriptions, not on the rate of calls: waiting can't help, \
        deleting some can)";
    said.has(1, &[limit, "9 of 10 subscriptions are enabled", "  3 subscriptions of other callbacks are left alone"]);
    server.stop().await;
}

#[tokio::test]
async fn unusable_callback_is_explained() {
    let mut scene = Scene::new().await;
    scene.grant().await;
    let broken = Recorder::start(|_| Answer::status(500));
    let callback = broken.url("/callback");
    scene.settings.insert("TWITCH_WEBHOOK_CALLBACK_URL", callback.clone());
    let server = scene.serve().await;
    let unusable = format!(
        "the callback {callback} can't be used: other: the callback answers 500 instead of 200 with the challenge"
    );
    scene.run(&["--channel", CHANNEL]).await.has(1, &[&unusable, "0 of 10 subscriptions are enabled"]);
    server.stop().await;
}

/// It passes the challenge of `init`, but not Twitch's.
#[tokio::test]
async fn failed_challenge_is_explained() {
    let mut scene = Scene::new().await;
    scene.grant().await;
    let fickle = Recorder::start(|request| match &request.headers["user-agent"] {
        agent if agent.starts_with("showtime-init/") => {
            Answer::new(200, "text/plain", request.json()["challenge"].as_str().unwrap())
        }
        _ => Answer::status(500),
    });
    scene.settings.insert("TWITCH_WEBHOOK_CALLBACK_URL", fickle.url("/callback"));
    let server = scene.serve().await;
    let said = scene.run(&["--channel", CHANNEL]).await;
    let failed = "  10 subscriptions of maplearcade: the callback did not answer Twitch's challenge as it should: `init \
        check` finds out why (channel.cheer v1, channel.follow v2, channel.raid v1, channel.subscribe v1, \
        channel.subscription.end v1, channel.subscription.gift v1, channel.subscription.message v1, channel.update v2, \
        stream.offline v1, stream.online v1)";
    said.has(1, &[failed, "0 of 10 subscriptions are enabled"]);
    assert_eq!(said.out.matches("did not answer Twitch's challenge").count(), 1, "{}", said.out);
    server.stop().await;
}

/// The server could be started at the same time, so `init` waits for it.
#[tokio::test]
async fn without_a_server_nothing_is_requested() {
    let scene = Scene::new().await;
    scene.grant().await;
    let before = dump(&scene.database).await;
    let begun = Instant::now();
    let said = scene.run(&["--channel", CHANNEL]).await;
    let text = "error: no server that creates subscriptions is running: start the server first (`cargo run`), with the \
        same settings\n";
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(1), "", text));
    assert!(begun.elapsed() >= Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(dump(&scene.database).await, before);
}

#[tokio::test]
async fn server_that_stops_in_the_middle_is_noticed() {
    let scene = Scene::new().await;
    scene.grant().await;
    let mut connection = PgConnection::connect_with(&scene.database).await.unwrap();
    sqlx::raw_sql("insert into server values (1, 'x', true, now(), now())").execute(&mut connection).await.unwrap();
    let said = scene.run(&["--channel", CHANNEL]).await;
    assert_eq!(said.err, "error: the server stopped before it was done: start it again (`cargo run`)\n");
    assert_eq!(said.code, Some(1));
}

/// Twitch's answers to requests for subscriptions, and the explanation of each.
const ANSWERS: [(&str, u16, &str, &str); 9] = [
    (
        "channel.update v2",
        400,
        "invalid condition",
        "Twitch refused to create the subscription: invalid condition (400: Twitch does not take the request as it is; \
         repeating it can't help)",
    ),
    (
        "stream.online v1",
        401,
        "Invalid OAuth token",
        "Twitch refused to create the subscription: Invalid OAuth token (401: the access token was refused, a new one \
         too: client id and secret must belong together)",
    ),
    (
        "channel.cheer v1",
        403,
        "subscription missing proper authorization",
        "needs consent of maplearcade to bits:read: run `cargo run --bin init`",
    ),
    (
        "channel.follow v2",
        409,
        "subscription already exists",
        "Twitch refused to create the subscription: subscription already exists (409: the same type and condition \
         is subscribed to at the same place already)",
    ),
    (
        "channel.raid v1",
        410,
        "this type was withdrawn",
        "Twitch refused to create the subscription: this type was withdrawn (410: Twitch no longer offers this)",
    ),
    (
        "stream.offline v1",
        429,
        "maximum total cost exceeded",
        "Twitch refused to create the subscription: maximum total cost exceeded (429: a limit on subscriptions, not on \
         the rate of calls: waiting can't help, deleting some can)",
    ),
    ("channel.subscribe v1", 500, "it broke", "can't create the subscription: HOST is in trouble: it broke (500)"),
    (
        "channel.subscription.end v1",
        503,
        "come back later",
        "can't create the subscription: HOST is in trouble: come back later (503)",
    ),
    (
        "channel.subscription.gift v1",
        202,
        "no subscription in it",
        "can't create the subscription: Twitch's answer can't be read: it holds no item",
    ),
];

/// A Twitch that knows one channel, and answers as above; other types are subscribed to.
fn stand_in(client_id: String) -> Recorder {
    let held: Arc<Mutex<Vec<Value>>> = Arc::default();
    Recorder::start(move |request| {
        let json = |status, value: Value| Answer::new(status, "application/json", &value.to_string());
        match (request.method.as_str(), request.path.as_str()) {
            (_, "/oauth2/token") => json(
                200,
                json!({ "access_token": "a", "refresh_token": "r", "expires_in": 9000, "scope": SCOPES, "token_type": "bearer" }),
            ),
            (_, "/oauth2/validate") => json(
                200,
                json!({ "client_id": client_id, "login": CHANNEL, "user_id": CHANNEL_ID, "scopes": SCOPES, "expires_in": 9000 }),
            ),
            (_, "/helix/users") => {
                json(200, json!({ "data": [{ "id": CHANNEL_ID, "login": CHANNEL, "display_name": CHANNEL }] }))
            }
            ("GET", _) => json(
                200,
                json!({ "data": *held.lock().unwrap(), "total_cost": 0, "max_total_cost": 10_000, "pagination": {} }),
            ),
            _ => {
                let mut request_body = request.json();
                let kind = kind(request);
                match ANSWERS.into_iter().find(|(name, ..)| *name == kind) {
                    Some((_, 202, ..)) => json(202, json!({ "data": [], "total_cost": 0, "max_total_cost": 0 })),
                    Some((_, status, message, _)) => json(status, json!({ "status": status, "message": message })),
                    None => {
                        for (field, value) in
                            [("id", kind.as_str()), ("status", "enabled"), ("created_at", "2026-03-01T09:00:00Z")]
                        {
                            request_body[field] = value.into();
                        }
                        request_body["cost"] = 0.into();
                        held.lock().unwrap().push(request_body.clone());
                        json(202, json!({ "data": [request_body], "total_cost": 0, "max_total_cost": 0 }))
                    }
                }
            }
        }
    })
}

/// The type in a request for a subscription.
fn kind(request: &Request) -> String {
    let request_body = request.json();
    format!("{} v{}", request_body["type"].as_str().unwrap(), request_body["version"].as_str().unwrap())
}

#[tokio::test]
async fn every_answer_to_a_request_is_explained_and_stops_none_of_the_others() {
    let mut scene = Scene::new().await;
    scene.grant().await;
    let twitch = stand_in(scene.settings["TWITCH_CLIENT_ID"].clone());
    scene.settings.insert("TWITCH_API_URL", twitch.url("/helix"));
    scene.settings.insert("TWITCH_AUTH_URL", twitch.url("/oauth2"));
    let server = scene.serve().await;
    let said = scene.run(&["--channel", CHANNEL]).await;
    let host = twitch.url("").replace("http://", "");
    for (kind, status, _, text) in ANSWERS {
        let separator = if status == 403 { " ".to_owned() } else { format!(" of {CHANNEL}: ") };
        said.has(1, &[&format!("  {kind}{separator}{}", text.replace("HOST", &host))]);
    }
    said.has(1, &["1 of 10 subscriptions are enabled"]);
    let requests: Vec<_> =
        twitch.requests().iter().filter(|it| it.method == "POST" && it.path.starts_with("/helix")).map(kind).collect();
    for (requested, status, ..) in ANSWERS {
        let times = requests.iter().filter(|made| *made == requested).count();
        let is_as_expected = match status {
            401 => times == 2,
            // Repeated at once, and then by the server, which may have begun with that.
            500.. => times >= 4,
            202 | 409 => times >= 1,
            _ => times == 1,
        };
        assert!(is_as_expected, "{requested}: {times}");
    }
    server.stop().await;
}

#[tokio::test]
async fn private_database_is_not_started_without_its_server() {
    let mut scene = Scene::new().await;
    scene.settings.remove("DATABASE_URL");
    scene.settings.insert("SHOWTIME_DATA_DIR", "elsewhere".to_owned());
    let said = scene.run(&["check"]).await;
    assert!(
        said.err.starts_with("error: no server runs with the data directory elsewhere: start it first"),
        "{}",
        said.err
    );
    assert!(!scene.place.path().join("elsewhere").exists());
}
