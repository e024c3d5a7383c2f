//! The events that rules need, so that they can react.

use std::collections::BTreeSet;

use super::rule::Rule;
use super::vocabulary::{CHAT_MESSAGE, PRESENCE, PRESENCE_TYPE};

/// The types of the events that a rule needs; none if it is turned off. A rule needs the messages of the chat if it waits for
/// them, counts them for its timer, or can be told by one to let a message through.
#[must_use]
pub fn types(rule: &Rule) -> Vec<&str> {
    if !rule.enabled {
        return Vec::new();
    }
    let counts_lines = rule.timer.as_ref().is_some_and(|timer| timer.lines > 0);
    let reads_chat = rule.waits_for_chat() || counts_lines || rule.permit;
    let on = rule.on.0.iter().map(|kind| if PRESENCE.contains(&kind.as_str()) { PRESENCE_TYPE } else { kind });
    let types: BTreeSet<_> = on.chain(reads_chat.then_some(CHAT_MESSAGE)).collect();
    types.into_iter().collect()
}

/// The logins and ids of the channels that a rule is about, as they are stored; none for all.
#[must_use]
pub fn channels(rule: &Rule) -> Vec<String> {
    rule.channels.iter().map(|name| name.trim_start_matches('@').to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::read::from_toml;
    use super::*;

    #[test]
    fn rule_needs_the_events_that_it_waits_for() {
        for (waits, needed) in [
            ("on = 'channel.follow'", vec!["channel.follow"]),
            ("on = ['channel.raid', 'channel.cheer']", vec!["channel.cheer", "channel.raid"]),
            ("on = 'arrive'", vec![PRESENCE_TYPE]),
            ("command = '!title'", vec![CHAT_MESSAGE]),
            ("message = 'hello'", vec![CHAT_MESSAGE]),
            ("filter = { length = 10 }", vec![CHAT_MESSAGE]),
            ("timer = { every = '20m', lines = 15 }", vec![CHAT_MESSAGE]),
            ("timer = { every = '20m' }", vec![]),
            ("command = '!title'\nenabled = false", vec![]),
        ] {
            let file = format!("[[rule]]\nname = 'a'\n{waits}\ndo = [{{ say = 'hi' }}]\n");
            let rules = from_toml(&file).unwrap_or_else(|problems| panic!("{file}: {problems:?}"));
            assert_eq!(types(&rules.rules[0]), needed, "{waits}");
        }
    }
}
