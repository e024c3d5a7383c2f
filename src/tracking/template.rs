//! Texts of messages, in the language of [Jinja](https://docs.rs/minijinja/latest/minijinja/syntax/index.html).
//!
//! What a text prints is shown as it is, without formatting and mentions, unless it comes out of the filter `raw`; addresses and
//! times need no escaping. Mentions are values of their own, which print what the list of the track has, and nothing else. Fuel
//! limits the time and the memory that a text takes, whatever it says.

use std::fmt;
use std::sync::{Arc, LazyLock};

use minijinja::value::{Object, ObjectRepr, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, context};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::broadcast::{Broadcast, VALUES};
use super::language::Language;
use super::mentions::TrackMentions;
use super::syntax;
use crate::discord::markdown::{escape_part, shorten};
use crate::discord::snowflake::Snowflake;

/// The longest template, in characters.
pub const MAX_TEMPLATE: usize = 2_000;

/// Instructions that a template may take; 64 bytes of text count as one.
const FUEL: u64 = 2_000;

/// The longest text that one expression prints, in characters.
const MAX_VALUE: usize = 500;

/// The value from which filters know the language; no text may use it.
const LANGUAGE_NAME: &str = "language";

/// An `@` that begins no mention: a word joiner, which is not seen, follows. A backslash keeps Discord from no `@everyone`, and a
/// title may have what the track's list allows.
const MENTIONING_NO_ONE: &str = "@\u{2060}";

/// The values that print mentions; the last one is a function.
const MENTIONS: [&str; 4] = ["mentions", "everyone", "here", "role"];

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
        if let Some(Mention(text)) = value.downcast_object_ref() {
            return Ok(out.write_str(text)?);
        }
        let text = text(value)?;
        let text = if value.is_safe() { shorten(&text, MAX_VALUE) } else { escape_part(&text, MAX_VALUE) };
        Ok(out.write_str(&text.replace('@', MENTIONING_NO_ONE))?)
    });
    language
});

/// How a text is made of a broadcast.
#[derive(Clone, Copy, Debug)]
pub struct TextOptions<'a> {
    /// What it mentions, where it says so.
    pub mentions: &'a TrackMentions,
    /// The language of times.
    pub language: Language,
}

/// One or more mentions of the list of a track. They are printed as they are, and can't be made a part of another value.
#[derive(Debug)]
struct Mention(String);

impl Object for Mention {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The value that prints these mentions; without any, it is one that is not known.
fn mention(words: Vec<String>) -> Value {
    if words.is_empty() { Value::from(()) } else { Value::from_object(Mention(words.join(" "))) }
}

/// The values that print the mentions of a list.
fn mention_values(list: &TrackMentions) -> Value {
    let only = |is_listed: bool, word: &str| mention(is_listed.then(|| word.to_owned()).into_iter().collect());
    let roles = list.roles.clone();
    let role = move |id: &Value| {
        let id: Snowflake = text(id)?.parse().map_err(|reason| Error::new(ErrorKind::InvalidOperation, reason))?;
        Ok::<_, Error>(mention(roles.contains(&id).then(|| format!("<@&{id}>")).into_iter().collect()))
    };
    context! {
        mentions => mention(list.words()),
        everyone => only(list.everyone, "@everyone"),
        here => only(list.here, "@here"),
        role => Value::from_function(role),
    }
}

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
fn duration(state: &State, from: &Value, until: &Value) -> Result<String, Error> {
    let language = state.lookup(LANGUAGE_NAME).and_then(|name| name.as_str()?.parse().ok());
    Ok(language.unwrap_or(Language::En).time(time(until)? - time(from)?))
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

/// A template of at most [`MAX_TEMPLATE`] characters that keeps to the language.
#[derive(Debug)]
pub struct Template<'a> {
    source: &'a str,
    compiled: minijinja::Template<'a, 'a>,
}

impl<'a> Template<'a> {
    /// Compiles a template.
    ///
    /// # Errors
    /// [`TemplateError`]
    pub fn compile(source: &'a str) -> Result<Self, TemplateError> {
        if source.chars().count() > MAX_TEMPLATE {
            let reason = format!("must have at most {MAX_TEMPLATE} characters");
            return Err(TemplateError::at(source, source.len(), reason));
        }
        syntax::check(source).map_err(|(offset, reason)| TemplateError::at(source, offset, reason))?;
        let compiled = LANGUAGE.template_from_str(source).map_err(|error| TemplateError::new(source, &error))?;
        Ok(Self { source, compiled })
    }

    /// Whether it says itself where mentions are.
    #[must_use]
    pub fn places_mentions(&self) -> bool {
        let names = self.compiled.undeclared_variables(false);
        MENTIONS.iter().any(|name| names.contains(*name))
    }

    /// The text that it makes of a broadcast.
    ///
    /// # Errors
    /// [`TemplateError`]
    pub fn render(&self, broadcast: &Broadcast, options: TextOptions<'_>) -> Result<String, TemplateError> {
        let language = context! { language => <&str>::from(options.language) };
        let values = context! { ..language, ..mention_values(options.mentions), ..broadcast.values(options.language) };
        self.compiled.render(values).map_err(|error| TemplateError::new(self.source, &error))
    }

    /// Fails if it uses a value that is not there.
    fn check_names(&self) -> Result<(), TemplateError> {
        let is_known = |name: &str| {
            MENTIONS.contains(&name) || VALUES.iter().any(|it| *it == name || it.split('.').next() == Some(name))
        };
        let names = self.compiled.undeclared_variables(true);
        let Some(name) = names.iter().filter(|name| !is_known(name)).min() else { return Ok(()) };
        let reason = format!("there is no value `{name}`; there are {}, {}", VALUES.join(", "), MENTIONS.join(", "));
        Err(TemplateError::at(self.source, self.source.find(&**name).unwrap_or_default(), reason))
    }
}

/// Checks a template with broadcasts of which all is known, or nothing, and with values that are not there. `is_end` says whether it is
/// the text of one that has ended.
///
/// # Errors
/// [`TemplateError`]
pub fn check(template: &str, is_end: bool) -> Result<(), TemplateError> {
    let template = Template::compile(template)?;
    template.check_names()?;
    let sample = Broadcast::sample(is_end).long();
    let [all, none] = [true, false].map(|is| TrackMentions { everyone: is, here: is, ..TrackMentions::default() });
    template.render(&sample, TextOptions { mentions: &all, language: Language::En })?;
    // What depends on a value may not be usable without it.
    template.render(&sample.sparse(), TextOptions { mentions: &none, language: Language::En }).map(drop)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;
    use crate::tracking::broadcast::Segment;

    /// A text without mentions.
    fn render(template: &str, broadcast: &Broadcast) -> Result<String, TemplateError> {
        let options = TextOptions { mentions: &TrackMentions::default(), language: Language::En };
        Template::compile(template)?.render(broadcast, options)
    }

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
    fn times_are_in_the_language_of_the_track() {
        let mut broadcast = Broadcast::sample(true);
        broadcast.ended_at = Some(broadcast.started_at);
        let text = "{{ duration }}, {{ stream.started_at | duration(ended_at) }}";
        let options = TextOptions { mentions: &TrackMentions::default(), language: Language::De };
        let said = Template::compile(text).unwrap().render(&broadcast, options).unwrap();
        assert_eq!(said, "weniger als eine Minute, weniger als eine Minute");
        assert!(check("{{ language }}", false).unwrap_err().reason.starts_with("there is no value `language`"));
    }

    #[test]
    fn mentions_are_those_of_the_list() {
        let (fans, mods) = (Snowflake(146_404_426_746_167_296), Snowflake(146_404_426_746_167_297));
        let list = TrackMentions { roles: vec![fans], users: vec![mods], everyone: false, here: true };
        let said = |template: &str, list: &TrackMentions| {
            let options = TextOptions { mentions: list, language: Language::En };
            let said = Template::compile(template).and_then(|it| it.render(&titled("@everyone"), options));
            said.map_err(|error| error.reason)
        };
        let all =
            "{{ mentions }}|{{ everyone }}|{{ here }}|{{ role('146404426746167296') }}|{{ role(146404426746167297) }}";
        let role = "<@&146404426746167296>";
        assert_eq!(
            said(all, &list),
            Ok(format!("@here {role} <@146404426746167297>||@here|{role}|")),
            "what is not on the list is not mentioned"
        );
        assert_eq!(said(all, &TrackMentions::default()), Ok("||||".to_owned()));
        let if_any = "{% if mentions %}{{ mentions }}: {% endif %}{{ stream.title }}";
        assert_eq!(said(if_any, &TrackMentions::default()), Ok("\\@\u{2060}everyone".to_owned()));
        assert_eq!(
            said(if_any, &TrackMentions { here: true, ..TrackMentions::default() }),
            Ok("@here: \\@\u{2060}everyone".to_owned())
        );
        assert_eq!(
            said("{{ role(5) }}", &list),
            Err("invalid operation: must be an id of Discord, which has 17 to 20 digits".to_owned())
        );
        for template in ["{{ role }}", "{{ mentions | upper }}", "{{ role() }}", "{{ here.x }}"] {
            assert!(said(template, &list).is_err(), "{template}");
        }
        // All of a long list is printed.
        let many = TrackMentions { roles: vec![fans; 20], users: vec![mods; 20], ..TrackMentions::default() };
        assert_eq!(said("{{ mentions }}", &many).map(|text| text.matches("<@").count()), Ok(40));
        for (template, is_placing) in
            [("{{ mentions }}", true), ("{% if role(1) %}{% endif %}", true), ("@here {{ stream.title }}", false)]
        {
            assert_eq!(Template::compile(template).unwrap().places_mentions(), is_placing, "{template}");
        }
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
            ("{{ mentions }} {{ role('fans') }}", 1, 19, "must be an id of Discord"),
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
