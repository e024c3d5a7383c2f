//! `/tokens`: admins make, list and revoke tokens.

use reqwest::Method;
use reqwest::header::HeaderValue;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use showtime::access::TOKEN_TTL;
use showtime::access::grant::Scope;
use showtime::store::access_tokens;

use crate::access::{get, new_token};
use crate::support::feeds::Sse;
use crate::support::messages::{at, follow};
use crate::support::server::Server;

#[tokio::test]
async fn admin_creates_tokens_for_overlays() {
    let server = Server::start().await;
    let body = |name: &str, scope: &str| serde_json::json!({ "name": name, "scope": scope });
    let made = server.post_json("/tokens", &body("obs-1", "overlay")).await;
    assert_eq!((made.status.as_u16(), &made.headers["cache-control"]), (201, &HeaderValue::from_static("no-store")));
    let made = made.json();
    assert_eq!((&made["name"], &made["scope"]), (&Value::from("obs-1"), &Value::from("overlay")));
    let overlay = made["token"].as_str().unwrap();
    let current = get(&server, "/tokens/current", Some(overlay)).await.json();
    assert_eq!(current, serde_json::json!({ "scope": "overlay" }));
    get(&server, "/events", Some(overlay)).await.problem(403, "scope-too-small");
    let mut alerts = Sse::open_with(&server, "/live/alerts", &[("authorization", format!("Bearer {overlay}"))]).await;
    server.deliver(&follow("5", at(0))).await;
    assert_eq!(alerts.next().await.unwrap().data["type"], "follow");

    server.post_json("/tokens", &body("obs-1", "overlay")).await.problem(409, "token-exists");
    for (name, scope, field) in [("obs-2", "admin", "scope"), ("obs-2", "all", "scope"), ("12", "overlay", "name")] {
        let problem = server.post_json("/tokens", &body(name, scope)).await.problem(400, "invalid-field");
        assert_eq!(problem["field"], field, "{name} {scope}");
    }
    let names = access_tokens::all(&mut server.pool.acquire().await.unwrap()).await.unwrap();
    assert!(names.iter().all(|token| token.name != "obs-2"), "{names:?}");
}

#[tokio::test]
async fn admin_lists_tokens_and_revokes_those_that_are_not_for_admins() {
    let server = Server::start().await;
    let overlay = new_token(&server, "obs", Scope::Overlay).await;
    let mut alerts =
        Sse::open_with(&server, "/live/alerts", &[("authorization", format!("Bearer {}", overlay.expose_secret()))])
            .await;
    let listed = server.json("/tokens").await;
    let listed: Vec<_> = listed["data"].as_array().unwrap().iter().map(|it| (&it["name"], &it["scope"])).collect();
    assert!(listed.contains(&(&"tests".into(), &"admin".into())), "{listed:?}");
    assert!(listed.contains(&(&"obs".into(), &"overlay".into())), "{listed:?}");

    assert_eq!(server.send(Method::DELETE, "/tokens/obs").await.status, 204);
    server.clock.advance(TOKEN_TTL.try_into().unwrap());
    assert_eq!(alerts.next().await, None);
    assert_eq!(alerts.comments, ["the token was revoked"]);
    get(&server, "/tokens/current", Some(overlay.expose_secret())).await.problem(401, "token-invalid");
    let again = server.send(Method::DELETE, "/tokens/obs").await.problem(404, "not-found");
    assert!(again["detail"].as_str().unwrap().contains("token without the scope admin"), "{again}");
    server.send(Method::DELETE, "/tokens/tests").await.problem(404, "not-found");
    assert_eq!(server.get("/events").await.status, 200);
}
