//! The chat, and the messages that come with other events.

use serde::{Deserialize, Deserializer};

use super::User;
use super::user::{Broadcaster, Parent, Source, Target, UserFields, chatter_unless_anonymous};
use crate::twitch::tolerant::{items, optional, text};

/// How the text of an action begins.
const ACTION: &str = "\u{1}ACTION ";

/// How it ends.
const ACTION_END: char = '\u{1}';

/// The text of a message that comes with a subscription, a redemption or a power-up.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub struct MessageText {
    /// `None` if the user wrote nothing.
    #[serde(default, deserialize_with = "text")]
    pub text: Option<String>,
}

/// `channel.chat.message` and `channel.chat.notification` v1.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct ChatMessage {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The author; `None` if anonymous.
    #[serde(flatten, deserialize_with = "chatter_unless_anonymous")]
    pub chatter: Option<User>,
    /// The message's id.
    pub message_id: String,
    /// The text; empty where Twitch only announces something.
    #[serde(default, deserialize_with = "optional")]
    pub message: Text,
    /// The color of the author's name, such as `#1E90FF`.
    #[serde(default, deserialize_with = "text")]
    pub color: Option<String>,
    /// The author's badges.
    #[serde(default, deserialize_with = "items")]
    pub badges: Vec<Badge>,
    /// For example `text` or `user_intro`; notifications have none.
    #[serde(default, deserialize_with = "optional")]
    pub message_type: Option<String>,
    /// For example `resub`; only notifications have one.
    #[serde(default, deserialize_with = "optional")]
    pub notice_type: Option<String>,
    /// The text of a notification.
    #[serde(default, deserialize_with = "optional")]
    pub system_message: String,
    /// How an announcement looks; only notifications have it.
    #[serde(default, deserialize_with = "optional")]
    pub announcement: Option<Announcement>,
    /// Bits that were cheered with it.
    #[serde(default, deserialize_with = "optional")]
    pub cheer: Option<CheeredBits>,
    /// The message that this one replies to.
    #[serde(default, deserialize_with = "optional")]
    pub reply: Option<Reply>,
    /// In a shared chat, the channel on which it was written.
    #[serde(flatten, deserialize_with = "source")]
    pub source: Option<User>,
    /// In a shared chat, the message's id on that channel.
    #[serde(default, deserialize_with = "text")]
    pub source_message_id: Option<String>,
}

fn source<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<User>, D::Error> {
    #[derive(Deserialize)]
    struct Named(#[serde(with = "Source")] User);
    Ok(Option::deserialize(deserializer)?.map(|Named(user)| user))
}

/// A text, whole and in parts, each of which stands for the other if that is absent.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(from = "RawText")]
pub struct Text {
    /// The whole, without the marks of an action.
    pub text: String,
    /// Its parts.
    pub fragments: Vec<Fragment>,
    /// Whether it was written with `/me`, as what its author does.
    pub is_action: bool,
}

/// A text as it came.
#[derive(Deserialize)]
struct RawText {
    #[serde(default, deserialize_with = "optional")]
    text: String,
    #[serde(default, deserialize_with = "items")]
    fragments: Vec<Fragment>,
}

impl From<RawText> for Text {
    fn from(RawText { mut text, mut fragments }: RawText) -> Self {
        if text.is_empty() {
            text = fragments.iter().map(|fragment| fragment.text.as_str()).collect();
        }
        let action = unmark_action(&text).map(str::to_owned);
        let is_action = action.is_some();
        if let Some(action) = action {
            text = action;
            unmark_fragments(&mut fragments);
        }
        if fragments.is_empty() && !text.is_empty() {
            fragments.push(Fragment { text: text.clone(), ..Fragment::default() });
        }
        Self { text, fragments, is_action }
    }
}

/// What stands between the marks that [CTCP](https://modern.ircdocs.horse/ctcp#action) puts around an action; `None` if the
/// text is none. The last mark may be missing.
fn unmark_action(text: &str) -> Option<&str> {
    let action = text.strip_prefix(ACTION)?;
    Some(action.strip_suffix(ACTION_END).unwrap_or(action))
}

/// Takes the marks away from the parts of an action, if they have them.
fn unmark_fragments(fragments: &mut Vec<Fragment>) {
    if let Some(first) = fragments.first_mut().and_then(|first| first.text.strip_prefix(ACTION).map(str::to_owned)) {
        fragments[0].text = first;
    }
    if let Some(last) = fragments.last_mut()
        && last.text.ends_with(ACTION_END)
    {
        last.text.pop();
    }
    fragments.retain(|fragment| !fragment.text.is_empty());
}

/// A part of a text.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub struct Fragment {
    /// `text`, `emote`, `cheermote` or `mention`.
    #[serde(rename = "type", default, deserialize_with = "optional")]
    pub kind: FragmentKind,
    /// As it was written.
    pub text: String,
    /// Present if it is an `emote`.
    #[serde(default, deserialize_with = "optional")]
    pub emote: Option<Emote>,
    /// Present if it is a `cheermote`.
    #[serde(default, deserialize_with = "optional")]
    pub cheermote: Option<Cheermote>,
    /// Present if it is a `mention`.
    #[serde(default, deserialize_with = "optional")]
    pub mention: Option<Mention>,
}

/// What a part of a text is.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct FragmentKind(String);

impl Default for FragmentKind {
    fn default() -> Self {
        Self("text".to_owned())
    }
}

impl From<FragmentKind> for String {
    fn from(kind: FragmentKind) -> Self {
        kind.0
    }
}

/// An emote.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Emote {
    /// Twitch's id.
    pub id: String,
    /// `static`, and `animated` if it can be.
    #[serde(default, deserialize_with = "items")]
    pub format: Vec<String>,
}

/// Bits in a text.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Cheermote {
    /// For example `cheer`.
    pub prefix: String,
    /// How many.
    pub bits: i64,
    /// The tier of its image.
    pub tier: i64,
}

/// A user in a text.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Mention {
    /// The user.
    #[serde(flatten, with = "UserFields")]
    pub user: User,
}

/// A badge beside the author's name.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Badge {
    /// For example `subscriber`.
    pub set_id: String,
    /// Its place in the set.
    pub id: String,
    /// For example the number of months.
    #[serde(default, deserialize_with = "text")]
    pub info: Option<String>,
}

/// How an announcement looks.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Announcement {
    /// For example `BLUE` or `PRIMARY`.
    #[serde(default, deserialize_with = "text")]
    pub color: Option<String>,
}

/// The bits of a message.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct CheeredBits {
    /// How many.
    pub bits: i64,
}

/// The message that another one replies to.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Reply {
    /// The message's id.
    pub parent_message_id: String,
    /// Its text.
    #[serde(default, deserialize_with = "message_body")]
    pub parent_message_body: String,
    /// Its author.
    #[serde(flatten, with = "Parent")]
    pub parent: User,
}

/// Reads the text of a message that may be an action.
fn message_body<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let body: String = optional(deserializer)?;
    Ok(match unmark_action(&body) {
        Some(action) => action.to_owned(),
        None => body,
    })
}

/// `channel.chat.message_delete` v1: a moderator deleted a message.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct ChatMessageDelete {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The author of the message.
    #[serde(flatten, with = "Target")]
    pub target: User,
    /// The message's id.
    pub message_id: String,
}

/// `channel.chat.clear` v1: a moderator deleted all messages.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct ChatClear {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
}

/// `channel.chat.clear_user_messages` v1: a moderator deleted all messages of a user.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct ChatClearUserMessages {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The author of the messages.
    #[serde(flatten, with = "Target")]
    pub target: User,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(text: Value) -> Text {
        serde_json::from_value(text).unwrap()
    }

    fn parts(text: &Text) -> Vec<&str> {
        text.fragments.iter().map(|fragment| fragment.text.as_str()).collect()
    }

    #[test]
    fn text_and_fragments_stand_for_each_other() {
        let text = read(json!({ "text": "hi all", "fragments": null }));
        assert_eq!((parts(&text), String::from(text.fragments[0].kind.clone())), (vec!["hi all"], "text".to_owned()));
        assert_eq!(read(json!({ "fragments": [{ "text": "hi " }, { "text": "all" }] })).text, "hi all");
        assert_eq!(read(json!({ "text": "", "fragments": [] })), Text::default());
    }

    #[test]
    fn action_has_no_marks() {
        for marked in ["\u{1}ACTION waves\u{1}", "\u{1}ACTION waves"] {
            let text = read(json!({ "text": marked, "fragments": [{ "type": "text", "text": marked }] }));
            assert_eq!((text.text.as_str(), parts(&text), text.is_action), ("waves", vec!["waves"], true));
        }
        assert!(!read(json!({ "text": "ACTION waves" })).is_action);
    }
}
