//! What a bot may set for a track.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::filter::TrackFilter;
use super::template;
use crate::discord::snowflake::Snowflake;

/// The most roles, and the most users, that a message mentions.
pub const MAX_MENTIONS: usize = 20;

/// The latest that a message is deleted, in minutes: a week.
const MAX_DELETE_AFTER: u32 = 7 * 24 * 60;

/// Settings of a track. What is absent has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrackSettings {
    /// Which broadcasts are announced; all by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<TrackFilter>,
    /// The text above the card while the stream is live, such as `{{ streamer.name }} is live: {{ stream.title }}`. Other values
    /// are `streamer.login`, `streamer.url`, `stream.category` and `stream.started`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The text above the card when the stream has ended. It may also have the value `duration`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_message: Option<String>,
    /// Who is notified when the stream begins; no one by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mentions: Option<TrackMentions>,
    /// Whether the message makes no sound on devices; false by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent: Option<bool>,
    /// What becomes of the message when title or category change; `edit` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_update: Option<OnUpdate>,
    /// What becomes of the message when the stream has ended; `edit` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_end: Option<OnEnd>,
    /// How many minutes later the message is deleted, 1 to 10,080: for `delete` after the end, and at least 15, which is the default; for
    /// `post` after the message about the end, which stays by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_after: Option<u32>,
    /// What is done if it can't be known whether Discord has the message; `silent_repost` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_uncertain: Option<OnUncertain>,
}

/// Who is notified by a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrackMentions {
    /// Ids of roles, at most 20.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub roles: Vec<Snowflake>,
    /// Ids of users, at most 20.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub users: Vec<Snowflake>,
    /// All members of the server.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub everyone: bool,
    /// The members that are online.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub here: bool,
}

/// What becomes of a message when title or category change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnUpdate {
    /// It is edited.
    #[default]
    Edit,
    /// It stays as it was posted.
    Ignore,
}

/// What becomes of a message when the stream has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnEnd {
    /// It is edited, and says how long the stream was.
    #[default]
    Edit,
    /// It is deleted, 15 minutes after the end or later: until then the stream may go on.
    Delete,
    /// It is edited, and 15 minutes after the end a new message, without mentions and without a sound, says how long the stream was.
    Post,
    /// It stays as it is.
    Leave,
}

/// What is done if it can't be known whether Discord has a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnUncertain {
    /// It is posted again, without mentions and without a sound.
    #[default]
    SilentRepost,
    /// It is posted again as it is, and may notify twice.
    Repost,
    /// It is not posted again, and may be missing.
    Skip,
}

impl TrackSettings {
    /// Checks what the form of the fields does not.
    ///
    /// # Errors
    /// The field that is wrong, and why.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        for (field, text) in [("message", &self.message), ("end_message", &self.end_message)] {
            text.as_deref().map_or(Ok(()), template::check).map_err(|error| (field, error.to_string()))?;
        }
        self.filter.as_ref().map_or(Ok(()), TrackFilter::check)?;
        if self.delete_after.is_some_and(|minutes| !(1..=MAX_DELETE_AFTER).contains(&minutes)) {
            return Err(("delete_after", format!("must be 1 to {MAX_DELETE_AFTER} minutes")));
        }
        let Some(mentions) = &self.mentions else { return Ok(()) };
        for (field, ids) in [("mentions.roles", &mentions.roles), ("mentions.users", &mentions.users)] {
            if ids.len() > MAX_MENTIONS {
                return Err((field, format!("must be at most {MAX_MENTIONS} ids")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_optional_and_known() {
        let read = |value| serde_json::from_value::<TrackSettings>(value);
        assert_eq!(read(json!({})).unwrap(), TrackSettings::default());
        let all = json!({
            "filter": { "categories": ["Chess"] }, "message": "{{ streamer.name }}!",
            "mentions": { "roles": ["146404426746167296"], "everyone": true }, "silent": true,
            "on_update": "ignore", "on_end": "delete", "delete_after": 60, "on_uncertain": "silent_repost",
        });
        assert_eq!(serde_json::to_value(read(all.clone()).unwrap()).unwrap(), all);
        for wrong in [json!({ "color": 1 }), json!({ "on_end": "burn" }), json!({ "mentions": { "roles": ["5"] } })] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
        let roles = vec!["146404426746167296"; MAX_MENTIONS + 1];
        let many = read(json!({ "mentions": { "roles": roles } })).unwrap();
        assert_eq!(many.check(), Err(("mentions.roles", "must be at most 20 ids".to_owned())));
        for (minutes, is_valid) in [(0, false), (1, true), (10_080, true), (10_081, false)] {
            assert_eq!(read(json!({ "delete_after": minutes })).unwrap().check().is_ok(), is_valid, "{minutes}");
        }
        let unknown = read(json!({ "end_message": "{{ name }}" })).unwrap();
        assert_eq!(unknown.check().unwrap_err().0, "end_message");
    }
}
