//! Gaps: what happened while no messages came is looked up at Twitch, and each gap is shown.

use serde_json::{Value, json};
use showtime::config::EncryptionKey;
use showtime::mock::Notify;
use showtime::projection::HELIX_LAG;
use showtime::store::{forget, gaps};
use showtime::twitch::helix::HelixError;
use time::{Duration, OffsetDateTime};

use crate::support::messages::{follow, text};
use crate::support::postgres::{fresh_database, pool};
use crate::support::server::Server;
use crate::support::twitch::{CHANNEL, CHANNEL_ID, Twitch, serve_channel};
use crate::support::until;

const FOLLOWERS: &str = "moderator:read:followers";

/// A server that serves the mock's channel, whose broadcaster has consented to these scopes.
async fn serve(twitch: &Twitch, scopes: &[&str]) -> Server {
    serve_with(twitch, scopes, EncryptionKey::generate()).await
}

async fn serve_with(twitch: &Twitch, scopes: &[&str], key: EncryptionKey) -> Server {
    let database = fresh_database().await;
    let pool = pool(&database);
    serve_channel(&pool, CHANNEL_ID, CHANNEL).await;
    twitch.keep(&pool, &key, CHANNEL_ID, CHANNEL, &twitch.consent(scopes).await).await;
    Server::with(database, |config| {
        twitch.configure(config);
        config.encryption_key = Some(key);
    })
    .await
}

async fn record(server: &Server, began_at: OffsetDateTime, ended_at: OffsetDateTime) {
    let channel = CHANNEL_ID.parse().unwrap();
    gaps::record(&mut server.pool.acquire().await.unwrap(), &channel, began_at, ended_at, "keepalive").await.unwrap();
}

async fn list(server: &Server) -> Vec<Value> {
    server.json(&format!("/channels/{CHANNEL_ID}/gaps")).await["data"].as_array().unwrap().clone()
}

/// Waits until the newest gap is looked up after this time.
async fn until_looked_up(server: &Server, after: &str) {
    let looked_up = async || list(server).await[0]["looked_up_at"].as_str().is_some_and(|at| at > after);
    until("the gap is looked up", looked_up).await;
}

/// Who followed, by the log, and in what kind of message.
async fn follows(server: &Server) -> Vec<(String, String)> {
    sqlx::query_as(
        "select payload->'event'->>'user_id', message_type from event where type = 'channel.follow' order by id",
    )
    .fetch_all(&server.pool)
    .await
    .unwrap()
}

/// A user follows on the mock, which has no subscription to notify.
fn follow_unseen(twitch: &Twitch, user: &str, at: OffsetDateTime) {
    let edits = [format!("followed_at={}", text(at)).parse().unwrap()];
    twitch.mock.world.emit("channel.follow", None, Some(CHANNEL), Some(user), &edits).unwrap();
}

#[tokio::test]
async fn missed_follow_is_inferred_once_and_a_known_one_is_not() {
    let twitch = Twitch::start().await;
    let server = serve(&twitch, &[FOLLOWERS]).await;
    let now = server.clock.now();
    let (began_at, ended_at) = (now - Duration::seconds(60), now);
    follow_unseen(&twitch, "50", began_at - Duration::seconds(5));
    // More than a page.
    for user in 100..250 {
        follow_unseen(&twitch, &user.to_string(), now - Duration::seconds(30));
    }
    let delivered = now - Duration::milliseconds(20_250);
    follow_unseen(&twitch, "55", delivered);
    assert_eq!(server.deliver(&follow("55", delivered)).await.status, 204);
    follow_unseen(&twitch, "60", ended_at + Duration::seconds(5));

    record(&server, began_at, ended_at).await;
    server.clock.advance(Duration::seconds(10));
    until_looked_up(&server, "").await;
    let mut expected: Vec<_> = (100..250).map(|user| (user.to_string(), "inferred".to_owned())).collect();
    expected.push(("55".to_owned(), "notification".to_owned()));
    let sorted = async || {
        let mut follows = follows(&server).await;
        follows.sort_by_key(|(user, _)| user.parse::<u32>().unwrap() + if user == "55" { 1_000 } else { 0 });
        follows
    };
    assert_eq!(sorted().await, expected);
    let gap = list(&server).await[0].clone();
    assert_eq!((&gap["cause"], &gap["found"]), (&json!("keepalive"), &json!(150)), "{gap}");

    // Helix had not heard of this one at first.
    follow_unseen(&twitch, "70", now - Duration::seconds(10));
    server.clock.advance(HELIX_LAG + Duration::seconds(10));
    until_looked_up(&server, gap["looked_up_at"].as_str().unwrap()).await;
    expected.insert(0, ("70".to_owned(), "inferred".to_owned()));
    assert_eq!(sorted().await, expected);
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn stream_that_began_in_a_gap_is_found_without_the_scope_for_follows() {
    let twitch = Twitch::start().await;
    let server = serve(&twitch, &["bits:read"]).await;
    twitch.mock.world.go_live(CHANNEL, Notify::No).unwrap();
    follow_unseen(&twitch, "55", server.clock.now() - Duration::seconds(5));
    record(&server, server.clock.now() - Duration::seconds(60), server.clock.now()).await;
    server.clock.advance(Duration::seconds(10));
    until_looked_up(&server, "").await;
    assert_eq!(server.json(&format!("/channels/{CHANNEL_ID}")).await["is_live"], true);
    assert_eq!(follows(&server).await, []);
    let message = server.check("gaps").await.1;
    for text in ["gaps of the last day: 1, 60 s in all, the last until", "(keepalive)", "channel updates found"] {
        assert!(message.contains(text), "{message}");
    }
    twitch.mock.stop().await.unwrap();
}

/// Twitch shows no followers to a token without the scope, and refuses nothing.
#[tokio::test]
async fn gap_after_a_consent_is_looked_up_with_its_token() {
    let (twitch, key) = (Twitch::start().await, EncryptionKey::generate());
    let server = serve_with(&twitch, &["bits:read"], key.clone()).await;
    record(&server, server.clock.now() - Duration::seconds(60), server.clock.now()).await;
    server.clock.advance(Duration::seconds(10));
    until_looked_up(&server, "").await;
    assert_eq!(follows(&server).await, []);

    // As `init` does, in another process.
    twitch.keep(&server.pool, &key, CHANNEL_ID, CHANNEL, &twitch.consent(&[FOLLOWERS]).await).await;
    server.sql("select pg_notify('showtime_reconcile', '')").await;
    let now = server.clock.now();
    follow_unseen(&twitch, "55", now - Duration::seconds(5));
    record(&server, now - Duration::seconds(60), now).await;
    server.clock.advance(Duration::seconds(10));
    until_looked_up(&server, "").await;
    assert_eq!(follows(&server).await, [("55".to_owned(), "inferred".to_owned())]);
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn gap_without_a_consent_says_what_to_do_and_holds_up_no_other() {
    let twitch = Twitch::start().await;
    let server = serve(&twitch, &[FOLLOWERS]).await;
    // More than are read at once.
    let others = "insert into gap (channel_id, began_at, ended_at, cause)
        select '1', now(), now(), 'io' from generate_series(1, 101)";
    server.sql(others).await;
    record(&server, server.clock.now() - Duration::seconds(60), server.clock.now()).await;
    server.clock.advance(Duration::seconds(10));
    until_looked_up(&server, "").await;
    until("the check says why", async || server.check("gaps").await.1.contains("consent")).await;
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn consent_mends_the_look_up_of_gaps_at_once() {
    let twitch = Twitch::start().await;
    let server = serve(&twitch, &[FOLLOWERS]).await;
    server.sql("update token set needs_consent = 'revoked'").await;
    record(&server, server.clock.now() - Duration::seconds(60), server.clock.now()).await;
    server.clock.advance(Duration::seconds(10));
    until("the check says why", async || server.check("gaps").await.1.contains("consent")).await;
    server.sql("update token set needs_consent = null; select pg_notify('showtime_reconcile', '')").await;
    let consented_at = server.clock.now();
    until_looked_up(&server, "").await;
    assert!(server.clock.now() - consented_at < Duration::seconds(30), "the next retry would have come later");
    until("the check passes", async || server.check("gaps").await.1.contains("gaps of the last day: 1")).await;
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn gaps_are_paged_newest_first_and_forgotten_with_their_channel() {
    let server = Server::start().await;
    server
        .sql(
            "insert into served_channel (id, login, display_name, requested_at) values ('90210441', 'maplearcade', 'M', now());
            insert into gap (channel_id, began_at, ended_at, cause)
            select '90210441', now() - make_interval(secs => 100 * (n / 2)), now(), 'io' from generate_series(1, 5) n;
            insert into gap (channel_id, began_at, ended_at, cause) values ('1', now(), now(), 'io')",
        )
        .await;
    let all: Vec<_> = list(&server).await.iter().map(|gap| gap["id"].clone()).collect();
    assert_eq!(all, ["1", "3", "2", "5", "4"]);
    let (mut paged, mut path) = (Vec::new(), "/channels/maplearcade/gaps?limit=2".to_owned());
    loop {
        let page = server.json(&path).await;
        paged.extend(page["data"].as_array().unwrap().iter().map(|gap| gap["id"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/channels/maplearcade/gaps?limit=2&after={next}");
    }
    assert_eq!(paged, all);
    server.get("/channels/maplearcade/gaps?after=x").await.problem(400, "invalid-parameter");
    server.get("/channels/nowhere/gaps").await.problem(404, "not-found");

    forget::forget(&mut server.pool.acquire().await.unwrap(), &"90210441".parse().unwrap()).await.unwrap();
    assert_eq!(list(&server).await, Vec::<Value>::new());
    let left: i64 = sqlx::query_scalar("select count(*) from gap").fetch_one(&server.pool).await.unwrap();
    assert_eq!(left, 1);
}

#[tokio::test]
async fn followers_require_a_token_of_a_user() {
    let twitch = Twitch::start().await;
    follow_unseen(&twitch, "55", twitch.clock.now());
    let channel = CHANNEL_ID.parse().unwrap();
    let error = twitch.helix.followers_since(&channel, OffsetDateTime::UNIX_EPOCH).await.unwrap_err();
    assert!(matches!(error, HelixError::Refused(_)), "{error}");
    twitch.mock.stop().await.unwrap();
}
