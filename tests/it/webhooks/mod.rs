//! Signed webhooks: every event reaches its receiver, whatever that answers and whatever is killed.

mod commands;
mod delivery;
mod faults;
pub(crate) mod receiver;
mod replicas;
mod rotation;
mod ssrf;
mod templates;
mod unmade;

use serde_json::{Value, json};

use self::receiver::Receiver;
use crate::support::server::Server;
use crate::support::sinks::{until_problem, until_state};

/// Adds a webhook named `hook` that starts with the next event, and returns its key.
pub(crate) async fn add(server: &Server, receiver: &Receiver, settings: Value) -> String {
    let mut sink =
        json!({ "name": "hook", "kind": "webhook", "url": receiver.url(), "settings": { "allow": ["127.0.0.0/8"] } });
    for (name, value) in settings.as_object().unwrap() {
        sink["settings"][name] = value.clone();
    }
    let added = server.post_json("/sinks", &sink).await;
    assert_eq!(added.status, 201, "{added:?}");
    added.json()["key"].as_str().unwrap().to_owned()
}

/// What is set aside.
async fn deliveries(server: &Server) -> Vec<Value> {
    server.json("/sinks/hook/deliveries").await["data"].as_array().unwrap().clone()
}

/// The message ids of the whole log, in its order.
async fn logged_ids(server: &Server) -> Vec<String> {
    sqlx::query_scalar("select message_id from event order by id").fetch_all(&server.pool).await.unwrap()
}
