//! What no rule reacts to.

use super::*;
use crate::outputs::reactions::rules::state::OwnMessage;

/// One rule for everything that can be said or told.
const ALL: &str = r#"
bot = "showbot"
[[rule]]
name = "said"
message = ".+"
max_per_minute = 1000
do = [{ say = "{{ user.name }} wrote" }]

[[rule]]
name = "told"
on = ["channel.follow", "stream.online", "stream.offline", "channel.raid", "channel.poll.end", "channel.chat.notification"]
max_per_minute = 1000
do = [{ say = "told" }]
"#;

fn none(plan: &Plan, refusal: &str) {
    assert_eq!(plan.refusal.as_ref().map(ToString::to_string).as_deref(), Some(refusal));
    assert_eq!((plan.actions.len(), plan.changes.len()), (0, 0), "{plan:?}");
}

#[test]
fn test_event_is_only_recorded_and_changes_nothing() {
    let mut world = World::example();
    let mut event = world.line("!death", "moderator");
    event.is_test = true;
    let plan = world.tell(&event);
    assert!(plan.changes.is_empty(), "{:?}", plan.changes);
    assert!(!plan.actions.is_empty() && plan.actions.iter().all(|action| action.state == PlannedState::Dry));
    assert_eq!(plan.actions[1].params, "Deaths: 1", "it shows what it would say");
    assert_eq!(said(&world.says("!death", "moderator")), ["Deaths: 1"]);
}

#[test]
fn line_of_the_bot_is_its_own() {
    let mut world = World::new(ALL);
    let mut event = chat("1", "hello", "moderator");
    event["chatter_user_id"] = json!("777");
    let event = world.event("channel.chat.message", event);
    none(&world.tell(&event), "it is the bot's own");
}

#[test]
fn sent_line_of_a_broadcaster_who_is_the_bot_is_its_own() {
    let mut world = World::new(ALL);
    world.state.bot = None;
    let line = |id: &str, text: &str, is_reply: bool| {
        let mut event = chat(id, text, "broadcaster");
        event["chatter_user_id"] = json!(CHANNEL);
        event["reply"] = if is_reply { json!({ "parent_message_id": "x" }) } else { Value::Null };
        event
    };
    let channel = CHANNEL.parse().unwrap();
    let own = |text: &str, message_id: Option<&str>| OwnMessage {
        channel,
        text: text.to_owned(),
        message_id: message_id.map(str::to_owned),
    };
    // The echo comes before the answer: only the text is known.
    world.state.own_messages = vec![own("Hello  there", None)];
    let echo = world.event("channel.chat.message", line("1", "Hello there", false));
    none(&world.tell(&echo), "it is the bot's own");
    let reply = world.event("channel.chat.message", line("2", "@QuietOtter Hello there", true));
    none(&world.tell(&reply), "it is the bot's own");
    // Afterwards the id is known, and the same text by hand is another message.
    let channel = CHANNEL.parse().unwrap();
    let known = OwnMessage { channel, text: "Hello there".to_owned(), message_id: Some("3".to_owned()) };
    world.state.own_messages = vec![known];
    let echo = world.event("channel.chat.message", line("3", "Hello there", false));
    none(&world.tell(&echo), "it is the bot's own");
    let by_hand = world.event("channel.chat.message", line("4", "Hello there", false));
    assert_eq!(fired(&world.tell(&by_hand)), 1);
}

#[test]
fn listed_bot_is_ignored_by_login_and_by_id() {
    let mut world = World::new(ALL);
    let mut event = chat("1", "hello", "moderator");
    event["chatter_user_login"] = json!("NightBot");
    let event = world.event("channel.chat.message", event);
    none(&world.tell(&event), "nightbot is in ignore_users");
    let mut world = World::new(&format!("ignore_users = [\"{OTTER}\"]\n{ALL}"));
    none(&world.says("hello", ""), &format!("{OTTER} is in ignore_users"));
}

#[test]
fn copy_of_a_shared_chat_needs_the_rules_consent() {
    let copy = changed(
        "channel.chat.message",
        Some("cheer-reply-shared"),
        json!({ "source_broadcaster_user_id": "71330092" }),
    );
    let mut world = World::new(ALL);
    let event = world.event("channel.chat.message", copy.clone());
    assert_eq!(world.why(&event, "said"), "it is a copy from another channel of a shared chat");
    assert_eq!(fired(&world.tell(&event)), 0);
    let mut own = copy.clone();
    own["source_broadcaster_user_id"] = json!(CHANNEL);
    let event = world.event("channel.chat.message", own);
    assert_eq!(fired(&world.tell(&event)), 1, "written here");
    let mut world = World::new("[[rule]]\nname = \"a\"\nmessage = '.+'\nshared = true\ndo = [{ say = \"x\" }]");
    let event = world.event("channel.chat.message", copy);
    assert_eq!(fired(&world.tell(&event)), 1);
}

#[test]
fn stale_event_is_recorded_as_such() {
    let mut world = World::new(ALL);
    for (kind, event, seconds) in [
        ("channel.chat.message", chat("1", "hi", ""), 60),
        ("stream.online", changed("stream.online", None, json!({})), 600),
    ] {
        let old = world.event(kind, event);
        let at = |seconds| old.occurred_at + Duration::seconds(seconds);
        let mut on_time = world.state.clone();
        let plan_at = |state: &mut State, now| plan(&world.compiled, state, &old, now);
        assert_eq!(fired(&plan_at(&mut on_time, at(seconds))), 1, "{kind}");
        let stale = plan_at(&mut world.state, at(seconds + 1));
        assert_eq!(stale.actions[0].state, PlannedState::Stale, "{kind}");
        assert!(done(&stale).is_empty());
    }
    let rules = "[[rule]]\nname = \"a\"\non = \"stream.online\"\nmax_age = \"5s\"\ndo = [{ say = \"x\" }]";
    let mut world = World::new(rules);
    let event = world.event("stream.online", changed("stream.online", None, json!({})));
    world.pass(6);
    assert_eq!(world.why(&event, "a"), "the event is too old");
}

#[test]
fn repeat_is_no_news() {
    let mut world = World::new(ALL);
    let mut event = world.line("hello", "");
    event.repeats = Some(LogId(1));
    none(&world.tell(&event), "an earlier event told the same, or took it back");
    let mut event = world.line("hello", "");
    (event.repeats, event.repeated_on) = (Some(LogId(1)), Some(vec!["71330092".parse().unwrap()]));
    assert_eq!(fired(&world.tell(&event)), 1, "told on another channel only");
}

#[test]
fn second_telling_is_reacted_to_once() {
    let mut world = World::new(ALL);
    let follow = |at: &str| changed("channel.follow", None, json!({ "followed_at": at }));
    let poll = |title: &str| changed("channel.poll.end", None, json!({ "id": "p", "title": title }));
    let tellings = [
        // Twitch sends the same follow again with a time that differs behind the seconds.
        ("channel.follow", follow("2026-03-14T18:00:00.480213377Z"), follow("2026-03-14T19:00:00+01:00")),
        (
            "stream.online",
            changed("stream.online", None, json!({})),
            changed("stream.online", None, json!({ "type": "rerun" })),
        ),
        ("channel.poll.end", poll("a"), poll("b")),
        ("channel.chat.message", chat("same", "a", ""), chat("same", "a", "vip")),
    ];
    for (kind, first, second) in tellings {
        let event = world.event(kind, first);
        assert_eq!(fired(&world.tell(&event)), 1, "{kind}");
        world.pass(1);
        let mut event = world.event(kind, second);
        event.message_type = "inferred".to_owned();
        assert_eq!(fired(&world.tell(&event)), 0, "{kind}");
    }
    let event = world.event("channel.follow", follow("2026-03-14T18:00:01Z"));
    assert_eq!(fired(&world.tell(&event)), 1, "another follow");
}

#[test]
fn revocation_and_event_without_a_channel_are_nothing() {
    let mut world = World::new(ALL);
    let mut revoked = world.line("hello", "");
    revoked.message_type = "revocation".to_owned();
    assert_eq!(world.tell(&revoked), Plan::default());
    let mut unknown = world.line("hello", "");
    unknown.channel_id = None;
    assert_eq!(world.tell(&unknown), Plan::default());
}

#[test]
fn outgoing_raid_is_nothing() {
    let mut world = World::new(ALL);
    let raid = changed(
        "channel.raid",
        None,
        json!({ "to_broadcaster_user_id": "71330092", "from_broadcaster_user_id": CHANNEL }),
    );
    let event = world.event("channel.raid", raid);
    none(&world.tell(&event), "the raid went to another channel");
}

#[test]
fn rule_that_reacts_too_often_rests() {
    let mut world = World::new("[[rule]]\nname = \"echo\"\nmessage = '.+'\ndo = [{ say = \"x\" }]");
    for _ in 0..10 {
        assert_eq!(fired(&world.says("x", "")), 1);
        world.pass(1);
    }
    let event = world.line("x", "");
    let resting = "too many reactions in a minute; the rule rests until 2026-03-14T18:05:10Z";
    assert_eq!(world.why(&event, "echo"), resting);
    world.tell(&event);
    world.pass(299);
    let event = world.line("x", "");
    assert_eq!(world.why(&event, "echo"), resting);
    world.pass(1);
    assert_eq!(fired(&world.says("x", "")), 1);
}

#[test]
fn moderation_does_not_rest() {
    let mut world = World::example();
    let deleted: usize = (0..100).map(|_| fired(&world.says("buy followers", ""))).sum();
    assert_eq!(deleted, 100);
}
