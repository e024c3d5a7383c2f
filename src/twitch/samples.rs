//! Sample events: one for every subscription type and version, and variants of some. `simulate` and
//! the fake Twitch send them, and tests parse them.

use include_dir::{Dir, include_dir};

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/twitch/samples");

/// The names of the samples of a type and version, the plain one first as `None`, then its
/// variants, such as `anonymous`.
pub fn variants<'a>(kind: &'a str, version: &'a str) -> impl Iterator<Item = Option<&'static str>> + 'a {
    FILES.files().filter_map(move |file| {
        let name = file.path().to_str()?.strip_suffix(".json")?;
        let rest = name.strip_prefix(kind)?.strip_prefix(".v")?.strip_prefix(version)?;
        if rest.is_empty() { Some(None) } else { rest.strip_prefix('.').map(Some) }
    })
}

/// The JSON text of a sample: an `event` object, or for the batched `drop.entitlement.grant`
/// the array of `events`.
#[must_use]
pub fn sample(kind: &str, version: &str, variant: Option<&str>) -> Option<&'static str> {
    let dot = if variant.is_some() { "." } else { "" };
    let name = format!("{kind}.v{version}{dot}{}.json", variant.unwrap_or_default());
    FILES.get_file(name)?.contents_utf8()
}
