//! What the documentation says to type: the real programs, and the requests of the first version as curl lines.

use std::net::SocketAddr;

use showtime::mock::discord::{DiscordConfig, FakeDiscord, Limits};
use tokio::process::Command;
use tokio::time::timeout;

use crate::process::Place;
use crate::support::postgres::{dump, fresh_database, url};
use crate::support::{PATIENCE, skip, until};

/// The server that the lines are for, and what they fill in.
struct Shell {
    addr: SocketAddr,
    variables: Vec<(&'static str, String)>,
}

impl Shell {
    /// Runs a line of the documentation. Returns the status and the body.
    async fn run(&self, line: &str) -> (u16, String) {
        let line = line.replace("localhost:5001", &self.addr.to_string());
        let mut shell = Command::new("sh");
        let shell = shell.args(["-c", &format!("{line} -w '\\n%{{http_code}}'")]).kill_on_drop(true);
        let output =
            timeout(PATIENCE, shell.envs(self.variables.iter().cloned()).output()).await.expect("it ends").unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let (body, status) = said.rsplit_once('\n').unwrap_or_else(|| panic!("{line}: {said}"));
        (status.parse().unwrap(), body.to_owned())
    }
}

#[tokio::test]
async fn lines_of_the_documentation_track_a_stream_from_begin_to_end_and_show_no_secret() {
    if !Command::new("curl").arg("--version").output().await.is_ok_and(|output| output.status.success()) {
        return skip("curl");
    }
    let discord = FakeDiscord::start(DiscordConfig { limits: Limits::NONE, ..DiscordConfig::default() }).await.unwrap();
    let webhook = discord.world.webhooks().remove(0);
    let (place, database) = (Place::new(), fresh_database().await);
    let (api, address) = (discord.api_url().to_string(), url(&database, "none"));
    let settings = [("DISCORD_API_URL", api.as_str()), ("DATABASE_URL", address.as_str()), ("SHOWTIME_LOG", "trace")];
    let server = place.serve(&settings).await;
    let secret = place.done(&settings[1..2], &["bot", "add", "tatsu"]).await.trim().to_owned();
    assert_eq!(server.simulate(&["channel.update"]).await.0, Some(0));

    let mut shell = Shell { addr: server.addr, variables: vec![("SECRET", secret.clone())] };
    let json = "-H 'Content-Type: application/json'";
    let asked = format!(
        r#"curl -s localhost:5001/v1/token {json} -d "{{\"name\":\"tatsu\",\"shard\":0,\"secret\":\"$SECRET\"}}""#
    );
    let (status, body) = shell.run(&asked).await;
    let jwt = body.strip_prefix(r#"{"token":""#).and_then(|rest| rest.strip_suffix(r#""}"#)).expect(&body).to_owned();
    assert_eq!(status, 200);
    let form = shell.run(r#"curl -s localhost:5001/v1/token -d "name=tatsu&shard=0&secret=$SECRET""#).await;
    assert!(form.0 == 200 && form.1.starts_with(r#"{"token":"#), "{form:?}");
    let (channel, id, token) = (webhook.channel_id.to_string(), webhook.id.to_string(), webhook.token.clone());
    let given = [("JWT", jwt.clone()), ("CHANNEL", channel), ("ID", id.clone()), ("TOKEN", token.clone())];
    shell.variables.extend(given);

    let bearer = r#"-H "Authorization: Bearer $JWT""#;
    let (ok, success) = (|status: u16, body: &str| (status, body.to_owned()), r#"{"message":"success"}"#);
    assert_eq!(shell.run(&format!("curl -s localhost:5001/v1/api {bearer}")).await, ok(200, "Authorized"));
    let body = r#"-d "{\"id\":\"$ID\",\"token\":\"$TOKEN\"}""#;
    let track =
        |path: &str| format!("curl -s -X POST localhost:5001/v1/api/{path}$CHANNEL/maplearcade {bearer} {json} {body}");
    assert_eq!(shell.run(&track("")).await, ok(201, success));
    assert_eq!(shell.run(&track("webhooks/")).await, ok(200, success));
    let info = format!("curl -s localhost:5001/v1/api/webhooks/$CHANNEL {bearer}");
    let shown = format!(r#"{{"names":["maplearcade"],"webhook":{{"id":"{id}","token":"{token}"}}}}"#);
    assert_eq!(shell.run(&info).await, (200, shown));

    assert_eq!(server.simulate(&["stream.online"]).await.0, Some(0));
    until("there is a card", async || !discord.world.messages().is_empty()).await;
    assert_eq!(server.simulate(&["channel.update", "--set", "title=Second run"]).await.0, Some(0));
    let card = || discord.world.messages().remove(0).embeds.remove(0);
    until("the card is edited", async || card()["title"] == "Second run").await;
    assert_eq!(server.simulate(&["stream.offline"]).await.0, Some(0));
    until("it says how long it was", async || {
        card()["description"].as_str().is_some_and(|it| it.contains("was live for"))
    })
    .await;
    assert_eq!(discord.world.messages().len(), 1);

    let untrack = format!("curl -s -X DELETE localhost:5001/v1/api/webhooks/$CHANNEL/maplearcade/$ID {bearer}");
    assert_eq!(shell.run(&untrack).await, ok(200, "success"));
    let (status, body) = shell.run(&untrack).await;
    assert!(status == 404 && body.contains(r#""message":"`maplearcade` is not tracked"#), "{status} {body}");
    let (status, body) = shell.run(&info).await;
    assert!(status == 200 && body.starts_with(r#"{"names":[],"#), "{status} {body}");

    // The webhook is deleted, and Discord is asked about it: what is said of it has no token.
    discord.world.delete_webhook(&id).unwrap();
    let check = format!("curl -s -X POST localhost:5001/v2/channels/$CHANNEL/webhook/check {bearer}");
    assert!(shell.run(&check).await.1.contains("gone"));
    let mut texts = vec![shell.run(&format!("curl -s localhost:5001/v2/events {bearer}")).await.1];
    for path in ["/metrics", "/status", "/events"] {
        let answer = server.client.get(server.url(path)).bearer_auth(server.token.as_deref().unwrap()).send().await;
        texts.push(answer.unwrap().text().await.unwrap());
    }
    texts.extend([server.stop().await, dump(&database).await]);
    assert!(
        texts[0].contains("webhook_gone") && texts[4].contains("insert into destination") && texts[5].contains("tatsu")
    );
    let signature = jwt.rsplit('.').next().unwrap();
    for (number, text) in texts.iter().enumerate() {
        for (name, canary) in [("token", &*token), ("secret", &*secret), ("JWT", signature)] {
            let at = text.find(canary).map(|at| text[..at].lines().last().unwrap_or_default());
            assert_eq!(at, None, "the {name} is in text {number}");
        }
    }
    discord.stop().await.unwrap();
}
