//! What is written in chat.

use super::fields::Fields;
use super::words::{plain, quoted, said, span};
use crate::message::irc::PRESENCE;
use crate::twitch::payload::Text;

/// Users that a sentence names; the rest is counted.
const MAX_NAMED: usize = 3;

pub(super) fn sentence(kind: &str, it: &Fields<'_>, channel: &str) -> Option<String> {
    let target = || it.named("target_user", "a user");
    Some(match kind {
        "channel.chat.message" => message(it),
        "channel.chat.notification" => notice(it),
        "channel.chat.message_delete" => format!("A message of {} was deleted", target()),
        "channel.chat.clear_user_messages" => format!("All messages of {} were deleted", target()),
        "channel.chat.clear" => format!("All messages in the chat of {channel} were deleted"),
        PRESENCE => presence(it, channel),
        "channel.chat_settings.update" => settings(it, channel),
        _ => return None,
    })
}

fn message(it: &Fields<'_>) -> String {
    let author = it.person("chatter_user", "chatter_is_anonymous");
    match it.get::<Text>("message") {
        Some(Text { text, is_action: true, .. }) => format!("{author} {}", quoted(&text).unwrap_or_default()),
        _ => said(author, it.message()),
    }
}

fn presence(it: &Fields<'_>, channel: &str) -> String {
    let part = |field: &str, verb: &str| {
        let logins: Vec<String> = it.get(field).unwrap_or_default();
        let named: Vec<_> = logins.iter().take(MAX_NAMED).filter_map(|login| quoted(login)).collect();
        let more = logins.len().saturating_sub(MAX_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!named.is_empty()).then(|| format!("{}{more} {verb} the chat of {channel}", named.join(", ")))
    };
    let parts: Vec<_> = [part("joined", "came into"), part("left", "left")].into_iter().flatten().collect();
    if parts.is_empty() { format!("Nothing changed in the chat of {channel}") } else { parts.join("; ") }
}

fn notice(it: &Fields<'_>) -> String {
    let author = it.person("chatter_user", "chatter_is_anonymous");
    let notice = it.word("notice_type").unwrap_or_default();
    match (it.text("system_message"), it.message()) {
        (Some(notice), Some(text)) => format!("{notice} “{text}”"),
        (Some(notice), None) => notice,
        (None, Some(text)) if notice.ends_with("announcement") => format!("{author} announced: {text}"),
        (None, text) => said(author, text.or_else(|| quoted(&plain(&notice)))),
    }
}

fn settings(it: &Fields<'_>, channel: &str) -> String {
    let limited = |name: &str, length: Option<i64>| match length {
        Some(length) if length > 0 => format!("{name} ({})", span(length)),
        _ => name.to_owned(),
    };
    let minutes = it.number("follower_mode_duration_minutes").map(|minutes| minutes.saturating_mul(60));
    let seconds = it.number("slow_mode_wait_time_seconds");
    let modes = [
        it.flag("emote_mode").then(|| "emote-only mode".to_owned()),
        it.flag("follower_mode").then(|| limited("follower-only mode", minutes)),
        it.flag("subscriber_mode").then(|| "subscriber-only mode".to_owned()),
        it.flag("slow_mode").then(|| limited("slow mode", seconds)),
        it.flag("unique_chat_mode").then(|| "unique-chat mode".to_owned()),
    ];
    let modes: Vec<_> = modes.into_iter().flatten().collect();
    let modes = if modes.is_empty() { "no restrictions".to_owned() } else { modes.join(", ") };
    format!("The chat of {channel} was set to {modes}")
}
