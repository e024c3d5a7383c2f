//! What the API says about sinks.

use serde_json::Value;

use super::server::{Server, check};
use super::until;

/// Waits until the sink has this state, and returns it.
pub(crate) async fn until_state(server: &Server, name: &str, state: &str) -> Value {
    let mut sink = Value::Null;
    until(state, async || {
        sink = server.json(&format!("/sinks/{name}")).await;
        sink["state"] == state
    })
    .await;
    sink
}

/// Waits until the sink's problem contains this text, and checks that `/status` says so as well, without a secret.
pub(crate) async fn until_problem(server: &Server, name: &str, text: &str) {
    let mut sink = Value::Null;
    until(text, async || {
        sink = server.json(&format!("/sinks/{name}")).await;
        sink["problem"].as_str().is_some_and(|problem| problem.contains(text))
    })
    .await;
    let status = server.json("/status").await;
    let (verdict, message) = check(&status, "sinks");
    assert_eq!(verdict, "warn", "{message}");
    assert!(message.contains(text), "{message}");
    let shown = format!("{sink}{status}");
    assert!(!shown.contains("guest:guest") && !shown.contains("hunter2"), "a secret is shown: {shown}");
}
