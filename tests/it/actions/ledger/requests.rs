//! Actions that a client requests.

use serde_json::{Value, json};

use super::super::VIEWER;
use super::stage::Stage;
use crate::process::Serving;
use crate::support::twitch::CHANNEL;

impl Stage {
    /// Requests the actions of a round, and returns their ids.
    pub(super) async fn request(&self, server: &Serving<'_>) -> Vec<i64> {
        let mut ids = Vec::new();
        let round = self.round;
        let ban = if round.is_multiple_of(2) {
            json!({ "ban": { "user": VIEWER, "reason": null } })
        } else {
            json!({ "unban": { "user": VIEWER } })
        };
        let mut steps = vec![
            json!({ "say": format!("line {round} a") }),
            ban,
            json!({ "title": format!("title {round}") }),
            json!({ "webhook": { "sink": "hook", "body": { "number": round } } }),
            json!({ "say": format!("line {round} b") }),
        ];
        if round.is_multiple_of(4) {
            steps.push(json!({ "announce": { "text": format!("news {round}") } }));
        }
        for step in steps {
            let url = server.url(&format!("/channels/{CHANNEL}/actions"));
            let answer = server.client.post(url).bearer_auth(server.token.as_deref().unwrap()).json(&step).send().await;
            let answer = answer.unwrap();
            assert_eq!(answer.status(), 202);
            ids.push(answer.json::<Value>().await.unwrap()["id"].as_i64().unwrap());
        }
        ids
    }
}
