//! Threads and forums.

use serde_json::{Value, json};
use showtime::mock::discord::{ChannelEdit, ChannelKind, NewChannel, NewWebhook};

use super::{Fixture, error, read};

#[tokio::test]
async fn forum_requires_a_thread_and_its_tags() {
    let mut fixture = Fixture::start().await;
    let body = |extra: Value| {
        let mut body = json!({ "content": "live" });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        body
    };
    let name = json!({ "thread_name": "Maple" });
    assert_eq!(error(&fixture.post(body(name.clone())).await), (400, 220_003), "in a text channel");
    fixture.move_to("streams").await;
    assert_eq!(error(&fixture.post(body(json!({}))).await), (400, 220_001));
    assert_eq!(error(&fixture.post_to("thread_id=1", body(name.clone())).await), (400, 220_002));
    assert_eq!(error(&fixture.post_to("thread_id=1", body(json!({}))).await), (404, 10_003));
    let unknown = body(json!({ "thread_name": "Maple", "applied_tags": ["1"] }));
    assert_eq!(error(&fixture.post(unknown).await), (400, 10_087));
    let tag = fixture.discord.world.channel("streams").unwrap().tags[0].id;
    let (status, message) = fixture.post(body(json!({ "thread_name": "Maple", "applied_tags": [tag] }))).await;
    assert_eq!((status, &message["channel_id"]), (200, &message["id"]), "the thread has the id of its first message");

    let thread = message["id"].as_str().unwrap();
    let query = format!("?thread_id={thread}");
    assert_eq!(error(&fixture.edit(thread, "", json!({ "content": "x" })).await), (404, 10_008), "without the thread");
    assert_eq!(fixture.edit(thread, &query, json!({ "content": "x" })).await.0, 200);
    let world = fixture.discord.world.clone();
    let edit = |edit: ChannelEdit| world.edit_channel(thread, edit).unwrap();
    edit(ChannelEdit { is_archived: Some(true), ..ChannelEdit::default() });
    assert_eq!(error(&fixture.edit(thread, &query, json!({ "content": "y" })).await), (400, 50_083));
    let (status, second) = fixture.post_to(&query[1..], body(json!({}))).await;
    assert_eq!((status, &second["channel_id"]), (200, &json!(thread)));
    assert!(!world.channel(thread).unwrap().is_archived, "posting ended that");
    edit(ChannelEdit { is_locked: Some(true), ..ChannelEdit::default() });
    assert_eq!(error(&fixture.post_to(&query[1..], body(json!({}))).await), (400, 160_005));
    world.delete_channel(thread).unwrap();
    assert_eq!(error(&fixture.edit(thread, &query, json!({ "content": "z" })).await), (404, 10_003));

    let strict =
        NewChannel { name: "tagged".to_owned(), kind: ChannelKind::Forum, requires_tag: true, ..NewChannel::default() };
    world.add_channel(&strict).unwrap();
    fixture.move_to("tagged").await;
    assert_eq!(error(&fixture.post(body(name)).await), (400, 40_067));
    fixture.stop().await;
}

#[tokio::test]
async fn role_that_a_thread_could_not_mention_sets_a_flag() {
    let fixture = Fixture::start().await;
    let world = &fixture.discord.world;
    let parent = Some("go-live".to_owned());
    let thread = world.add_channel(&NewChannel { name: "a".to_owned(), parent, ..NewChannel::default() }).unwrap();
    let weak = world.add_webhook(&NewWebhook { may_mention_everyone: false, ..NewWebhook::default() }).unwrap();
    let role = world.roles()[1].id;
    let body = json!({ "content": format!("<@&{role}>"), "allowed_mentions": { "roles": [role] } });
    let url = fixture.url_of(&weak, &format!("?wait=true&thread_id={}", thread.id));
    let (status, message) = read(fixture.client.post(url).json(&body).send().await.unwrap()).await;
    assert_eq!((status, &message["flags"], &message["channel_id"]), (200, &json!(1 << 8), &json!(thread.id)));
    fixture.stop().await;
}
