//! In whose name an action is done, and what happens without consent.

use serde_json::json;

use super::{Place, done, request, say, settled};
use crate::support::twitch::{CHANNEL_ID, redirect, redirect_url};

impl Place {
    /// Connects the account `showbot` as the bot, with these scopes. Returns its id.
    pub(super) async fn bot(&self, scopes: &[&str]) -> String {
        let twitch = &self.twitch;
        let id = twitch.mock.world.add_channel("showbot").unwrap().id;
        let request = twitch.oauth.request_consent(scopes.iter().copied(), &redirect_url(), false);
        let mut form: Vec<(String, String)> = request.url.query_pairs().into_owned().collect();
        form.extend([("login", "showbot"), ("decision", "consent")].map(|(name, value)| (name.into(), value.into())));
        let mut page = request.url.clone();
        page.set_query(None);
        let location = redirect(&twitch.browser.post(page).form(&form).send().await.unwrap());
        let code = request.answer(location.query().unwrap()).unwrap();
        let token = twitch.oauth.exchange(&code, &redirect_url()).await.unwrap();
        self.keep(&id, "showbot", &token).await;
        let pool = sqlx::PgPool::connect_lazy_with(self.database.clone());
        let statement = "insert into bot (user_id, login) values ($1, 'showbot')";
        sqlx::query(statement).bind(&id).execute(&pool).await.unwrap();
        id
    }
}

#[tokio::test]
async fn missing_consent_is_told_with_the_command_that_asks_for_it() {
    let place = Place::with(&["user:write:chat"]).await;
    let server = place.serve().await;
    done(&server, say("this is allowed")).await;
    let id = request(&server, &json!({ "title": "this is not" })).await;
    let action = settled(&server, id).await;
    assert_eq!(action["state"], "failed");
    assert_eq!(
        action["problem"],
        "consent: channel:manage:broadcast of maplearcade is missing: run `init --channel maplearcade --scope \
         channel:manage:broadcast`"
    );
    assert!(place.performed("channel").is_empty());
    let (verdict, message) = server.check("consents").await;
    assert_eq!(verdict, "warn");
    assert!(message.contains("maplearcade has not consented to channel:manage:broadcast"), "{message}");
    assert!(message.contains("--channel maplearcade --scope channel:manage:broadcast`, or send a link"), "{message}");
    server.stop().await;
}

#[tokio::test]
async fn bot_speaks_with_the_applications_token_where_the_broadcaster_allows_it() {
    let place = Place::with(&["channel:bot", "channel:manage:broadcast"]).await;
    let bot = place.bot(&["user:write:chat", "user:bot"]).await;
    let server = place.serve().await;
    let said = done(&server, say("beep")).await;
    assert_eq!(said["as_user_id"], bot);
    let calls = place.performed("say");
    assert_eq!((calls[0].as_user.as_deref(), &calls[0].effect["sender_id"]), (None, &json!(bot)));
    let titled = done(&server, json!({ "title": "by the broadcaster" })).await;
    assert_eq!(titled["as_user_id"], CHANNEL_ID, "the bot's token does not count for a title");
    let warned = request(&server, &json!({ "shield": true })).await;
    let warned = settled(&server, warned).await;
    assert_eq!(
        warned["problem"],
        "consent: moderator:manage:shield_mode of the bot showbot is missing: run `init --bot --scope \
         moderator:manage:shield_mode`"
    );
    server.stop().await;
}

#[tokio::test]
async fn bot_speaks_with_its_own_token_elsewhere() {
    let place = Place::with(&[]).await;
    let bot = place.bot(&["user:write:chat", "user:bot"]).await;
    let server = place.serve().await;
    done(&server, say("beep")).await;
    assert_eq!(place.performed("say")[0].as_user.as_deref(), Some(bot.as_str()));
    server.stop().await;
}
