//! What no rule reacts to.

use serde_json::{Value, json};
use showtime::mock::Faults;
use showtime::store::signals::Channel;
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp};
use time::Duration;

use super::super::Place;
use super::{apply, count, deliver, ended, judged, line, line_of, quiet, said, says, serve};
use crate::support::messages::{notification, online, subscription, text, with_person, with_user};
use crate::support::server::Server;
use crate::support::twitch::{CHANNEL, CHANNEL_ID};
use crate::support::until;

/// One rule for everything that is said and told, of an account that is also the broadcaster's.
const ALL: &str = r#"
[[rule]]
name = "said"
message = ".+"
max_per_minute = 1000
do = [{ say = "{{ user.name }} wrote {{ match[0] }}" }]

[[rule]]
name = "told"
on = ["channel.follow", "stream.online"]
max_per_minute = 1000
do = [{ say = "told of {{ event.id | default('a follow') }}" }]
"#;

async fn start() -> (Place, Server) {
    let place = Place::new().await;
    let server = serve(&place).await;
    apply(&server, ALL).await;
    (place, server)
}

/// How many reactions there were, of whatever state.
async fn reactions(server: &Server) -> i64 {
    quiet(server).await;
    sqlx::query_scalar("select count(*) from action where rule_id <> 0").fetch_one(&server.pool).await.unwrap()
}

fn own(server: &Server, message_id: &str, text: &str) -> Outgoing {
    line_of(server, (CHANNEL_ID, CHANNEL), message_id, text, "broadcaster")
}

/// Twitch sends their streams, too. Who asks for a track need not know the broadcaster.
#[tokio::test]
async fn channel_that_is_only_tracked_is_left_alone() {
    let (place, server) = start().await;
    let timer = "[[rule]]\nname = \"news\"\ntimer = { every = \"20m\" }\ndo = [{ say = \"news\" }]";
    apply(&server, &format!("{ALL}\n{timer}")).await;
    server
        .sql(
            "insert into discord_bot (id, name, secret_hash, created_at) values (1, 'tatsu', '', now());
            insert into destination (bot_id, channel_id, webhook_id, token_sealed, state_at, created_at)
            values (1, 2, 3, '', now(), now());
            insert into track (destination_id, twitch_id, login, created_at) select id, '44322889', 'other', now() from destination",
        )
        .await;
    let at = server.clock.now();
    let event = json!({ "id": "40944725612", "type": "live", "started_at": text(at) });
    let event = with_person("broadcaster_user_", "44322889", event);
    deliver(&server, &Outgoing::notification(Stamp::new(text(at)), &subscription("stream.online", &event), &event))
        .await;
    let timers = "insert into rule_timer select rule_id, '44322889', next_at, lines from rule_timer";
    until("the timer has started", async || {
        sqlx::query(timers).execute(&server.pool).await.unwrap().rows_affected() > 0
    })
    .await;
    server.clock.advance(Duration::minutes(21));
    until("the timer has run", async || !said(&place).is_empty()).await;
    quiet(&server).await;
    assert_eq!(said(&place), ["news"]);
    let elsewhere = "select count(*) from action where channel_id = '44322889'";
    assert_eq!(sqlx::query_scalar::<_, i64>(elsewhere).fetch_one(&server.pool).await.unwrap(), 0);
    server.stop().await;
}

#[tokio::test]
async fn replay_listed_bot_copy_and_stale_message_are_not_answered() {
    let (place, server) = start().await;
    assert_eq!(says(&server, "m1", "hi", "").await, ["say: done"]);
    let id: i64 = sqlx::query_scalar("select min(id) from event").fetch_one(&server.pool).await.unwrap();
    assert_eq!(server.post_json(&format!("/events/{id}/replay"), &json!({})).await.status, 204);
    deliver(&server, &line_of(&server, ("5", "NightBot"), "m2", "hi", "moderator")).await;
    let mut copy = line(&server, "m3", "hi", "");
    let mut body: Value = serde_json::from_slice(&copy.body).unwrap();
    body["event"]["source_broadcaster_user_id"] = json!("71330092");
    copy.body = body.to_string().into();
    deliver(&server, &copy).await;
    assert_eq!(reactions(&server).await, 1);

    let old = line(&server, "m4", "hi", "");
    server.clock.advance(Duration::seconds(61));
    deliver(&server, &old).await;
    assert_eq!(ended(&server, "chat/m4").await, ["say: stale"]);
    assert_eq!(said(&place).len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn own_line_of_a_broadcaster_who_is_the_bot_is_not_answered() {
    let (place, server) = start().await;
    assert_eq!(says(&server, "m1", "hi", "").await, ["say: done"]);
    let sent = place.performed("say")[0].effect.clone();
    let (id, text) = (sent["message_id"].as_str().unwrap(), sent["text"].as_str().unwrap());
    deliver(&server, &own(&server, id, text)).await;
    assert_eq!(reactions(&server).await, 1, "the echo after the answer");
    deliver(&server, &own(&server, "by hand", "something else")).await;
    assert_eq!(reactions(&server).await, 2, "the broadcaster also writes by hand");

    // The echo comes before the answer.
    place.faults(Faults { action_delay: 1.0, delay_ms: 3_000, ..Faults::default() });
    deliver(&server, &line(&server, "m2", "again", "")).await;
    until("the answer is being sent", async || count(&server, "sending").await == 1).await;
    deliver(&server, &own(&server, "echo", "quietotter wrote again")).await;
    judged(&server).await;
    place.faults(Faults::default());
    assert_eq!(reactions(&server).await, 3);
    assert_eq!(ended(&server, "chat/m2").await, ["say: done"]);
    server.stop().await;
}

#[tokio::test]
async fn second_telling_is_not_answered() {
    let (place, server) = start().await;
    let followed_at = text(server.clock.now());
    for _ in 0..3 {
        let follow = with_user("7", json!({ "followed_at": followed_at }));
        deliver(&server, &notification("channel.follow", server.clock.now(), follow)).await;
    }
    assert_eq!(reactions(&server).await, 1, "the same follow in three messages");

    // Twitch's API shows a stream before its message comes.
    let statement = "with appended as (
            insert into event (message_id, message_type, type, channel_id, occurred_at, received_at, payload)
            values ('inferred', 'inferred', 'stream.online', $1, clock_timestamp(), clock_timestamp(), $2::text::json) returning id
        ) select pg_notify($3, max(id)::text) from appended";
    let payload = json!({ "event": { "id": "40952110345", "type": "live", "started_at": followed_at } });
    let inferred = sqlx::query(statement).bind(CHANNEL_ID).bind(payload.to_string()).bind(Channel::Event.name());
    inferred.execute(&server.pool).await.unwrap();
    assert_eq!(reactions(&server).await, 2);
    deliver(&server, &online("40952110345", server.clock.now())).await;
    assert_eq!(reactions(&server).await, 2);
    assert_eq!(said(&place), ["told of a follow", "told of 40952110345"]);
    server.stop().await;
}
