//! A broadcast as messages tell of it, and the values that their texts may use.

use minijinja::context;
use minijinja::value::Value;
use serde::Deserialize;
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::language::Language;
use crate::store::tracking::announcements::MAX_SEGMENTS;
use crate::store::tracking::posts::DuePost;

/// What is known of a broadcast now. What is `None` is not known.
#[derive(Clone, Debug)]
pub struct Broadcast {
    /// The id of the stream that began it.
    pub stream_id: String,
    /// The id of the Twitch channel.
    pub twitch_id: String,
    /// Its login.
    pub login: String,
    /// Its name.
    pub display_name: String,
    /// The title.
    pub title: Option<String>,
    /// The id of the category.
    pub category_id: Option<String>,
    /// The name of the category.
    pub category_name: Option<String>,
    /// The language, such as `en`.
    pub language: Option<String>,
    /// The tags.
    pub tags: Vec<String>,
    /// The labels of its content.
    pub labels: Vec<String>,
    /// Titles and categories, in their order.
    pub segments: Vec<Segment>,
    /// How many watch it.
    pub viewers: Option<i64>,
    /// The picture of the channel.
    pub avatar_url: Option<String>,
    /// The picture that the channel has while it is offline.
    pub offline_picture_url: Option<String>,
    /// The id of its video.
    pub video_id: Option<String>,
    /// The picture of its video.
    pub video_picture_url: Option<String>,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// When the stream began that the video is of: later, if the message is about an earlier one as well.
    pub stream_started_at: OffsetDateTime,
    /// When it ended; `None` while it is live.
    pub ended_at: Option<OffsetDateTime>,
    /// Grows with each change of these.
    pub revision: i32,
    /// How many minutes after its begin it is shown so.
    pub minute: i64,
}

/// A title and a category of a broadcast.
#[derive(Clone, Debug, Deserialize)]
pub struct Segment {
    /// The title.
    pub title: Option<String>,
    /// The name of the category.
    pub category: Option<String>,
    /// From when on it had them.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl From<&DuePost> for Broadcast {
    fn from(post: &DuePost) -> Self {
        Self {
            stream_id: post.stream_id.to_string(),
            twitch_id: post.twitch_id.to_string(),
            login: post.login.clone(),
            display_name: post.display_name.clone(),
            title: post.title.clone(),
            category_id: post.category_id.clone(),
            category_name: post.category_name.clone(),
            language: post.language.clone(),
            tags: post.tags.clone().unwrap_or_default(),
            labels: post.labels.clone().unwrap_or_default(),
            segments: Vec::deserialize(&post.segments).unwrap_or_default(),
            viewers: post.viewers,
            avatar_url: None,
            offline_picture_url: None,
            video_id: post.video_id.clone(),
            video_picture_url: post.video_picture_url.clone(),
            started_at: post.began_at.unwrap_or(post.started_at),
            stream_started_at: post.started_at,
            ended_at: post.ended_at,
            revision: post.revision,
            minute: 0,
        }
    }
}

/// The values, by their names in a text.
pub const VALUES: [&str; 20] = [
    "streamer.id",
    "streamer.login",
    "streamer.name",
    "streamer.url",
    "streamer.avatar_url",
    "stream.id",
    "stream.title",
    "stream.category",
    "stream.category_art_url",
    "stream.language",
    "stream.tags",
    "stream.labels",
    "stream.viewers",
    "stream.started_at",
    "stream.thumbnail_url",
    "stream.url",
    "ended_at",
    "duration",
    "vod_url",
    "segments",
];

impl Broadcast {
    /// One that texts are tried with: live, or two hours long.
    #[must_use]
    pub fn sample(is_ended: bool) -> Self {
        let started_at = datetime!(2026-07-01 18:00:00 UTC);
        let segment = |title: &str, category: &str, minute| Segment {
            title: Some(title.to_owned()),
            category: Some(category.to_owned()),
            at: started_at + Duration::minutes(minute),
        };
        Self {
            stream_id: "317209849981".to_owned(),
            twitch_id: "141981764".to_owned(),
            login: "maplearcade".to_owned(),
            display_name: "MapleArcade".to_owned(),
            title: Some("Speedrun practice, then co-op".to_owned()),
            category_id: Some("27471".to_owned()),
            category_name: Some("Minecraft".to_owned()),
            language: Some("en".to_owned()),
            tags: ["English", "Speedrun"].map(str::to_owned).to_vec(),
            labels: vec!["ViolentGraphic".to_owned()],
            segments: vec![
                segment("Warm-up", "Just Chatting", 0),
                segment("Speedrun practice, then co-op", "Minecraft", 20),
            ],
            viewers: Some(128),
            avatar_url: Some("https://static-cdn.jtvnw.net/jtv_user_pictures/maplearcade-300x300.png".to_owned()),
            offline_picture_url: None,
            video_id: Some("2335921245".to_owned()),
            video_picture_url: is_ended
                .then(|| "https://static-cdn.jtvnw.net/cf_vods/maplearcade/thumb/thumb0-1280x720.jpg".to_owned()),
            started_at,
            stream_started_at: started_at,
            ended_at: is_ended.then_some(started_at + Duration::HOUR * 2),
            revision: 1,
            minute: 0,
        }
    }

    /// The same, with as many segments as a broadcast has at most.
    #[must_use]
    pub(super) fn long(self) -> Self {
        let count = usize::try_from(MAX_SEGMENTS).unwrap_or_default();
        Self { segments: self.segments.iter().cycle().take(count).cloned().collect(), ..self }
    }

    /// The same, of which nothing is known that may be unknown.
    #[must_use]
    pub fn sparse(self) -> Self {
        Self {
            title: None,
            category_id: None,
            category_name: None,
            language: None,
            tags: Vec::new(),
            labels: Vec::new(),
            segments: vec![Segment { title: None, category: None, at: self.started_at }],
            viewers: None,
            avatar_url: None,
            video_id: None,
            video_picture_url: None,
            ..self
        }
    }

    /// The streamer's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self.display_name.trim() {
            "" => &self.login,
            name => name,
        }
    }

    /// The address of the channel.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://www.twitch.tv/{}", self.login)
    }

    /// The address of a picture of what is live, or once it has ended of its video, or else of the channel. The first one changes with
    /// what is said of the broadcast and with each minute, since Discord shows what it knows of an address; after the end it is an
    /// empty picture.
    #[must_use]
    pub fn thumbnail_url(&self) -> Option<String> {
        let Self { login, stream_id, revision, minute, .. } = self;
        if self.ended_at.is_some() {
            return self.video_picture_url.clone().or_else(|| self.offline_picture_url.clone());
        }
        let base = "https://static-cdn.jtvnw.net/previews-ttv/live_user_";
        Some(format!("{base}{login}-1280x720.jpg?v={stream_id}-{revision}-{minute}"))
    }

    /// The address of its video.
    #[must_use]
    pub fn video_url(&self) -> Option<String> {
        let id = digits(self.video_id.as_deref())?;
        Some(format!("https://www.twitch.tv/videos/{id}"))
    }

    /// The address of the picture of the category.
    #[must_use]
    pub fn boxart_url(&self) -> Option<String> {
        let id = digits(self.category_id.as_deref())?;
        Some(format!("https://static-cdn.jtvnw.net/ttv-boxart/{id}-285x380.jpg"))
    }

    /// How long it was, in words; `None` while it is live.
    #[must_use]
    pub fn duration(&self, language: Language) -> Option<String> {
        Some(language.time(self.ended_at? - self.started_at))
    }

    /// What a text in this language may use. Addresses and times need no escaping.
    pub(super) fn values(&self, language: Language) -> Value {
        let as_is = |text: Option<String>| text.map_or(Value::from(()), Value::from_safe_string);
        let time = |at: OffsetDateTime| as_is(at.format(&Rfc3339).ok());
        let url = as_is(Some(self.url()));
        let text = |text: &Option<String>| text.as_deref().map(str::trim).filter(|it| !it.is_empty()).map(Value::from);
        let segments = self.segments.iter().map(|segment| {
            context! { title => text(&segment.title), category => text(&segment.category), at => time(segment.at) }
        });
        context! {
            streamer => context! {
                id => &*self.twitch_id,
                login => &*self.login,
                name => self.name(),
                url => url.clone(),
                avatar_url => as_is(self.avatar_url.clone()),
            },
            stream => context! {
                id => &*self.stream_id,
                title => text(&self.title),
                category => text(&self.category_name),
                category_art_url => as_is(self.boxart_url()),
                language => text(&self.language),
                tags => &self.tags,
                labels => &self.labels,
                viewers => self.viewers,
                started_at => time(self.started_at),
                thumbnail_url => as_is(self.thumbnail_url()),
                url => url,
            },
            ended_at => self.ended_at.map_or(Value::from(()), time),
            duration => self.duration(language),
            vod_url => as_is(self.video_url()),
            segments => segments.collect::<Vec<_>>(),
        }
    }
}

/// An id of Twitch's as a part of an address.
fn digits(id: Option<&str>) -> Option<&str> {
    id.filter(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_values_are_there_and_no_others() {
        let values = Broadcast::sample(true).values(Language::En);
        let fields = |value: &Value| -> Vec<String> { value.try_iter().unwrap().map(|key| key.to_string()).collect() };
        let mut found = Vec::new();
        for name in fields(&values) {
            match &*name {
                "streamer" | "stream" => {
                    let inner = fields(&values.get_attr(&name).unwrap());
                    found.extend(inner.iter().map(|field| format!("{name}.{field}")));
                }
                _ => found.push(name),
            }
        }
        found.sort();
        let mut listed = VALUES.map(str::to_owned);
        listed.sort();
        assert_eq!(found, listed);
    }
}
