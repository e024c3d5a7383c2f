//! Properties of planning and of files.

use std::collections::HashSet;

use proptest::prelude::*;
use proptest::sample::subsequence;

use super::*;
use crate::outputs::reactions::rules::export::to_toml;
use crate::outputs::reactions::rules::read::{from_json, to_json};
use crate::outputs::reactions::rules::state::OwnMessage;

/// A text that may be anything which a file can hold.
fn text() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9 '\"\\\\\u{7f}\n\t$%äß🦦]{1,20}x"
}

fn trigger() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({ "on": "channel.follow", "batch": "10s", "once_per_user": true })),
        Just(json!({ "on": ["stream.online", "channel.raid"], "max_age": "1h30m" })),
        ("[!a-z]{1,10}", proptest::option::of(0_u32..100_000)).prop_map(|(command, seconds)| {
            let cooldown = json!({ "all": format!("{}s", seconds.unwrap_or(0) + 1), "bypass": ["vip", "subscriber>=2"] });
            json!({ "command": ["!title", command], "cooldown": cooldown, "live": true })
        }),
        Just(json!({ "message": r#"(?i)\b(buy|'cheap")\s+"#, "permit": true, "except": ["moderator", "subscriber>=3"] })),
        (1_u32..400).prop_map(|length| json!({ "filter": { "length": length, "links": { "allow": ["*.wikipedia.org"] } } })),
        (text(), 1_u8..=100).prop_map(|(word, percent)| {
            json!({ "filter": { "words": [word], "caps": { "percent": percent, "min": 3 } }, "deny": { "users": ["a_b"] } })
        }),
        (30_u32..100_000, 0_u32..50, any::<bool>())
            .prop_map(|(every, lines, live)| json!({ "timer": { "every": format!("{every}s"), "lines": lines, "live": live } })),
    ]
}

/// Steps that every trigger allows.
fn step() -> impl Strategy<Value = Value> {
    let body = text()
        .prop_map(|key| json!({ "text": "{{ channel.name }}", "n": 1.5, "list": [1, -3, true], "o": { key: {} } }));
    prop_oneof![
        text().prop_map(|text| json!({ "say": text.replace('%', "") })),
        text().prop_map(|text| json!({ "announce": { "text": text.replace('%', ""), "color": "purple" } })),
        text().prop_map(
            |text| json!({ "say": format!("{{{{ channel.name }}}} {}", text.replace('%', "")), "continue": true })
        ),
        body.prop_map(|body| json!({ "webhook": { "sink": "rocketchat", "body": body } })),
        any::<i64>().prop_map(|add| json!({ "count": { "name": "deaths", "add": add } })),
        text().prop_map(|value| json!({ "set": { "name": "today", "value": value.replace('%', "") } })),
        Just(
            json!({ "timeout": { "user": "a", "steps": ["10s", "10m", "1d"], "forget": "2d", "reason": "{{ counter.deaths }}" } })
        ),
        Just(json!({ "clip": { "say": "{{ clip.url }}" } })),
        Just(json!({ "settings": { "slow_mode": true, "slow_mode_wait_time": 10 } })),
        Just(json!({ "tags": [] })),
        Just(json!({ "ad": "30s" })),
        Just(json!({ "shield": false })),
        Just(json!({ "clear": {} })),
        Just(json!({ "delay": "5s" })),
    ]
}

fn rule() -> impl Strategy<Value = Value> {
    (trigger(), prop::collection::vec(step(), 1..6), any::<bool>(), any::<bool>()).prop_map(
        |(trigger, steps, dry, enabled)| {
            let mut rule = trigger;
            rule["do"] = Value::Array(steps);
            rule["dry"] = json!(dry);
            rule["enabled"] = json!(enabled);
            rule
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// What is exported can be applied, and changes nothing.
    #[test]
    fn export_is_read_as_the_same_rules(rules in prop::collection::vec((rule(), text()), 0..6), bot in any::<bool>()) {
        let named = rules.into_iter().enumerate().map(|(index, (mut rule, name))| {
            rule["name"] = json!(format!("{index} {}", name.replace(|it: char| it.is_control(), "")));
            rule
        });
        let mut tree = json!({ "rule": named.collect::<Vec<_>>(), "ignore_users": [] });
        if bot {
            tree["bot"] = json!("showbot");
        }
        let rules = from_json(tree).map_err(|problems| TestCaseError::fail(problems[0].to_string()))?;
        let exported = to_toml(&rules);
        let read = from_toml(&exported).map_err(|problems| TestCaseError::fail(format!("{}\n{exported}", problems[0])))?;
        prop_assert_eq!(&read, &rules, "{}", exported);
        prop_assert_eq!(from_json(to_json(&rules)).unwrap(), rules);
    }

    /// No file makes the reader panic.
    #[test]
    fn any_text_is_read_or_refused(text in "(\\[\\[rule\\]\\]|name = |do = |[a-z\\[\\]{}='\"\n.0-9 ])*") {
        let _ = from_toml(&text);
    }
}

/// Rules that react to all that can happen here.
const RULES: &str = r#"
bot = "showbot"

[[rule]]
name = "lines"
message = ".+"
max_per_minute = 100000
do = [{ say = "{{ user.name }}" }, { count = "lines" }]

[[rule]]
name = "events"
on = ["channel.follow", "stream.online", "channel.poll.end", "channel.cheer", "channel.chat.message"]
max_per_minute = 100000
do = [{ say = "x" }]

[[rule]]
name = "batch"
on = "channel.follow"
batch = "2s"
max_per_minute = 100000
do = [{ say = "{{ users | map(attribute='id') | join(' ') }}" }]
"#;

/// Events that no rule may react to.
fn silent() -> Vec<LoggedEvent> {
    let line = |id: i64, change: fn(&mut LoggedEvent), fields: Value| {
        let mut line = chat(&format!("silent-{id}"), "hello", "");
        fields.as_object().unwrap().iter().for_each(|(field, value)| line[field] = value.clone());
        let mut event = logged("channel.chat.message", id, START, line);
        change(&mut event);
        event
    };
    vec![
        line(101, |event| event.is_test = true, json!({})),
        line(102, |_| (), json!({ "chatter_user_id": "777" })),
        line(103, |_| (), json!({ "chatter_user_login": "nightbot" })),
        line(104, |_| (), json!({ "source_broadcaster_user_id": "71330092" })),
        line(105, |event| event.occurred_at -= Duration::minutes(2), json!({})),
        line(106, |event| event.repeats = Some(LogId(1)), json!({})),
        line(107, |event| event.message_type = "revocation".to_owned(), json!({})),
        // Sent by the broadcaster's own account.
        line(108, |_| (), json!({ "chatter_user_id": CHANNEL, "message_id": "sent" })),
    ]
}

/// Events that rules react to, each with a second telling.
fn told() -> Vec<LoggedEvent> {
    let follow = |at: &str, user: &str| changed("channel.follow", None, json!({ "followed_at": at, "user_id": user }));
    let online = changed("stream.online", None, json!({}));
    let mut inferred = logged("stream.online", 8, START + Duration::SECOND, online.clone());
    inferred.message_type = "inferred".to_owned();
    vec![
        logged("channel.chat.message", 1, START, chat("a", "hello", "")),
        logged("channel.chat.message", 2, START, chat("a", "hello", "")),
        logged("channel.chat.message", 3, START, chat("b", "hello", "vip")),
        logged("channel.follow", 4, START, follow("2026-03-14T18:00:00.9Z", "1")),
        logged("channel.follow", 5, START + Duration::SECOND, follow("2026-03-14T18:00:00.1Z", "1")),
        logged("channel.follow", 6, START, follow("2026-03-14T18:00:00.9Z", "2")),
        logged("stream.online", 7, START, online),
        inferred,
        logged("channel.poll.end", 9, START, changed("channel.poll.end", None, json!({ "id": "p" }))),
        logged("channel.cheer", 10, START, changed("channel.cheer", None, json!({}))),
    ]
}

/// The actions that follow from events in this order, with batches ended now and then.
fn actions(events: &[LoggedEvent], dues: &[usize]) -> (State, Vec<PlannedAction>) {
    let mut world = World::new(RULES);
    let channel = CHANNEL.parse().unwrap();
    world.state.own_messages.push(OwnMessage { channel, text: String::new(), message_id: Some("sent".to_owned()) });
    let mut all = Vec::new();
    for (place, event) in events.iter().enumerate() {
        all.extend(plan(&world.compiled, &mut world.state, event, START + Duration::seconds(5)).actions);
        if dues.contains(&place) {
            all.extend(plan_due(&world.compiled, &mut world.state, START + Duration::seconds(5)).actions);
        }
    }
    all.extend(plan_due(&world.compiled, &mut world.state, START + Duration::minutes(1)).actions);
    (world.state, all)
}

/// A selection of these events, some of them several times, in any order.
fn shuffled(events: Vec<LoggedEvent>) -> impl Strategy<Value = Vec<usize>> {
    let count = events.len();
    let twice: Vec<_> = (0..count).chain(0..count).collect();
    subsequence(twice, 0..=2 * count).prop_shuffle()
}

fn pick(events: &[LoggedEvent], places: &[usize]) -> Vec<LoggedEvent> {
    let copy = |event: &LoggedEvent| LoggedEvent {
        message_id: event.message_id.clone(),
        message_type: event.message_type.clone(),
        kind: event.kind.clone(),
        version: event.version.clone(),
        channel_id: event.channel_id.clone(),
        subscription_id: None,
        payload: Json(event.payload.0.clone()),
        channel_login: None,
        channel_name: None,
        repeated_on: event.repeated_on.clone(),
        ..*event
    };
    places.iter().map(|place| copy(&events[*place])).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_follows_from_what_no_rule_may_react_to(places in shuffled(silent())) {
        let (state, actions) = actions(&pick(&silent(), &places), &[]);
        let acts = |action: &&PlannedAction| matches!(action.state, PlannedState::Pending | PlannedState::Done);
        prop_assert_eq!(actions.iter().find(acts), None);
        prop_assert!(state.counters.is_empty() && state.cooldowns.is_empty() && state.batches.is_empty());
    }

    /// However often and in whatever order something is told, each rule reacts once.
    #[test]
    fn each_rule_reacts_once_to_each_subject(places in shuffled(told()), dues in subsequence((0..20).collect::<Vec<_>>(), 0..5)) {
        let events = pick(&told(), &places);
        let (state, all) = actions(&events, &dues);
        let keys: Vec<_> = all.iter().map(|action| (action.rule, action.subject.clone(), action.step)).collect();
        prop_assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len(), "{:?}", keys);
        let subjects = |kinds: &[&str]| {
            let told = events.iter().filter(|event| kinds.contains(&event.kind.as_deref().unwrap()));
            let subjects = told.flat_map(crate::outputs::reactions::rules::occurrence::Occurrence::read);
            subjects.map(|occurrence| occurrence.subject).collect::<HashSet<_>>()
        };
        let of_rule = |rule: i64, kind: &str| {
            all.iter().filter(|action| action.rule.0 == rule && action.kind == kind).count()
        };
        let lines = subjects(&["channel.chat.message"]).len();
        prop_assert_eq!(of_rule(1, "say"), lines);
        prop_assert_eq!(state.counters.get(CHANNEL).map_or(0, |counters| counters["lines"]), i64::try_from(lines).unwrap());
        let all_kinds = ["channel.follow", "stream.online", "channel.poll.end", "channel.cheer", "channel.chat.message"];
        prop_assert_eq!(of_rule(2, "say"), subjects(&all_kinds).len());
        let thanked = all.iter().filter(|action| action.rule.0 == 3 && action.kind == "say");
        let mut thanked: Vec<_> = thanked.flat_map(|action| action.params.as_str().unwrap().split(' ')).collect();
        thanked.sort_unstable();
        let mut followers: Vec<_> = subjects(&["channel.follow"]).into_iter().map(|it| it.split('/').nth(1).unwrap().to_owned()).collect();
        followers.sort_unstable();
        prop_assert_eq!(thanked, followers);
    }

    /// Whatever comes when, two reactions of a rule are apart by its cooldown.
    #[test]
    fn cooldown_is_kept(pauses in prop::collection::vec((0_i64..9, 0_u8..3), 1..60)) {
        let mut world = World::new(
            "[[rule]]\nname = \"a\"\ncommand = \"!a\"\ncooldown = { all = \"5s\", user = \"12s\" }\nmax_per_minute = 1000\ndo = [{ say = \"x\" }]",
        );
        let (mut last, mut last_of) = (None, [None; 3]);
        for (pause, user) in pauses {
            world.pass(pause);
            let mut event = chat(&format!("line-{}", world.next_id), "!a", "");
            event["chatter_user_id"] = json!(user.to_string());
            let event = world.event("channel.chat.message", event);
            let is_free = |last: Option<OffsetDateTime>, seconds| last.is_none_or(|last| world.now - last >= Duration::seconds(seconds));
            let expected = is_free(last, 5) && is_free(last_of[usize::from(user)], 12);
            prop_assert_eq!(fired(&world.tell(&event)) == 1, expected);
            if expected {
                (last, last_of[usize::from(user)]) = (Some(world.now), Some(world.now));
            }
        }
    }
}
