//! Texts of messages with values in them, such as `{{ streamer.name }} is live: {{ stream.title }}`.
//!
//! Values are the only thing that a text may have: so it is made in the time that it takes to copy it, whatever it says.

/// The longest text with its values not yet put in, in characters.
pub const MAX_TEMPLATE: usize = 1_000;

/// The values.
pub const NAMES: [&str; 7] = [
    "streamer.name",
    "streamer.login",
    "streamer.url",
    "stream.title",
    "stream.category",
    "stream.started",
    "duration",
];

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is too long.
    #[error("must have at most {MAX_TEMPLATE} characters")]
    TooLong,
    /// A value has no end.
    #[error("has `{{{{` at character {0} without `}}}}` behind it")]
    Open(usize),
    /// A value is not known.
    #[error("has an unknown value `{0}`; there are {names}", names = NAMES.join(", "))]
    Unknown(String),
}

/// Puts in the values.
///
/// # Errors
/// [`TemplateError`]
pub fn render(template: &str, value: impl Fn(&str) -> String) -> Result<String, TemplateError> {
    if template.chars().count() > MAX_TEMPLATE {
        return Err(TemplateError::TooLong);
    }
    let (mut text, mut rest) = (String::new(), template);
    while let Some((before, behind)) = rest.split_once("{{") {
        let place = || template.len() - behind.len() - 2;
        let open = || TemplateError::Open(template[..place()].chars().count() + 1);
        let (name, after) = behind.split_once("}}").ok_or_else(open)?;
        let name = name.trim();
        if !NAMES.contains(&name) {
            return Err(TemplateError::Unknown(name.to_owned()));
        }
        text.push_str(before);
        text.push_str(&value(name));
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

/// Checks a text.
///
/// # Errors
/// [`TemplateError`]
pub fn check(template: &str) -> Result<(), TemplateError> {
    render(template, |_| String::new()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_in_once() {
        let value =
            |name: &str| if name == "duration" { "{{ streamer.name }}".to_owned() } else { name.to_uppercase() };
        assert_eq!(
            render("a {{streamer.name}} b {{ stream.title }}{{ duration }}", value).unwrap(),
            "a STREAMER.NAME b STREAM.TITLE{{ streamer.name }}"
        );
        assert_eq!(render("} {a}", value).unwrap(), "} {a}");
    }

    #[test]
    fn mistakes_are_explained() {
        assert_eq!(check("é {{ streamer.name"), Err(TemplateError::Open(3)));
        assert!(check("{{ name }}").unwrap_err().to_string().contains("there are streamer.name, "));
        assert_eq!(check(&"x".repeat(MAX_TEMPLATE + 1)), Err(TemplateError::TooLong));
    }
}
