//! The control API and the commands.

use reqwest::Client;
use serde_json::{Value, json};
use showtime::mock::discord::{DiscordFault, DiscordFaults};
use tokio::process::Command;
use tokio::time::timeout;

use super::{Fixture, error};
use crate::support::PATIENCE;

#[tokio::test]
async fn control_api_and_commands_change_the_world() {
    let fixture = Fixture::start().await;
    let url = fixture.discord.base_url();
    let run = async |line: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mock-discord"));
        let output = command.args(line.split(' ')).args(["--url", &url]).output().await.unwrap();
        let printed = if output.status.success() { output.stdout } else { output.stderr };
        (output.status.success(), String::from_utf8(printed).unwrap().trim_end().to_owned())
    };
    let role = fixture.discord.world.roles()[0].id;
    let body = json!({ "content": format!("<@&{role}> live"), "allowed_mentions": { "roles": [role] } });
    let (_, message) = fixture.post(body).await;
    let id = message["id"].as_str().unwrap();
    assert_eq!(run("messages").await, (true, format!("{id}  Stream alerts: <@&{role}> live  pings role {role}")));
    assert!(run("pings").await.1.contains(&format!("message {id} in {}: role {role}", fixture.webhook.channel_id)));
    for (list, items) in [("messages", 1), ("pings", 1), ("webhook list", 1), ("channel list", 3)] {
        let listed: Value = serde_json::from_str(&run(&format!("{list} --json")).await.1).unwrap();
        assert_eq!(listed.as_array().map(Vec::len), Some(items), "{list}: {listed}");
    }
    assert!(run(&format!("delete-message {id}")).await.0 && fixture.messages().is_empty());
    let (is_done, text) = run("messages nowhere").await;
    assert!(!is_done && text.contains("there is no channel nowhere"), "{text}");

    assert!(run("channel create thread-1 --parent go-live").await.1.contains("thread  #thread-1"));
    assert!(run("channel lock thread-1").await.1.ends_with(", locked"));
    assert!(run("channel list").await.1.lines().count() == 4);
    assert!(run("channel delete thread-1").await.0);
    assert!(run("webhook create news --name Other").await.1.ends_with("Other"));
    let webhook = fixture.webhook.id;
    assert!(run(&format!("webhook move {webhook} news")).await.0);
    assert!(run("webhook list").await.1.lines().count() == 2);
    assert!(run("faults --next error_before=1 reset_after=0.5 delay_ms=7").await.0);
    let faults = fixture.discord.world.faults();
    assert_eq!(
        (faults.next[&DiscordFault::ErrorBefore], faults.chances[&DiscordFault::ResetAfter], faults.delay_ms),
        (1, 0.5, 7)
    );
    assert!(run("faults --off").await.0 && fixture.discord.world.faults() == DiscordFaults::default());
    let (is_done, text) = run("faults reset_afer=1").await;
    assert!(!is_done && text.contains("reset_afer") && text.contains("`reset_after`"), "{text}");
    let before = fixture.clock.now();
    assert!(run("advance 2h").await.0 && fixture.clock.now() - before >= time::Duration::hours(2));
    assert!(run(&format!("webhook delete {webhook}")).await.0);
    assert_eq!(error(&fixture.post(json!({ "content": "a" })).await), (404, 10_015));
    assert!(!run("--port 1 messages").await.0, "a setting of the start");
    fixture.stop().await;
    let (is_done, text) = run("messages").await;
    assert!(!is_done && text.contains("no mock-discord answers at"), "{text}");
}

#[tokio::test]
async fn start_prints_what_to_paste() {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-discord"));
    let mut child =
        command.args(["--port", "0"]).stdout(std::process::Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut output = Vec::new();
    while output.iter().filter(|line: &&String| line.starts_with("curl ")).count() < 3 {
        output.push(timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap());
    }
    let value = |name: &str| output.iter().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    let api = value("export DISCORD_API_URL=");
    let webhook: Value = serde_json::from_str(&value("Webhook")).unwrap();
    let url = format!("{api}/webhooks/{}/{}", webhook["id"].as_str().unwrap(), webhook["token"].as_str().unwrap());
    assert!(output.iter().any(|line| line == &format!("curl -s {url}")), "{output:?}");
    let client = Client::builder().no_proxy().build().unwrap();
    let shown: Value = client.get(&url).send().await.unwrap().json().await.unwrap();
    assert!(value("Channel").starts_with(shown["channel_id"].as_str().unwrap()), "{output:?}");
    let line = output.iter().find(|line| line.contains("MapleArcade is live!")).unwrap();
    let curl = Command::new("sh").args(["-c", line]).output().await.unwrap();
    let message: Value = serde_json::from_slice(&curl.stdout).unwrap();
    assert_eq!(message["content"], "MapleArcade is live!");
    child.kill().await.unwrap();
}
