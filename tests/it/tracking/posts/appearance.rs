//! The look of messages.

use serde_json::{Value, json};
use showtime::mock::discord::DiscordFault;
use time::Duration;

use super::super::Stage;
use super::settings::with;
use crate::support::until;

impl Stage {
    /// Discord has refused the name of a message, and no request may be made since.
    async fn refusing_the_name() -> Self {
        let stage = Self::tracking().await;
        stage.set(&json!({ "poster": "streamer" })).await;
        stage.next(DiscordFault::NameRefused, 1);
        let stop = "create function stop() returns trigger language plpgsql as $$ begin
                update egress set not_before = now() + interval '1 day';
                return null;
            end $$;
            create trigger stop after update on post for each row when (new.is_name_refused and not old.is_name_refused)
                execute function stop()";
        sqlx::raw_sql(stop).execute(&stage.server.pool).await.unwrap();
        stage.online("5001").await;
        let is_refused = "select exists (select from post where is_name_refused)";
        until("the name is refused", async || {
            sqlx::query_scalar::<_, bool>(is_refused).fetch_one(&stage.server.pool).await.unwrap()
        })
        .await;
        stage
    }
}

#[tokio::test]
async fn message_looks_as_the_track_says_until_its_end() {
    let settings = json!({
        "color": "#00ff00", "fields": ["language", "category"], "picture": "preview", "button": "Watch",
        "poster": "streamer", "poster_avatar_url": "https://example.com/a.png",
    });
    let stage = with(&settings).await;
    stage.online("5001").await;
    stage.settled().await;
    let posted = stage.message();
    let names: Vec<_> = posted.embeds[0]["fields"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    assert_eq!((names, &posted.embeds[0]["color"]), (vec![json!("Language"), json!("Category")], &json!(0xff00)));
    assert_eq!(
        (posted.name.as_str(), posted.avatar_url.as_deref()),
        ("User90210441", Some("https://example.com/a.png"))
    );
    let button = json!({ "type": 2, "style": 5, "label": "Watch", "url": "https://www.twitch.tv/user90210441" });
    assert_eq!(posted.components, [json!({ "type": 1, "components": [button] })]);
    let picture = posted.embeds[0]["image"]["url"].as_str().unwrap();
    assert!(picture.starts_with("https://static-cdn.jtvnw.net/previews-ttv/live_user_user90210441-1280x720.jpg?"));

    stage.update("Second run", "Go").await;
    stage.after(Duration::seconds(11)).await;
    let edited = stage.message();
    assert_ne!(edited.embeds[0]["image"]["url"], picture, "Discord shows what it knows of an address");
    assert_eq!((edited.components, edited.name), (posted.components, posted.name));

    // What is no longer set is taken away.
    stage.set(&json!({ "picture": "preview" })).await;
    stage.offline("5001").await;
    stage.after(Duration::seconds(61)).await;
    let ended = stage.message();
    assert_eq!((&ended.components, &ended.embeds[0]["image"]), (&Vec::<Value>::new(), &Value::Null));
    stage.end().await;
}

#[tokio::test]
async fn message_without_a_card_has_the_address_of_the_stream() {
    let stage = with(&json!({ "embed": false })).await;
    stage.online("5001").await;
    stage.settled().await;
    let message = stage.message();
    assert_eq!(message.content, "User90210441 is live: https://www.twitch.tv/user90210441");
    assert!(message.embeds.is_empty());
    stage.end().await;
}

#[tokio::test]
async fn name_that_discord_refuses_is_no_reason_to_post_nothing() {
    let stage = with(&json!({ "poster": "streamer" })).await;
    stage.next(DiscordFault::NameRefused, 1);
    stage.online("5001").await;
    stage.settled().await;
    assert_eq!(stage.message().name, stage.webhook().name);
    assert_eq!((stage.count("execute 400"), stage.count("execute 200")), (1, 1));
    assert_eq!(stage.states().await, ["posted"]);
    stage.stop().await;
}

/// It is a request of its own, which has to wait until one may be made.
#[tokio::test]
async fn message_without_the_refused_name_waits_until_a_request_may_be_made() {
    let stage = Stage::refusing_the_name().await;
    stage.clock.advance(Duration::seconds(10));
    let free_at = stage.clock.now();
    sqlx::query("update egress set not_before = null").execute(&stage.server.pool).await.unwrap();
    stage.settled().await;
    assert_eq!(stage.message().name, stage.webhook().name);
    let calls = stage.discord.world.calls();
    let executed: Vec<_> = calls.iter().filter(|call| call.call == "execute").collect();
    assert_eq!(executed.iter().map(|call| call.status).collect::<Vec<_>>(), [400, 200]);
    assert!(executed[1].at >= free_at, "it came before a request was allowed");
    stage.stop().await;
}

/// Or else it might be under way for longer than the server waits.
#[tokio::test]
async fn server_that_stops_does_not_post_the_message_without_the_refused_name() {
    let stage = Stage::refusing_the_name().await;
    let pool = stage.server.pool.clone();
    stage.server.stop().await;
    let kept = "select state, is_name_refused, attempts from post";
    let kept: (String, bool, i32) = sqlx::query_as(kept).fetch_one(&pool).await.unwrap();
    assert_eq!(kept, ("pending".to_owned(), true, 1));
    assert_eq!(stage.discord.world.counts().get("execute 200"), None);
    stage.discord.stop().await.unwrap();
}

#[tokio::test]
async fn name_that_discord_would_refuse_is_that_of_the_webhook() {
    let stage = with(&json!({ "poster_name": "Discord News" })).await;
    let webhook = stage.webhook();
    stage.online("5001").await;
    stage.settled().await;
    assert_eq!(stage.message().name, webhook.name);
    stage.end().await;
}
