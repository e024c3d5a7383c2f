//! The demo show: a minute of invented events by invented people, on a channel that Twitch can't have.

mod script;

use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;

use self::script::{Act, PEOPLE, SCRIPT};
use super::edit::Edit;
use super::people::Person;
use super::template::{EventTemplate, TemplateError};
use crate::twitch::catalogue::lookup::{self, KindError};
use crate::twitch::id::ChannelId;

/// The id of the demo's channel. Twitch's ids have no leading zeros.
pub const CHANNEL_ID: &str = "0000000000001000";

/// Its login. Twitch's logins have no hyphens.
pub const LOGIN: &str = "showtime-demo";

const DISPLAY_NAME: &str = "Demo show";

/// How long a show takes.
pub const LENGTH: Duration = Duration::from_secs(60);

/// Whether a channel is the demo's.
#[must_use]
pub fn is_demo(channel: &ChannelId) -> bool {
    channel.as_str() == CHANNEL_ID
}

/// One event of a show. Only a script makes one, so it concerns no channel or user of Twitch.
#[derive(Clone, Debug)]
pub struct Scene {
    key: String,
    kind: String,
    version: String,
    at: OffsetDateTime,
    event: Value,
}

/// Why an event of the script can't be made. A bug: a test makes all of them.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// There is no such type.
    #[error(transparent)]
    Kind(#[from] KindError),
    /// The sample of the type does not fit.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

impl Scene {
    /// The name of the scene, which no other scene of any show has.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether it is of the show with this stream.
    #[must_use]
    pub fn is_of(&self, stream: &str) -> bool {
        self.key.strip_prefix(stream).is_some_and(|rest| rest.starts_with(':'))
    }

    /// The type of its event, such as `channel.follow`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The version of that type.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// When it happens.
    #[must_use]
    pub fn at(&self) -> OffsetDateTime {
        self.at
    }

    /// The event, as Twitch would send it.
    #[must_use]
    pub fn event(&self) -> &Value {
        &self.event
    }
}

/// The id of the stream of a show that begins now.
fn stream_id(now: OffsetDateTime) -> String {
    format!("demo-{}", now.unix_timestamp_nanos() / 1_000_000)
}

/// The scenes of a show that begins now, on the full second as streams do, in their order: the first begins its stream, the
/// last ends it.
///
/// # Errors
/// [`ScriptError`]
pub fn show(now: OffsetDateTime) -> Result<Vec<Scene>, ScriptError> {
    let (stream, started_at) = (stream_id(now), now.replace_nanosecond(0).unwrap_or(now));
    let scene = |(number, (after_ms, act)): (usize, &(u64, Act))| {
        scene(&stream, &number.to_string(), started_at + Duration::from_millis(*after_ms), act)
    };
    let mut scenes = SCRIPT.iter().enumerate().map(scene).collect::<Result<Vec<_>, _>>()?;
    scenes.push(end(&stream, started_at + LENGTH)?);
    Ok(scenes)
}

/// The scene that ends the stream of a show, at this time. However often it is made, it has one key.
///
/// # Errors
/// [`ScriptError`]
pub fn end(stream: &str, at: OffsetDateTime) -> Result<Scene, ScriptError> {
    scene(stream, "end", at, &Act::Offline)
}

fn scene(stream: &str, name: &str, at: OffsetDateTime, act: &Act) -> Result<Scene, ScriptError> {
    let key = format!("{stream}:{name}");
    if let Act::Viewers(viewers) = act {
        let event = json!({
            "id": stream, "viewers": viewers, "broadcaster_user_id": CHANNEL_ID,
            "broadcaster_user_login": LOGIN, "broadcaster_user_name": DISPLAY_NAME,
        });
        return Ok(Scene { key, kind: "showtime.stream.viewers".into(), version: "1".into(), at, event });
    }
    let kind = lookup::find(act.kind(), None)?;
    let edits = act.edits(stream).into_iter().map(|(field, value)| Edit::field(field, value)).collect();
    let template = EventTemplate {
        broadcaster: Some(channel()),
        user: act.person().map(person),
        edits,
        ..EventTemplate::plain(kind)
    };
    Ok(Scene { key, kind: kind.name.clone(), version: kind.version.clone(), at, event: template.event(at)? })
}

fn channel() -> Person {
    Person { id: CHANNEL_ID.to_owned(), login: LOGIN.to_owned(), display_name: DISPLAY_NAME.to_owned() }
}

/// The invented person with this number.
fn person(number: usize) -> Person {
    let display_name = PEOPLE[number % PEOPLE.len()];
    Person {
        id: format!("{:016}", 2_000 + number % PEOPLE.len()),
        login: display_name.to_lowercase(),
        display_name: display_name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use time::macros::datetime;

    use super::*;

    const START: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

    #[test]
    fn show_takes_a_minute_and_names_only_invented_people() {
        let scenes = show(START).unwrap();
        assert!(scenes.is_sorted_by_key(|scene| scene.at));
        assert_eq!((scenes[0].kind(), scenes.last().unwrap().kind()), ("stream.online", "stream.offline"));
        assert_eq!((scenes[0].at(), scenes.last().unwrap().at()), (START, START + LENGTH));
        assert_eq!(scenes[0].event()["id"], scenes.last().unwrap().event()["id"]);
        let keys: BTreeSet<_> = scenes.iter().map(Scene::key).collect();
        assert_eq!(keys.len(), scenes.len());
        for scene in &scenes {
            ids(scene.event(), &mut |field, id| {
                assert!(id.starts_with("000000000000"), "{} {field} {id}", scene.kind());
            });
        }
    }

    #[test]
    fn thirty_people_take_part() {
        let mut people = BTreeSet::new();
        for scene in show(START).unwrap() {
            ids(scene.event(), &mut |_, id| {
                people.insert(id.to_owned());
            });
        }
        people.remove(CHANNEL_ID);
        assert_eq!(people.len(), 30);
        assert_eq!(PEOPLE.iter().map(|name| name.to_lowercase()).collect::<BTreeSet<_>>().len(), PEOPLE.len());
    }

    #[test]
    fn shows_share_no_key_and_the_end_has_one() {
        let later = show(START + Duration::from_secs(120)).unwrap();
        let keys: BTreeSet<_> = show(START).unwrap().iter().map(|scene| scene.key.clone()).collect();
        assert!(later.iter().all(|scene| !keys.contains(scene.key())));
        let stream = stream_id(START);
        assert!(keys.contains(end(&stream, START + Duration::from_secs(600)).unwrap().key()));
    }

    /// Calls `found` with every id of a user in an event.
    fn ids(value: &Value, found: &mut impl FnMut(&str, &str)) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| ids(item, found)),
            Value::Object(fields) => fields.iter().for_each(|(field, value)| match value {
                Value::String(id) if field.ends_with("user_id") => found(field, id),
                value => ids(value, found),
            }),
            _ => {}
        }
    }
}
