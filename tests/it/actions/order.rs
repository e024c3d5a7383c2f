//! The steps of a rule: one after the other, not too early, and not after one that has not happened.

use serde_json::{Value, json};
use showtime::outputs::reactions::step::Step;
use showtime::store::actions::{self, ActionState, NewAction, Origin};
use showtime::twitch::id::{ChannelId, UserId};
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};

use super::{Place, VIEWER, done, get, request, say, settled, until_state};
use crate::support::server::Server;
use crate::support::twitch::{CHANNEL, CHANNEL_ID};
use crate::support::until;

/// A step as a rule plans it.
struct Planned {
    step: Value,
    delay: Duration,
    continues: bool,
    state: ActionState,
}

impl Planned {
    fn new(step: Value) -> Self {
        Self { step, delay: Duration::ZERO, continues: false, state: ActionState::Pending }
    }

    fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }
}

/// Adds the steps of one subject in one transaction, as the rules do. Returns their ids.
async fn plan(pool: &PgPool, rule_id: i64, subject: &str, now: OffsetDateTime, steps: &[Planned]) -> Vec<i64> {
    let (channel, user): (ChannelId, UserId) = (CHANNEL_ID.parse().unwrap(), CHANNEL_ID.parse().unwrap());
    let mut transaction = pool.begin().await.unwrap();
    for (place, planned) in steps.iter().enumerate() {
        let step: Step = serde_json::from_value(planned.step.clone()).unwrap();
        let (params, target) = (step.params(), step.target_id());
        let new = step.new_action(subject, &params, (&channel, &user), target.as_ref(), now);
        let new = NewAction {
            origin: Origin { rule_id, revision: 1, event_id: None },
            step: i16::try_from(place).unwrap(),
            continues: planned.continues,
            state: planned.state,
            not_before: now + planned.delay,
            expires_at: now + planned.delay + step.lifetime(),
            ..new
        };
        assert!(actions::insert(&mut *transaction, &new).await.unwrap());
        assert!(
            !actions::insert(&mut *transaction, &new).await.unwrap(),
            "of each rule, subject and step there is one"
        );
    }
    transaction.commit().await.unwrap();
    let statement = "select id from action where rule_id = $1 and subject = $2 order by step";
    sqlx::query_scalar(statement).bind(rule_id).bind(subject).fetch_all(pool).await.unwrap()
}

/// The names of the calls that Twitch has performed, in their order.
fn calls(place: &Place) -> Vec<&'static str> {
    place.twitch.mock.world.actions().into_iter().map(|call| call.action).collect()
}

async fn states(server: &Server, ids: &[i64]) -> Vec<String> {
    let mut states = Vec::new();
    for id in ids {
        states.push(settled(server, *id).await["state"].as_str().unwrap().to_owned());
    }
    states
}

#[tokio::test]
async fn steps_of_a_subject_are_done_in_order_whatever_their_priority() {
    let place = Place::new().await;
    let server = place.serve().await;
    place.faults(serde_json::from_value(json!({ "action_delay": 1.0, "delay_ms": 100 })).unwrap());
    let steps = [
        Planned::new(json!({ "title": "first" })),
        Planned::new(say("second")),
        Planned::new(json!({ "ban": { "user": place.viewer_id, "reason": null } })),
    ];
    let ids = plan(&server.pool, 1, "a", server.clock.now(), &steps).await;
    assert_eq!(states(&server, &ids).await, ["done", "done", "done"]);
    assert_eq!(calls(&place), ["channel", "say", "ban"]);
    server.stop().await;
}

#[tokio::test]
async fn delayed_step_waits_and_holds_up_nothing() {
    let place = Place::new().await;
    let server = place.serve().await;
    let steps = [Planned::new(say("at once")), Planned::new(say("later")).after(Duration::minutes(5))];
    let ids = plan(&server.pool, 1, "a", server.clock.now(), &steps).await;
    until_state(&server, ids[0], "done").await;
    done(&server, say("in between")).await;
    assert_eq!(get(&server, ids[1]).await["state"], "pending");
    server.clock.advance(Duration::minutes(5));
    until_state(&server, ids[1], "done").await;
    let texts: Vec<_> = place.performed("say").iter().map(|call| call.effect["text"].clone()).collect();
    assert_eq!(texts, ["at once", "in between", "later"]);
    server.stop().await;
}

#[tokio::test]
async fn failed_step_stops_those_behind_it_unless_it_continues() {
    let place = Place::new().await;
    let server = place.serve().await;
    let failing = || Planned::new(json!({ "ban": { "user": CHANNEL_ID, "reason": null } }));
    let steps = [failing(), Planned::new(say("never")), Planned::new(say("neither"))];
    let stopped = plan(&server.pool, 1, "a", server.clock.now(), &steps).await;
    let steps = [Planned { continues: true, ..failing() }, Planned::new(say("all the same"))];
    let continued = plan(&server.pool, 2, "a", server.clock.now(), &steps).await;
    assert_eq!(states(&server, &stopped).await, ["failed", "off", "off"]);
    assert_eq!(get(&server, stopped[1]).await["problem"], "a step before it has not happened");
    assert_eq!(states(&server, &continued).await, ["failed", "done"]);

    place.faults(serde_json::from_value(json!({ "drop_next_message": 1 })).unwrap());
    let dropped =
        plan(&server.pool, 1, "b", server.clock.now(), &[Planned::new(say("x")), Planned::new(say("y"))]).await;
    assert_eq!(states(&server, &dropped).await, ["dropped", "off"]);
    place.faults(serde_json::from_value(json!({ "fail_next_action_after": 1 })).unwrap());
    let uncertain =
        plan(&server.pool, 1, "c", server.clock.now(), &[Planned::new(say("p")), Planned::new(say("q"))]).await;
    assert_eq!(states(&server, &uncertain).await, ["uncertain", "done"]);

    server.send(reqwest::Method::POST, &format!("/actions/{}/retry", stopped[2])).await.json();
    until_state(&server, stopped[2], "done").await;
    server.stop().await;
}

#[tokio::test]
async fn step_that_is_too_late_stops_those_behind_it() {
    let place = Place::new().await;
    let server = place.serve().await;
    place.twitch.mock.world.use_up_rate_limit(600);
    let steps = [Planned::new(say("late")), Planned::new(json!({ "title": "later" }))];
    let ids = plan(&server.pool, 1, "a", server.clock.now(), &steps).await;
    until("it waits", async || get(&server, ids[0]).await["problem"].is_string()).await;
    server.clock.advance(Duration::seconds(61));
    assert_eq!(states(&server, &ids).await, ["stale", "off"]);
    server.stop().await;
}

#[tokio::test]
async fn what_is_only_recorded_is_never_done() {
    let place = Place::new().await;
    let server = place.serve().await;
    let steps = [ActionState::Dry, ActionState::Off, ActionState::Stale]
        .map(|state| Planned { state, ..Planned::new(say("never")) });
    let ids = plan(&server.pool, 1, "a", server.clock.now(), &steps).await;
    done(&server, say("afterwards")).await;
    assert_eq!(states(&server, &ids).await, ["dry", "off", "stale"]);
    assert_eq!(calls(&place), ["say"]);
    assert_eq!(server.json("/actions?state=dry").await["data"].as_array().unwrap().len(), 1);
    server.send(reqwest::Method::POST, &format!("/actions/{}/retry", ids[0])).await.problem(409, "wrong-state");
    server.stop().await;
}

#[tokio::test]
async fn login_of_a_rule_is_looked_up_when_the_step_is_done() {
    let place = Place::new().await;
    let server = place.serve().await;
    let steps = [
        Planned::new(json!({ "shoutout": VIEWER })),
        Planned::new(json!({ "ban": { "user": "unknown_login", "reason": null } })),
    ];
    let ids = plan(&server.pool, 1, "a", server.clock.now(), &steps).await;
    assert_eq!(states(&server, &ids).await, ["done", "failed"]);
    assert_eq!(place.performed("shoutout")[0].effect["to_broadcaster_id"], json!(place.viewer_id));
    assert_eq!(get(&server, ids[0]).await["attempts"], 1, "the look-up is no attempt");
    let problem = get(&server, ids[1]).await["problem"].clone();
    assert!(problem.as_str().unwrap().contains("Twitch knows no user `unknown_login`"), "{problem}");
    let again = plan(&server.pool, 1, "b", server.clock.now(), &[Planned::new(json!({ "shoutout": VIEWER }))]).await;
    server.clock.advance(Duration::minutes(3));
    until("it is known who is meant", async || {
        let statement = "select target is not null from action where id = $1";
        sqlx::query_scalar(statement).bind(again[0]).fetch_one(&server.pool).await.unwrap()
    })
    .await;
    assert_eq!(get(&server, again[0]).await["state"], "pending");
    assert_eq!(place.performed("shoutout").len(), 1, "one an hour for the same channel");
    server.stop().await;
}

#[tokio::test]
async fn message_about_a_clip_has_its_address() {
    let place = Place::new().await;
    let server = place.serve().await;
    let clip =
        request(&server, &json!({ "clip": { "title": null, "seconds": null, "say": "see {{ clip.url }}!" } })).await;
    let clip = settled(&server, clip).await;
    until("it is said", async || !place.performed("say").is_empty()).await;
    let url = clip["result"]["url"].as_str().unwrap();
    assert_eq!(place.performed("say")[0].effect["text"], format!("see {url}!"));
    server.stop().await;
}

#[tokio::test]
async fn message_is_sent_and_pinned() {
    let place = Place::new().await;
    let server = place.serve().await;
    let pinned = done(&server, json!({ "pin": { "text": "read the rules", "seconds": null } })).await;
    assert_eq!(pinned["class"], "once");
    let room = place.twitch.mock.world.room(CHANNEL).unwrap();
    assert_eq!(json!(room.pinned.unwrap().message_id), pinned["result"]["message_id"]);
    server.stop().await;
}
