//! The page of the fake Discord.

use serde_json::{Value, json};
use showtime::mock::discord::{DiscordConfig, FakeDiscord, NewChannel, Webhook};

use super::chromium::in_chromium;

async fn post(discord: &FakeDiscord, webhook: &Webhook, body: &Value) -> String {
    let url = format!("{}/webhooks/{}/{}?wait=true&with_components=true", discord.api_url(), webhook.id, webhook.token);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.post(url).json(body).send().await.unwrap();
    let message: Value = answer.error_for_status().unwrap().json().await.unwrap();
    message["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn fake_discord_shows_cards_and_pings_as_text_of_strangers() {
    let discord = FakeDiscord::start(DiscordConfig::default()).await.unwrap();
    let webhook = discord.world.webhooks().remove(0);
    let role = discord.world.roles()[0].id;
    let attack = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>";
    let body = json!({
        "content": format!("<@&{role}> **live** \\*not bold\\* [x](https://www.twitch.tv/a) {attack}"),
        "allowed_mentions": { "roles": [role] },
        "username": attack.chars().take(80).collect::<String>(),
        "embeds": [{
            "title": attack, "url": "https://www.twitch.tv/maplearcade", "color": 0x91_46ff, "description": attack,
            "author": { "name": attack }, "footer": { "text": attack }, "image": { "url": "https://example.com/a.png" },
            "fields": [{ "name": "Category", "value": attack, "inline": true }],
        }],
        "components": [{ "type": 1, "components": [{ "type": 2, "style": 5, "label": "Watch", "url": "https://www.twitch.tv/a" }] }],
    });
    let id = post(&discord, &webhook, &body).await;
    in_chromium(async |page| {
        page.open(&discord.base_url()).await;
        let card = format!("#message-{id}");
        page.until(&format!("document.querySelector('{card}.pings')")).await;
        let text = page.eval(&format!("document.querySelector('{card}').innerText")).await;
        let text = text.as_str().unwrap();
        assert!(text.contains("pinged @Stream pings") && text.contains("@Stream pings live *not bold* x"), "{text}");
        assert_eq!(text.matches("onerror=").count(), 7, "each is shown as text: {text}");
        assert_eq!(page.eval("document.title").await, "mock-discord");
        assert_eq!(page.eval("document.querySelectorAll('main img, main script').length").await, 0);
        let color = page.eval(&format!("getComputedStyle(document.querySelector('{card} .embed')).borderLeftColor")).await;
        assert_eq!(color, "rgb(145, 70, 255)");
        let watch = page.eval(&format!("document.querySelector('{card} .link-button').href")).await;
        assert_eq!(watch, "https://www.twitch.tv/a");
        // The policy refuses scripts in the page.
        page.eval("void document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = 1' }))")
            .await;
        assert_eq!(page.eval("window.ran === undefined").await, true);

        page.click(&format!("{card} .delete")).await;
        page.until("!document.querySelector('.message')").await;
        assert!(discord.world.messages().is_empty());
        let other = NewChannel { name: attack.to_owned(), ..NewChannel::default() };
        let other = discord.world.add_channel(&other).unwrap().id;
        discord.world.move_webhook(&webhook.id.to_string(), &other.to_string()).unwrap();
        post(&discord, &webhook, &json!({ "content": "elsewhere" })).await;
        page.until(&format!("document.querySelector('[data-channel=\"{other}\"]')")).await;
        page.click(&format!("[data-channel=\"{other}\"]")).await;
        page.until("document.querySelector('#messages').innerText.includes('elsewhere')").await;
        page.eval("void (document.querySelectorAll('details').forEach(it => { it.open = true; }))").await;
        page.eval("void (document.querySelector('#faults').value = '{\"next\": {\"forbiden\": 1}}')").await;
        page.click("#set-faults").await;
        page.until("document.querySelector('#error').textContent.includes('forbiden')").await;
        page.click("#webhooks button").await;
        page.until("!document.querySelector('#webhooks button')").await;
        assert!(discord.world.webhooks().is_empty());
    })
    .await;
    discord.stop().await.unwrap();
}
