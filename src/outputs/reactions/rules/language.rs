//! The language of templates and conditions: the expressions of Jinja, `if` and `for`.
//!
//! It is small so that no template can take much memory: what joins, repeats or replaces text has a limit, and what could
//! collect text in a variable is not there. Fuel limits the time.

use std::borrow::Cow;
use std::sync::LazyLock;

use minijinja::value::{Kwargs, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, filters, tests};
use regex::Regex;

use super::problem::proposal;
use crate::jinja::{self, STATEMENTS};

/// Instructions that one template may take.
const FUEL: u64 = 20_000;

/// The longest text that a filter makes, in bytes.
const MAX_TEXT: usize = 16_384;

/// The filters.
const FILTERS: [&str; 26] = [
    "abs",
    "capitalize",
    "default",
    "first",
    "float",
    "int",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "replace",
    "reverse",
    "round",
    "select",
    "sort",
    "split",
    "string",
    "title",
    "trim",
    "unique",
    "upper",
];

/// The tests of `is`.
const TESTS: [&str; 12] = [
    "defined",
    "undefined",
    "none",
    "number",
    "string",
    "sequence",
    "mapping",
    "odd",
    "even",
    "in",
    "startingwith",
    "endingwith",
];

#[expect(clippy::expect_used, reason = "constant, and tested")]
static FILTER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\|\s*([A-Za-z_]\w*)").expect("a pattern"));
#[expect(clippy::expect_used, reason = "constant, and tested")]
static TEST: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\bis\s+(?:not\s+)?([A-Za-z_]\w*)").expect("a pattern"));

/// An environment with this language and nothing else.
#[must_use]
pub fn environment(undefined: UndefinedBehavior) -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(undefined);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(64);
    add_filters(&mut environment);
    environment.add_test("defined", tests::is_defined);
    environment.add_test("undefined", tests::is_undefined);
    environment.add_test("none", tests::is_none);
    environment.add_test("number", tests::is_number);
    environment.add_test("string", tests::is_string);
    environment.add_test("sequence", tests::is_sequence);
    environment.add_test("mapping", tests::is_mapping);
    environment.add_test("odd", tests::is_odd);
    environment.add_test("even", tests::is_even);
    environment.add_test("in", tests::is_in);
    environment.add_test("startingwith", tests::is_startingwith);
    environment.add_test("endingwith", tests::is_endingwith);
    environment
}

/// The values that a template of this name uses, such as `user.name`.
#[must_use]
pub fn names(environment: &Environment<'static>, template: &str) -> Vec<String> {
    let names = environment.get_template(template).map(|template| template.undeclared_variables(true));
    let mut names: Vec<_> = names.unwrap_or_default().into_iter().collect();
    names.sort_unstable();
    names
}

fn add_filters(environment: &mut Environment<'static>) {
    environment.add_filter("abs", filters::abs);
    environment.add_filter("capitalize", filters::capitalize);
    environment.add_filter("default", filters::default);
    environment.add_filter("first", filters::first);
    environment.add_filter("float", filters::float);
    environment.add_filter("int", filters::int);
    environment.add_filter("join", join);
    environment.add_filter("last", filters::last);
    environment.add_filter("length", filters::length);
    environment.add_filter("list", filters::list);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("map", filters::map);
    environment.add_filter("max", filters::max);
    environment.add_filter("min", filters::min);
    environment.add_filter("reject", filters::reject);
    environment.add_filter("replace", replace);
    environment.add_filter("reverse", filters::reverse);
    environment.add_filter("round", filters::round);
    environment.add_filter("select", filters::select);
    environment.add_filter("sort", filters::sort);
    environment.add_filter("split", filters::split);
    environment.add_filter("string", filters::string);
    environment.add_filter("title", filters::title);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("unique", filters::unique);
    environment.add_filter("upper", filters::upper);
}

fn too_long() -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("the text would be longer than {MAX_TEXT} bytes"))
}

/// Joins the items of a list.
fn join(value: &Value, separator: Option<Cow<'_, str>>) -> Result<String, Error> {
    let separator = separator.unwrap_or_default();
    let mut joined = String::new();
    for (place, item) in value.try_iter()?.enumerate() {
        if place > 0 {
            joined.push_str(&separator);
        }
        match item.as_str() {
            Some(text) => joined.push_str(text),
            None => joined.push_str(&item.to_string()),
        }
        if joined.len() > MAX_TEXT {
            return Err(too_long());
        }
    }
    Ok(joined)
}

/// Replaces one text by another.
fn replace(text: Cow<'_, str>, from: Cow<'_, str>, to: Cow<'_, str>, _: Kwargs) -> Result<String, Error> {
    let longer = text.matches(&*from).count().saturating_mul(to.len());
    if text.len().saturating_add(longer) > MAX_TEXT {
        return Err(too_long());
    }
    Ok(text.replace(&*from, &to))
}

/// Whether a text has code in it.
#[must_use]
pub fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

/// Checks what a template uses of the language.
///
/// # Errors
/// What it uses that is not there, and a proposal.
pub fn check_template(source: &str) -> Result<(), (String, Option<String>)> {
    for code in jinja::code(source).map_err(|(_, what)| (format!("{what} not possible in a template"), None))? {
        if code.is_statement {
            known("statement", code.words().0, &STATEMENTS)?;
        }
        check_code(&code.text)?;
    }
    Ok(())
}

/// Checks what an expression uses of the language.
///
/// # Errors
/// What it uses that is not there, and a proposal.
pub fn check_expression(source: &str) -> Result<(), (String, Option<String>)> {
    check_code(&jinja::expression(source))
}

fn check_code(code: &str) -> Result<(), (String, Option<String>)> {
    if code.contains('*') {
        return Err(("multiplication is not possible".to_owned(), None));
    }
    for filter in FILTER.captures_iter(code) {
        known("filter", &filter[1], &FILTERS)?;
    }
    for test in TEST.captures_iter(code) {
        known("test", &test[1], &TESTS)?;
    }
    Ok(())
}

fn known(what: &str, name: &str, names: &[&str]) -> Result<(), (String, Option<String>)> {
    if names.contains(&name) {
        return Ok(());
    }
    Err((format!("there is no {what} `{name}`"), proposal(name, names)))
}

/// Why minijinja refuses a source or fails, in one line.
#[must_use]
pub fn reason(error: &Error) -> String {
    let reason = match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => format!("it takes more than {FUEL} instructions"),
        (kind, None) => kind.to_string(),
        (ErrorKind::SyntaxError, Some(detail)) => detail.to_owned(),
        (kind, Some(detail)) => format!("{kind}: {detail}"),
    };
    // It is stored, and may quote a text with U+0000.
    reason.replace('\0', "")
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn every_listed_filter_and_test_is_there() {
        let environment = environment(UndefinedBehavior::Strict);
        for filter in FILTERS {
            let error = environment.render_str(&format!("{{{{ 1 | {filter} }}}}"), ()).err();
            assert!(error.is_none_or(|error| error.kind() != ErrorKind::UnknownFilter), "{filter}");
        }
        for test in TESTS {
            let error = environment.render_str(&format!("{{{{ 1 is {test} }}}}"), ()).err();
            assert!(error.is_none_or(|error| error.kind() != ErrorKind::UnknownTest), "{test}");
        }
    }

    #[test]
    fn what_is_not_in_the_language_has_a_proposal() {
        let error = |source: &str| check_template(source).unwrap_err();
        assert_eq!(error("{{ args | joyn }}").1.as_deref(), Some("did you mean `join`?"));
        assert_eq!(error("{% fro x in users %}").1.as_deref(), Some("did you mean `for`?"));
        assert!(error("{% set x = 1 %}").0.contains("no statement `set`"));
        assert!(error("{{ 'a' * 1000000 }}").0.contains("multiplication"));
        assert!(
            error("{{ '}}' ~ ([[1]*100000]*100000) ~ '' }}").0.contains("multiplication"),
            "fuel does not bound it"
        );
        assert!(error("{{ {'a': {}} ~ ([[1]*100000]*100000) }}").0.contains("maps"));
        assert_eq!(check_template("a * b {{ '| joyn * ' | upper }} | joyn"), Ok(()));
        assert_eq!(check_expression("event.x is defnied").unwrap_err().1.as_deref(), Some("did you mean `defined`?"));
    }
}
