//! What a template may use of Jinja: expressions, `if` and `for`.
//!
//! Lists, multiplication and variables are not there: with them a short template could make a value that takes much time or memory
//! before any fuel is counted.

/// The statements.
const STATEMENTS: [&str; 6] = ["if", "elif", "else", "endif", "for", "endfor"];

/// Checks what a template uses of the language. One that ends in the middle of its code is left to the parser.
///
/// # Errors
/// Where it uses something else, in bytes from its begin, and what that is.
pub(super) fn check(template: &str) -> Result<(), (usize, String)> {
    let mut rest = template;
    while let Some((start, kind)) = next_code(rest) {
        let (offset, code) = (template.len() - rest.len() + start, &rest[start + 2..]);
        let end = match kind {
            '{' => "}}",
            '%' => "%}",
            _ => return Err((offset, "comments are not possible".to_owned())),
        };
        let refuse = |at: usize, what: &str| Err((offset + 2 + at, format!("{what} not possible")));
        let (mut quote, mut is_escaped, mut plain, mut length) = (None, false, String::new(), None);
        for (at, c) in code.char_indices() {
            match (quote, c) {
                (Some(_), _) if is_escaped => is_escaped = false,
                (Some(_), '\\') => is_escaped = true,
                (Some(open), c) if c == open => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(c),
                (None, '*') => return refuse(at, "multiplication is"),
                (None, '[' | '{') => return refuse(at, "lists and maps are"),
                (None, _) if code[at..].starts_with(end) => {
                    length = Some(at + 2);
                    break;
                }
                (None, c) => plain.push(c),
            }
        }
        let Some(length) = length else { return Ok(()) };
        if kind == '%' {
            check_statement(&plain).map_err(|reason| (offset, reason))?;
        }
        rest = &code[length..];
    }
    Ok(())
}

/// Where code begins, and what kind of it.
fn next_code(text: &str) -> Option<(usize, char)> {
    let starts = text.match_indices('{').map(|(at, _)| at);
    starts.filter_map(|at| Some((at, text[at + 1..].chars().next()?))).find(|(_, next)| matches!(next, '{' | '%' | '#'))
}

fn check_statement(code: &str) -> Result<(), String> {
    let mut words = code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    match words.next() {
        Some(name) if !STATEMENTS.contains(&name) => {
            Err(format!("there is no statement `{name}`; there are {}", STATEMENTS.join(", ")))
        }
        _ if words.any(|word| word == "recursive") => Err("recursive loops are not possible".to_owned()),
        _ => Ok(()),
    }
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
