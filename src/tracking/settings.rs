//! What a bot may set for a track.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::appearance::{CardField, Color, MAX_LABEL, Picture, Poster, check_url};
use super::error::TrackingError;
use super::filter::TrackFilter;
use super::language::Language;
use super::mentions::TrackMentions;
use super::template::{self, TemplateError};
use crate::discord::name::name;
use crate::discord::snowflake::Snowflake;
use crate::object::{has_nul, object, optional_object};
use crate::store::tracking::bots::OnWebhookGone;

/// The latest that a message is deleted, in minutes: a week.
const MAX_DELETE_AFTER: u32 = 7 * 24 * 60;

/// The longest delay of an announcement, in seconds.
const MAX_DELAY: u32 = 600;

/// The longest time without another announcement, in minutes: a day.
const MAX_COOLDOWN: u32 = 24 * 60;

/// How long a stream may be offline until its end is told, in minutes: as long as a broadcast goes on, to a day.
const OFFLINE_GRACE: [u32; 2] = [15, 24 * 60];

/// The most tags of a thread.
const MAX_TAGS: usize = 5;

/// Settings of a track. What is absent has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrackSettings {
    /// Which broadcasts are announced; all by default.
    #[serde(deserialize_with = "optional_object", skip_serializing_if = "Option::is_none")]
    pub filter: Option<TrackFilter>,
    /// The language of default texts and of the names of fields; `en` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// The text above the card while the stream is live, such as `{{ streamer.name }} is live: {{ stream.title }}`: a template of
    /// Jinja, of at most 2,000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The text above the card when the stream has ended, such as `It was {{ duration }}.`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_message: Option<String>,
    /// Whether there is a card below the text; true by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embed: Option<bool>,
    /// The color of the card while the stream is live, such as `#9146ff`, which is the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^#[0-9A-Fa-f]{6}$")]
    pub color: Option<Color>,
    /// The fields of the card, in this order; `["category"]` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 4)]
    pub fields: Option<Vec<CardField>>,
    /// The picture of the card; `off` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<Picture>,
    /// Whether the card shows the streamer's picture; false by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar: Option<bool>,
    /// The label of a button that opens the stream, of at most 80 characters; no button by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub button: Option<String>,
    /// Whose name and picture the message has; those of the webhook by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poster: Option<Poster>,
    /// The name that the message has instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poster_name: Option<String>,
    /// The address of the picture that the message has instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poster_avatar_url: Option<String>,
    /// How many seconds later the stream is announced, 0 to 600, if it is live then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<u32>,
    /// How many minutes after a message about a stream another one is not announced, 1 to 1,440.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<u32>,
    /// Whether a stream that is live when the track is added or put is announced at once; false by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub announce_current: Option<bool>,
    /// Who is notified when the stream begins; no one by default.
    #[serde(deserialize_with = "optional_object", skip_serializing_if = "Option::is_none")]
    pub mentions: Option<TrackMentions>,
    /// Whether the message makes no sound on devices; false by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent: Option<bool>,
    /// What is done with the message when title or category change; `edit` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_update: Option<OnUpdate>,
    /// What is done with the message when the stream has ended; `edit` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_end: Option<OnEnd>,
    /// How many minutes a stream may be offline, 15 to 1,440, until the message says that it has ended. A stream that begins before goes
    /// on in the same message. By default the end is shown at once, and a stream goes on for 15 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offline_grace: Option<u32>,
    /// How many minutes later the message is deleted, 1 to 10,080: for `delete` after the end, and at least 15, which is the default; for
    /// `post` after the message about the end, which stays by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_after: Option<u32>,
    /// The thread of the channel that messages are posted in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub thread_id: Option<Snowflake>,
    /// For a channel that is a forum: each stream gets a thread of its own.
    #[serde(deserialize_with = "optional_object", skip_serializing_if = "Option::is_none")]
    pub forum: Option<ForumThread>,
    /// Whether the event `post_created` asks the bot to publish the message to the followers of the channel, which a webhook can't;
    /// false by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crosspost: Option<bool>,
    /// What is done if it can't be known whether Discord has the message; `silent_repost` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_uncertain: Option<OnUncertain>,
}

/// The thread of a forum that a message begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ForumThread {
    /// Its name, as a template like `message`, of which 100 characters are shown; the names of streamer and stream by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Ids of tags of the forum, at most 5.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub tags: Vec<Snowflake>,
}

impl ForumThread {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if self.tags.len() > MAX_TAGS {
            return Err(("forum.tags", format!("must be at most {MAX_TAGS} ids")));
        }
        Ok(())
    }
}

/// What is done with a message when title or category change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnUpdate {
    /// It is edited.
    #[default]
    Edit,
    /// It stays as it was posted.
    Ignore,
}

/// What is done with a message when the stream has ended.
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

/// What is wrong with a setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SettingProblem {
    /// The setting.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
    /// The line of a text, from 1.
    pub line: Option<usize>,
    /// The column, from 1.
    pub column: Option<usize>,
}

/// How many days a Discord channel is kept whose webhook was deleted: at least and at most, and by default.
pub(super) const KEEP_GONE_DAYS: [i32; 2] = [1, 365];
const DEFAULT_KEEP_GONE_DAYS: i32 = 30;

/// What holds for all that a bot tracks.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BotSettings {
    /// What is done with a Discord channel when its webhook was deleted: with `keep`, which is the default, its tracks wait for
    /// another webhook; with `drop` it is dropped with all that is tracked there.
    pub on_webhook_gone: OnWebhookGone,
    /// How many days such a channel waits, 1 to 365, until it is dropped.
    #[schema(minimum = 1, maximum = 365, default = 30)]
    pub keep_gone_days: i32,
    /// How all tracks are announced, but for what a Discord channel or a track sets itself.
    #[serde(deserialize_with = "object")]
    pub defaults: TrackSettings,
}

impl Default for BotSettings {
    fn default() -> Self {
        Self {
            on_webhook_gone: OnWebhookGone::default(),
            keep_gone_days: DEFAULT_KEEP_GONE_DAYS,
            defaults: TrackSettings::default(),
        }
    }
}

impl TrackSettings {
    /// Checks what the form of the fields does not.
    ///
    /// # Errors
    /// The field that is wrong, and why.
    pub fn check(&self) -> Result<(), (String, String)> {
        match self.wrong_texts().next() {
            Some((field, error)) => Err((field.to_owned(), error.to_string())),
            None => self.check_others(),
        }
    }

    /// All that is wrong with the texts, and the first of what else is.
    #[must_use]
    pub fn problems(&self) -> Vec<SettingProblem> {
        let texts = self.wrong_texts().map(|(field, TemplateError { reason, line, column })| SettingProblem {
            field: field.to_owned(),
            reason,
            line: Some(line),
            column: Some(column),
        });
        let problem = |(field, reason)| SettingProblem { field, reason, line: None, column: None };
        texts.chain(self.check_others().err().map(problem)).collect()
    }

    fn wrong_texts(&self) -> impl Iterator<Item = (&'static str, TemplateError)> {
        let forum = self.forum.as_ref().and_then(|forum| forum.title.as_ref());
        let texts = [
            ("message", self.message.as_ref(), false),
            ("end_message", self.end_message.as_ref(), true),
            ("forum.title", forum, false),
        ];
        texts.into_iter().filter_map(|(field, text, is_end)| Some((field, template::check(text?, is_end).err()?)))
    }

    fn check_others(&self) -> Result<(), (String, String)> {
        if let Some(field) = self.unstorable() {
            return Err((field, "has the character U+0000, which Postgres can't store".to_owned()));
        }
        self.check_values().map_err(|(field, reason)| (field.to_owned(), reason))
    }

    /// The first setting with a text that Postgres can't store.
    fn unstorable(&self) -> Option<String> {
        let settings = serde_json::to_value(self).unwrap_or_default();
        let (name, value) = settings.as_object()?.iter().find(|(_, value)| has_nul(value))?;
        let inner = value.as_object().and_then(|fields| fields.iter().find(|(_, value)| has_nul(value)));
        Some(inner.map_or_else(|| name.clone(), |(inner, _)| format!("{name}.{inner}")))
    }

    fn check_values(&self) -> Result<(), (&'static str, String)> {
        self.check_appearance()?;
        self.filter.as_ref().map_or(Ok(()), TrackFilter::check)?;
        for (field, value, least, most, unit) in [
            ("delay", self.delay, 0, MAX_DELAY, "seconds"),
            ("cooldown", self.cooldown, 1, MAX_COOLDOWN, "minutes"),
            ("delete_after", self.delete_after, 1, MAX_DELETE_AFTER, "minutes"),
            ("offline_grace", self.offline_grace, OFFLINE_GRACE[0], OFFLINE_GRACE[1], "minutes"),
        ] {
            if value.is_some_and(|value| !(least..=most).contains(&value)) {
                return Err((field, format!("must be {least} to {most} {unit}")));
            }
        }
        if self.thread_id.is_some() && self.forum.is_some() {
            return Err(("forum", "can't be set together with `thread_id`".to_owned()));
        }
        self.forum.as_ref().map_or(Ok(()), ForumThread::check)?;
        self.mentions.as_ref().map_or(Ok(()), TrackMentions::check)
    }

    fn check_appearance(&self) -> Result<(), (&'static str, String)> {
        if self
            .fields
            .as_ref()
            .is_some_and(|fields| !(1..fields.len()).all(|place| !fields[..place].contains(&fields[place])))
        {
            return Err(("fields", "must name each field once".to_owned()));
        }
        let is_label = |label: &String| (1..=MAX_LABEL).contains(&label.trim().chars().count());
        if self.button.as_ref().is_some_and(|label| !is_label(label)) {
            return Err(("button", format!("must be 1 to {MAX_LABEL} characters")));
        }
        if self.poster_name.as_ref().is_some_and(|text| name(text).is_none()) {
            return Err((
                "poster_name",
                "must be a name that Discord takes: not empty, without `discord` and `clyde`".to_owned(),
            ));
        }
        let url = self.poster_avatar_url.as_deref();
        url.map_or(Ok(()), check_url).map_err(|reason| ("poster_avatar_url", reason))
    }

    /// Whether the picture of the streamer is needed.
    #[must_use]
    pub fn shows_avatar(&self) -> bool {
        let texts = [&self.message, &self.end_message];
        self.avatar == Some(true)
            || self.poster == Some(Poster::Streamer)
            || texts.into_iter().flatten().any(|text| text.contains("avatar_url"))
    }
}

/// Settings with a change: what it leaves out stays, and what is null in it is no longer set.
pub(super) fn changed(mut kept: Value, change: Map<String, Value>) -> Result<TrackSettings, TrackingError> {
    if let Value::Object(kept) = &mut kept {
        kept.extend(change);
    }
    serde_path_to_error::deserialize(kept).map_err(|error| {
        let (field, reason) = (error.path().to_string(), error.inner().to_string());
        TrackingError::InvalidSetting { field, reason }
    })
}

/// Checks what the form of the settings does not.
pub(super) fn check(settings: &TrackSettings) -> Result<(), TrackingError> {
    settings.check().map_err(|(field, reason)| TrackingError::InvalidSetting { field, reason })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tracking::mentions::MAX_MENTIONS;

    #[test]
    fn settings_are_optional_and_known() {
        let read = |value| serde_json::from_value::<TrackSettings>(value);
        assert_eq!(read(json!({})).unwrap(), TrackSettings::default());
        let all = json!({
            "filter": { "categories": ["Chess"] }, "language": "fr", "message": "{{ streamer.name }}!",
            "embed": false, "color": "#00ff00", "fields": ["viewers", "language", "tags"], "picture": "preview", "avatar": true,
            "button": "Watch", "poster": "streamer", "poster_name": "Alerts", "poster_avatar_url": "https://example.com/a.png",
            "mentions": { "roles": ["146404426746167296"], "everyone": true }, "silent": true,
            "on_update": "ignore", "on_end": "delete", "offline_grace": 30, "delete_after": 60, "delay": 30, "cooldown": 60, "announce_current": true,
            "crosspost": true, "thread_id": "146404426746167299", "on_uncertain": "silent_repost",
        });
        assert_eq!(serde_json::to_value(read(all.clone()).unwrap()).unwrap(), all);
        for wrong in [
            json!({ "colour": 1 }),
            json!({ "color": "red" }),
            json!({ "fields": ["mood"] }),
            json!({ "language": "xx" }),
            json!({ "on_end": "burn" }),
            json!({ "mentions": { "roles": ["5"] } }),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
        for (field, value) in [
            ("fields", json!(["viewers", "viewers"])),
            ("button", json!(" ")),
            ("button", json!("x".repeat(81))),
            ("poster_name", json!("Discord")),
            ("poster_avatar_url", json!("file:///etc/passwd")),
            ("message", json!("a\0")),
            ("button", json!("a\0")),
            ("poster_name", json!("a\0")),
            ("poster_avatar_url", json!("https://example.com/a\0")),
        ] {
            let settings = read(json!({ field: value })).unwrap();
            assert_eq!(settings.check().unwrap_err().0, field);
            assert_eq!(settings.problems()[0].field, field);
        }
        let inner = read(json!({ "filter": { "categories": ["Chess", "a\0"] } })).unwrap();
        assert_eq!(inner.check().unwrap_err().0, "filter.categories");
        let roles = vec!["146404426746167296"; MAX_MENTIONS + 1];
        let many = read(json!({ "mentions": { "roles": roles } })).unwrap();
        assert_eq!(many.check(), Err(("mentions.roles".to_owned(), "must be at most 20 ids".to_owned())));
        for (field, least, most) in
            [("delay", 0, 600), ("cooldown", 1, 1_440), ("delete_after", 1, 10_080), ("offline_grace", 15, 1_440)]
        {
            let is_valid = |value: i32| read(json!({ field: value })).is_ok_and(|it| it.check().is_ok());
            assert!(is_valid(least) && is_valid(most) && !is_valid(least - 1) && !is_valid(most + 1), "{field}");
        }
        let unknown = read(json!({ "end_message": "{{ name }}" })).unwrap();
        let (field, reason) = unknown.check().unwrap_err();
        assert!(field == "end_message" && reason.ends_with("(line 1, column 4)"), "{field}: {reason}");
    }
}
