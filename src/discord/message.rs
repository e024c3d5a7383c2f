//! Messages as [Discord takes them](https://docs.discord.com/developers/resources/webhook#execute-webhook), and its answers.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use super::snowflake::Snowflake;

/// The flag of a message that makes no sound on devices.
const SUPPRESS_NOTIFICATIONS: u32 = 1 << 12;

/// The flag of a message in a thread with roles that Discord could not mention.
const ROLES_NOT_MENTIONED: u64 = 1 << 8;

/// The longest text of a message, in characters.
pub const MAX_CONTENT: usize = 2_000;

/// The longest title of an embed.
pub const MAX_TITLE: usize = 256;

/// The longest value of a field of an embed, and the longest name of its author.
pub const MAX_FIELD: usize = 1_024;

/// The longest name of a thread, in characters.
pub const MAX_THREAD_NAME: usize = 100;

/// A message to post, or what an edit makes of one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Message {
    /// At most 2,000 characters.
    pub content: String,
    /// At most ten.
    pub embeds: Vec<Embed>,
    /// Rows of buttons.
    pub components: Vec<Row>,
    /// The name and the picture that it shows in place of the webhook's. Posts only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// Without it, an edit would mention by the defaults.
    pub allowed_mentions: AllowedMentions,
    /// Posts only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<u32>,
    /// The name of the thread that it begins, in a forum. Posts only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_name: Option<String>,
    /// The tags of this thread.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub applied_tags: Vec<Snowflake>,
}

impl Message {
    /// The same, without a notification on devices.
    #[must_use]
    pub fn silent(self) -> Self {
        Self { flags: Some(SUPPRESS_NOTIFICATIONS), ..self }
    }

    /// The same, under the name of the webhook.
    #[must_use]
    pub fn unnamed(self) -> Self {
        Self { username: None, ..self }
    }

    /// What an edit makes of it: an edit notifies no one, and must not, and changes neither name nor picture.
    #[must_use]
    pub fn edit(self) -> Self {
        Self { content: self.content, embeds: self.embeds, components: self.components, ..Self::default() }
    }
}

/// Who may be mentioned: by default, no one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AllowedMentions {
    /// Kinds of mentions that count wherever the text has them.
    pub parse: Vec<&'static str>,
    /// Roles that may be mentioned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Snowflake>,
    /// Users that may be mentioned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<Snowflake>,
}

/// A card.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields of Discord's documentation")]
pub struct Embed {
    pub title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub url: String,
    pub color: u32,
    #[serde(with = "time::serde::rfc3339")]
    pub timestamp: OffsetDateTime,
    pub author: Author,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<Image>,
}

/// A picture of a card.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields of Discord's documentation")]
pub struct Image {
    pub url: String,
}

/// A row of buttons.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    #[serde(rename = "type")]
    kind: u8,
    components: [Button; 1],
}

/// A button that opens an address.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Button {
    #[serde(rename = "type")]
    kind: u8,
    style: u8,
    label: String,
    url: String,
}

impl Row {
    /// A row with one [button](https://docs.discord.com/developers/components/reference#button) that opens an address.
    #[must_use]
    pub fn link(label: String, url: String) -> Self {
        Self { kind: 1, components: [Button { kind: 2, style: 5, label, url }] }
    }
}

/// The line above the title of a card.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields of Discord's documentation")]
pub struct Author {
    pub name: String,
    pub url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon_url: Option<String>,
}

/// A field of a card.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields of Discord's documentation")]
pub struct Field {
    pub name: &'static str,
    pub value: String,
    pub inline: bool,
}

/// A webhook, as Discord shows it to those who have its token.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Webhook {
    /// Its id.
    pub id: Snowflake,
    /// 1 for those that post messages.
    #[serde(rename = "type")]
    pub kind: u32,
    /// The channel that it posts to.
    pub channel_id: Snowflake,
    /// The server of the channel.
    #[serde(default)]
    pub guild_id: Option<Snowflake>,
    /// The application that made it.
    #[serde(default)]
    pub application_id: Option<Snowflake>,
}

/// A message that was posted, and what it mentions. What Discord does not say, or says in another form, is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Created {
    /// Its id.
    pub id: Snowflake,
    /// Where it is.
    pub channel_id: Snowflake,
    #[serde(default, deserialize_with = "if_readable")]
    mention_everyone: Option<bool>,
    #[serde(default, deserialize_with = "if_readable")]
    mention_roles: Option<Vec<Snowflake>>,
    #[serde(default, deserialize_with = "if_readable")]
    flags: Option<u64>,
}

/// Mentions of a message that Discord did not make: a role that not all may mention, or a webhook without the permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmentioned {
    /// Roles that were not notified. In a thread Discord may not say which, and these are all of them.
    pub roles: Vec<Snowflake>,
    /// Whether `@everyone` and `@here` notified no one.
    pub everyone: bool,
}

impl Created {
    /// Which message it is.
    #[must_use]
    pub fn posted(&self) -> Posted {
        Posted { id: self.id, channel_id: self.channel_id }
    }

    /// What this message should mention and does not; `None` if it mentions all of it, as far as Discord says.
    #[must_use]
    pub fn unmentioned(&self, message: &Message) -> Option<Unmentioned> {
        let AllowedMentions { parse, roles, .. } = &message.allowed_mentions;
        let has = |word: &str| message.content.contains(word);
        let everyone =
            parse.contains(&"everyone") && (has("@everyone") || has("@here")) && self.mention_everyone == Some(false);
        let wanted: Vec<_> = roles.iter().copied().filter(|id| has(&format!("<@&{id}>"))).collect();
        let is_missing = |id: &Snowflake| self.mention_roles.as_ref().is_some_and(|made| !made.contains(id));
        let mut missing: Vec<_> = wanted.iter().copied().filter(is_missing).collect();
        if missing.is_empty() && self.flags.is_some_and(|flags| flags & ROLES_NOT_MENTIONED != 0) {
            missing = wanted;
        }
        (everyone || !missing.is_empty()).then_some(Unmentioned { roles: missing, everyone })
    }
}

/// Reads a value, or none if it has another form: the message is there in any case.
fn if_readable<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).ok())
}

/// A message that was posted or edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Posted {
    /// Its id.
    pub id: Snowflake,
    /// Where it is.
    pub channel_id: Snowflake,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_discord_did_not_mention_is_found_in_its_answer() {
        let (fans, mods) = (Snowflake(146_404_426_746_167_296), Snowflake(146_404_426_746_167_297));
        let message = |content: &str| Message {
            content: content.to_owned(),
            allowed_mentions: AllowedMentions { parse: vec!["everyone"], roles: vec![fans, mods], users: Vec::new() },
            ..Message::default()
        };
        let all = message("@here <@&146404426746167296> <@&146404426746167297> live");
        let answer = |rest: Value| {
            let mut answer = json!({ "id": "1131000000000000001", "channel_id": "146404426746167298" });
            answer.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            serde_json::from_value::<Created>(answer).unwrap()
        };
        let missing = |answer: &Created, message: &Message| {
            answer.unmentioned(message).map(|it| (it.roles.iter().map(|id| id.0 % 10).collect::<Vec<_>>(), it.everyone))
        };
        let none = answer(json!({ "mention_everyone": false, "mention_roles": [], "flags": 0 }));
        assert_eq!(missing(&none, &all), Some((vec![6, 7], true)));
        assert_eq!(missing(&none, &message("live")), None, "nothing was to be mentioned");
        let one = answer(json!({ "mention_everyone": true, "mention_roles": [fans] }));
        assert_eq!(missing(&one, &all), Some((vec![7], false)));
        assert_eq!(missing(&answer(json!({ "mention_everyone": true, "mention_roles": [fans, mods] })), &all), None);
        assert_eq!(
            missing(&answer(json!({ "mention_everyone": true, "flags": 256 })), &all),
            Some((vec![6, 7], false))
        );
        // What is not said, or in another form, is no complaint, and never a reason not to know the message.
        let odd = answer(json!({ "mention_everyone": "no", "mention_roles": [{ "id": 5 }], "flags": -1 }));
        assert_eq!((missing(&odd, &all), missing(&answer(json!({})), &all)), (None, None));
        assert_eq!(odd.posted().id, Snowflake(1_131_000_000_000_000_001));
    }
}
