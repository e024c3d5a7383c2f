//! Finds the code in templates of [Jinja](https://docs.rs/minijinja/latest/minijinja/syntax/index.html), for languages that allow a
//! part of it. What such a language leaves out is refused before a template is compiled: some of it could take much time or memory
//! before any fuel is counted.

/// The statements of the languages.
pub(crate) const STATEMENTS: [&str; 6] = ["if", "elif", "else", "endif", "for", "endfor"];

/// A piece of code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    /// Where it begins in the template, with its braces, in bytes.
    pub(crate) offset: usize,
    /// Whether it is a statement, and no expression.
    pub(crate) is_statement: bool,
    /// What is between its marks, as long as in the template, and with blanks in its literals.
    pub(crate) text: String,
}

impl Code {
    /// Where a place in the text is in the template.
    pub(crate) const fn place(&self, at: usize) -> usize {
        self.offset + 2 + at
    }

    /// The name of the statement, and the words of what follows.
    pub(crate) fn words(&self) -> (&str, impl Iterator<Item = &str>) {
        let mut words = self.text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
        (words.next().unwrap_or_default(), words)
    }
}

/// The code of a template. One that ends in the middle of its code is left to the parser.
///
/// # Errors
/// Where a comment or a map begins, in bytes, and which of them: the end of a map would look like that of the code.
pub(crate) fn code(template: &str) -> Result<Vec<Code>, (usize, &'static str)> {
    let (mut found, mut from) = (Vec::new(), 0);
    while let Some((offset, mark)) = next_code(template, from) {
        let end = match mark {
            '{' => "}}",
            '%' => "%}",
            _ => return Err((offset, "comments are")),
        };
        let inner = &template[offset + 2..];
        let Some(text) = until(inner, end).map_err(|at| (offset + 2 + at, "maps are"))? else { break };
        from = offset + 2 + text.len() + end.len();
        found.push(Code { offset, is_statement: mark == '%', text });
    }
    Ok(found)
}

/// An expression with blanks in its literals.
pub(crate) fn expression(source: &str) -> String {
    let mut quotes = Quotes::default();
    let mut text = String::with_capacity(source.len());
    source.chars().for_each(|c| quotes.push(c, &mut text));
    text
}

/// Where the next code begins, and its mark.
fn next_code(template: &str, from: usize) -> Option<(usize, char)> {
    let starts = template[from..].match_indices('{').map(|(at, _)| from + at);
    let marked = starts.filter_map(|at| Some((at, template[at + 1..].chars().next()?)));
    marked.into_iter().find(|(_, mark)| matches!(mark, '{' | '%' | '#'))
}

/// The code before its end, with blanks in its literals; `None` if it has no end. An error is the place of a map.
fn until(code: &str, end: &str) -> Result<Option<String>, usize> {
    let (mut quotes, mut text) = (Quotes::default(), String::new());
    for (at, c) in code.char_indices() {
        if !quotes.is_open() && code[at..].starts_with(end) {
            return Ok(Some(text));
        }
        if !quotes.is_open() && c == '{' {
            return Err(at);
        }
        quotes.push(c, &mut text);
    }
    Ok(None)
}

/// Whether the place is within a literal.
#[derive(Debug, Default)]
struct Quotes {
    open: Option<char>,
    is_escaped: bool,
}

impl Quotes {
    const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Goes on by a character, and adds it, or blanks if it is in a literal.
    fn push(&mut self, c: char, text: &mut String) {
        match self.open {
            None => {
                self.open = Some(c).filter(|c| matches!(c, '\'' | '"'));
                text.push(c);
            }
            Some(_) if self.is_escaped || c == '\\' => {
                self.is_escaped = !self.is_escaped;
                text.extend(std::iter::repeat_n(' ', c.len_utf8()));
            }
            Some(open) if c == open => {
                self.open = None;
                text.push(c);
            }
            Some(_) => text.extend(std::iter::repeat_n(' ', c.len_utf8())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_found_with_its_place() {
        let found = code("é{x} {{ 'a}}' ~ \"é\\\"\" }}{%- if b -%}{{ open").unwrap();
        let found: Vec<_> = found.iter().map(|it| (it.offset, it.is_statement, it.text.as_str())).collect();
        assert_eq!(found, [(6, false, " '   ' ~ \"    \" "), (26, true, "- if b -")]);
        assert_eq!(expression("a is 'x | y'"), "a is '     '");
    }

    #[test]
    fn comment_and_map_are_refused_where_they_begin() {
        for (template, error) in [("a{# b #}", (1, "comments are")), ("{{ {'a': 1} }}", (3, "maps are"))] {
            assert_eq!(code(template), Err(error), "{template}");
        }
        assert_eq!(code("{{ '{# {' }}").unwrap().len(), 1);
    }
}
