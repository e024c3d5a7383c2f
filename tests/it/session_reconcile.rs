//! The reconciler of WebSocket sessions. A test plays the source of the sessions: it connects, and writes what it has.

use futures_util::StreamExt as _;
use showtime::clock::Clock;
use showtime::config::EncryptionKey;
use showtime::credentials::tokens::Tokens;
use showtime::credentials::vault::Vault;
use showtime::mock::Faults;
use showtime::store::sessions;
use showtime::twitch::helix::{Condition, Helix, NewSubscription, Transport};
use showtime::twitch::id::UserId;
use showtime::twitch::oauth::TokenUser;
use sqlx::postgres::PgConnectOptions;
use tokio::task::JoinHandle;
use url::Url;

use crate::mock_websocket::Socket;
use crate::reconcile::{CREATE, SCOPES, until_shown};
use crate::support::postgres::fresh_database;
use crate::support::server::Server;
use crate::support::twitch::{CHANNEL, CHANNEL_ID, Twitch, quick_retries};
use crate::support::until;

/// The server that keeps the sessions: the test.
const HOLDER: i64 = 1;

fn user() -> UserId {
    CHANNEL_ID.parse().unwrap()
}

/// Servers that serve the channel over WebSocket, but can't connect themselves.
struct Fixture {
    twitch: Twitch,
    database: PgConnectOptions,
    key: EncryptionKey,
}

/// A session that the test keeps.
struct Session {
    id: String,
    /// Answers pings.
    reading: JoinHandle<()>,
}

impl Fixture {
    async fn start() -> Self {
        let twitch = Twitch::start().await;
        Self { twitch, database: fresh_database().await, key: EncryptionKey::generate() }
    }

    async fn serve(&self) -> Server {
        self.serve_at(Url::parse("ws://127.0.0.1:1/ws").unwrap()).await
    }

    async fn serve_at(&self, websocket_url: Url) -> Server {
        let server = Server::with(self.database.clone(), |config| {
            self.twitch.configure(config);
            config.twitch.channel_name = Some(CHANNEL.to_owned());
            config.twitch.websocket_url = websocket_url;
            config.encryption_key = Some(self.key.clone());
        });
        server.await
    }

    /// The channel consents, and the server has its token.
    async fn consent(&self, server: &Server, scopes: &[&str]) -> Tokens {
        let token = self.twitch.consent(scopes).await;
        let vault = Vault::new(&self.key, String::new());
        let tokens = Tokens::new(server.pool.clone(), vault, self.twitch.oauth.clone(), Clock::default());
        let user = TokenUser { id: user(), login: CHANNEL.to_owned() };
        tokens.keep_user(&user, &token).await.unwrap();
        // As `init` does, once it has the consent.
        server.sql("update served_channel set requested_at = now(); select pg_notify('showtime_reconcile', '')").await;
        tokens
    }

    /// Opens a session, of which the servers know nothing.
    async fn open(&self) -> Session {
        let mut socket = Socket::open(self.twitch.mock.websocket_url().as_str()).await;
        let id = socket.welcome().await;
        let reading = tokio::spawn(async move { while let Some(Ok(_)) = socket.0.next().await {} });
        Session { id, reading }
    }

    /// Opens a session, and writes that it began.
    async fn connect(&self, server: &Server) -> Session {
        let session = self.open().await;
        begin(server, &session.id).await;
        session
    }

    /// Another program's session of the user, with a subscription.
    async fn open_elsewhere(&self, helix: &Helix) -> Session {
        let session = self.open().await;
        let condition = Condition::from([("broadcaster_user_id".to_owned(), CHANNEL_ID.to_owned())]);
        let transport = Transport::Websocket { session_id: session.id.clone() };
        let new = NewSubscription {
            kind: "channel.ad_break.begin",
            version: "1",
            condition: &condition,
            transport: &transport,
        };
        let online = NewSubscription { kind: "stream.online", ..new };
        helix.create_subscription(&online).await.unwrap();
        session
    }

    /// How many living subscriptions are on this session.
    fn alive_on(&self, session: &Session) -> usize {
        let subscriptions = self.twitch.mock.world.subscriptions();
        let is_on = |it: &&_| is_alive_on(it, &session.id);
        subscriptions.iter().filter(is_on).count()
    }
}

fn is_alive_on(it: &showtime::twitch::eventsub::outgoing::Subscription, session: &str) -> bool {
    it.status.is_alive() && it.transport.session_id() == Some(session)
}

async fn begin(server: &Server, session_id: &str) {
    server
        .sql(
            "insert into websocket_session (user_id, holder, lease_until) values ('90210441', 1, now() + interval '1 day')
            on conflict (user_id) do update set holder = excluded.holder, lease_until = excluded.lease_until",
        )
        .await;
    let db = &mut *server.pool.acquire().await.unwrap();
    sessions::begin(db, HOLDER, &user(), session_id, server.clock.now()).await.unwrap();
}

async fn end(server: &Server) {
    let db = &mut *server.pool.acquire().await.unwrap();
    sessions::end(db, HOLDER, &user(), server.clock.now(), "1006 it broke").await.unwrap();
}

/// What the reconciler tells the source.
async fn told(server: &Server) -> (bool, Option<String>) {
    let told = "select subscribed_at is not null, problem from websocket_session";
    sqlx::query_as(told).fetch_one(&server.pool).await.unwrap()
}

#[tokio::test]
async fn new_session_is_subscribed_on_at_once() {
    let fixture = Fixture::start().await;
    let server = fixture.serve().await;
    until_shown(&server, 10, "needs_consent").await;
    let (verdict, message) = server.check("subscriptions").await;
    let consent = format!("10 subscriptions need consent of {CHANNEL}: run `cargo run --bin init`");
    assert!(verdict == "warn" && message.contains(&consent), "{message}");
    let first = server.json("/status").await["wanted"][0]["message"].clone();
    assert!(first.as_str().unwrap().contains("which Twitch requires of every channel over a WebSocket"), "{first}");
    assert_eq!(server.check("twitch").await.0, "pass", "it needs no callback");

    fixture.consent(&server, &SCOPES).await;
    until_shown(&server, 10, "no_session").await;
    let (_, message) = server.check("subscriptions").await;
    assert!(message.contains("the check `websocket` shows why"), "{message}");
    let session = fixture.connect(&server).await;
    until_shown(&server, 10, "enabled").await;
    until("the source is told", async || told(&server).await == (true, None)).await;
    assert_eq!(fixture.alive_on(&session), 10);
    let wanted = server.json("/status").await["wanted"][0].clone();
    assert_eq!((&wanted["transport"], &wanted["message"]), (&"websocket".into(), &"messages arrive".into()));

    end(&server).await;
    until_shown(&server, 10, "no_session").await;
    server.stop().await;
}

/// The only test in which the server connects itself.
#[tokio::test]
async fn server_without_a_callback_has_everything_enabled_by_itself() {
    let fixture = Fixture::start().await;
    let server = fixture.serve_at(fixture.twitch.mock.websocket_url()).await;
    until_shown(&server, 10, "needs_consent").await;
    fixture.consent(&server, &SCOPES).await;
    until_shown(&server, 10, "enabled").await;
    until("the source is told", async || told(&server).await == (true, None)).await;
    assert_eq!(server.check("subscriptions").await.0, "pass");
    fixture.twitch.mock.world.follow(CHANNEL, "quietotter").unwrap();
    until("the event arrives", async || server.json("/status").await["last_event"].is_object()).await;
    server.stop().await;
}

#[tokio::test]
async fn session_that_died_unnoticed_is_cleared_for_its_successor() {
    let fixture = Fixture::start().await;
    let server = fixture.serve().await;
    fixture.consent(&server, &SCOPES).await;
    let first = fixture.connect(&server).await;
    until("the first is used", async || fixture.alive_on(&first) == 10).await;
    // Twitch still believes in it.
    end(&server).await;
    let second = fixture.connect(&server).await;
    until("the second is used", async || fixture.alive_on(&second) == 10).await;
    until_shown(&server, 10, "enabled").await;
    assert_eq!(fixture.alive_on(&first), 0);
    server.stop().await;
}

#[tokio::test]
async fn sessions_of_other_programs_are_left_alone_and_named_at_a_limit() {
    let fixture = Fixture::start().await;
    let server = fixture.serve().await;
    let tokens = std::sync::Arc::new(fixture.consent(&server, &SCOPES).await);
    let helix = fixture.twitch.helix.as_user(tokens.shared_user(CHANNEL_ID), quick_retries());
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(fixture.open_elsewhere(&helix).await);
    }
    let session = fixture.connect(&server).await;
    until("the limit shows", async || {
        let (is_subscribed, problem) = told(&server).await;
        !is_subscribed && problem.is_some_and(|it| it.contains("number of websocket transports limit exceeded"))
    })
    .await;
    let (_, message) = server.check("subscriptions").await;
    for text in ["3 subscriptions are on sessions of other programs", "costs 1 of 10: use a webhook for such a channel"]
    {
        assert!(message.contains(text), "{message}");
    }
    assert_eq!(fixture.alive_on(&session), 0);
    assert!(others.iter().all(|other| fixture.alive_on(other) == 1));
    let attempts = fixture.twitch.mock.world.calls(CREATE);

    let gone = others.remove(0);
    gone.reading.abort();
    until("one has gone", async || fixture.alive_on(&gone) == 0).await;
    assert_eq!(fixture.twitch.mock.world.calls(CREATE), attempts, "it waits");
    // The source opens another one after the pause.
    end(&server).await;
    let session = fixture.connect(&server).await;
    until("all is enabled", async || fixture.alive_on(&session) == 10).await;
    assert!(others.iter().all(|other| fixture.alive_on(other) == 1));
    server.stop().await;
}

#[tokio::test]
async fn failing_calls_do_not_leave_a_session_unused() {
    let fixture = Fixture::start().await;
    let server = fixture.serve().await;
    fixture.consent(&server, &SCOPES).await;
    until_shown(&server, 10, "no_session").await;
    fixture.twitch.mock.world.set_faults(Faults { helix_error: 0.3, ..Faults::default() }).unwrap();
    for _ in 0..5 {
        let session = fixture.connect(&server).await;
        until("it is used", async || fixture.alive_on(&session) == 10).await;
        assert!(fixture.twitch.mock.world.sessions().contains(&session.id), "Twitch did not close it");
        end(&server).await;
        session.reading.abort();
    }
    server.stop().await;
}

#[tokio::test]
async fn session_that_ended_meanwhile_makes_no_problem() {
    let fixture = Fixture::start().await;
    let server = fixture.serve().await;
    fixture.consent(&server, &SCOPES).await;
    begin(&server, "AgoQone-that-has-ended").await;
    until("it was tried", async || fixture.twitch.mock.world.calls(CREATE) > 0).await;
    let session = fixture.connect(&server).await;
    until_shown(&server, 10, "enabled").await;
    until("the source is told", async || told(&server).await == (true, None)).await;
    assert_eq!(fixture.alive_on(&session), 10);
    server.stop().await;
}

#[tokio::test]
async fn revoked_subscription_is_created_again_on_the_session() {
    let fixture = Fixture::start().await;
    let server = fixture.serve().await;
    fixture.consent(&server, &SCOPES).await;
    let session = fixture.connect(&server).await;
    until_shown(&server, 10, "enabled").await;
    let one = fixture.twitch.mock.world.subscriptions().remove(0);
    fixture.twitch.mock.world.end_subscription(&one.id, "moderator_removed").unwrap();
    assert_eq!(fixture.alive_on(&session), 9);
    server.sql("select pg_notify('showtime_reconcile', '')").await;
    until("it is there again", async || fixture.alive_on(&session) == 10).await;
    server.stop().await;
}

#[tokio::test]
async fn failed_comparison_is_a_problem_of_a_session_that_stays_subscribed() {
    let fixture = Fixture::start().await;
    let server = fixture.serve().await;
    fixture.consent(&server, &SCOPES).await;
    let _session = fixture.connect(&server).await;
    until("the source is told", async || told(&server).await == (true, None)).await;
    for (helix_error, is_failing) in [(1.0, true), (0.0, false)] {
        fixture.twitch.mock.world.set_faults(Faults { helix_error, ..Faults::default() }).unwrap();
        until("the next comparison", async || {
            server.clock.advance(time::Duration::SECOND);
            let (is_subscribed, problem) = told(&server).await;
            assert!(is_subscribed);
            problem.is_some() == is_failing
        })
        .await;
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_consented_to_is_shown_and_the_session_goes_on() {
    let fixture = Fixture::start().await;
    let server = fixture.serve().await;
    fixture.consent(&server, &["bits:read"]).await;
    let session = fixture.connect(&server).await;
    until_shown(&server, 5, "needs_consent").await;
    until_shown(&server, 5, "enabled").await;
    until("the source is told", async || told(&server).await == (true, None)).await;
    assert_eq!(fixture.alive_on(&session), 5);
    fixture.consent(&server, &SCOPES).await;
    until_shown(&server, 10, "enabled").await;
    server.stop().await;
}

#[tokio::test]
async fn two_servers_subscribe_once() {
    let fixture = Fixture::start().await;
    let (one, other) = (fixture.serve().await, fixture.serve().await);
    fixture.consent(&one, &SCOPES).await;
    until_shown(&one, 10, "no_session").await;
    let session = fixture.connect(&one).await;
    until_shown(&one, 10, "enabled").await;
    for server in [&one, &other] {
        for _ in 0..60 {
            server.clock.advance(time::Duration::SECOND);
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
    assert_eq!((fixture.alive_on(&session), fixture.twitch.mock.world.calls(CREATE)), (10, 10));
    one.stop().await;
    other.stop().await;
}
