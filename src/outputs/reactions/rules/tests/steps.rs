//! Steps: their order, their texts, and what happens when one fails.

use super::*;

/// A world with one rule for the command `!go`.
fn steps(steps: &str) -> World {
    World::new(&format!("[[rule]]\nname = \"go\"\ncommand = \"!go\"\nmax_per_minute = 100\ndo = {steps}"))
}

fn states(plan: &Plan) -> Vec<&PlannedState> {
    plan.actions.iter().map(|action| &action.state).collect()
}

#[test]
fn failed_step_turns_off_its_successors() {
    let mut world = steps(r#"[{ say = "{{ args[0] }}" }, { say = "b" }, { count = "n" }]"#);
    let plan = world.says("!go", "");
    let PlannedState::Failed(reason) = &plan.actions[0].state else { panic!("{plan:?}") };
    assert!(reason.starts_with("the template `{{ args[0] }}` fails: undefined value"), "{reason}");
    assert_eq!(states(&plan)[1..], [&PlannedState::Off, &PlannedState::Off]);
    assert!(world.state.counters.is_empty());
}

#[test]
fn step_that_continues_lets_its_successors_run() {
    let mut world = steps(r#"[{ say = "{{ args[0] }}", continue = true }, { say = "b" }]"#);
    let plan = world.says("!go", "");
    assert_eq!(said(&plan), ["b"]);
    assert!(plan.actions[0].continues);
}

#[test]
fn delay_moves_the_steps_after_it() {
    let mut world = steps(r#"[{ say = "a" }, { delay = "5s" }, { say = "b" }, { delay = "10s" }, { ban = {} }]"#);
    let plan = world.says("!go", "");
    let due: Vec<_> =
        plan.actions.iter().map(|action| (action.step, (action.not_before - START).whole_seconds())).collect();
    assert_eq!(due, [(0, 0), (1, 5), (2, 15)]);
    let late: Vec<_> = plan.actions.iter().map(|action| (action.expires_at - START).whole_seconds()).collect();
    assert_eq!(late, [60, 65, 3_615], "a ban makes sense for longer");
}

#[test]
fn value_cannot_begin_a_command_of_another_bot() {
    let mut world = steps(r#"[{ say = "{{ args | join(' ') }}" }, { say = "!so {{ args[0] }}" }]"#);
    assert_eq!(said(&world.says("!go /ban me", "")), ["›/ban me", "!so /ban"]);
}

#[test]
fn long_text_is_cut() {
    let mut world = steps(r#"[{ say = "{{ args | join(' ') }}" }, { reply = "{{ args | join(' ') }}" }]"#);
    let plan = world.says(&format!("!go {}", "word ".repeat(120)), "");
    let texts = [plan.actions[0].params.as_str().unwrap(), plan.actions[1].params["text"].as_str().unwrap()];
    for (text, limit) in texts.into_iter().zip([500, 465]) {
        assert!(text.chars().count() <= limit && text.ends_with("word…"), "{text}");
    }
}

#[test]
fn step_that_stops_hides_the_event_from_the_rules_after_it() {
    let rules = r#"
        [[rule]]
        name = "first"
        message = "a"
        do = [{ say = "1" }, { stop = {} }]
        [[rule]]
        name = "second"
        message = "."
        do = [{ say = "2" }]
    "#;
    let mut world = World::new(rules);
    let event = world.line("a", "");
    assert_eq!(world.why(&event, "second"), "rule `first` stopped the rules after it");
    assert_eq!(said(&world.tell(&event)), ["1"]);
    assert_eq!(said(&world.says("b", "")), ["2"]);
}

#[test]
fn rules_see_what_the_rules_before_them_changed() {
    let rules = r#"
        [[rule]]
        name = "first"
        message = "."
        do = [{ count = { name = "n", add = 5 } }, { set = { name = "who", value = "{{ user.login }}" } }]
        [[rule]]
        name = "second"
        message = "."
        when = "counter.n == 5 and counter.other == 0"
        do = [{ say = "{{ counter.n }} {{ var.who }}" }, { count = { name = "n", set = 1 } }]
    "#;
    let mut world = World::new(rules);
    assert_eq!(said(&world.says("x", "")), ["5 quietotter"]);
    assert_eq!(world.state.counters[CHANNEL]["n"], 1);
}

#[test]
fn dry_rule_only_records() {
    for rules in [
        "[[rule]]\ndry = true\nname = \"n\"\ncommand = \"!go\"\ncooldown = \"5s\"\ndo = [{ count = \"n\" }, { say = \"{{ counter.n }}\" }]",
        "dry = true\n[[rule]]\nname = \"n\"\ncommand = \"!go\"\ncooldown = \"5s\"\ndo = [{ count = \"n\" }, { say = \"{{ counter.n }}\" }]",
    ] {
        let mut world = World::new(rules);
        let plan = world.says("!go", "");
        assert_eq!(states(&plan), [&PlannedState::Dry, &PlannedState::Dry]);
        assert_eq!(plan.actions[1].params, "1", "it shows what it would say");
        assert!(world.state.counters.is_empty());
        assert_eq!(fired(&world.says("!go", "")), 0, "its cooldown is as it would be");
    }
}

#[test]
fn step_is_about_the_user_that_it_names() {
    let mut world =
        steps(r#"[{ timeout = { for = "10s", user = "{{ args[0] }}" } }, { vip = "123" }, { unvip = {} }]"#);
    let plan = world.says("!go @Other", "");
    let users: Vec<_> = plan.actions.iter().map(|action| action.params["user"].as_str().unwrap()).collect();
    assert_eq!(users, ["Other", "123", OTTER]);
    let plan = world.says("!go not/a/user", "");
    assert_eq!(states(&plan)[0], &PlannedState::Failed("`not/a/user` is no user".to_owned()));
}

#[test]
fn anonymous_user_cannot_be_acted_on() {
    let rules = "[[rule]]\nname = \"a\"\non = \"channel.cheer\"\ndo = [{ vip = {} }]";
    let mut world = World::new(rules);
    let event = world.event("channel.cheer", changed("channel.cheer", Some("anonymous"), json!({})));
    let plan = world.tell(&event);
    assert_eq!(states(&plan), [&PlannedState::Failed("the event has no user".to_owned())]);
}

#[test]
fn webhook_without_a_body_sends_the_event() {
    let rules = "[[rule]]\nname = \"a\"\non = \"channel.follow\"\ndo = [{ webhook = { sink = \"s\" } }]";
    let plan = World::new(rules).sample("channel.follow", json!({}));
    assert_eq!(plan.actions[0].params["body"]["user_login"], "quietotter");
}

#[test]
fn broadcaster_is_not_moderated() {
    let mut world = steps("[{ timeout = \"10s\" }]");
    let event = world.line("!go", "broadcaster");
    assert_eq!(world.why(&event, "go"), "the broadcaster can't be moderated");
}

#[test]
fn reason_is_the_first_check_that_says_no() {
    let rules = r#"
        [[rule]]
        name = "off"
        enabled = false
        command = "!go"
        do = [{ say = "x" }]
        [[rule]]
        name = "elsewhere"
        channels = ["copperkite"]
        command = "!go"
        do = [{ say = "x" }]
        [[rule]]
        name = "here"
        channels = ["MapleArcade"]
        command = "!go"
        live = false
        do = [{ say = "x" }]
        [[rule]]
        name = "denied"
        command = "!go"
        allow = ["everyone"]
        deny = { users = ["quietotter"] }
        do = [{ say = "x" }]
        [[rule]]
        name = "follow"
        on = "channel.follow"
        do = [{ say = "x" }]
        [[rule]]
        name = "regex"
        message = "^x"
        do = [{ say = "x" }]
        [[rule]]
        name = "filter"
        filter = { length = 50 }
        do = [{ say = "x" }]
        [[rule]]
        name = "other"
        command = "!other"
        do = [{ say = "x" }]
        [[rule]]
        name = "false"
        command = "!go"
        when = "event.bits > 3"
        do = [{ say = "x" }]
    "#;
    let mut world = World::new(rules);
    let event = world.line("!go", "");
    for (rule, why) in [
        ("off", "the rule is turned off"),
        ("elsewhere", "the rule is for other channels"),
        ("here", "the channel is live"),
        ("denied", "not for quietotter"),
        ("follow", "it waits for channel.follow"),
        ("regex", "the message does not match ^x"),
        ("filter", "the filter found nothing in the message"),
        ("other", "the message does not begin with !other"),
        ("false", "`event.bits > 3` is false"),
    ] {
        assert_eq!(world.why(&event, rule), why, "{rule}");
    }
}

#[test]
fn cooldowns_of_rules_do_not_touch_each_other() {
    let rule = |name: &str| {
        format!(
            "[[rule]]\nname = \"{name}\"\ncommand = \"!{name}\"\ncooldown = \"10s\"\ndo = [{{ say = \"{name}\" }}]\n"
        )
    };
    let mut world = World::new(&(rule("a") + &rule("b")));
    assert_eq!(said(&world.says("!a", "")), ["a"]);
    assert_eq!(said(&world.says("!b", "")), ["b"]);
    let event = world.line("!a", "");
    assert_eq!(world.why(&event, "a"), "cooldown until 2026-03-14T18:00:10Z");
    world.pass(10);
    assert_eq!(said(&world.says("!a", "")), ["a"]);
}

/// The log keeps U+0000, and no other table can.
#[test]
fn nothing_that_rules_write_has_nul() {
    let mut world = steps(
        r#"[
            { set = { name = "note", value = "{{ args | join(' ') }}" } },
            { set = { name = "own", value = '{{ "c\u0000d" }}' } },
            { reply = "{{ var.note }}" },
            { webhook = { sink = "hook", body = { text = "{{ event.message.text }}" } } },
            { webhook = { sink = "hook" } },
        ]"#,
    );
    let mut line = chat("li\0ne", "!go a\0b", "");
    line["chatter_user_id"] = json!("55\u{0}12");
    line["odd\0field"] = json!(["\0", { "\0": 1 }]);
    line["escaped"] = json!("\\u0000");
    let event = world.event("channel.chat.message", line);
    let plan = world.tell(&event);
    let written = format!("{plan:?}");
    assert!(!written.contains(r"\0"), "{written}");
    assert_eq!((plan.actions[0].subject.as_str(), &plan.actions[2].params["text"]), ("chat/line", &json!("ab")));
    assert_eq!(plan.actions[3].params["body"]["text"], "!go ab");
    assert_eq!(plan.actions[4].params["body"]["escaped"], "\\u0000", "an escaped backslash");
    let variables = &world.state.variables[CHANNEL];
    assert_eq!((variables["note"].as_str(), variables["own"].as_str()), ("ab", "cd"));
}
