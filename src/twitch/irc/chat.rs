//! Chat messages (<https://dev.twitch.tv/docs/chat/irc/#privmsg-tags>), in the shape of `channel.chat.message`
//! (<https://dev.twitch.tv/docs/eventsub/eventsub-subscription-types/#channelchatmessage>).

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::line::{Line, LineError, is_login};
use crate::twitch::id::{ChannelId, UserId};

/// How the text of an action begins and ends.
const ACTION: (&str, char) = ("\u{1}ACTION ", '\u{1}');

/// The longest id of a message. Twitch's have 36 characters.
const MAX_ID: usize = 128;

/// A chat message.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatLine {
    /// Twitch's id of the message, the same as with EventSub.
    pub id: String,
    /// When it was sent.
    pub sent_at: OffsetDateTime,
    /// The channel.
    pub channel_id: ChannelId,
    /// The channel's login.
    pub channel: String,
    /// The author's login.
    pub login: String,
    /// All but the names of the channel.
    event: Value,
}

impl ChatLine {
    /// Reads a `PRIVMSG`. What decides identity, time and amount is required; all else is optional.
    pub(super) fn read(line: &Line<'_>) -> Result<Self, LineError> {
        let login = line.nick.filter(|nick| is_login(nick)).ok_or(LineError::Parameter("nick"))?;
        let (channel, text) = (line.channel(0)?, line.parameter(1, "text")?);
        let id = line.tag("id").filter(|id| id.len() <= MAX_ID && !id.contains(char::is_control));
        let id = id.ok_or(LineError::Tag("id"))?;
        let channel_id: ChannelId = identifier(line, "room-id")?;
        let user_id: UserId = identifier(line, "user-id")?;
        let sent_at = line.tag("tmi-sent-ts").and_then(|ms| ms.parse::<i64>().ok()).and_then(of_millis);
        let bits = match line.tag("bits") {
            None => None,
            Some(bits) => Some(bits.parse::<u32>().ok().filter(|bits| *bits > 0).ok_or(LineError::Tag("bits"))?),
        };
        // Of a message that was written here, EventSub names no source.
        let source = line.tag("source-room-id").filter(|id| *id != channel_id.as_str());
        let of_source = |name: &str| source.and_then(|_| line.tag(name));
        let event = json!({
            "broadcaster_user_id": channel_id,
            "chatter_user_id": user_id,
            "chatter_user_login": login,
            "chatter_user_name": line.tag("display-name").unwrap_or(login),
            "message_id": id,
            "message": { "text": text, "fragments": fragments(text, line.tag("emotes").unwrap_or_default()) },
            "color": line.tag("color").unwrap_or_default(),
            "badges": badges(line.tag("badges"), line.tag("badge-info")),
            "message_type": message_type(line),
            "cheer": bits.map(|bits| json!({ "bits": bits })),
            "reply": reply(line),
            "channel_points_custom_reward_id": line.tag("custom-reward-id"),
            "source_broadcaster_user_id": source,
            "source_broadcaster_user_login": null,
            "source_broadcaster_user_name": null,
            "source_message_id": of_source("source-id"),
            "source_badges": source.map(|_| badges(of_source("source-badges"), of_source("source-badge-info"))),
            "is_source_only": line.tag("source-only").map(|flag| flag == "1"),
        });
        Ok(Self {
            id: id.to_owned(),
            sent_at: sent_at.ok_or(LineError::Tag("tmi-sent-ts"))?,
            channel_id,
            channel: channel.to_owned(),
            login: login.to_owned(),
            event,
        })
    }

    /// The event as EventSub sends it; what IRC does not tell is null. IRC does not tell how the channel's name is shown.
    #[must_use]
    pub fn event(&self, channel_name: &str) -> Value {
        let mut event = self.event.clone();
        event["broadcaster_user_login"] = self.channel.as_str().into();
        event["broadcaster_user_name"] = channel_name.into();
        event
    }
}

/// EventSub has no mark of its own for the first message on a channel, and one for those with which users introduce themselves.
fn message_type(line: &Line<'_>) -> &'static str {
    match (line.tag("msg-id"), line.tag("first-msg")) {
        (Some("highlighted-message"), _) => "channel_points_highlighted",
        (Some("user-intro"), _) | (_, Some("1")) => "user_intro",
        _ => "text",
    }
}

fn identifier<T: std::str::FromStr>(line: &Line<'_>, name: &'static str) -> Result<T, LineError> {
    line.tag(name).and_then(|id| id.parse().ok()).ok_or(LineError::Tag(name))
}

fn of_millis(ms: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()
}

/// `subscriber/12,vip/1`, and `subscriber/14` for the exact months.
fn badges(badges: Option<&str>, info: Option<&str>) -> Vec<Value> {
    let pairs = |text: Option<&str>| -> Vec<(String, String)> {
        let pairs = text.unwrap_or_default().split(',').filter_map(|pair| pair.split_once('/'));
        pairs.map(|(set, version)| (set.to_owned(), version.to_owned())).collect()
    };
    let infos = pairs(info);
    let info_of = |set: &str| infos.iter().find(|(of, _)| of == set).map_or("", |(_, info)| info.as_str()).to_owned();
    pairs(badges).iter().map(|(set, id)| json!({ "set_id": set, "id": id, "info": info_of(set) })).collect()
}

fn reply(line: &Line<'_>) -> Option<Value> {
    let tag = |name: &str| line.tag(&format!("reply-{name}"));
    Some(json!({
        "parent_message_id": tag("parent-msg-id")?,
        "parent_message_body": tag("parent-msg-body").unwrap_or_default(),
        "parent_user_id": tag("parent-user-id"),
        "parent_user_login": tag("parent-user-login"),
        "parent_user_name": tag("parent-display-name").or(tag("parent-user-login")),
        "thread_message_id": tag("thread-parent-msg-id"),
        "thread_user_id": null,
        "thread_user_login": tag("thread-parent-user-login"),
        "thread_user_name": null,
    }))
}

/// The parts of a text, by its emotes: `id:0-4,6-10/id:12-16`, in characters, with the last one. The marks of an action are
/// neither counted nor part of them. Ranges outside of the text, or within another one, are ignored.
fn fragments(text: &str, emotes: &str) -> Vec<Value> {
    let text = match text.strip_prefix(ACTION.0) {
        Some(action) => action.strip_suffix(ACTION.1).unwrap_or(action),
        None => text,
    };
    let chars: Vec<char> = text.chars().collect();
    let mut places: Vec<(usize, usize, &str)> = emotes.split('/').flat_map(ranges).collect();
    places.sort_unstable();
    let part = |from: usize, to: usize| chars[from..to].iter().collect::<String>();
    let (mut at, mut parts) = (0, Vec::new());
    for (first, last, id) in places {
        let end = last.saturating_add(1).min(chars.len());
        if first < at || first >= end {
            continue;
        }
        if first > at {
            parts.push(fragment("text", &part(at, first), Value::Null));
        }
        let emote = json!({ "id": id, "emote_set_id": null, "owner_id": null, "format": ["static"] });
        parts.push(fragment("emote", &part(first, end), emote));
        at = end;
    }
    if at < chars.len() {
        parts.push(fragment("text", &part(at, chars.len()), Value::Null));
    }
    parts
}

fn fragment(kind: &str, text: &str, emote: Value) -> Value {
    json!({ "type": kind, "text": text, "cheermote": null, "emote": emote, "mention": null })
}

fn ranges(emote: &str) -> impl Iterator<Item = (usize, usize, &str)> {
    let (id, places) = emote.rsplit_once(':').unwrap_or_default();
    places.split(',').filter_map(move |place| {
        let (first, last) = place.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()?, id))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::twitch::payload::{ChatMessage, User};

    const TAGS: &str = "badge-info=subscriber/14;badges=subscriber/12,vip/1;bits=100;color=#1E90FF;display-name=QuietOtter;\
        emotes=25:6-10,12-16/301512758_TK:0-4;id=b34ccfc7-4977-403a-8a94-33c6bac34fb8;room-id=1337;\
        reply-parent-msg-id=p-1;reply-parent-msg-body=so\\swhat;reply-parent-user-id=9;reply-parent-user-login=kite;\
        reply-parent-display-name=Kite;tmi-sent-ts=1507246572675;user-id=42;some-new=tag";

    fn line(tags: &str, text: &str) -> Result<ChatLine, LineError> {
        let line = format!("@{tags} :quietotter!quietotter@quietotter.tmi.twitch.tv PRIVMSG #maplearcade :{text}");
        ChatLine::read(&Line::parse(&line).unwrap())
    }

    #[test]
    fn message_has_the_shape_of_eventsub() {
        let line = line(TAGS, "Hello Kappa Kappa \u{1f980}!").unwrap();
        assert_eq!(
            (line.id.as_str(), line.sent_at.unix_timestamp()),
            ("b34ccfc7-4977-403a-8a94-33c6bac34fb8", 1_507_246_572)
        );
        let message: ChatMessage = serde_json::from_value(line.event("MapleArcade")).unwrap();
        let names = |user: &User| [&user.login, &user.display_name].map(|name| name.clone().map(String::from));
        let expected = |login: &str, name: &str| [login, name].map(|name| Some(name.to_owned()));
        assert_eq!(names(&message.broadcaster), expected("maplearcade", "MapleArcade"));
        let chatter = message.chatter.unwrap();
        assert_eq!((chatter.id.as_str(), names(&chatter)), ("42", expected("quietotter", "QuietOtter")));
        let parts: Vec<_> = message.message.fragments.iter().map(|it| (it.text.as_str(), it.emote.is_some())).collect();
        assert_eq!(
            parts,
            [("Hello", true), (" ", false), ("Kappa", true), (" ", false), ("Kappa", true), (" \u{1f980}!", false)]
        );
        let badges: Vec<_> =
            message.badges.iter().map(|it| (it.set_id.as_str(), it.id.as_str(), it.info.as_deref())).collect();
        assert_eq!(badges, [("subscriber", "12", Some("14")), ("vip", "1", None)]);
        assert_eq!(message.cheer.unwrap().bits, 100);
        let reply = message.reply.unwrap();
        assert_eq!((reply.parent_message_id.as_str(), reply.parent_message_body.as_str()), ("p-1", "so what"));
    }

    #[test]
    fn highlight_and_first_message_are_told() {
        for (tags, expected) in [
            ("", "text"),
            ("msg-id=highlighted-message;first-msg=1;", "channel_points_highlighted"),
            ("msg-id=user-intro;first-msg=0;", "user_intro"),
            ("first-msg=1;", "user_intro"),
            ("first-msg=0;", "text"),
        ] {
            let event = line(&format!("{tags}{TAGS}"), "hi").unwrap().event("MapleArcade");
            assert_eq!(event["message_type"], expected, "{tags}");
        }
    }

    #[test]
    fn action_counts_its_emotes_from_its_text() {
        let tags = TAGS.replace("emotes=25:6-10,12-16/301512758_TK:0-4", "emotes=25:6-10");
        let line = line(&tags, "\u{1}ACTION waves Kappa\u{1}").unwrap();
        let message: ChatMessage = serde_json::from_value(line.event("MapleArcade")).unwrap();
        assert!(message.message.is_action && message.message.text == "waves Kappa");
        let parts: Vec<_> = message.message.fragments.iter().map(|it| it.text.as_str()).collect();
        assert_eq!(parts, ["waves ", "Kappa"]);
    }

    #[test]
    fn only_identity_time_and_amount_are_required() {
        let least = "id=a;room-id=1;user-id=2;tmi-sent-ts=1507246572675";
        let event = line(least, "hi").unwrap().event("MapleArcade");
        assert!(serde_json::from_value::<ChatMessage>(event).is_ok());
        for (tags, missing) in [
            ("room-id=1;user-id=2;tmi-sent-ts=1", "id"),
            ("id=a;user-id=2;tmi-sent-ts=1", "room-id"),
            ("id=a;room-id=1;tmi-sent-ts=1", "user-id"),
            ("id=a;room-id=1;user-id=2", "tmi-sent-ts"),
            ("id=a;room-id=1;user-id=2;tmi-sent-ts=soon", "tmi-sent-ts"),
            ("id=a;room-id=1;user-id=2;tmi-sent-ts=1;bits=many", "bits"),
        ] {
            assert_eq!(line(tags, "hi"), Err(LineError::Tag(missing)));
        }
    }

    proptest! {
        #[test]
        fn parts_make_up_the_text_whatever_the_ranges(text in "[^\0\u{1}\r\n]{0,30}", emotes in "([a-z0-9]{1,3}:[0-9]{1,2}-[0-9]{1,2}[,/]?){0,5}") {
            let parts = fragments(&text, &emotes);
            let joined: String = parts.iter().filter_map(|part| part["text"].as_str()).collect();
            prop_assert_eq!(joined, text);
        }
    }
}
