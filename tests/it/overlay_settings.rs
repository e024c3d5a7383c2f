//! Settings of overlays that have a name.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::feeds::{Socket, Sse};
use crate::support::messages::{at, follow};
use crate::support::postgres::fresh_database;
use crate::support::schema::check;
use crate::support::server::{Answer, OVERLAY_TOKEN, Server, TOKEN};

impl Server {
    /// Saves settings of overlays.
    pub(crate) async fn save_settings(&self, name: &str, settings: &Value) -> Answer {
        self.send_json_as(TOKEN, Method::PUT, &format!("/overlays/settings/{name}"), settings).await
    }
}

#[tokio::test]
async fn settings_are_saved_read_by_overlays_listed_and_deleted() {
    let server = Server::start().await;
    let settings = json!({
        "channel": "maplearcade",
        "look": { "place": "top-left", "width": 40, "theme": "light", "accent": "#8b5cf6" },
        "alerts": { "duration": 3, "kinds": { "raid": { "text": "{user}!", "sound": "chime" } } },
    });
    let saved = server.save_settings("main", &settings).await;
    assert_eq!(saved.status, 200, "{saved:?}");
    let read = server.send_as(OVERLAY_TOKEN, Method::GET, "/overlays/settings/main").await.json();
    assert_eq!((&read, &read["name"]), (&saved.json(), &"main".into()));
    assert_eq!(read["settings"]["look"]["place"], "top-left");
    assert_eq!(
        read["settings"]["alerts"]["kinds"]["raid"],
        json!({ "text": "{user}!", "sound": "chime", "image": null, "minimum": null, "variations": [] })
    );
    assert_eq!(read["settings"]["max_age"], Value::Null);
    server.save_settings("other", &json!({})).await;
    let listed = server.json("/overlays/settings").await;
    let names: Vec<_> = listed["data"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["main", "other"]);

    assert_eq!(server.send(Method::DELETE, "/overlays/settings/main").await.status, 204);
    server.send(Method::DELETE, "/overlays/settings/main").await.problem(404, "not-found");
    server.get("/overlays/settings/main").await.problem(404, "not-found");
    let refused = server.send_as(OVERLAY_TOKEN, Method::GET, "/overlays/settings").await;
    refused.problem(403, "scope-too-small");
}

#[tokio::test]
async fn wrong_setting_is_refused_by_its_path() {
    let server = Server::start().await;
    for (settings, field, words) in [
        (json!({ "max_age": -1 }), "max_age", "from 0 to 1440"),
        (json!({ "look": { "place": "above" } }), "look.place", "unknown variant `above`"),
        (json!({ "look": { "color": "red" } }), "look.color", "must be a colour"),
        (json!({ "look": { "font": "x\"; }" } }), "look.font", "the name of a font"),
        (json!({ "alerts": { "duration": "long" } }), "alerts.duration", "expected f64"),
        (json!({ "alerts": { "types": ["follow", "fallow"] } }), "alerts.types[1]", "no type of alerts"),
        (json!({ "alerts": { "kinds": { "raid": { "text": "" } } } }), "alerts.kinds.raid.text", "1 to 200"),
        (json!({ "alerts": { "image": "javascript:alert(1)" } }), "alerts.image", "https://"),
        (json!({ "alerts": { "kinds": { "raid": { "minimum": -1 } } } }), "alerts.kinds.raid.minimum", "u32"),
        (
            json!({ "alerts": { "kinds": { "raid": { "variations": [{ "when": { "luck": 7 } }] } } } }),
            "alerts.kinds.raid.variations[0].when",
            "unknown variant `luck`",
        ),
        (
            json!({ "alerts": { "kinds": { "raid": { "variations": vec![json!({ "when": { "viewers": 7 } }); 21] } } } }),
            "alerts.kinds.raid.variations",
            "at most 20",
        ),
        (
            json!({ "alerts": { "kinds": { "raid": { "variations": [{ "when": { "viewers": 7 }, "size": 10 }] } } } }),
            "alerts.kinds.raid.variations[0].size",
            "from 25 to 400",
        ),
        (json!({ "chat": { "max": 0 } }), "chat.max", "from 1 to 100"),
        (json!({ "chat": { "direction": "left" } }), "chat.direction", "unknown variant `left`"),
        (json!({ "chat": { "hidden": ["@otter"] } }), "chat.hidden[0]", "must be a login"),
        (json!({ "chat": { "lifetime": 0.5 } }), "chat.lifetime", "from 1 to 3600"),
        (json!({ "alerts": { "speech": 0 } }), "alerts.speech", "from 1 to 1000000"),
        (json!({ "label": { "of": "cheerer" } }), "label.of", "unknown variant `cheerer`"),
        (json!({ "events": { "max": 21 } }), "events.max", "from 1 to 20"),
        (json!({ "clock": { "until": "20:15" } }), "clock.until", "unknown field"),
        (json!({ "goal": { "text": "x".repeat(201) } }), "goal.text", "1 to 200"),
        (json!({ "blocked_words": ["darn", "a,b"] }), "blocked_words[1]", "without commas"),
        (json!({ "blocked_words": vec!["darn"; 501] }), "blocked_words", "at most 500"),
        (json!({ "colour": 1 }), "colour", "unknown field"),
    ] {
        let problem = server.save_settings("main", &settings).await.problem(400, "invalid-field");
        assert_eq!(problem["field"], field, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
    }
    server.save_settings("Main", &json!({})).await.problem(400, "invalid-path");
    assert_eq!(server.json("/overlays/settings").await["data"], json!([]));
}

#[tokio::test]
async fn settings_are_limited_in_number() {
    let server = Server::start().await;
    server
        .sql("insert into overlay_settings (name, settings, changed_at) select i, '{}', now() from generate_series(1, 50) i")
        .await;
    let problem = server.save_settings("main", &json!({})).await.problem(409, "wrong-state");
    assert!(problem["detail"].as_str().unwrap().contains("50"), "{problem}");
    assert_eq!(server.save_settings("7", &json!({})).await.status, 200);
}

#[tokio::test]
async fn overlays_of_every_server_are_told_that_settings_changed() {
    let database = fresh_database().await;
    let (server, other) = (Server::on(database.clone()).await, Server::on(database).await);
    let mut alerts = Sse::open(&other, "/live/alerts?overlay=true").await;
    let mut chat = Socket::open(&server, "/live/chat?overlay=true").await;
    assert_eq!(alerts.take(2).await.iter().map(|it| it.event.as_str()).collect::<Vec<_>>(), ["control", "settings"]);
    assert_eq!(chat.next().await.unwrap().data, json!({ "settings": [] }));

    let saved = server.save_settings("main", &json!({})).await.json();
    for told in [alerts.next().await.unwrap(), chat.next().await.unwrap()] {
        let payload = json!({ "event": told.event, "data": told.data });
        let spec = showtime::api::live_spec();
        check(&spec, &spec["components"]["messages"]["settings"]["payload"], &payload);
        assert_eq!((told.event.as_str(), told.id), ("settings", None));
        assert_eq!(told.data, json!({ "settings": [{ "name": "main", "changed_at": saved["changed_at"] }] }));
    }
    let again = server.save_settings("main", &json!({ "max_age": 1 })).await.json();
    assert_ne!(again["changed_at"], saved["changed_at"]);
    assert_eq!(alerts.next().await.unwrap().data["settings"][0]["changed_at"], again["changed_at"]);
    server.send(Method::DELETE, "/overlays/settings/main").await;
    assert_eq!(alerts.next().await.unwrap().data, json!({ "settings": [] }));
    server.deliver(&follow("1", at(0))).await;
    assert_eq!(alerts.next().await.unwrap().event, "alert");
}
