//! What a template may use of Jinja: expressions, `if` and `for`.
//!
//! Lists, multiplication and variables are not there: with them a short template could make a value that takes much time or memory
//! before any fuel is counted.

use crate::jinja::{self, Code, STATEMENTS};

/// Checks what a template uses of the language. One that ends in the middle of its code is left to the parser.
///
/// # Errors
/// Where it uses something else, in bytes from its begin, and what that is.
pub(super) fn check(template: &str) -> Result<(), (usize, String)> {
    let refused = |(at, what): (usize, &str)| (at, format!("{what} not possible"));
    for code in jinja::code(template).map_err(refused)? {
        let what = |c: char| match c {
            '*' => Some("multiplication is"),
            '[' => Some("lists are"),
            _ => None,
        };
        if let Some((at, what)) = code.text.char_indices().find_map(|(at, c)| Some((at, what(c)?))) {
            return Err(refused((code.place(at), what)));
        }
        if code.is_statement {
            check_statement(&code).map_err(|reason| (code.offset, reason))?;
        }
    }
    Ok(())
}

fn check_statement(code: &Code) -> Result<(), String> {
    let (name, mut words) = code.words();
    if !STATEMENTS.contains(&name) {
        return Err(format!("there is no statement `{name}`; there are {}", STATEMENTS.join(", ")));
    }
    if words.any(|word| word == "recursive") {
        return Err("recursive loops are not possible".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_simple_code_are_possible() {
        for template in [
            "**bold** [a](b) {x}",
            "{{ 'a}} * [' }} * {% if a.b == \"%}\" %}[x]{% else %}{{- c -}}{% endif %}",
            "{% for c in name %}{{ loop.index }}{% endfor %}",
            "{{ 'it\\'s *' }}",
            "{{ open",
            "é{{ a }}é",
            "{",
        ] {
            assert_eq!(check(template), Ok(()), "{template}");
        }
    }

    #[test]
    fn everything_else_is_refused_wherever_it_hides() {
        for (template, offset) in [
            ("é{{ a * 2 }}", 7),
            ("{{ '}}' ~ ([1] ~ '') }}", 11),
            ("{{ {'a': 1} }}", 3),
            ("{{ a }}{% set x = 1 %}", 7),
            ("{%- macro m() %}", 0),
            ("{% raw %}{{ ' {% endraw %}", 0),
            ("{# {{ ' #}", 0),
            ("{% for a in b recursive %}", 0),
            ("{{ 'a\\' }}' * 2 }}", 12),
        ] {
            assert_eq!(check(template).map_err(|(at, _)| at), Err(offset), "{template}");
        }
    }
}
