//! An independent client of Discord's webhooks against the fake Discord: discord.js (npm).

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use showtime::mock::discord::{DiscordConfig, DiscordFault, DiscordFaults, FakeDiscord, NewWebhook};
use tokio::process::Command;

use crate::support::skip;

#[tokio::test]
async fn discord_js_uses_a_webhook() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    if !directory.join("node_modules/discord.js").is_dir() {
        return skip("discord.js: run `npm ci` in tests/clients");
    }
    let discord = FakeDiscord::start(DiscordConfig::default()).await.unwrap();
    let world = &discord.world;
    let webhook = world.webhooks().remove(0);
    let other = |channel: &str| {
        world.add_webhook(&NewWebhook { channel: channel.to_owned(), ..NewWebhook::default() }).unwrap()
    };
    let (forum, second) = (other("streams"), other("go-live"));
    let role = world.roles()[0].id;
    let settings = json!({
        "id": webhook.id, "token": webhook.token, "role": role, "api": format!("{}/api", discord.base_url()),
        "forum": { "id": forum.id, "token": forum.token }, "second": second.id,
    });
    // Its first two calls fail; it makes them again by itself.
    let faults = [(DiscordFault::BadGateway, 1), (DiscordFault::RateLimited, 2)].into();
    world.set_faults(DiscordFaults { next: faults, retry_after_ms: 50, ..DiscordFaults::default() }).unwrap();
    let mut command = Command::new("node");
    let command = command.arg("discordjs.js").arg(settings.to_string()).current_dir(&directory).kill_on_drop(true);
    let output = command.output().await.unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    let mut said: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in printed.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        said.entry(line["what"].as_str().unwrap().to_owned()).or_default().push(line["value"].clone());
    }

    let one = |what: &str| said.get(what).map(|values| values[0].clone()).unwrap_or_default();
    assert_eq!(
        (&one("sent")["title"], &one("sent")["roles"]),
        (&json!("Speedrun practice"), &json!([role])),
        "{printed}"
    );
    assert_eq!(one("edited"), json!({ "content": "over", "embeds": 0, "isEdited": true }));
    assert_eq!((one("fetched"), one("file")), (json!("over"), json!("a.png")));
    assert_eq!(one("gone"), json!({ "status": 404, "code": 10_008 }));
    let refused = one("refused");
    assert_eq!((&refused["status"], &refused["code"]), (&json!(400), &json!(50_035)));
    assert!(
        refused["text"].as_str().unwrap().contains("content[BASE_TYPE_MAX_LENGTH]"),
        "it reads the tree: {refused}"
    );
    assert_eq!(one("many"), 8);
    assert!(said.contains_key("limited"), "it met a limit: {printed}");
    assert_eq!((one("post"), one("reply")), (json!({ "isThread": true }), json!(true)));
    assert_eq!(one("deleted"), json!({ "status": 404, "code": 10_015 }));
    assert_eq!(one("unauthorized"), json!({ "status": 401, "code": 50_027 }));
    let pings: Vec<_> = world.changes().into_iter().filter(|change| change.is_notifying).collect();
    assert_eq!(pings.len(), 1, "only the first message pinged");
    discord.stop().await.unwrap();
}
