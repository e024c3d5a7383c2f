//! The mock's page.

use reqwest::Method;
use showtime::mock::Notify;

use super::chromium::in_chromium;
use crate::support::twitch::{CHANNEL, Twitch};

#[tokio::test]
async fn page_shows_chat_and_actions_as_text() {
    let twitch = Twitch::start().await;
    let base = twitch.mock.base_url();
    let user = "user_id=90210441";
    let config = twitch.mock.world.config();
    let (id, secret) = (&config.client_id, &config.client_secret);
    let url = format!(
        "{base}/auth/authorize?client_id={id}&client_secret={secret}&grant_type=user_token&{user}&scope=clips:edit"
    );
    let token: serde_json::Value = twitch.browser.post(url).send().await.unwrap().json().await.unwrap();
    in_chromium(async |page| {
        page.open(&base).await;
        page.until("document.querySelector('#channel').options.length > 0").await;
        page.eval("document.querySelector('#text').value = 'hello <img src=x onerror=\"window.broken = true\">'").await;
        page.click("#say button").await;
        page.until("document.querySelector('#chat').innerText.includes('hello <img src=x')").await;
        assert_eq!(page.eval("document.querySelectorAll('#chat img').length").await, 0);
        assert_eq!(twitch.mock.world.room(CHANNEL).unwrap().messages.len(), 1);

        twitch.mock.world.go_live(CHANNEL, Notify::No).unwrap();
        let clip = twitch.browser.request(Method::POST, format!("{base}/helix/clips?broadcaster_id=90210441"));
        let clip = clip.bearer_auth(token["access_token"].as_str().unwrap()).header("Client-Id", id);
        assert_eq!(clip.send().await.unwrap().status(), 202);
        page.until("document.querySelector('#actions').innerText.includes('clip')").await;
    })
    .await;
    twitch.mock.stop().await.unwrap();
}
