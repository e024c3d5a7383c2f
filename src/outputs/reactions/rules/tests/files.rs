//! Files that are wrong: each problem has its line, its column, the name of its rule and a proposal.

use super::*;
use crate::outputs::reactions::rules::export::to_toml;
use crate::outputs::reactions::rules::read::{from_json, to_json};

/// The problems of a file, one a line.
fn problems(text: &str) -> String {
    let problems = from_toml(text).expect_err(text);
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The problems of a rule with these lines after its name.
fn in_rule(lines: &str) -> String {
    problems(&format!("[[rule]]\nname = \"x\"\n{lines}"))
}

#[test]
fn syntax_error_has_its_place() {
    let error = problems("bot = \"a\"\n[[rule]\n");
    assert!(error.starts_with("line 2, column "), "{error}");
}

#[test]
fn unknown_name_has_a_proposal() {
    let say = "do = [{ say = \"x\" }]";
    for (lines, expected) in [
        (
            "on = \"channel.follow\"\ndo = [{ shoutuot = \"x\" }]",
            "line 4, column 9, rule `x`, do[0].shoutuot: there is no action `shoutuot`; did you mean `shoutout`?",
        ),
        (
            &*format!("command = \"!a\"\nallow = [\"vip\", \"moderatr\"]\n{say}"),
            "line 4, column 17, rule `x`, allow[1]: `moderatr` is no role; did you mean `moderator`?",
        ),
        (
            &*format!("on = \"channel.folow\"\n{say}"),
            "line 3, column 1, rule `x`, on: there is no type `channel.folow`; did you mean `channel.follow`?",
        ),
        (
            &*format!("on = \"follow\"\n{say}"),
            "line 3, column 1, rule `x`, on: there is no type `follow`; did you mean `channel.follow`?",
        ),
        (
            &*format!("comand = \"!a\"\n{say}"),
            "line 3, column 1, rule `x`, comand: unknown field `comand`; did you mean `command`?",
        ),
        (
            "command = \"!a\"\ndo = [{ ban = { raeson = \"x\" } }]",
            "line 4, column 17, rule `x`, do[0].ban.raeson: unknown field `raeson`; did you mean `reason`?",
        ),
        (
            "command = \"!a\"\ndo = [{ announce = { text = \"x\", color = \"purpel\" } }]",
            "line 4, column 34, rule `x`, do[0].announce.color: unknown variant `purpel`; did you mean `purple`?",
        ),
        (
            "command = \"!a\"\ndo = [{ say = \"{{ usr.name }}\" }]",
            "line 4, column 9, rule `x`, do[0].say: there is no value `usr` here; did you mean `user`?",
        ),
        (
            "command = \"!a\"\ndo = [{ say = \"{{ user.nam }}\" }]",
            "line 4, column 9, rule `x`, do[0].say: `user` has no `nam`; did you mean `name`?",
        ),
        (
            "on = \"channel.raid\"\ndo = [{ say = \"{{ event.viewrs }}\" }]",
            "line 4, column 9, rule `x`, do[0].say: the event has no `viewrs`; did you mean `viewers`?",
        ),
        (
            &*format!("on = \"channel.raid\"\nwhen = \"event.viwers > 3\"\n{say}"),
            "line 4, column 1, rule `x`, when: the event has no `viwers`; did you mean `viewers`?",
        ),
        (
            "command = \"!a\"\ndo = [{ say = \"{{ args | joni }}\" }]",
            "line 4, column 9, rule `x`, do[0].say: there is no filter `joni`; did you mean `join`?",
        ),
        (
            &*format!("command = \"!a\"\ncooldown = {{ usr = \"5s\" }}\n{say}"),
            "line 4, column 14, rule `x`, cooldown.usr: unknown field `usr`; did you mean `user`?",
        ),
    ] {
        assert_eq!(in_rule(lines), expected);
    }
    assert_eq!(
        problems("ignore_user = [\"a\"]"),
        "line 1, column 1, ignore_user: unknown field `ignore_user`; did you mean `ignore_users`?"
    );
}

#[test]
fn value_that_cannot_be_read_is_explained() {
    let say = "do = [{ say = \"x\" }]";
    for (lines, place, expected) in [
        (&*format!("command = \"!a\"\ncooldown = \"5x\"\n{say}"), "line 4, column 1, ", "write 30s, 10m, 12h"),
        (&*format!("command = \"!a\"\nmax_age = \"0s\"\n{say}"), "line 4, column 1, ", "must be from 1s to 366d"),
        (&*format!("message = '(a'\n{say}"), "line 3, column 1, ", "does not compile: unclosed group"),
        (
            &*format!("message = '(\\p{{L}}{{100}}){{100}}'\n{say}"),
            "line 3, column 1, ",
            "takes more than 1048576 bytes",
        ),
        (&*format!("message = ''\n{say}"), "line 3, column 1, ", "matches every message; write .+"),
        ("command = \"!a\"\ndo = [{ say = \"{{ user.name \" }]", "line 4, column 9, ", "the template does not compile"),
        ("command = \"!a\"\ndo = [{ say = \"{% set x = 1 %}\" }]", "line 4, column 9, ", "there is no statement `set`"),
        (&*format!("command = \"!a\"\nwhen = \"a b\"\n{say}"), "line 4, column 1, ", "the expression does not compile"),
        ("command = \"!a\"", "line 1, column 1, ", "the rule does nothing; write do = "),
        ("command = \"!a\"\ndo = [{}]", "line 4, column 7, ", "the step has no action"),
        ("command = \"!a\"\ndo = [{ say = \"x\", ban = {} }]", "line 4, column 7, ", "the step has 2 actions: "),
        ("command = \"!a\"\ndo = \"x\"", "line 4, column 1, ", "must be a list of steps"),
        ("command = \"!a\"\ndo = [{ say = 5 }]", "line 4, column 9, ", "expected a string"),
        (say, "line 1, column 1, ", "waits for nothing; write one of on, command"),
        (&*format!("command = \"!a\"\nmessage = \"a\"\n{say}"), "line 4, column 1, ", "waits for command and message"),
        (&*format!("command = \"a b\"\n{say}"), "line 3, column 1, ", "is no command"),
        (&*format!("filter = {{}}\n{say}"), "line 3, column 1, ", "the filter looks for nothing"),
        (
            &*format!("filter = {{ links = {{ allow = [\"a/b\"] }} }}\n{say}"),
            "line 3, column 12, ",
            "is no host: write clips.twitch.tv",
        ),
        (&*format!("timer = {{ every = \"1s\" }}\n{say}"), "line 3, column 1, ", "waits at least 30s"),
        ("timer = { every = \"1m\" }\ndo = [{ ban = {} }]", "line 4, column 9, ", "has no single user"),
        ("on = \"channel.follow\"\ndo = [{ delete = {} }]", "line 4, column 9, ", "has no message"),
        (
            "on = \"channel.follow\"\nbatch = \"5s\"\ndo = [{ say = \"{{ user.name }}\" }]",
            "line 5, column 9, ",
            "did you mean `users`?",
        ),
        ("command = \"!a\"\ndo = [{ timeout = {} }]", "line 4, column 9, ", "has no length"),
        ("command = \"!a\"\ndo = [{ count = \"A-B\" }]", "line 4, column 9, ", "use small letters"),
        (
            "command = \"!a\"\npermit = true\ndo = [{ say = \"x\" }]",
            "line 4, column 1, ",
            "only a rule with message or filter",
        ),
    ] {
        let error = in_rule(lines);
        assert!(error.starts_with(&format!("{place}rule `x`")) && error.contains(expected), "{lines}\n{error}");
        assert_eq!(error.lines().count(), 1, "{lines}\n{error}");
    }
}

#[test]
fn all_problems_are_shown_at_once() {
    let rule = |name: &str, action: &str| {
        format!("[[rule]]\nname = \"{name}\"\ncommand = \"!a\"\ndo = [{{ {action} = \"x\" }}]\n")
    };
    let error = problems(&(rule("a", "sya") + &rule("b", "say") + &rule("c", "replly")));
    let places: Vec<_> = error.lines().map(|line| line.split(", do").next().unwrap()).collect();
    assert_eq!(places, ["line 4, column 9, rule `a`", "line 12, column 9, rule `c`"]);
}

#[test]
fn name_is_unique() {
    let rule = "[[rule]]\nname = \"a\"\ncommand = \"!a\"\ndo = [{ say = \"x\" }]\n";
    assert_eq!(
        problems(&rule.repeat(2)),
        "line 6, column 1, rule `a`, name: rule 1 has this name too; names are unique: choose another"
    );
}

#[test]
fn sizes_have_limits() {
    for (lines, expected) in [
        (
            format!("command = \"!a\"\ndo = [{{ say = \"{}\" }}]", "x".repeat(2_001)),
            "a template has at most 2000 characters",
        ),
        (format!("command = \"!a\"\ndo = [{}]", "{ say = \"x\" },".repeat(21)), "there are 21 steps; at most 20"),
        (format!("message = '{}'\ndo = [{{ say = \"x\" }}]", "x".repeat(1_001)), "has at most 1000 characters"),
    ] {
        assert!(in_rule(&lines).contains(expected), "{expected}");
    }
    assert!(problems(&"# comment\n".repeat(110_000)).contains("bytes are too many"));
}

#[test]
fn problem_of_json_has_its_path() {
    let tree = json!({ "rule": [{ "name": "x", "command": "!a", "do": [{ "sya": "x" }] }] });
    let error = from_json(tree).unwrap_err().remove(0);
    assert_eq!(error.to_string(), "rule `x`, do[0].sya: there is no action `sya`; did you mean `say`?");
    assert_eq!((error.path.to_string().as_str(), error.position), ("rule[0].do[0].sya", None));
}

#[test]
fn exported_example_reads_as_the_same_rules() {
    let rules = from_toml(EXAMPLE).unwrap();
    assert_eq!(from_toml(&to_toml(&rules)).unwrap(), rules);
    assert_eq!(from_json(to_json(&rules)).unwrap(), rules);
    assert_eq!(to_toml(&from_toml(&to_toml(&rules)).unwrap()), to_toml(&rules), "a second export changes nothing");
}

/// Each field and each action of the example, misspelt.
#[test]
fn misspelt_word_of_the_example_has_its_place_its_rule_and_a_proposal() {
    let (mut rule, mut misspelt) = (String::new(), 0);
    for (place, line) in EXAMPLE.lines().enumerate() {
        if let Some(name) = line.strip_prefix("name").and_then(|it| it.split('"').nth(1)) {
            rule = name.to_owned();
            continue;
        }
        let (before, rest) = match line.split_once("{ ") {
            Some((before, rest)) if before.starts_with("do") || before.trim().is_empty() => {
                (format!("{before}{{ "), rest)
            }
            _ => (String::new(), line),
        };
        let Some((word, _)) = rest.split_once([' ', '=']).filter(|_| !rule.is_empty() && rest.contains('=')) else {
            continue;
        };
        if !word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') || word.is_empty() || word == "do" {
            continue;
        }
        let wrong = format!("{before}{}", rest.replacen(word, &format!("{word}x"), 1));
        let mut lines: Vec<_> = EXAMPLE.lines().collect();
        lines[place] = &wrong;
        let problem = from_toml(&lines.join("\n")).expect_err(&wrong).remove(0);
        assert_eq!((problem.rule.as_deref(), problem.position.unwrap().line), (Some(&*rule), place + 1), "{problem}");
        assert_eq!(problem.proposal.as_deref(), Some(&*format!("did you mean `{word}`?")), "{problem}");
        misspelt += 1;
    }
    assert!(misspelt > 60, "{misspelt}");
}
