//! Consents of people elsewhere, by a link.

use reqwest::Method;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use url::Url;

use super::{Place, done, request, settled};
use crate::support::server::Server;
use crate::support::twitch::{CHANNEL, redirect};

/// The public address: the one whose `/auth` is registered at the mock.
const PUBLIC: &str = "http://localhost:3033";

const TITLE: &str = "channel:manage:broadcast";

/// What a browser shows: status and page.
type Page = (u16, String);

impl Place {
    pub(crate) async fn serve_publicly(&self) -> Server {
        Server::at(self.twitch.clock.clone(), self.database.clone(), |config| {
            self.configure(config);
            config.public_url = Some(PUBLIC.parse().unwrap());
        })
        .await
    }

    async fn page(&self, server: &Server, path: &str) -> Page {
        let answer = self.twitch.browser.get(server.url(path)).send().await.unwrap();
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Presses the button of a link's page. Returns Twitch's page.
    async fn open(&self, server: &Server, link: &str) -> Url {
        let answer = self.twitch.browser.post(server.url(link)).send().await.unwrap();
        assert_eq!(answer.status(), 303, "{}", answer.text().await.unwrap());
        Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap()
    }

    /// Presses a button on Twitch's page as this user. Returns the path that the browser is sent back to.
    async fn decide(&self, mut page: Url, login: &str, button: &str) -> String {
        let mut form: Vec<(String, String)> = page.query_pairs().into_owned().collect();
        form.extend([("login", login), ("decision", button)].map(|(name, value)| (name.into(), value.into())));
        page.set_query(None);
        let back = redirect(&self.twitch.browser.post(page).form(&form).send().await.unwrap());
        assert_eq!(back.origin(), PUBLIC.parse::<Url>().unwrap().origin());
        format!("{}?{}", back.path(), back.query().unwrap())
    }

    /// Opens a link, decides, and returns the page at the end.
    async fn follow(&self, server: &Server, link: &str, login: &str, button: &str) -> Page {
        let page = self.open(server, link).await;
        let back = self.decide(page, login, button).await;
        self.page(server, &back).await
    }
}

/// Makes a link, and returns its path.
async fn link(server: &Server, body: &Value) -> String {
    let made = server.post_json("/consents", body).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.json()["url"].as_str().unwrap().strip_prefix(PUBLIC).unwrap().to_owned()
}

async fn titles(server: &Server) -> Value {
    let id = request(server, &json!({ "title": "Speedrun" })).await;
    settled(server, id).await["state"].clone()
}

fn of_channel() -> Value {
    json!({ "channel": CHANNEL, "scopes": [TITLE] })
}

#[tokio::test]
async fn person_elsewhere_consents_once_by_a_link() {
    let place = Place::with(&["user:write:chat"]).await;
    let server = place.serve_publicly().await;
    assert_eq!(titles(&server).await, "failed");
    let made = server.post_json("/consents", &of_channel()).await.json();
    assert_eq!(
        (&made["account"], &made["command"]),
        (&json!(CHANNEL), &json!(format!("init --channel {CHANNEL} --scope {TITLE}")))
    );
    let scopes = made["scopes"].as_array().unwrap();
    assert!(
        [TITLE, "user:write:chat", "moderator:read:followers"].iter().all(|it| scopes.contains(&json!(it))),
        "{made}"
    );
    let link = made["url"].as_str().unwrap().strip_prefix(PUBLIC).unwrap().to_owned();
    for _ in 0..2 {
        let (status, page) = place.page(&server, &link).await;
        assert!(status == 200 && page.contains(TITLE) && page.contains(CHANNEL), "previews change nothing: {page}");
    }
    let requested_at = async || {
        let requested = sqlx::query_scalar("select requested_at from served_channel");
        requested.fetch_one(&server.pool).await.unwrap()
    };
    let before: OffsetDateTime = requested_at().await;
    let (status, page) = place.follow(&server, &link, CHANNEL, "consent").await;
    assert!(status == 200 && page.contains("Thank you"), "{page}");
    assert_eq!(titles(&server).await, "done");
    assert!(requested_at().await > before, "what was refused is requested again at once");
    let stored: String =
        sqlx::query_scalar("select consent_link::text from consent_link").fetch_one(&server.pool).await.unwrap();
    assert!(!stored.contains(link.rsplit('/').next().unwrap()), "only its hash is kept");
    for answer in [place.page(&server, &link).await, place.page(&server, &format!("{link}x")).await] {
        assert!([404, 410].contains(&answer.0) && answer.1.contains("sk for a new one"), "{answer:?}");
    }
    let again = place.twitch.browser.post(server.url(&link)).send().await.unwrap();
    assert_eq!(again.status(), 410);
    server.stop().await;
}

#[tokio::test]
async fn refusal_and_another_account_leave_the_link_open() {
    let place = Place::with(&["user:write:chat"]).await;
    let server = place.serve_publicly().await;
    let link = link(&server, &of_channel()).await;
    let (status, page) = place.follow(&server, &link, CHANNEL, "deny").await;
    assert!(status == 403 && page.contains("The user denied you access"), "{page}");
    let (status, page) = place.follow(&server, &link, super::VIEWER, "consent").await;
    assert!(status == 403 && page.contains("it was quietotter who consented; sign in as maplearcade"), "{page}");
    let kept: i64 = sqlx::query_scalar("select count(*) from token where holder not in ('app', $1)")
        .bind(crate::support::twitch::CHANNEL_ID)
        .fetch_one(&server.pool)
        .await
        .unwrap();
    assert_eq!(kept, 0, "the other account's token is not kept");
    assert_eq!(titles(&server).await, "failed");
    assert_eq!(place.follow(&server, &link, CHANNEL, "consent").await.0, 200);
    assert_eq!(titles(&server).await, "done");
    server.stop().await;
}

#[tokio::test]
async fn answer_counts_once_with_its_state_and_in_time() {
    let place = Place::with(&[]).await;
    let server = place.serve_publicly().await;
    let link = link(&server, &of_channel()).await;
    let page = place.open(&server, &link).await;
    let first = place.decide(page, CHANNEL, "consent").await;
    let page = place.open(&server, &link).await;
    let second = place.decide(page, CHANNEL, "consent").await;
    for foreign in [first.as_str(), "/auth", "/auth?code=abc", "/auth?code=abc&state=", "/auth?error=x&state=abc"] {
        let (status, page) = place.page(&server, foreign).await;
        assert!(status == 400 && page.contains("Open the link again"), "{foreign}: {page}");
    }
    assert_eq!(place.page(&server, &second).await.0, 200);
    assert_eq!(place.page(&server, &second).await.0, 400, "the same answer again");

    let late = self::link(&server, &of_channel()).await;
    let page = place.open(&server, &late).await;
    let back = place.decide(page, CHANNEL, "consent").await;
    server.clock.advance(Duration::hours(25));
    for path in [&back, &late] {
        let (status, page) = place.page(&server, path).await;
        assert!(status == 410 && page.contains("expired"), "{page}");
    }
    server.stop().await;
}

#[tokio::test]
async fn link_of_one_server_is_answered_by_another() {
    let place = Place::with(&[]).await;
    let (one, two) = (place.serve_publicly().await, place.serve_publicly().await);
    let link = link(&one, &of_channel()).await;
    let page = place.open(&two, &link).await;
    let back = place.decide(page, CHANNEL, "consent").await;
    assert_eq!(place.page(&one, &back).await.0, 200);
    assert_eq!(place.page(&two, &link).await.0, 410);
    done(&two, json!({ "title": "by the other one" })).await;
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn account_becomes_the_bot_by_a_link() {
    let place = Place::with(&["channel:bot"]).await;
    place.twitch.mock.world.add_channel("showbot").unwrap();
    let server = place.serve_publicly().await;
    let link = link(&server, &json!({ "bot": true })).await;
    let (status, page) = place.follow(&server, &link, CHANNEL, "consent").await;
    assert!(status == 403 && page.contains("can&#39;t be the bot") || page.contains("can't be the bot"), "{page}");
    assert_eq!(place.follow(&server, &link, "showbot", "consent").await.0, 200);
    let said = done(&server, super::say("beep")).await;
    assert_ne!(said["as_user_id"], crate::support::twitch::CHANNEL_ID);
    let made = server.post_json("/consents", &json!({ "bot": true, "scopes": ["clips:edit"] })).await.json();
    assert_eq!((&made["account"], &made["command"]), (&json!("showbot"), &json!("init --bot --scope clips:edit")));
    server.stop().await;
}

#[tokio::test]
async fn without_a_public_address_the_command_is_shown() {
    let place = Place::with(&[]).await;
    let server = place.serve().await;
    let made = server.post_json("/consents", &of_channel()).await;
    assert_eq!(made.status, 200);
    let made = made.json();
    assert_eq!((&made["url"], &made["expires_at"]), (&Value::Null, &Value::Null));
    assert_eq!(made["command"], format!("init --channel {CHANNEL} --scope {TITLE}"));
    for (body, field) in [
        (json!({}), "bot"),
        (json!({ "bot": true, "channel": CHANNEL }), "bot"),
        (json!({ "bot": true, "scopes": ["two words"] }), "scopes"),
        (json!({ "bot": true, "scopes": vec!["a"; 51] }), "scopes"),
    ] {
        let problem = server.post_json("/consents", &body).await.problem(400, "invalid-field");
        assert!(problem["detail"].as_str().unwrap().contains(field), "{problem}");
    }
    server.post_json("/consents", &json!({ "channel": "unknown" })).await.problem(404, "not-found");
    assert_eq!(server.send(Method::GET, "/auth/abc").await.status, 404);
    server.stop().await;
}
