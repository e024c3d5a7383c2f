//! Emotes of other services in the chat overlay.

use serde_json::{Value, json};
use showtime::mock::Look;

use super::chat_look::{RECORDER, fragment, message, text};
use super::chromium::in_chromium;
use crate::support::messages::{at, follow};
use crate::support::postgres::fresh_database;
use crate::support::server::Server;
use crate::support::twitch::{CHANNEL_ID, Twitch};

/// A server that has heard of the channel, and services with emotes.
async fn start(twitch: &Twitch) -> Server {
    let world = &twitch.mock.world;
    world.add_emote("7tv", None, "01A", "Wave", Look::Animated);
    world.add_emote("7tv", None, "01B", "Rain", Look::Overlay);
    world.add_emote("bttv", Some(CHANNEL_ID), "5a", "(ditto)", Look::Still);
    world.add_emote("ffz", Some(CHANNEL_ID), "1", "constructor", Look::Still);
    let server = Server::at(twitch.clock.clone(), fresh_database().await, |config| {
        twitch.configure(config);
        twitch.configure_emotes(config);
    })
    .await;
    server.deliver(&follow("1", at(0))).await;
    server
}

#[tokio::test]
async fn words_become_pictures_of_the_services_that_are_on_and_broken_ones_become_words() {
    let twitch = Twitch::start().await;
    let server = start(&twitch).await;
    in_chromium(async |page| {
        page.prepare(RECORDER).await;
        page.open_overlay(&server.page("/overlay/chat?max_age=60&emotes=7tv,bttv")).await;
        let kappa = json!({ "emote": { "id": "25", "emote_set_id": "1", "owner_id": "1", "format": ["static"] } });
        let fragments = [
            fragment("text", "so (ditto) Wave, constructor wave ", json!({})),
            fragment("emote", "Kappa", kappa),
            fragment("text", " Rain  Wave Rain", json!({})),
        ];
        server.say(&message("a", "1", &fragments, json!({}))).await;
        server.say(&text("b", "2", "Rain <b>(ditto)</b>")).await;
        page.until_said(&["User1 so (ditto) Wave, constructor wave Kappa Rain Wave Rain", "User2 Rain <b>(ditto)</b>"])
            .await;
        page.until("pictures.length > 0").await;
        let pictures = page
            .until("pictures.filter(it => !it.includes('jtvnw')).length > 0 && [...new Set(pictures)].sort()")
            .await;
        assert_eq!(
            pictures,
            json!([
                "emote https://cdn.7tv.app/emote/01A/2x.webp Wave",
                "emote https://cdn.betterttv.net/emote/5a/2x.webp (ditto)",
                "emote https://static-cdn.jtvnw.net/emoticons/v2/25/static/dark/2.0 Kappa",
                "emote over https://cdn.7tv.app/emote/01B/2x.webp Rain",
            ])
        );
        assert_eq!(page.eval("forbidden").await, json!([]), "the policy allows them");
        // Over Kappa, and over Wave; at the begin of a line there is nothing below.
        let stacks = "[...document.querySelectorAll('.stack')].map(it => it.textContent.trim()).join()";
        page.until(&format!("{stacks} === 'Kappa Rain,Wave Rain'")).await;
        page.until("document.querySelectorAll('#messages img').length === 0").await;
        assert_eq!(page.eval("document.querySelectorAll('#messages b').length").await, 0);
        assert_eq!(twitch.emote_calls()[2], 0, "this service is off");
    })
    .await;
}

#[tokio::test]
async fn chat_shows_emotes_as_soon_as_saved_settings_have_them_and_asks_no_service_before() {
    let twitch = Twitch::start().await;
    let server = start(&twitch).await;
    server.save_settings("main", &json!({ "max_age": 60 })).await;
    in_chromium(async |page| {
        page.prepare(RECORDER).await;
        page.open_overlay(&server.page("/overlay/chat/main")).await;
        server.say(&text("a", "1", "hello Wave")).await;
        page.until_said(&["User1 hello Wave"]).await;
        assert_eq!(twitch.emote_calls(), [0, 0, 0]);
        assert_eq!(page.eval("pictures.length").await, 0);

        server.save_settings("main", &json!({ "max_age": 60, "chat": { "emotes": ["7tv"] } })).await;
        page.until("document.body.dataset.feed === 'open' && pictures.length === 0 && performance.getEntriesByType('navigation')[0].type === 'reload'").await;
        server.say(&text("b", "1", "bye Wave")).await;
        page.until("pictures.includes('emote https://cdn.7tv.app/emote/01A/2x.webp Wave')").await;
        assert_eq!(page.eval("forbidden").await, json!([]));
        let calls = twitch.emote_calls();
        assert_eq!(calls, [2, 0, 0], "of all channels, and of this one");
    })
    .await;
}

#[tokio::test]
async fn page_is_loaded_again_for_an_emote_that_its_policy_forbids_and_three_times_at_most() {
    const RELOADS: &str = "sessionStorage.getItem('showtime.chat.reloaded')";
    let server = Server::start().await;
    server.save_settings("main", &json!({})).await;
    let load =
        |origin: &str| format!("document.body.append(Object.assign(new Image(), {{ src: '{origin}/emote/1.webp' }}))");
    let (of_7tv, of_another) = (load("https://cdn.7tv.app"), load("https://cdn.7tv.app.example.org"));
    in_chromium(async |page| {
        page.prepare(RECORDER).await;
        for (path, picture) in [("/overlay/chat", &of_7tv), ("/overlay/chat/main", &of_another)] {
            page.open_overlay(&server.page(path)).await;
            page.eval(picture).await;
            page.until("forbidden.length === 1").await;
            assert_eq!(page.eval(RELOADS).await, Value::Null, "{path}");
        }
        page.eval(&of_7tv).await;
        let is_again = "performance.getEntriesByType('navigation')[0].type === 'reload'";
        page.until(&format!("document.body?.dataset.feed === 'open' && {is_again}")).await;
        assert_eq!(page.eval(&format!("JSON.parse({RELOADS}).length")).await, 1);

        page.eval("sessionStorage.setItem('showtime.chat.reloaded', '[1, 2, 3]')").await;
        page.eval(&of_7tv).await;
        page.until("forbidden.length === 1").await;
        assert_eq!(page.eval(RELOADS).await, "[1, 2, 3]", "not a fourth time");
    })
    .await;
}
