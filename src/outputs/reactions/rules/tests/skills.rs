//! Every skill of the example, each through planning.

use super::*;

#[test]
fn hello_and_bye_are_answered() {
    let mut world = World::example();
    assert_eq!(said(&world.says("Hello all", "")), ["Hello QuietOtter!"]);
    assert_eq!(said(&world.says("good night", "")), ["Bye QuietOtter, see you!"]);
    assert_eq!(fired(&world.says("say hello", "")), 0);
}

#[test]
fn arriving_people_are_greeted_except_some() {
    let mut world = World::example();
    let presence = |joined: &[&str]| json!({ "joined": joined, "left": ["mintcomet"] });
    let event = world.event("showtime.chat.presence", presence(&["quietotter", "copperkite", "stranger"]));
    assert_eq!(said(&world.tell(&event)), ["Welcome back, quietotter!"]);
    world.pass(11 * 60 * 60);
    let again = world.event("showtime.chat.presence", presence(&["quietotter"]));
    assert_eq!(fired(&world.tell(&again)), 0, "12 h have not passed");
    world.pass(2 * 60 * 60);
    let later = world.event("showtime.chat.presence", presence(&["quietotter"]));
    assert_eq!(said(&world.tell(&later)), ["Welcome back, quietotter!"]);
}

#[test]
fn followers_of_a_batch_are_thanked_once() {
    let mut world = World::example();
    for (user, name) in [("1", "Ada"), ("2", "Ben"), ("1", "Ada")] {
        let at = format!("2026-03-14T18:00:0{user}.5Z");
        let changes =
            json!({ "user_id": user, "user_login": name.to_lowercase(), "user_name": name, "followed_at": at });
        assert_eq!(said(&world.sample("channel.follow", changes)), Vec::<String>::new());
        world.pass(3);
    }
    assert_eq!(world.due().actions.len(), 0, "the batch has not ended");
    world.pass(1);
    assert_eq!(said(&world.due()), ["Welcome Ada, Ben!"]);
    assert_eq!(world.due().actions.len(), 0);
    let again = json!({ "user_id": "1", "user_name": "Ada", "followed_at": "2026-03-15T18:00:00Z" });
    let event = world.event("channel.follow", changed("channel.follow", None, again));
    assert_eq!(world.why(&event, "thank followers"), "the rule has reacted to the user already");
}

#[test]
fn batch_of_old_events_is_reacted_to_as_its_rule_says() {
    for (age, thanked) in [("max_age = \"1h\"", vec!["Thanks, Ada!"]), ("", vec![])] {
        let rule = "do = [{ say = \"Thanks, {{ users | map(attribute='name') | join(', ') }}!\" }]";
        let rule = format!("[[rule]]\nname = \"thanks\"\non = \"channel.cheer\"\nbatch = \"10s\"\n{age}\n{rule}");
        let mut world = World::new(&rule);
        let event = world.event("channel.cheer", changed("channel.cheer", None, json!({ "user_name": "Ada" })));
        // One that was found out late.
        world.pass(1_800);
        world.tell(&event);
        assert_eq!(said(&world.due()), thanked, "{age}");
    }
}

#[test]
fn batch_of_events_without_a_user_is_reacted_to_unless_it_was_emptied() {
    let mut world = World::new(
        r#"
        [[rule]]
        name = "thanks"
        on = ["channel.cheer", "channel.hype_train.begin"]
        batch = "10s"
        do = [{ say = "Thanks, {{ users | map(attribute='name') | join(', ') if users else 'all' }}!" }]
        "#,
    );
    let anonymous = || changed("channel.cheer", Some("anonymous"), json!({}));
    let train = || changed("channel.hype_train.begin", None, json!({}));
    let named = || changed("channel.cheer", None, json!({ "user_name": "Ada" }));
    for (events, thanked) in [
        (vec![("channel.cheer", anonymous()), ("channel.cheer", anonymous())], "Thanks, all!"),
        (vec![("channel.hype_train.begin", train())], "Thanks, all!"),
        (vec![("channel.cheer", anonymous()), ("channel.cheer", named())], "Thanks, Ada!"),
    ] {
        for (kind, event) in events {
            let event = world.event(kind, event);
            assert!(world.tell(&event).verdicts.iter().all(|verdict| matches!(verdict.outcome, Outcome::Joined(_))));
        }
        world.pass(10);
        assert_eq!(said(&world.due()), [thanked]);
    }
    let event = world.event("channel.cheer", named());
    world.tell(&event);
    // What is left if the user is forgotten.
    world.state.batches.values_mut().for_each(|batch| (batch.events, batch.members) = (0, Vec::new()));
    world.pass(10);
    assert_eq!(said(&world.due()), [""; 0]);
}

#[test]
fn subscribers_are_thanked() {
    let mut world = World::example();
    assert_eq!(
        said(&world.sample("channel.subscribe", json!({ "is_gift": false }))),
        ["Thank you for subscribing, QuietOtter!"]
    );
    assert_eq!(fired(&world.sample("channel.subscribe", json!({ "is_gift": true }))), 0);
    let resubscribed = world.sample("channel.subscription.message", json!({ "cumulative_months": 15 }));
    assert_eq!(said(&resubscribed), ["QuietOtter is here for 15 months!"]);
}

#[test]
fn gifter_is_thanked_once_and_the_gifted_is_welcomed() {
    let mut world = World::example();
    assert_eq!(said(&world.sample("channel.subscription.gift", json!({}))), ["QuietOtter gave 5 subs!"]);
    let anonymous = json!({ "is_anonymous": true, "user_id": null, "user_login": null, "user_name": null });
    assert_eq!(fired(&world.sample("channel.subscription.gift", anonymous)), 0);
    let gift = changed("channel.chat.notification", Some("sub_gift"), json!({}));
    let event = world.event("channel.chat.notification", gift.clone());
    assert_eq!(said(&world.tell(&event)), ["Enjoy your sub, MintComet!"]);
    let mut of_many = gift;
    of_many["message_id"] = json!("other");
    of_many["sub_gift"]["community_gift_id"] = json!("1");
    let event = world.event("channel.chat.notification", of_many);
    assert_eq!(fired(&world.tell(&event)), 0);
}

#[test]
fn cheer_is_thanked() {
    let mut world = World::example();
    assert_eq!(said(&world.sample("channel.cheer", json!({ "bits": 100 }))), ["100 bits! Thank you, QuietOtter!"]);
    assert_eq!(fired(&world.sample("channel.cheer", json!({ "bits": 99 }))), 0);
}

#[test]
fn raider_gets_a_welcome_and_a_shoutout() {
    let mut world = World::example();
    let plan = world.sample("channel.raid", json!({}));
    let expected = [("say", json!("Welcome, 237 raiders of CopperKite!")), ("shoutout", json!("71330092"))];
    assert_eq!(done(&plan), expected);
    assert_eq!(fired(&world.sample("channel.raid", json!({ "viewers": 2 }))), 0);
}

#[test]
fn going_live_is_said_in_chat_and_elsewhere() {
    let mut world = World::example();
    let plan = world.sample("stream.online", json!({}));
    let body =
        json!({ "sink": "rocketchat", "body": { "text": "MapleArcade is live: https://twitch.tv/maplearcade" } });
    assert_eq!(done(&plan), [("say", json!("MapleArcade is live: Speedruns")), ("webhook", body)]);
    let offline = world.sample("stream.offline", json!({}));
    assert_eq!(
        done(&offline),
        [("webhook", json!({ "sink": "rocketchat", "body": { "text": "MapleArcade is offline" } }))]
    );
}

#[test]
fn timer_runs_live_and_after_lines_of_others() {
    let mut world = World::example();
    world.state.bot = None;
    assert_eq!(world.due().actions.len(), 0, "starts the timer");
    world.pass(20 * 60);
    assert_eq!(world.due().actions.len(), 0, "no line was written");
    for _ in 0..14 {
        world.says("a line", "");
    }
    assert_eq!(world.due().actions.len(), 0, "one line is missing");
    world.says("a line", "");
    let expected = json!({ "text": "Discord: https://discord.gg/example", "color": "purple" });
    assert_eq!(done(&world.due()), [("announce", expected)]);
    for _ in 0..20 {
        world.says("a line", "");
    }
    assert_eq!(world.due().actions.len(), 0, "20 minutes have not passed");
    world.pass(20 * 60);
    world.state.channels.values_mut().for_each(|channel| channel.live_since = None);
    assert_eq!(world.due().actions.len(), 0, "not live");
}

#[test]
fn spam_is_deleted_and_its_author_banned() {
    let mut world = World::example();
    let plan = world.says("BUY followers now", "");
    let message = plan.actions[0].params["message_id"].clone();
    let ban = json!({ "user": OTTER, "reason": "spam" });
    assert_eq!(done(&plan), [("delete", json!({ "message_id": message })), ("ban", ban)]);
    for badge in ["moderator", "vip", "subscriber", "broadcaster"] {
        assert_eq!(fired(&world.says("buy followers", badge)), 0, "{badge}");
    }
}

#[test]
fn links_are_punished_more_each_time() {
    let mut world = World::example();
    let mut seconds = || {
        let plan = world.says("see example[.]com", "");
        world.pass(60);
        let timeout = done(&plan).into_iter().find(|(kind, _)| *kind == "timeout").unwrap();
        assert_eq!(timeout.1["reason"], "no links");
        timeout.1["seconds"].as_u64().unwrap()
    };
    assert_eq!([seconds(), seconds(), seconds(), seconds()], [10, 600, 86_400, 86_400]);
    world.pass(86_400);
    let plan = world.says("example.com", "");
    assert_eq!(done(&plan)[1].1["seconds"], 10, "forgotten after a day");
    assert_eq!(fired(&world.says("https://clips.twitch.tv/Abc", "")), 0);
}

#[test]
fn permit_of_a_moderator_lets_one_message_through() {
    let mut world = World::example();
    world.says("!permit @QuietOtter", "");
    assert_eq!(fired(&world.says("example.com", "")), 1, "a viewer can't permit");
    world.says("!permit @QuietOtter", "moderator");
    let event = world.line("buy followers at example.com", "");
    assert_eq!(world.why(&event, "links"), "the user has a permit");
    assert_eq!(fired(&world.tell(&event)), 0);
    assert_eq!(fired(&world.says("example.com", "")), 1, "the permit is used up");
    world.says("!permit quietotter", "broadcaster");
    world.pass(61);
    assert_eq!(fired(&world.says("example.com", "")), 1, "the permit has ended");
}

#[test]
fn permit_is_for_what_can_be_a_login() {
    let mut world = World::example();
    for other in ["@", "quiet-otter", "\u{e4}ther", "a\u{1}b", "<b>"] {
        world.says(&format!("!permit {other}"), "moderator");
        assert!(world.state.permits.is_empty(), "{other}");
    }
    world.says("!permit @Quiet_Otter7", "moderator");
    let logins: Vec<_> = world.state.permits.keys().map(|(_, login)| login.as_str()).collect();
    assert_eq!(logins, ["quiet_otter7"]);
}

#[test]
fn bad_words_and_shouting_are_warned_about() {
    let mut world = World::example();
    let plan = world.says("such a RUDE  word", "");
    assert_eq!(
        done(&plan)[1].1["reason"],
        "Please mind the rules of this chat (the word `rude word`).".replace("rude word", "rude  word")
    );
    assert_eq!(fired(&world.says("WHY IS EVERYONE SHOUTING HERE", "")), 1);
    assert_eq!(fired(&world.says(&"long ".repeat(90), "")), 1);
}

#[test]
fn title_is_set_by_those_who_may() {
    let mut world = World::example();
    let plan = world.says("!TITLE  Speed   run", "moderator");
    let reply = json!({ "message_id": plan.actions[1].params["message_id"], "text": "Title set." });
    assert_eq!(done(&plan), [("title", json!("Speed run")), ("reply", reply)]);
    let other = world.line("!t x", "vip");
    assert_eq!(world.why(&other, "title"), "only for broadcaster, moderator, mintcomet");
    let soon = world.line("!title y", "moderator");
    assert_eq!(world.why(&soon, "title"), "cooldown of the user until 2026-03-14T18:00:30Z");
    assert_eq!(fired(&world.says("!title y", "broadcaster")), 1, "bypasses the cooldown");
    world.pass(31);
    assert_eq!(
        {
            let event = world.line("!title", "moderator");
            world.why(&event, "title")
        },
        "`args` is false"
    );
}

#[test]
fn category_is_set() {
    let plan = World::example().says("!game Just Chatting", "broadcaster");
    assert_eq!(done(&plan)[0], ("game", json!("Just Chatting")));
}

#[test]
fn clip_is_made_and_its_address_said() {
    let mut world = World::example();
    let plan = world.says("!clip", "");
    let address = crate::outputs::reactions::step::CLIP_URL.to_string();
    assert_eq!(done(&plan), [("clip", json!({ "title": null, "seconds": null, "say": address }))]);
    world.state.channels.values_mut().for_each(|channel| channel.live_since = None);
    world.pass(60);
    let event = world.line("!clip", "");
    assert_eq!(world.why(&event, "clip"), "the channel is not live");
}

#[test]
fn today_is_set_and_told() {
    let mut world = World::example();
    let today = |plan: &Plan| done(plan).last().unwrap().1["text"].as_str().unwrap().to_owned();
    assert_eq!(today(&world.says("!today", "")), "Nothing is planned.");
    assert_eq!(today(&world.says("!set today /ban speed runs", "moderator")), "Today: /ban speed runs");
    world.pass(6);
    assert_eq!(today(&world.says("!today", "")), "›/ban speed runs", "no command comes of it");
    assert_eq!(fired(&world.says("!set today x", "")), 0);
    assert_eq!(fired(&world.says("!set", "moderator")), 0);
}

#[test]
fn deaths_are_counted() {
    let mut world = World::example();
    assert_eq!(said(&world.says("!death", "moderator")), ["Deaths: 1"]);
    assert_eq!(said(&world.says("!death", "broadcaster")), ["Deaths: 2"]);
    assert_eq!(fired(&world.says("!death", "subscriber")), 0, "of the first tier");
}

#[test]
fn uptime_is_told() {
    let plan = World::example().says("@MapleArcade !uptime", "");
    assert_eq!(fired(&plan), 0, "a mention is left out only in a reply");
    let plan = World::example().says("!uptime", "");
    assert_eq!(done(&plan)[0].1["text"], "Live for 1h5m.");
}

#[test]
fn moderator_bans_by_command() {
    let mut world = World::example();
    let plan = world.says("!ban @Spam_Bot now", "moderator");
    assert_eq!(done(&plan), [("ban", json!({ "user": "Spam_Bot", "reason": "by QuietOtter" }))]);
    assert_eq!(fired(&world.says("!ban a", "broadcaster")), 1);
    assert_eq!(fired(&world.says("!ban a", "vip")), 0);
}

#[test]
fn every_rule_of_the_example_has_a_test() {
    let tests = include_str!("skills.rs");
    let world = World::example();
    let skills = [
        ("hello", "hello_and_bye"),
        ("bye", "hello_and_bye"),
        ("greet", "arriving_people"),
        ("thank followers", "followers_of"),
        ("thank subscriber", "subscribers_are"),
        ("thank resubscriber", "subscribers_are"),
        ("thank gifter", "gifter_is"),
        ("welcome gifted", "gifter_is"),
        ("thank cheer", "cheer_is"),
        ("raid", "raider_gets"),
        ("went live", "going_live"),
        ("went offline", "going_live"),
        ("socials", "timer_runs"),
        ("spam", "spam_is"),
        ("links", "links_are"),
        ("bad words and shouting", "bad_words"),
        ("title", "title_is"),
        ("category", "category_is"),
        ("clip", "clip_is"),
        ("set today", "today_is"),
        ("today", "today_is"),
        ("deaths", "deaths_are"),
        ("uptime", "uptime_is"),
        ("ban by command", "moderator_bans"),
    ];
    for rule in &world.rules.rules {
        let test = skills.iter().find(|(name, _)| *name == rule.name).map(|(_, test)| format!("fn {test}"));
        assert!(test.is_some_and(|test| tests.contains(&test)), "{}", rule.name);
    }
}
