//! 200 rules, of which 50 have a regular expression and 10 a filter.

use std::fmt::Write as _;

/// The rules as a file.
pub(crate) fn text() -> String {
    let mut text = String::new();
    let mut add = |name: usize, trigger: String| {
        let _ =
            writeln!(text, "[[rule]]\nname = \"{name}\"\n{trigger}\ndo = [{{ say = \"Hi {{{{ user.name }}}}\" }}]\n");
    };
    (0..50).for_each(|it| add(it, format!("message = '(?i)\\b(buy|cheap){it}\\s+(followers|viewers)\\b'")));
    (50..60)
        .for_each(|it| add(it, "filter = { links = {}, words = [\"rude word\", \"worse\"], length = 450 }".to_owned()));
    (60..160).for_each(|it| add(it, format!("command = \"!command{it}\"\ncooldown = \"5s\"")));
    (160..200).for_each(|it| add(it, "on = \"channel.cheer\"\nwhen = \"event.bits > 1000\"".to_owned()));
    text
}
