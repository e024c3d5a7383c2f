//! Reads the answers of the services. What an emote must have is its name and its picture; all else may be missing or odd. An
//! emote that can't be read fails alone.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::service::Service;
use crate::twitch::tolerant::{Items, optional};

/// The emotes that are kept of one answer, at most. 7TV has sets of up to 1,000.
const MAX_EMOTES: usize = 5_000;

/// The longest name, in characters.
const MAX_NAME: usize = 100;

/// An emote: a word that is shown as a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emote {
    /// The word, as strangers chose it; without white space.
    pub name: String,
    /// Whose it is.
    pub service: Service,
    /// The address of the picture, at [`Service::images`].
    pub url: String,
    /// That of one which does not move.
    pub still_url: String,
    /// Whether it is laid over the emote before it.
    pub is_zero_width: bool,
}

/// The emotes of an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Set {
    /// Those that can be read.
    pub(super) emotes: Vec<Emote>,
    /// How many can't.
    pub(super) unreadable: usize,
}

/// Reads what a service says of a channel, or of all channels.
///
/// # Errors
/// If it is no answer of this service.
pub(super) fn read(service: Service, is_of_channel: bool, body: &[u8]) -> serde_json::Result<Set> {
    Ok(match (service, is_of_channel) {
        (Service::SevenTv, true) => {
            let user: SevenTvUser = serde_json::from_slice(body)?;
            set(user.emote_set.unwrap_or_default().emotes, SevenTvEmote::read)
        }
        (Service::SevenTv, false) => set(serde_json::from_slice::<SevenTvSet>(body)?.emotes, SevenTvEmote::read),
        (Service::BetterTtv, true) => {
            let BetterTtvUser { channel, shared } = serde_json::from_slice(body)?;
            set(join([channel, shared]), BetterTtvEmote::read)
        }
        (Service::BetterTtv, false) => set(serde_json::from_slice(body)?, BetterTtvEmote::read),
        (Service::FrankerFaceZ, _) => {
            let FrankerFaceZSets { default_sets, sets } = serde_json::from_slice(body)?;
            // A room's sets are all shown; of the global ones those are that all users have.
            let is_shown =
                |id: &str| default_sets.as_ref().is_none_or(|shown| shown.iter().any(|it| it.to_string() == id));
            let shown = sets.into_iter().filter(|(id, _)| is_shown(id)).map(|(_, set)| set.emoticons);
            set(join(shown), FrankerFaceZEmote::read)
        }
    })
}

/// Makes emotes of items; `read` has none for what is no emote, and an error for what can't be read.
fn set<T>(items: Items<T>, read: impl Fn(T) -> Result<Option<Emote>, Unreadable>) -> Set {
    let mut set = Set { emotes: Vec::new(), unreadable: items.unreadable };
    for item in items.read.into_iter().take(MAX_EMOTES) {
        match read(item) {
            Ok(emote) => set.emotes.extend(emote),
            Err(Unreadable) => set.unreadable += 1,
        }
    }
    set
}

fn join<T>(lists: impl IntoIterator<Item = Items<T>>) -> Items<T> {
    lists.into_iter().fold(Items::default(), |mut all, list| {
        all.read.extend(list.read);
        all.unreadable += list.unreadable;
        all
    })
}

/// Name, id or address are not as expected.
#[derive(Debug)]
struct Unreadable;

/// A word that can stand in a message: without white space, and without characters that are invisible or turn the direction of text.
fn name(text: String) -> Result<String, Unreadable> {
    let is_odd = |letter: char| {
        letter.is_whitespace()
            || letter.is_control()
            || matches!(
                letter,
                '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
                    | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
            )
    };
    let is_word = (1..=MAX_NAME).contains(&text.chars().count()) && !text.contains(is_odd);
    if is_word { Ok(text) } else { Err(Unreadable) }
}

/// A part of an address.
fn id(text: &str) -> Result<&str, Unreadable> {
    let is_id = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_id { Ok(text) } else { Err(Unreadable) }
}

#[derive(Deserialize)]
struct SevenTvUser {
    /// `null` for a user who has chosen none.
    #[serde(default, deserialize_with = "optional")]
    emote_set: Option<SevenTvSet>,
}

#[derive(Default, Deserialize)]
struct SevenTvSet {
    /// Missing in an empty set.
    #[serde(default)]
    emotes: Items<SevenTvEmote>,
}

#[derive(Deserialize)]
struct SevenTvEmote {
    id: String,
    /// As the channel calls it.
    name: String,
    /// Of the emote in this set; bit 0 lays it over others.
    #[serde(default, deserialize_with = "optional")]
    flags: u64,
    #[serde(default, deserialize_with = "optional")]
    data: SevenTvData,
}

#[derive(Default, Deserialize)]
struct SevenTvData {
    /// Of the emote itself; bit 8 is for one that is always laid over others.
    #[serde(default, deserialize_with = "optional")]
    flags: u64,
    #[serde(default, deserialize_with = "optional")]
    animated: bool,
}

impl SevenTvEmote {
    fn read(self) -> Result<Option<Emote>, Unreadable> {
        let Self { id: text, name: word, flags, data } = self;
        let (service, text) = (Service::SevenTv, id(&text)?);
        let place = format!("{}/emote/{text}", service.images());
        let url = format!("{place}/2x.webp");
        let still_url = if data.animated { format!("{place}/2x_static.webp") } else { url.clone() };
        let is_zero_width = flags & 1 != 0 || data.flags & (1 << 8) != 0;
        Ok(Some(Emote { name: name(word)?, service, url, still_url, is_zero_width }))
    }
}

#[derive(Deserialize)]
struct BetterTtvUser {
    #[serde(default, rename = "channelEmotes")]
    channel: Items<BetterTtvEmote>,
    /// Of other users, shared with the channel.
    #[serde(default, rename = "sharedEmotes")]
    shared: Items<BetterTtvEmote>,
}

#[derive(Deserialize)]
struct BetterTtvEmote {
    id: String,
    code: String,
    #[serde(default, deserialize_with = "optional")]
    animated: bool,
    /// Whether it changes how the next emote looks, and is no picture.
    #[serde(default, deserialize_with = "optional")]
    modifier: bool,
}

impl BetterTtvEmote {
    fn read(self) -> Result<Option<Emote>, Unreadable> {
        let Self { id: text, code, animated, modifier } = self;
        let (service, text) = (Service::BetterTtv, id(&text)?);
        let place = format!("{}/emote/{text}", service.images());
        let url = format!("{place}/2x.webp");
        let still_url = if animated { format!("{place}/static/2x.webp") } else { url.clone() };
        let emote = Emote { name: name(code)?, service, url, still_url, is_zero_width: false };
        Ok(Some(emote).filter(|_| !modifier))
    }
}

#[derive(Deserialize)]
struct FrankerFaceZSets {
    /// Of the global sets, those that all users have.
    #[serde(default, deserialize_with = "optional")]
    default_sets: Option<Vec<u64>>,
    sets: BTreeMap<String, FrankerFaceZSet>,
}

#[derive(Deserialize)]
struct FrankerFaceZSet {
    #[serde(default)]
    emoticons: Items<FrankerFaceZEmote>,
}

#[derive(Deserialize)]
struct FrankerFaceZEmote {
    name: String,
    /// Addresses by size.
    urls: BTreeMap<String, Value>,
    /// Those of the pictures that move, if there are any.
    #[serde(default, deserialize_with = "optional")]
    animated: Option<BTreeMap<String, Value>>,
    /// Whether it changes how the emote before it looks, and is no picture.
    #[serde(default, deserialize_with = "optional")]
    modifier: bool,
    #[serde(default, deserialize_with = "optional")]
    hidden: bool,
}

impl FrankerFaceZEmote {
    fn read(self) -> Result<Option<Emote>, Unreadable> {
        let Self { name: word, urls, animated, modifier, hidden } = self;
        let still_url = picture_url(&urls)?;
        let url = match &animated {
            Some(urls) => picture_url(urls)?,
            None => still_url.clone(),
        };
        let emote = Emote { name: name(word)?, service: Service::FrankerFaceZ, url, still_url, is_zero_width: false };
        Ok(Some(emote).filter(|_| !modifier && !hidden))
    }
}

/// The address of the second size, or else of the first, which all have.
fn picture_url(urls: &BTreeMap<String, Value>) -> Result<String, Unreadable> {
    let given = ["2", "1"].into_iter().find_map(|size| urls.get(size)?.as_str()).ok_or(Unreadable)?;
    // Some begin with the slashes.
    let whole = if given.starts_with("//") { format!("https:{given}") } else { given.to_owned() };
    let path = whole.strip_prefix(Service::FrankerFaceZ.images()).and_then(|rest| rest.strip_prefix("/emote/"));
    let is_path = |path: &str| path.split('/').all(|part| id(part).is_ok());
    path.filter(|path| is_path(path)).ok_or(Unreadable)?;
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn emotes(service: Service, is_of_channel: bool, answer: &Value) -> (Vec<(String, String, String, bool)>, usize) {
        let set = read(service, is_of_channel, answer.to_string().as_bytes()).unwrap();
        let emote = |it: Emote| {
            let path = |url: &str| url.strip_prefix(service.images()).unwrap().to_owned();
            (it.name, path(&it.url), path(&it.still_url), it.is_zero_width)
        };
        (set.emotes.into_iter().map(emote).collect(), set.unreadable)
    }

    fn emote(name: &str, path: &str, still: &str, is_zero_width: bool) -> (String, String, String, bool) {
        (name.to_owned(), path.to_owned(), still.to_owned(), is_zero_width)
    }

    #[test]
    fn emotes_of_7tv_are_read_and_odd_ones_fail_alone() {
        let items = json!([
            { "id": "01A", "name": "Wave", "flags": 0, "timestamp": 1, "actor_id": null,
                "data": { "id": "01A", "name": "wave", "flags": 0, "lifecycle": 3, "state": ["LISTED"], "listed": true,
                    "animated": true, "owner": null, "host": { "url": "//cdn.7tv.app/emote/01A", "files": [] } } },
            { "id": "01B", "name": "Rain", "flags": 1, "data": { "flags": 0, "animated": false } },
            { "id": "01C", "name": "Hat", "flags": 0, "data": { "flags": 256 } },
            { "id": "01D", "name": ":)", "flags": "odd", "data": null },
            { "id": "../x", "name": "Path" },
            { "id": "01E", "name": "two words" },
            { "id": "01F", "name": "" },
            { "id": "01F", "name": "turned\u{202e}" },
            { "id": "01F", "name": "hidden\u{feff}" },
            { "id": "01G" },
            { "id": 7, "name": "Number" },
            null,
        ]);
        let read = vec![
            emote("Wave", "/emote/01A/2x.webp", "/emote/01A/2x_static.webp", false),
            emote("Rain", "/emote/01B/2x.webp", "/emote/01B/2x.webp", true),
            emote("Hat", "/emote/01C/2x.webp", "/emote/01C/2x.webp", true),
            emote(":)", "/emote/01D/2x.webp", "/emote/01D/2x.webp", false),
        ];
        assert_eq!(emotes(Service::SevenTv, false, &json!({ "emotes": items })), (read.clone(), 8));
        assert_eq!(emotes(Service::SevenTv, true, &json!({ "emote_set": { "emotes": items } })), (read, 8));
        for none in
            [json!({ "emote_set": null }), json!({ "emote_set": { "emotes": null } }), json!({ "emote_set": {} })]
        {
            assert_eq!(emotes(Service::SevenTv, true, &none), (Vec::new(), 0), "{none}");
        }
    }

    #[test]
    fn emotes_of_better_ttv_are_read_and_modifiers_stay_words() {
        let answer = json!({
            "id": "x", "bots": [], "avatar": "",
            "channelEmotes": [
                { "id": "5a", "code": "Wave", "imageType": "gif", "animated": true, "userId": "1" },
                { "id": "5b", "code": "(ditto)", "imageType": "png", "animated": false, "userId": "1" },
            ],
            "sharedEmotes": [
                { "id": "5c", "code": "w!", "imageType": "png", "animated": false, "modifier": true },
                { "id": "5d?", "code": "Query", "imageType": "png" },
                { "id": "5e", "code": "Shared" },
            ],
        });
        let read = vec![
            emote("Wave", "/emote/5a/2x.webp", "/emote/5a/static/2x.webp", false),
            emote("(ditto)", "/emote/5b/2x.webp", "/emote/5b/2x.webp", false),
            emote("Shared", "/emote/5e/2x.webp", "/emote/5e/2x.webp", false),
        ];
        assert_eq!(emotes(Service::BetterTtv, true, &answer), (read.clone(), 1));
        assert_eq!(emotes(Service::BetterTtv, false, &answer["channelEmotes"]), (read[..2].to_vec(), 0));
    }

    #[test]
    fn emotes_of_franker_face_z_are_those_of_the_room_or_of_all_users() {
        let place = "https://cdn.frankerfacez.com/emote";
        let answer = |default_sets: Value| {
            json!({
                "default_sets": default_sets,
                "room": { "set": 3, "twitch_id": 7 },
                "sets": {
                    "3": { "id": 3, "emoticons": [
                        { "id": 1, "name": "Wave", "urls": { "1": format!("{place}/1/1"), "2": format!("{place}/1/2") },
                            "animated": { "1": format!("{place}/1/animated/1") }, "modifier": false, "hidden": false },
                        { "id": 2, "name": "Old", "urls": { "1": "//cdn.frankerfacez.com/emote/2/1" }, "animated": null },
                        { "id": 3, "name": "ffzX", "urls": { "1": format!("{place}/3/1") }, "modifier": true },
                        { "id": 4, "name": "Else", "urls": { "1": "https://cdn.frankerfacez.com.example.org/emote/4/1" } },
                        { "id": 5, "name": "Up", "urls": { "1": format!("{place}/../x") } },
                        { "id": 6, "name": "None", "urls": {} },
                        { "id": 7, "name": "Number", "urls": { "1": 7 } },
                    ] },
                    "4": { "id": 4, "emoticons": [{ "id": 8, "name": "Few", "urls": { "1": format!("{place}/8/1") } }] },
                },
            })
        };
        let read = vec![
            emote("Wave", "/emote/1/animated/1", "/emote/1/2", false),
            emote("Old", "/emote/2/1", "/emote/2/1", false),
        ];
        assert_eq!(emotes(Service::FrankerFaceZ, false, &answer(json!([3]))), (read, 4));
        let (of_room, _) = emotes(Service::FrankerFaceZ, true, &answer(Value::Null));
        assert_eq!(of_room.last().unwrap().0, "Few", "of a room, all sets");
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for service in Service::ALL {
            for body in ["", "<html>", "7", "\"x\""] {
                for is_of_channel in [true, false] {
                    assert!(read(service, is_of_channel, body.as_bytes()).is_err(), "{service:?} {body}");
                }
            }
        }
    }

    #[test]
    fn number_of_emotes_is_bounded() {
        let many: Vec<_> = (0..MAX_EMOTES + 5).map(|n| json!({ "id": n.to_string(), "code": n.to_string() })).collect();
        assert_eq!(emotes(Service::BetterTtv, false, &json!(many)).0.len(), MAX_EMOTES);
    }
}
