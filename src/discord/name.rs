//! The name that a message of a webhook shows
//! (<https://docs.discord.com/developers/resources/user#usernames-and-nicknames>).

use super::markdown::{is_invisible, shorten};

/// The longest name, in characters.
const MAX_NAME: usize = 80;

/// What Discord refuses in a name, and as one.
const CONTAINED: [&str; 6] = ["clyde", "discord", "```", "@", "#", ":"];
const WHOLE: [&str; 2] = ["everyone", "here"];

/// The name that comes of a text; `None` if Discord would refuse a message with it.
#[must_use]
pub fn name(text: &str) -> Option<String> {
    let visible: String = text.chars().filter(|c| !c.is_control() && !is_invisible(*c)).collect();
    let name = shorten(visible.trim(), MAX_NAME);
    let lower = name.to_lowercase();
    let is_refused = CONTAINED.iter().any(|word| lower.contains(word)) || WHOLE.contains(&&*lower);
    (!name.is_empty() && !is_refused).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_one_that_discord_takes() {
        assert_eq!(name(" Maple\u{200b}Arcade\n").as_deref(), Some("MapleArcade"));
        assert_eq!(name(&"é".repeat(100)).map(|name| name.chars().count()), Some(80));
        for refused in
            ["", "\u{200b}", "DiscordFan", "dis\u{200b}cord", "clyde2", "Everyone", "here", "a@b", "a```", "a:b"]
        {
            assert_eq!(name(refused), None, "{refused:?}");
        }
    }
}
