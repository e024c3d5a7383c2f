//! `kill -9` of the server at every point of an action: what must not be repeated is not, and what may be is not lost.

use nix::sys::signal::Signal;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use showtime::mock::{Faults, MockConfig};
use sqlx::{Connection as _, PgConnection, PgPool};

use super::{Place, VIEWER};
use crate::process;
use crate::support::postgres::{until_disconnected, url};
use crate::support::twitch::CHANNEL;
use crate::support::until;

/// What the server is killed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// The action is there, and nothing was begun.
    Claim,
    /// It is committed that Twitch is about to be called, and the call has had no effect.
    Effect,
    /// Twitch has acted, and that is not recorded.
    Settle,
}

/// Waits until the only action is in this state.
async fn until_state(pool: &PgPool, states: &[&str]) -> String {
    let mut state = String::new();
    until("the action has that state", async || {
        let row: Option<String> = sqlx::query_scalar("select state from action").fetch_optional(pool).await.unwrap();
        state = row.unwrap_or_default();
        states.contains(&state.as_str())
    })
    .await;
    state
}

async fn request(server: &process::Serving<'_>, step: &Value) {
    let url = server.url(&format!("/channels/{CHANNEL}/actions"));
    let request = server.client.post(url).bearer_auth(server.token.as_deref().unwrap());
    let answer = request.header("idempotency-key", "k").json(step).send().await.unwrap();
    assert!(answer.status().is_success(), "{:?}", answer.text().await);
}

/// The settings of a server that acts on this Twitch.
pub(super) fn settings(place: &Place) -> Vec<(&'static str, String)> {
    let (mock, twitch) = (MockConfig::default(), &place.twitch.mock);
    vec![
        ("DATABASE_URL", url(&place.database, "x")),
        ("SHOWTIME_ENCRYPTION_KEY", place.key.expose_secret().to_owned()),
        ("TWITCH_CLIENT_ID", mock.client_id),
        ("TWITCH_CLIENT_SECRET", mock.client_secret),
        ("TWITCH_API_URL", twitch.api_url().to_string()),
        ("TWITCH_AUTH_URL", twitch.auth_url().to_string()),
        ("TWITCH_EVENTSUB_WEBSOCKET_URL", twitch.websocket_url().to_string()),
    ]
}

/// Kills a server at this point of this action, and returns the state of the action after the next start, and how often
/// Twitch performed it.
async fn kill_at(point: Point, call: &str, step: &Value) -> (String, usize) {
    let (twitch, place) = (Place::new().await, process::Place::new());
    let owned = settings(&twitch);
    let settings: Vec<_> = owned.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let pool = PgPool::connect_lazy_with(twitch.database.clone());
    let mut holder = PgConnection::connect_with(&twitch.database).await.unwrap();
    let mut lock = holder.begin().await.unwrap();
    let server = place.serve(&settings).await;
    match point {
        Point::Claim => {
            sqlx::query("select from action_lease for update").execute(&mut *lock).await.unwrap();
            request(&server, step).await;
            until_state(&pool, &["pending"]).await;
        }
        Point::Effect => {
            twitch.faults(Faults { action_delay: 1.0, delay_ms: 60_000, ..Faults::default() });
            request(&server, step).await;
            until_state(&pool, &["sending"]).await;
        }
        Point::Settle => {
            twitch.faults(Faults { action_delay: 1.0, delay_ms: 2_000, ..Faults::default() });
            request(&server, step).await;
            until_state(&pool, &["sending"]).await;
            sqlx::query("select from action for update").execute(&mut *lock).await.unwrap();
            until("Twitch acts", async || !twitch.performed(call).is_empty()).await;
        }
    }
    server.signal(Signal::SIGKILL);
    server.ended().await;
    until_disconnected(&pool).await;
    lock.rollback().await.unwrap();
    twitch.faults(Faults::default());
    let server = place.serve(&settings).await;
    let state = until_state(&pool, &["done", "uncertain", "failed", "stale"]).await;
    server.stop().await;
    (state, twitch.performed(call).len())
}

#[tokio::test]
async fn message_is_never_sent_twice() {
    for (call, step) in [("say", json!({ "say": "once" })), ("announce", json!({ "announce": { "text": "once" } }))] {
        for (point, state, count) in
            [(Point::Claim, "done", 1), (Point::Effect, "uncertain", 0), (Point::Settle, "uncertain", 1)]
        {
            assert_eq!(kill_at(point, call, &step).await, (state.to_owned(), count), "{call} {point:?}");
        }
    }
}

#[tokio::test]
async fn ban_and_title_are_never_lost() {
    let ban = json!({ "ban": { "user": VIEWER, "reason": null } });
    for point in [Point::Claim, Point::Effect, Point::Settle] {
        assert_eq!(kill_at(point, "ban", &ban).await, ("done".to_owned(), 1), "{point:?}");
        let count = 1 + usize::from(point == Point::Settle);
        let titled = kill_at(point, "channel", &json!({ "title": "Speedrun" })).await;
        assert_eq!(titled, ("done".to_owned(), count), "{point:?}: the same title twice does no harm");
    }
}
