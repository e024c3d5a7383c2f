//! The examples of docs/sinks.md: templates of bodies, and how a receiver verifies.

use std::io::Write as _;
use std::process::{Command, Stdio};

use secrecy::ExposeSecret as _;
use serde_json::Value;
use showtime::clock::Clock;
use showtime::outputs::sink::example::example;
use showtime::outputs::sink::template::Templates;
use showtime::outputs::webhook::sign::SigningKey;

use crate::support::skip;

const DOCUMENT: &str = include_str!("../../../docs/sinks.md");

/// The blocks of code in this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    DOCUMENT.split(&fence).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
}

#[test]
fn documented_templates_make_the_bodies_of_other_programs() {
    let templates = blocks("jinja");
    assert!(templates.len() >= 4, "{templates:?}");
    let (mut texts, mut event) = (0, example());
    event.channel_name = Some(r#"A "quoted" <!channel>"#.to_owned());
    for source in &templates {
        let body = Templates::of_webhook(Some(source), true).unwrap().body(&event).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error}: {source}"));
        let fields = body.as_object().unwrap();
        assert!(fields.values().all(|value| !value.is_null()), "{body}");
        let text = body.get("text").or_else(|| body.get("content"));
        texts += usize::from(text.is_some_and(|text| !text.as_str().unwrap().is_empty()));
        assert!(!body["text"].as_str().unwrap_or_default().contains("<!"), "{body}");
    }
    assert!(texts >= 3, "{templates:?}");
}

#[test]
fn template_of_another_content_type_writes_plain_text() {
    let templates = Templates::of_webhook(Some("{{ event.type }} on {{ channel.login }}"), false).unwrap();
    assert_eq!(templates.body(&example()).unwrap(), b"channel.follow on twitchdev");
}

/// Runs the documented function `verify` on a good signature, a bad one, and an old one.
fn verdicts(program: &str, arguments: &[&str], code: &str, call: &str, now: i64) -> Option<String> {
    let key = SigningKey::generate();
    let (body, other) = (r#"{"type":"channel.follow"}"#, SigningKey::generate());
    let sign = |key: &SigningKey, at: i64| {
        (at, format!("{} {}", other.sign("a", at, b"x"), key.sign("a", at, body.as_bytes())))
    };
    let mut calls = String::new();
    for (at, signature) in [sign(&key, now), sign(&other, now), sign(&key, now - 900)] {
        let headers =
            format!(r#"{{"webhook-id": "a", "webhook-timestamp": "{at}", "webhook-signature": "{signature}"}}"#);
        calls += &call.replace("KEY", key.text().expose_secret()).replace("HEADERS", &headers).replace("BODY", body);
        calls += "\n";
    }
    let mut child =
        Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok().or_else(
            || {
                skip(program);
                None
            },
        )?;
    child.stdin.take().unwrap().write_all(format!("{code}\n{calls}").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

fn documented(language: &str) -> &'static str {
    blocks(language).into_iter().find(|code| code.contains("verify(")).unwrap()
}

#[test]
fn documented_receiver_in_python_verifies() {
    let now = Clock::default().now().unix_timestamp();
    let call = "print(verify('KEY', HEADERS, b'BODY'))";
    let Some(verdicts) = verdicts("python3", &["-"], documented("python"), call, now) else { return };
    assert_eq!(verdicts, "True\nFalse\nFalse\n");
}

#[test]
fn documented_receiver_in_javascript_verifies() {
    let now = Clock::default().now().unix_timestamp();
    let call = "console.log(verify('KEY', HEADERS, Buffer.from('BODY')));";
    let arguments = ["--input-type=module", "-"];
    let Some(verdicts) = verdicts("node", &arguments, documented("js"), call, now) else { return };
    assert_eq!(verdicts, "true\nfalse\nfalse\n");
}
