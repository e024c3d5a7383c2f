//! The Helix client against the fake Twitch: results and errors.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use showtime::clock::Clock;
use showtime::config::EncryptionKey;
use showtime::credentials::tokens::Tokens;
use showtime::credentials::vault::Vault;
use showtime::http::{Http, RetryPolicy};
use showtime::mock::{ChannelEdit, Faults, MockConfig, Notify};
use showtime::twitch::helix::{Condition, Helix, HelixError, NewSubscription, RefusalKind, Transport};
use showtime::twitch::oauth::{Credentials, OAuth};
use showtime::twitch::signature::WebhookSecret;
use showtime::twitch::token_source::TokenSource;
use sqlx::PgPool;
use url::Url;

use crate::support::postgres::fresh_database;
use crate::support::recorder::{Answer, Recorder, Request};
use crate::support::twitch::{CHANNEL, CHANNEL_ID, Twitch, callback, clients, credentials, quick_retries};
use crate::support::{PATIENCE, Unused, until};

fn condition(field: &str, id: &str) -> Condition {
    Condition::from([(field.to_owned(), id.to_owned())])
}

/// Asserts the kind and text of a refusal.
fn assert_refused<T: std::fmt::Debug>(result: Result<T, HelixError>, kind: RefusalKind, text: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.refusal(), Some(kind), "{error}");
    assert_eq!(error.to_string(), text);
    assert!(!error.is_transient());
}

/// A server that issues tokens, and answers everything else by this function.
fn server(respond: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> (Recorder, Clock, Helix) {
    let recorder = Recorder::start(move |request| match request.path.as_str() {
        "/token" => Answer::new(
            200,
            "application/json",
            r#"{"access_token":"canary-token","expires_in":5011271,"token_type":"bearer"}"#,
        ),
        _ => respond(request),
    });
    let (url, clock) = (Url::parse(&recorder.url("")).unwrap(), Clock::default());
    let (_, helix) = clients(url.clone(), &url, quick_retries(), &clock);
    (recorder, clock, helix)
}

fn json(status: u16, body: &str) -> Answer {
    Answer::new(status, "application/json", body)
}

#[tokio::test]
async fn unknown_users_streams_and_channels_are_missing() {
    let twitch = Twitch::start().await;
    let world = &twitch.mock.world;
    world.add_channel("CopperKite").unwrap();
    let stream_id = world.go_live(CHANNEL, Notify::No).unwrap();
    let edit = ChannelEdit { title: Some("Überraschung".to_owned()), ..ChannelEdit::default() };
    world.update_channel(CHANNEL, edit, Notify::No).unwrap();

    let users = twitch.helix.users_by_login(&[CHANNEL, "copperkite", "no_such_user"]).await.unwrap();
    let mut found: Vec<_> = users.iter().map(|user| (user.login.as_str(), user.display_name.as_str())).collect();
    found.sort_unstable();
    assert_eq!(found, [("copperkite", "CopperKite"), (CHANNEL, CHANNEL)]);
    assert_eq!(twitch.helix.users_by_id(&[CHANNEL_ID, "1"]).await.unwrap().len(), 1);

    let streams = twitch.helix.streams(&[CHANNEL_ID, "71330092"]).await.unwrap();
    assert_eq!(
        streams.iter().map(|stream| stream.id.as_str()).collect::<Vec<_>>(),
        [stream_id.as_str()],
        "offline is missing"
    );
    assert_eq!((streams[0].user_login.as_str(), streams[0].title.as_deref()), (CHANNEL, Some("Überraschung")));

    let channels = twitch.helix.channels(&[CHANNEL_ID, "1"]).await.unwrap();
    assert_eq!(channels.len(), 1);
    assert_eq!(channels[0].title.as_deref().unwrap_or_default(), "Überraschung");
    assert!(twitch.helix.streams(&[""; 0]).await.unwrap().is_empty(), "nothing asked, nothing called");
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn hundred_channels_are_looked_up_in_one_call() {
    let twitch = Twitch::start().await;
    let world = &twitch.mock.world;
    let logins: Vec<_> = (0..250).map(|n| format!("channel_{n}")).collect();
    let ids: Vec<_> = logins.iter().map(|login| world.add_channel(login).unwrap().id).collect();
    for login in &logins[..180] {
        world.go_live(login, Notify::No).unwrap();
    }
    assert_eq!(twitch.helix.streams(&ids).await.unwrap().len(), 180);
    assert_eq!(twitch.helix.users_by_login(&logins).await.unwrap().len(), 250);
    assert_eq!(twitch.helix.channels(&ids).await.unwrap().len(), 250);
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn all_pages_of_subscriptions_are_read() {
    let twitch = Twitch::with(MockConfig { page_size: 50, ..MockConfig::default() }).await;
    let callback = callback(|_| Answer::status(204));
    let mut created = Vec::new();
    for n in 0..120 {
        let id = twitch.mock.world.add_channel(&format!("channel_{n}")).unwrap().id;
        let condition = condition("broadcaster_user_id", &id);
        created.push(twitch.subscribe_to("stream.online", "1", &condition, &callback.url("/")).await.unwrap().id);
    }
    let list = twitch.helix.subscriptions().await.unwrap();
    assert_eq!(list.subscriptions.iter().map(|held| held.id.clone()).collect::<Vec<_>>(), created, "oldest first");
    assert_eq!((list.total_cost, list.max_total_cost), (120, 10_000));
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn empty_page_is_not_the_last_and_duplicates_count_once() {
    let (recorder, _, helix) = server(|request| {
        let subscription = r#"{"id":"1","status":"a status of tomorrow","type":"stream.online","version":"1","cost":1,
            "condition":{"broadcaster_user_id":"2"},"created_at":"2026-03-01T09:00:00.123456789Z",
            "transport":{"method":"conduit","conduit_id":"c"},"field_of_tomorrow":[]}"#;
        static CALLS: AtomicU32 = AtomicU32::new(0);
        assert_eq!(request.headers["authorization"], "Bearer canary-token");
        let page = match CALLS.fetch_add(1, Ordering::SeqCst) {
            0 => format!(r#"{{"data":[{subscription}],"pagination":{{"cursor":"a"}}}}"#),
            1 => r#"{"data":[],"pagination":{"cursor":"b"}}"#.to_owned(),
            _ => format!(r#"{{"data":[{subscription}],"pagination":{{}},"total_cost":1,"max_total_cost":10}}"#),
        };
        json(200, &page)
    });
    let list = helix.subscriptions().await.unwrap();
    assert_eq!(list.subscriptions.len(), 1);
    assert_eq!((list.total_cost, list.max_total_cost), (1, 10));
    assert_eq!(recorder.requests().len(), 4, "a token and three pages");
}

#[tokio::test]
async fn invalid_subscription_is_refused_with_the_reason() {
    let twitch = Twitch::with(MockConfig { allow_local_http: false, ..MockConfig::default() }).await;
    let url_rule = "invalid callback: must be https on port 443, without a fragment";
    for (kind, version, callback, message) in [
        ("channel.hype_train.begin", "1", "https://a.invalid/", "cannot use deprecated subscription type and version"),
        ("channel.fellow", "1", "https://a.invalid/", "invalid subscription type and version"),
        ("user.update", "1", "https://a.invalid/", "invalid condition: user_id is required"),
        ("stream.online", "1", "https://a.invalid:8443/", url_rule),
        ("stream.online", "1", "https://a.invalid/#here", url_rule),
        ("stream.online", "1", "http://127.0.0.1/", url_rule),
    ] {
        let text = format!(
            "Twitch refused to create the subscription: {message} (400: Twitch does not take the request as it is; \
             repeating it can't help)"
        );
        assert_refused(twitch.subscribe(kind, version, callback).await, RefusalKind::BadRequest, &text);
    }
    let text = "Twitch refused to create the subscription: This subscription type is not available. (410: Twitch no longer \
        offers this)";
    assert_refused(twitch.subscribe("channel.follow", "1", "https://a.invalid/").await, RefusalKind::Withdrawn, text);
    let stranger = condition("broadcaster_user_id", "12");
    let error = twitch.subscribe_to("stream.online", "1", &stranger, "https://a.invalid/").await.unwrap_err();
    assert_eq!(error.refusal(), Some(RefusalKind::BadRequest));
    assert!(error.to_string().contains("invalid condition: no user 12"), "{error}");
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn chat_over_webhooks_requires_the_scopes_of_a_bot() {
    let twitch = Twitch::start().await;
    let callback = callback(|_| Answer::status(204));
    let condition = ["broadcaster_user_id", "user_id"].map(|field| (field.to_owned(), CHANNEL_ID.into())).into();
    let url = callback.url("/");
    let create = async || twitch.subscribe_to("channel.chat.message", "1", &condition, &url).await;
    for scopes in [&["user:read:chat"][..], &["user:bot"], &["channel:bot"]] {
        assert_eq!(create().await.unwrap_err().refusal(), Some(RefusalKind::NoConsent));
        twitch.consent(scopes).await;
    }
    create().await.unwrap();
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn refusals_of_subscriptions_are_explained() {
    let twitch = Twitch::with(MockConfig { max_total_cost: 3, ..MockConfig::default() }).await;
    let callback = callback(|_| Answer::status(204));
    let create =
        async |kind: &str, version: &str, path: &str| twitch.subscribe(kind, version, &callback.url(path)).await;
    let text = "Twitch refused to create the subscription: subscription missing proper authorization (403: the user \
                has not granted this application a scope that it needs)";
    assert_refused(create("channel.follow", "2", "/a").await, RefusalKind::NoConsent, text);

    create("stream.online", "1", "/a").await.unwrap();
    let text = "Twitch refused to create the subscription: subscription already exists (409: the same type and \
                condition is subscribed to at the same place already)";
    assert_refused(create("stream.online", "1", "/a").await, RefusalKind::AlreadyExists, text);

    for path in ["/b", "/c"] {
        create("stream.online", "1", path).await.unwrap();
    }
    let limit = |what: &str| {
        format!(
            "Twitch refused to create the subscription: maximum {what} exceeded (429: a limit on subscriptions, not \
             on the rate of calls: waiting can't help, deleting some can)"
        )
    };
    let result = create("stream.online", "1", "/d").await;
    assert_refused(result, RefusalKind::LimitReached, &limit("subscriptions with type and condition"));
    assert_refused(create("channel.raid", "1", "/a").await, RefusalKind::LimitReached, &limit("total cost"));

    let text = "Twitch refused to delete the subscription: subscription not found (404: it does not exist, or no \
                longer)";
    assert_refused(twitch.helix.delete_subscription("gone").await, RefusalKind::NotFound, text);
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn other_refusals_have_twitchs_words() {
    for (status, body, kind, text) in [
        (
            410,
            r#"{"message":"this API was removed"}"#,
            RefusalKind::Withdrawn,
            "this API was removed (410: Twitch no longer offers this)",
        ),
        (418, "<html>", RefusalKind::Other, "I'm a teapot (418: unexpected)"),
        (302, "", RefusalKind::Other, "Found (302: unexpected)"),
    ] {
        let (_recorder, _, helix) = server(move |_| json(status, body));
        let text = format!("Twitch refused to look up users: {text}");
        assert_refused(helix.users_by_id(&["1"]).await, kind, &text);
    }
}

#[tokio::test]
async fn errors_of_every_call_have_twitchs_words_and_ours() {
    for (status, meaning) in [
        (400, "Twitch does not take the request as it is; repeating it can't help"),
        (401, "the access token was refused, a new one too: client id and secret must belong together"),
        (403, "the user has not granted this application a scope that it needs"),
        (404, "it does not exist, or no longer"),
        (409, "the same type and condition is subscribed to at the same place already"),
        (410, "Twitch no longer offers this"),
        (429, "a limit on subscriptions, not on the rate of calls: waiting can't help, deleting some can"),
        (500, ""),
        (503, ""),
    ] {
        let (recorder, _, helix) = server(move |_| json(status, r#"{"message":"because"}"#));
        let host = recorder.url("").replace("http://", "");
        let transport = Transport::Webhook {
            callback: Url::parse("https://a.invalid/").unwrap(),
            secret: WebhookSecret::generate(),
        };
        let condition = condition("broadcaster_user_id", "1");
        let (kind, version) = ("stream.online", "1");
        let new = NewSubscription { kind, version, condition: &condition, transport: &transport };
        for (call, result) in [
            ("look up users", helix.users_by_login(&["a"]).await.map(drop)),
            ("look up users", helix.users_by_id(&["1"]).await.map(drop)),
            ("look up streams", helix.streams(&["1"]).await.map(drop)),
            ("look up channels", helix.channels(&["1"]).await.map(drop)),
            ("list the subscriptions", helix.subscriptions().await.map(drop)),
            ("create the subscription", helix.create_subscription(&new).await.map(drop)),
            ("delete the subscription", helix.delete_subscription("1").await),
        ] {
            let text = match status {
                500.. => format!("can't {call}: {host} is in trouble: because ({status})"),
                _ => format!("Twitch refused to {call}: because ({status}: {meaning})"),
            };
            assert_eq!(result.unwrap_err().to_string(), text);
        }
    }
}

#[tokio::test]
async fn unreadable_answer_names_the_place() {
    let (_recorder, _, helix) = server(|_| json(200, r#"{"data":{"id":7}}"#));
    let error = helix.users_by_id(&["1"]).await.unwrap_err().to_string();
    let place = "can't look up users: Twitch's answer can't be read: data: invalid type: map, expected a sequence";
    assert!(error.starts_with(place), "{error}");
}

#[tokio::test]
async fn dead_app_token_is_replaced() {
    let twitch = Twitch::start().await;
    twitch.helix.users_by_id(&[CHANNEL_ID]).await.unwrap();
    twitch.mock.world.end_app_tokens();
    assert_eq!(twitch.helix.users_by_id(&[CHANNEL_ID]).await.unwrap().len(), 1, "refused, then renewed");
    twitch.clock.advance(time::Duration::days(61));
    assert_eq!(twitch.helix.users_by_id(&[CHANNEL_ID]).await.unwrap().len(), 1, "expired, then renewed");

    twitch.mock.world.set_faults(Faults { token_revoked: 1.0, ..Faults::default() }).unwrap();
    let text = "Twitch refused to look up users: Invalid OAuth token (401: the access token was refused, a new one too: \
                client id and secret must belong together)";
    assert_refused(twitch.helix.users_by_id(&[CHANNEL_ID]).await, RefusalKind::TokenRefused, text);
    twitch.mock.stop().await.unwrap();
}

/// A client that calls with a user's token has a rate limit of its own, and its token is refreshed, not replaced by one
/// of the application.
#[tokio::test]
async fn dead_user_token_is_refreshed() {
    let twitch = Twitch::start().await;
    let token = twitch.consent(&["bits:read"]).await;
    let user = twitch.oauth.validate(&token.access_token).await.unwrap().user.unwrap();
    let pool = PgPool::connect_lazy_with(fresh_database().await);
    let vault = Vault::new(&EncryptionKey::generate(), String::new());
    let tokens = Tokens::new(pool, vault, twitch.oauth.clone(), twitch.clock.clone());
    tokens.keep_user(&user, &token).await.unwrap();
    let helix = Helix::new(twitch.mock.api_url(), tokens.shared_user(user.id.as_str()));
    let calls = |kind: &str| twitch.mock.world.calls(&format!("POST /oauth2/token {kind}"));

    assert_eq!(helix.users_by_id(&[CHANNEL_ID]).await.unwrap().len(), 1);
    assert_eq!((calls("refresh_token"), calls("client_credentials")), (0, 0), "with the token from the consent");
    twitch.oauth.revoke(&token.access_token).await.unwrap();
    assert_eq!(helix.users_by_id(&[CHANNEL_ID]).await.unwrap().len(), 1, "refused, then refreshed");
    twitch.clock.advance(time::Duration::hours(5));
    assert_eq!(helix.users_by_id(&[CHANNEL_ID]).await.unwrap().len(), 1, "expired, then refreshed");
    assert_eq!((calls("refresh_token"), calls("client_credentials")), (2, 0));

    twitch.mock.world.withdraw_consent(CHANNEL).unwrap();
    let error = helix.users_by_id(&[CHANNEL_ID]).await.unwrap_err();
    let text = format!("can't get a token of user {CHANNEL_ID}: {CHANNEL_ID} has to consent (again)");
    assert!(error.to_string().starts_with(&text) && !error.is_transient(), "{error}");
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn concurrent_callers_share_one_token_request() {
    let (recorder, clock, helix) = server(|_| json(200, r#"{"data":[]}"#));
    let tokens = |recorder: &Recorder| recorder.requests().iter().filter(|r| r.path == "/token").count();
    let all = |helix: &Helix| {
        let helix = helix.clone();
        futures_util::future::join_all((0..10).map(move |_| {
            let helix = helix.clone();
            async move { helix.users_by_id(&["1"]).await.map(drop) }
        }))
    };
    assert!(all(&helix).await.iter().all(Result::is_ok));
    assert_eq!(tokens(&recorder), 1);
    clock.advance(time::Duration::seconds(5_011_271 - 200));
    assert!(all(&helix).await.iter().all(Result::is_ok));
    assert_eq!(tokens(&recorder), 2, "shortly before it expires, a new one");
}

#[tokio::test]
async fn unknown_application_gets_no_token() {
    let twitch = Twitch::start().await;
    let known = credentials(twitch.mock.world.config());
    let wrong = Credentials { client_secret: "canary-secret".to_owned().into(), ..known };
    let http = Http::new(quick_retries(), Clock::default()).unwrap();
    let oauth = OAuth::new(wrong, &twitch.mock.auth_url(), http);
    let helix = Helix::new(twitch.mock.api_url(), Arc::new(TokenSource::app(oauth, None)));
    let error = helix.users_by_id(&["1"]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "can't get an app token: Twitch does not accept this application: invalid client secret. Its client id, \
         client secret and redirect URL must be those shown at dev.twitch.tv/console"
    );
    assert!(!error.is_transient());
    assert!(!format!("{error:?} {helix:?}").contains("canary"), "{error:?} {helix:?}");
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn short_outage_is_waited_out_and_long_one_is_an_error() {
    let twitch = Twitch::start().await;
    let world = &twitch.mock.world;
    world.set_faults(Faults { fail_next_helix: 3, ..Faults::default() }).unwrap();
    assert_eq!(twitch.helix.users_by_id(&[CHANNEL_ID]).await.unwrap().len(), 1);

    world.set_faults(Faults { helix_error: 1.0, ..Faults::default() }).unwrap();
    let error = twitch.helix.users_by_id(&[CHANNEL_ID]).await.unwrap_err();
    let host = twitch.mock.base_url().replace("http://", "");
    assert_eq!(error.to_string(), format!("can't look up users: {host} is in trouble: Helix is unwell (503)"));
    assert!(error.is_transient());
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn unreachable_and_silent_servers_have_different_errors() {
    let twitch = Twitch::start().await;
    let token = twitch.oauth.app_token().await.unwrap();
    let helix_at = |address: SocketAddr, timeout| {
        let policy = RetryPolicy { retries: 0, timeout, ..quick_retries() };
        let credentials = credentials(twitch.mock.world.config());
        let http = Http::new(policy, twitch.clock.clone()).unwrap();
        let oauth = OAuth::new(credentials, &twitch.mock.auth_url(), http);
        let api_url = Url::parse(&format!("http://{address}/")).unwrap();
        Helix::new(api_url, Arc::new(TokenSource::app(oauth, Some(token.clone()))))
    };

    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let error = helix_at(address, Duration::from_secs(1)).users_by_id(&["1"]).await.unwrap_err();
    assert_eq!(error.to_string(), format!("can't look up users: {address} did not answer within 1 s"));
    assert!(error.is_transient());
    let unused = Unused::new();
    let address = unused.addr();
    let error = helix_at(address, PATIENCE).users_by_id(&["1"]).await.unwrap_err();
    let text = format!("can't look up users: {address} can't be reached: Connection refused");
    assert!(error.to_string().starts_with(&text), "{error}");
    assert!(error.is_transient());
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn empty_bucket_is_waited_for_unless_that_is_long() {
    let twitch = Twitch::with(MockConfig { rate_limit: 2, ..MockConfig::default() }).await;
    for _ in 0..2 {
        twitch.helix.users_by_id(&[CHANNEL_ID]).await.unwrap();
    }
    let helix = twitch.helix.clone();
    let third = tokio::spawn(async move { helix.users_by_id(&[CHANNEL_ID]).await.map(|users| users.len()) });
    until("the third call goes through", async || {
        twitch.clock.advance(time::Duration::seconds(5));
        third.is_finished()
    })
    .await;
    assert_eq!(third.await.unwrap().unwrap(), 1);

    twitch.clock.advance(time::Duration::minutes(2));
    twitch.mock.world.use_up_rate_limit(600);
    let error = twitch.helix.users_by_id(&[CHANNEL_ID]).await.unwrap_err();
    assert!(error.to_string().starts_with("can't look up users: Twitch's rate limit is used up until 20"), "{error}");
    assert!(matches!(error, HelixError::RateLimited { .. }) && error.is_transient());
    twitch.mock.stop().await.unwrap();
}
