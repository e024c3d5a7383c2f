//! The message about a broadcast.

use crate::discord::markdown::escape;
use crate::discord::message::{AllowedMentions, Author, Embed, Field, MAX_FIELD, MAX_TITLE, Message};
use crate::store::tracking::posts::DuePost;
use crate::tracking::settings::{TrackMentions, TrackSettings};
use crate::tracking::template;

/// The colors of a live and of an ended stream.
const LIVE: u32 = 0x91_46_ff;
const ENDED: u32 = 0x6e_6e_6e;

/// The longest name of a streamer that is shown, in characters; Twitch's are shorter.
const MAX_NAME: usize = 100;

/// The longest value of a text, and the longest text, in characters. Discord's limit is 2,000 with the mentions.
const MAX_VALUE: usize = 300;
const MAX_TEXT: usize = 1_000;

/// The message that says what is to be said now, without mentions.
pub(super) fn message(post: &DuePost, settings: &TrackSettings) -> Message {
    let name = match escape(&post.display_name, MAX_NAME) {
        name if name.is_empty() => escape(&post.login, MAX_NAME),
        name => name,
    };
    let duration = post.ended_at.map(|ended_at| duration(ended_at - post.started_at));
    let said = match &duration {
        None => format!("{name} is live"),
        Some(duration) => format!("{name} was live for {duration}"),
    };
    let title = escape(post.title.as_deref().unwrap_or_default(), MAX_TITLE);
    let category = escape(post.category_name.as_deref().unwrap_or_default(), MAX_FIELD);
    let url = format!("https://www.twitch.tv/{}", post.login);
    let template = if duration.is_some() { &settings.end_message } else { &settings.message };
    let text = template.as_deref().and_then(|template| text(template, post));
    let text = text.map(|text| text.chars().take(MAX_TEXT).collect::<String>());
    let fields = (!category.is_empty()).then_some(Field { name: "Category", value: category, inline: true });
    let embed = Embed {
        title: if title.is_empty() { said.clone() } else { title },
        description: duration.as_ref().map(|duration| format!("was live for {duration}")),
        url: url.clone(),
        color: if duration.is_some() { ENDED } else { LIVE },
        timestamp: post.started_at,
        author: Author { name: plain(post), url },
        fields: fields.into_iter().collect(),
    };
    Message { content: text.unwrap_or(said), embeds: vec![embed], ..Message::default() }
}

/// What a template makes of a broadcast; `None` if it fails, or makes nothing.
pub(super) fn text(template: &str, post: &DuePost) -> Option<String> {
    let value = |of: &str| match of {
        "streamer.name" => escape(&plain(post), MAX_NAME),
        "streamer.login" => escape(&post.login, MAX_NAME),
        "streamer.url" => format!("https://www.twitch.tv/{}", post.login),
        "stream.title" => escape(post.title.as_deref().unwrap_or_default(), MAX_VALUE),
        "stream.category" => escape(post.category_name.as_deref().unwrap_or_default(), MAX_VALUE),
        "stream.started" => format!("<t:{}:R>", post.started_at.unix_timestamp()),
        _ => post.ended_at.map(|ended_at| duration(ended_at - post.started_at)).unwrap_or_default(),
    };
    template::render(template, value).ok().filter(|text| !text.trim().is_empty())
}

/// The streamer's name where Discord shows text as it is, without formatting.
fn plain(post: &DuePost) -> String {
    let name: String = post.display_name.trim().chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
    if name.is_empty() { post.login.clone() } else { name }
}

/// The message with these mentions, which notify those and no others.
pub(super) fn mention(message: Message, mentions: &TrackMentions) -> Message {
    let TrackMentions { roles, users, everyone, here } = mentions;
    let words = everyone.then(|| "@everyone".to_owned()).into_iter().chain(here.then(|| "@here".to_owned()));
    let words =
        words.chain(roles.iter().map(|id| format!("<@&{id}>"))).chain(users.iter().map(|id| format!("<@{id}>")));
    let content = words.chain([message.content]).collect::<Vec<_>>().join(" ");
    let parse = if *everyone || *here { vec!["everyone"] } else { Vec::new() };
    let allowed_mentions = AllowedMentions { parse, roles: roles.clone(), users: users.clone() };
    Message { content, allowed_mentions, ..message }
}

/// A time in words, to the minute.
fn duration(time: time::Duration) -> String {
    match (time.whole_hours(), time.whole_minutes() % 60) {
        (..=0, ..=0) => "less than a minute".to_owned(),
        (..=0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    #[test]
    fn duration_is_told_to_the_minute() {
        let texts = [
            (-5, "less than a minute"),
            (59, "less than a minute"),
            (60, "1 min"),
            (3_600, "1 h"),
            (11_549, "3 h 12 min"),
        ];
        for (seconds, text) in texts {
            assert_eq!(duration(Duration::seconds(seconds)), text);
        }
    }
}
