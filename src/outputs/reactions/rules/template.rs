//! Templates of steps. A value that is missing is an error, so that no half text is sent.

use std::io::{self, Write};

use minijinja::value::Value;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};

use super::super::step::CLIP_URL;
use super::language::{self, environment, reason};
use super::text::{VALUE_BEGIN, VALUE_END};

/// The longest text that a template makes, in bytes. What is sent is cut shorter.
const MAX_OUTPUT: usize = 16_384;

/// The longest text of one value.
const MAX_VALUE: usize = 4_096;

/// Templates, each named by its source.
#[derive(Debug)]
pub struct Templates(Environment<'static>);

impl Default for Templates {
    fn default() -> Self {
        let mut environment = environment(UndefinedBehavior::Strict);
        environment.set_formatter(|out, _, value| {
            let text = if value.is_none() { String::new() } else { value.to_string() };
            // The place of a clip's address is a value of its own, never a part of another.
            let marks: &[char] = if text.chars().eq([CLIP_URL]) { &[] } else { &[VALUE_BEGIN, VALUE_END, CLIP_URL] };
            // Postgres can't store U+0000, which a text in a template may have as an escape.
            let text = text.chars().filter(|it| *it != '\0' && !marks.contains(it)).take(MAX_VALUE);
            out.write_str(&[VALUE_BEGIN].into_iter().chain(text).chain([VALUE_END]).collect::<String>())?;
            Ok(())
        });
        Self(environment)
    }
}

impl Templates {
    /// Compiles a template.
    ///
    /// # Errors
    /// What is wrong, and a proposal.
    pub fn add(&mut self, source: &str) -> Result<(), (String, Option<String>)> {
        if language::is_template(source) {
            language::check_template(source)?;
            let added = self.0.add_template_owned(source.to_owned(), source.to_owned());
            added.map_err(|error| (format!("the template does not compile: {}", reason(&error)), None))?;
        }
        Ok(())
    }

    /// The values that a template uses, such as `user.name`.
    #[must_use]
    pub fn names(&self, source: &str) -> Vec<String> {
        language::names(&self.0, source)
    }

    /// Renders a template, with marks around its values.
    ///
    /// # Errors
    /// Why it fails.
    pub fn render(&self, source: &str, values: &Value) -> Result<String, String> {
        if !language::is_template(source) {
            return Ok(source.to_owned());
        }
        let mut output = Limited(Vec::new());
        let template = self.0.get_template(source).map_err(|error| reason(&error))?;
        let rendered = template.render_captured_to(values.clone(), &mut output).map(drop);
        rendered.map_err(|error| {
            let reason = match error.kind() {
                ErrorKind::WriteFailure => format!("the text is longer than {MAX_OUTPUT} bytes"),
                _ => reason(&error),
            };
            format!("the template `{}` fails: {reason}", shortened(source))
        })?;
        String::from_utf8(output.0).map_err(|error| error.to_string())
    }
}

fn shortened(source: &str) -> String {
    let short: String = source.chars().take(80).collect();
    if short.len() < source.len() { format!("{short}…") } else { short }
}

/// What a template writes, up to a limit.
struct Limited(Vec<u8>);

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The value `clip` for what is said when a clip is there.
#[must_use]
pub fn clip() -> Value {
    Value::from_pairs([("url", Value::from(CLIP_URL.to_string()))])
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use minijinja::context;

    use super::*;
    use crate::outputs::reactions::rules::text::{line, plain};

    fn render(source: &str, values: &Value) -> Result<String, String> {
        let mut templates = Templates::default();
        templates.add(source).map_err(|(error, _)| error)?;
        templates.render(source, values).map(|text| plain(&text))
    }

    #[test]
    fn values_are_rendered() {
        let values = context! { user => context! { name => "QuietOtter" }, args => ["a", "b"], none => () };
        assert_eq!(
            render("Hi {{ user.name }}: {{ args | join(' ') }}{{ none }}", &values).unwrap(),
            "Hi QuietOtter: a b"
        );
        assert_eq!(render("{% for a in args %}<{{ a }}>{% endfor %}", &values).unwrap(), "<a><b>");
    }

    #[test]
    fn missing_value_is_an_error() {
        for source in ["{{ nothing }}", "{{ user.nothing }}", "{{ args[7] }}"] {
            let error = render(source, &context! { user => context! {}, args => [1] }).unwrap_err();
            assert!(error.contains("undefined"), "{error}");
        }
        assert_eq!(render("{{ nothing | default('x') }}", &context! {}).unwrap(), "x");
    }

    #[test]
    fn value_cannot_begin_a_command() {
        let mut templates = Templates::default();
        templates.add("{{ text }}").unwrap();
        let rendered = templates.render("{{ text }}", &context! { text => format!("{VALUE_END}/ban a") }).unwrap();
        assert_eq!(line(&rendered, 500), "›/ban a");
    }

    /// In an unoptimized build. The limit of an optimized one is less than 5 ms.
    #[test]
    fn template_bomb_is_stopped() {
        let long = "x".repeat(500);
        let values = context! { text => &long, users => vec![long.clone(); 500] };
        let nested =
            "{% for a in users %}{% for b in users %}{% for c in users %}x{% endfor %}{% endfor %}{% endfor %}";
        let replaced = format!("{{{{ text {} }}}}", "| replace('x', 'xxxxxxxxxx')".repeat(12));
        let joined = "{{ text | list | join(text) | list | join(text) }}";
        for bomb in [nested, &replaced, joined, "{% for a in users %}{{ users }}{% endfor %}"] {
            let began = Instant::now();
            let error = render(bomb, &values).unwrap_err();
            assert!(began.elapsed() < Duration::from_millis(250), "{bomb}: {error} after {:?}", began.elapsed());
        }
    }
}
