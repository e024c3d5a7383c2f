//! Texts of messages, in the language of [Jinja](https://docs.rs/minijinja/latest/minijinja/syntax/index.html).
//!
//! What a text prints is shown as it is, without formatting and mentions, unless it comes out of the filter `raw`; addresses and
//! times need no escaping. Fuel limits the time and the memory that a text takes, whatever it says.

use std::sync::LazyLock;

use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::broadcast::{Broadcast, VALUES, words};
use super::syntax;
use crate::discord::markdown::{escape_part, shorten};

/// The longest template, in characters.
pub const MAX_TEMPLATE: usize = 2_000;

/// Instructions that a template may take; 64 bytes of text count as one.
const FUEL: u64 = 2_000;

/// The longest text that one expression prints, in characters.
const MAX_VALUE: usize = 500;

/// The styles in which Discord shows a [time](https://docs.discord.com/developers/reference#message-formatting-timestamp-styles).
const STYLES: [&str; 9] = ["t", "T", "d", "D", "f", "F", "s", "S", "R"];

/// What is wrong with a template, and where; both are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (line {line}, column {column})")]
pub struct TemplateError {
    /// What is wrong.
    pub reason: String,
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl TemplateError {
    fn at(source: &str, offset: usize, reason: String) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let (line, column) = (before.matches('\n').count(), before.chars().rev().take_while(|c| *c != '\n').count());
        Self { reason, line: line + 1, column: column + 1 }
    }

    fn new(source: &str, error: &Error) -> Self {
        let reason = match (error.kind(), error.detail()) {
            (ErrorKind::OutOfFuel, _) => "takes too long, or makes too much text".to_owned(),
            (ErrorKind::SyntaxError, Some(detail)) => detail.to_owned(),
            (kind, Some(detail)) => format!("{kind}: {detail}"),
            (kind, None) => kind.to_string(),
        };
        Self::at(source, error.range().map_or(0, |range| range.start), reason)
    }
}

/// The language: what [`syntax`] leaves of Jinja, and these filters.
static LANGUAGE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut language = Environment::empty();
    language.set_undefined_behavior(UndefinedBehavior::Strict);
    language.set_fuel(Some(FUEL));
    language.set_recursion_limit(64);
    language.set_debug(false);
    language.add_filter("default", default);
    language.add_filter("duration", duration);
    language.add_filter("join", join);
    language.add_filter("lower", |value: &Value| Ok(text(value)?.to_lowercase()));
    language.add_filter("raw", |value: &Value| Ok(Value::from_safe_string(text(value)?)));
    language.add_filter("timestamp", timestamp);
    language.add_filter("truncate", |value: &Value, limit: usize| Ok(shorten(&text(value)?, limit)));
    language.add_filter("upper", |value: &Value| Ok(text(value)?.to_uppercase()));
    language.set_formatter(|out, _, value| {
        let text = text(value)?;
        let text = if value.is_safe() { shorten(&text, MAX_VALUE) } else { escape_part(&text, MAX_VALUE) };
        Ok(out.write_str(&text)?)
    });
    language
});

/// What an expression prints: nothing for what is not known.
fn text(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::None => Ok(String::new()),
        ValueKind::String | ValueKind::Number | ValueKind::Bool => Ok(value.to_string()),
        kind => Err(Error::new(ErrorKind::InvalidOperation, format!("a {kind} is no text"))),
    }
}

/// Another value in place of one that is not known, or empty.
fn default(value: Value, other: Value) -> Value {
    if value.is_true() { value } else { other }
}

/// The texts of a list, with this between them, as far as they are printed.
fn join(list: &Value, between: Option<&str>) -> Result<String, Error> {
    if !matches!(list.kind(), ValueKind::Seq | ValueKind::None) {
        let reason = format!("a list is needed, such as `stream.tags`, and not a {}", list.kind());
        return Err(Error::new(ErrorKind::InvalidOperation, reason));
    }
    let (mut joined, between) = (String::new(), shorten(between.unwrap_or(", "), MAX_VALUE));
    for item in list.try_iter()? {
        if joined.len() > 4 * MAX_VALUE {
            break;
        }
        if !joined.is_empty() {
            joined.push_str(&between);
        }
        joined.push_str(&text(&item)?);
    }
    Ok(joined)
}

/// How much time there is between two times.
fn duration(from: &Value, until: &Value) -> Result<String, Error> {
    Ok(words(time(until)? - time(from)?))
}

/// A time that each reader is shown in their own zone.
fn timestamp(at: &Value, style: Option<&str>) -> Result<Value, Error> {
    let style = style.unwrap_or("f");
    if !STYLES.contains(&style) {
        let reason = format!("there is no style `{style}` of a time; there are {}", STYLES.join(", "));
        return Err(Error::new(ErrorKind::InvalidOperation, reason));
    }
    Ok(Value::from_safe_string(format!("<t:{}:{style}>", time(at)?.unix_timestamp())))
}

fn time(value: &Value) -> Result<OffsetDateTime, Error> {
    let time = value.as_str().and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
    time.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "a time is needed, such as `stream.started_at`"))
}

/// The text that a template makes of a broadcast.
///
/// # Errors
/// [`TemplateError`]
pub fn render(template: &str, broadcast: &Broadcast) -> Result<String, TemplateError> {
    if template.chars().count() > MAX_TEMPLATE {
        let reason = format!("must have at most {MAX_TEMPLATE} characters");
        return Err(TemplateError::at(template, template.len(), reason));
    }
    syntax::check(template).map_err(|(offset, reason)| TemplateError::at(template, offset, reason))?;
    let wrong = |error: Error| TemplateError::new(template, &error);
    LANGUAGE.template_from_str(template).map_err(wrong)?.render(broadcast.values()).map_err(wrong)
}

/// Checks a template with broadcasts of which all is known, or nothing, and with values that are not there. `is_end` says whether it is
/// the text of one that has ended.
///
/// # Errors
/// [`TemplateError`]
pub fn check(template: &str, is_end: bool) -> Result<(), TemplateError> {
    let names = LANGUAGE.template_from_str(template).map(|it| it.undeclared_variables(true)).unwrap_or_default();
    let is_known = |name: &str| VALUES.iter().any(|it| *it == name || it.split('.').next() == Some(name));
    if let Some(name) = names.iter().filter(|name| !is_known(name)).min() {
        let reason = format!("there is no value `{name}`; there are {}", VALUES.join(", "));
        return Err(TemplateError::at(template, template.find(&**name).unwrap_or_default(), reason));
    }
    let sample = Broadcast::sample(is_end).long();
    render(template, &sample)?;
    // What depends on a value may not be usable without it.
    render(template, &sample.sparse()).map(drop)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;
    use crate::tracking::broadcast::Segment;

    fn titled(title: &str) -> Broadcast {
        let (sample, title) = (Broadcast::sample(false), title.to_owned());
        let segment = Segment { title: Some(title.clone()), ..sample.segments[0].clone() };
        Broadcast { tags: vec![title.clone()], segments: vec![segment], title: Some(title), ..sample }
    }

    fn text(template: &str) -> String {
        render(template, &Broadcast::sample(true)).unwrap()
    }

    #[test]
    fn values_conditions_and_filters_make_a_text() {
        assert_eq!(
            text("**{{ streamer.name }}**{% if stream.category %} plays {{ stream.category | upper }}{% endif %}"),
            "**MapleArcade** plays MINECRAFT"
        );
        assert_eq!(text("{{ duration }} = {{ stream.started_at | duration(ended_at) }}"), "2 h = 2 h");
        assert_eq!(
            text("{{ stream.started_at | timestamp('R') }} {{ ended_at }}"),
            "<t:1782928800:R> 2026-07-01T20:00:00Z"
        );
        assert_eq!(text("{{ stream.title | truncate(9) }}|{{ stream.viewers + 1 }}"), "Speedrun…|129");
        assert_eq!(
            text("[{{ stream.title }}]({{ stream.url }})"),
            "[Speedrun practice, then co\\-op](https://www.twitch.tv/maplearcade)"
        );
        let live = render("{{ duration }}{{ ended_at }}{{ stream.thumbnail_url }}", &Broadcast::sample(false)).unwrap();
        assert_eq!(
            live,
            "https://static-cdn.jtvnw.net/previews-ttv/live_user_maplearcade-1280x720.jpg?v=317209849981-1-0"
        );
        assert_eq!(
            text("{{ stream.tags | join }} {{ stream.labels | join(' ') }} {{ vod_url }}"),
            "English, Speedrun ViolentGraphic https://www.twitch.tv/videos/2335921245"
        );
        assert_eq!(
            text(
                "{% for it in segments %}{{ it.at | timestamp('t') }} {{ it.category }}{% if not loop.last %}; {% endif %}{% endfor %}"
            ),
            "<t:1782928800:t> Just Chatting; <t:1782930000:t> Minecraft"
        );
        let sparse = Broadcast::sample(false).sparse();
        assert_eq!(
            render("{{ stream.tags | join }}{% for it in segments %}{{ it.title }}{% endfor %}{{ vod_url }}", &sparse)
                .unwrap(),
            ""
        );
        assert_eq!(render("{{ stream.category | default('a game') }}{{ stream.title }}", &sparse).unwrap(), "a game");
    }

    #[test]
    fn mistakes_are_explained_with_their_place() {
        for (template, line, column, words) in [
            ("a\né {{ streamer.nam }}", 2, 6, "there is no value `streamer.nam`"),
            ("{{ name }}", 1, 4, "there is no value `name`"),
            ("{% if stream.viewrs %}{% endif %}", 1, 7, "no value `stream.viewrs`"),
            ("{% if not stream.title %}\n{{ stream.viewrs }}{% endif %}", 2, 4, "there is no value `stream.viewrs`"),
            ("{{ streamer.name", 1, 13, "unexpected end of input"),
            ("{{ stream.title | shout }}", 1, 19, "shout"),
            ("{{ stream.started_at | timestamp('x') }}", 1, 24, "no style `x`"),
            ("{{ stream.title | timestamp }}", 1, 19, "a time is needed"),
            ("{{ stream.viewers + 1 }}", 1, 4, ""),
            ("é{% include 'a' %}", 1, 2, "no statement `include`"),
            ("{{ streamer }}", 1, 4, "no text"),
            ("{{ segments }}", 1, 4, "no text"),
            ("{{ segments | join }}", 1, 15, "no text"),
            ("{{ stream.title | join }}", 1, 19, "a list is needed"),
            ("{% for it in segments %}{{ it.titel }}{% endfor %}", 1, 28, "undefined"),
        ] {
            let error = check(template, false).expect_err(template);
            assert!(error.reason.contains(words), "{template}: {error}");
            assert_eq!((error.line, error.column), (line, column), "{template}: {error}");
        }
        let long = check(&"x".repeat(MAX_TEMPLATE + 1), false).unwrap_err();
        assert_eq!(long.to_string(), "must have at most 2000 characters (line 1, column 2002)");
        assert_eq!(check("{{ duration }} {{ stream.viewers }}", true), Ok(()));
        // As if there were as many segments as there may be.
        let heavy = format!("{{% for it in segments %}}{}{{% endfor %}}", "{{ it.title }}".repeat(60));
        assert!(check(&heavy, false).unwrap_err().reason.contains("too long"));
    }

    /// In an unoptimized build.
    #[test]
    fn hostile_template_is_stopped() {
        let long = titled(&"x".repeat(10_000));
        let many = format!("{{% for a in stream.title %}}{}{{% endfor %}}", "{{ a ~ stream.title }}".repeat(80));
        for template in [
            "{{ 'a' * 1000000000 }}",
            "{{ stream.title * 100000 }}",
            "{% for a in stream.title %}{{ (stream.title, stream.title, stream.title) | join(stream.title) }}{% endfor %}",
            "{% for a in stream.title %}{% for b in stream.title %}{% for c in stream.title %}x{% endfor %}{% endfor %}{% endfor %}",
            "{% set x = stream.title %}{% for a in stream.title %}{% set x = x ~ x %}{{ x }}{% endfor %}",
            "{% macro m(x) %}{{ m(x) }}{{ m(x) }}{% endmacro %}{{ m(1) }}",
            "{{ '}}' ~ ([[1] * 100000] * 100000) ~ '' }}",
            "{{ (1,) + (2,) + (3,) ~ '' }}",
            &many,
            &"{".repeat(MAX_TEMPLATE),
            &format!("{{{{ {}1{} }}}}", "(".repeat(900), ")".repeat(900)),
        ] {
            let began = Instant::now();
            let made = render(template, &long).map(|text| text.len());
            assert!(began.elapsed().as_millis() < 250, "{template}: {:?}", began.elapsed());
            assert!(made.is_err() || made.as_ref().is_ok_and(|length| *length < 200_000), "{template}: {made:?}");
        }
    }

    #[test]
    fn raw_text_keeps_its_formatting() {
        assert_eq!(render("{{ stream.title | raw }}", &titled("**bold**")).unwrap(), "**bold**");
        let long = render("{{ stream.title }}", &titled(&"é".repeat(10_000))).unwrap();
        assert_eq!((long.chars().count(), long.ends_with('…')), (MAX_VALUE, true));
    }

    /// What formats, mentions or links if no backslash is before it.
    fn has_markup(text: &str) -> bool {
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => drop(chars.next()),
                '*' | '_' | '`' | '~' | '|' | '<' | '>' | '@' | '#' | '[' | ']' | '(' | ')' | ':' | '-' => return true,
                '\n' | '\u{202e}' | '\u{200b}' => return true,
                _ => {}
            }
        }
        false
    }

    proptest! {
        #[test]
        fn text_of_twitch_is_shown_as_it_is(
            title in r"([*_`~|<>@#\[\]():\\-]|@everyone|<@&1>|https://|discord|\u{202e}|\n| |\PC){0,40}",
        ) {
            for template in [
                "{{ stream.title }}",
                "{{ stream.title | upper }}{{ stream.title | lower }}",
                "{{ stream.title | truncate(7) }}",
                "{{ stream.url ~ stream.title }}",
                "{% for c in stream.title or '' %}{{ c }}{% endfor %}",
                "{{ stream.tags | join }}{% for it in segments %}{{ it.title }}{% endfor %}",
                "{{ stream.title | default(stream.title) }}{{ (stream.title, stream.url) ~ stream.url }}",
            ] {
                let text = render(template, &titled(&title)).unwrap();
                prop_assert!(!has_markup(&text), "{template}: {text}");
                prop_assert!(text.chars().count() <= 2 * MAX_VALUE);
            }
        }
    }
}
