//! People in samples. The samples share a few invented people; replacing one of them means replacing the id, login and
//! display name everywhere in the event.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// A Twitch user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Digits only.
    pub id: String,
    /// Lower-case ASCII.
    pub login: String,
    /// The name that viewers see.
    pub display_name: String,
}

/// Why a person can't be made from the given names.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PersonError {
    /// Display names can be in any script, logins can't.
    #[error("`{0}` is not a login (1 to 25 letters a-z, digits and underscores): give the login as well")]
    InvalidLogin(String),
    /// Twitch's ids are texts of digits.
    #[error("`{0}` is not a Twitch id, which is digits only")]
    InvalidId(String),
}

/// An invented person in the samples.
struct SamplePerson {
    id: &'static str,
    login: &'static str,
    display_name: &'static str,
}

const fn sample(id: &'static str, login: &'static str, display_name: &'static str) -> SamplePerson {
    SamplePerson { id, login, display_name }
}

/// The broadcaster in all samples.
const BROADCASTER: SamplePerson = sample("90210441", "maplearcade", "MapleArcade");

/// The others. The first of these that a sample names is its user: the one who acts, or is acted upon.
const USERS: [SamplePerson; 6] = [
    sample("55120873", "quietotter", "QuietOtter"),
    sample("70011234", "loudgoose", "LoudGoose"),
    sample("71330092", "copperkite", "CopperKite"),
    sample("30118264", "lanternmod", "LanternMod"),
    sample("61904417", "mintcomet", "MintComet"),
    sample("80000001", "velvetyak", "VelvetYak"),
];

impl Person {
    /// Makes a person from a display name, a login, an id or several of these; the rest follows from them, the same every
    /// time. `None` if nothing is given.
    ///
    /// # Errors
    /// If the login or the id is invalid.
    pub fn described(
        display_name: Option<&str>,
        login: Option<&str>,
        id: Option<&str>,
    ) -> Result<Option<Self>, PersonError> {
        if let Some(id) = id.filter(|id| id.is_empty() || id.len() > 20 || !id.bytes().all(|b| b.is_ascii_digit())) {
            return Err(PersonError::InvalidId(id.to_owned()));
        }
        let login = match (login.or(display_name), id) {
            (Some(name), _) => to_login(name).ok_or_else(|| PersonError::InvalidLogin(name.to_owned()))?,
            (None, Some(id)) => format!("user{id}"),
            (None, None) => return Ok(None),
        };
        Ok(Some(Self {
            id: id.map_or_else(|| id_of(&login), str::to_owned),
            display_name: display_name.unwrap_or(&login).to_owned(),
            login,
        }))
    }
}

fn to_login(name: &str) -> Option<String> {
    let fits = (1..=25).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    fits.then(|| name.to_ascii_lowercase())
}

/// The id of a person in the samples, or nine digits that follow from the login: the same name always means the same person.
fn id_of(login: &str) -> String {
    if let Some(known) = USERS.iter().chain([&BROADCASTER]).find(|sample| sample.login == login) {
        return known.id.to_owned();
    }
    let hash = Sha256::digest(login);
    let number = u64::from_be_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]]);
    (100_000_000 + number % 900_000_000).to_string()
}

/// Replaces the broadcaster and the user in an event. The error is the role that the event doesn't have.
pub(super) fn replace_people(
    event: &mut Value,
    broadcaster: Option<&Person>,
    user: Option<&Person>,
) -> Result<(), &'static str> {
    let mut people: Vec<(&SamplePerson, &Person)> = Vec::new();
    if let Some(person) = broadcaster {
        people.push((Some(&BROADCASTER).filter(|old| mentions(event, old.id)).ok_or("broadcaster")?, person));
    }
    if let Some(person) = user {
        people.push((USERS.iter().find(|old| mentions(event, old.id)).ok_or("user")?, person));
    }
    replace(event, &people);
    Ok(())
}

/// Whether a sample, as text, is about its broadcaster.
pub(super) fn names_broadcaster(sample: &str) -> bool {
    sample.contains(&format!("\"{}\"", BROADCASTER.id))
}

/// Whether a sample, as text, is about one of its users.
pub(super) fn names_user(sample: &str) -> bool {
    USERS.iter().any(|user| sample.contains(&format!("\"{}\"", user.id)))
}

fn mentions(value: &Value, id: &str) -> bool {
    match value {
        Value::String(text) => text == id,
        Value::Array(items) => items.iter().any(|item| mentions(item, id)),
        Value::Object(fields) => fields.values().any(|field| mentions(field, id)),
        _ => false,
    }
}

fn replace(value: &mut Value, people: &[(&SamplePerson, &Person)]) {
    match value {
        Value::String(text) => *text = replaced(text, people),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, people)),
        Value::Object(fields) => fields.values_mut().for_each(|field| replace(field, people)),
        _ => {}
    }
}

/// Ids and logins are whole texts; display names also occur within texts, such as `system_message`.
fn replaced(text: &str, people: &[(&SamplePerson, &Person)]) -> String {
    for (old, person) in people {
        match text {
            _ if text == old.id => return person.id.clone(),
            _ if text == old.login => return person.login.clone(),
            _ if text == old.display_name => return person.display_name.clone(),
            _ => {}
        }
    }
    people.iter().fold(text.to_owned(), |text, (old, person)| text.replace(old.display_name, &person.display_name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn person(display_name: &str) -> Person {
        Person::described(Some(display_name), None, None).unwrap().unwrap()
    }

    #[test]
    fn name_always_means_the_same_person() {
        assert_eq!(person("NewFriend"), person("NewFriend"));
        assert_eq!(person("NewFriend").login, "newfriend");
        assert_eq!(person("NewFriend").id.len(), 9);
        assert_ne!(person("NewFriend").id, person("NewFriend_2").id);
        assert_eq!(person("MapleArcade").id, BROADCASTER.id, "the samples' own people keep their ids");
    }

    #[test]
    fn missing_names_follow_from_the_given_ones() {
        let described = |name, login, id| Person::described(name, login, id).unwrap().unwrap();
        assert_eq!(
            described(Some("Überschall"), Some("ueberschall"), Some("7")),
            Person { id: "7".into(), login: "ueberschall".into(), display_name: "Überschall".into() }
        );
        assert_eq!(
            described(None, None, Some("123")),
            Person { id: "123".into(), login: "user123".into(), display_name: "user123".into() }
        );
        assert_eq!(Person::described(None, None, None), Ok(None));
        assert_eq!(
            Person::described(Some("Überschall"), None, None),
            Err(PersonError::InvalidLogin("Überschall".to_owned()))
        );
        assert_eq!(Person::described(None, None, Some("x1")), Err(PersonError::InvalidId("x1".to_owned())));
    }

    #[test]
    fn person_is_replaced_everywhere_in_the_event() {
        let mut event = json!({
            "broadcaster_user_id": "90210441", "user_login": "quietotter", "list": [{"user_id": "55120873"}],
            "system_message": "QuietOtter gifted a sub to MintComet!", "other": "71330092", "bits": 55_120_873,
        });
        replace_people(&mut event, Some(&person("QuietOtter")), Some(&person("MapleArcade"))).unwrap();
        assert_eq!(
            event,
            json!({
                "broadcaster_user_id": "55120873", "user_login": "maplearcade", "list": [{"user_id": "90210441"}],
                "system_message": "MapleArcade gifted a sub to MintComet!", "other": "71330092", "bits": 55_120_873,
            }),
            "even if two people swap their roles"
        );
    }

    #[test]
    fn missing_role_can_not_be_replaced() {
        let mut event = json!({ "client_id": "x" });
        assert_eq!(replace_people(&mut event, Some(&person("NewFriend")), None), Err("broadcaster"));
        assert_eq!(replace_people(&mut event, None, Some(&person("NewFriend"))), Err("user"));
        assert_eq!(replace_people(&mut event, None, None), Ok(()));
    }
}
