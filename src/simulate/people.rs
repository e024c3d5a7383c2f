//! Whom a sample is about. The samples share a few invented people, so giving somebody's part to
//! somebody else means replacing their id, login and display name wherever these stand.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Somebody on Twitch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Digits.
    pub id: String,
    /// Lower-case ASCII.
    pub login: String,
    /// As shown.
    pub display_name: String,
}

/// Why somebody can't be made up from what was given.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PersonError {
    /// Display names can be in any script, logins can't.
    #[error("`{0}` is no login (1 to 25 letters a-z, digits and underscores): give the login as well")]
    NoLogin(String),
    /// Twitch's ids are text, but made of digits.
    #[error("`{0}` is no Twitch id: these are digits only")]
    NoId(String),
}

/// An invented person of the samples.
struct Role {
    id: &'static str,
    login: &'static str,
    display_name: &'static str,
}

const fn role(id: &'static str, login: &'static str, display_name: &'static str) -> Role {
    Role { id, login, display_name }
}

/// Whose channel it is in the samples.
const BROADCASTER: Role = role("90210441", "maplearcade", "MapleArcade");

/// The others; the first of them whom a sample names is the one who acts in it, or is acted upon.
const USERS: [Role; 6] = [
    role("55120873", "quietotter", "QuietOtter"),
    role("70011234", "loudgoose", "LoudGoose"),
    role("71330092", "copperkite", "CopperKite"),
    role("30118264", "lanternmod", "LanternMod"),
    role("61904417", "mintcomet", "MintComet"),
    role("80000001", "velvetyak", "VelvetYak"),
];

impl Person {
    /// Somebody of whom a display name, a login, an id or several of these are given; the rest is
    /// made up, the same every time. `None` if nothing is given.
    ///
    /// # Errors
    /// If the login or id can't be one.
    pub fn described(
        display_name: Option<&str>,
        login: Option<&str>,
        id: Option<&str>,
    ) -> Result<Option<Self>, PersonError> {
        if let Some(id) = id.filter(|id| id.is_empty() || id.len() > 20 || !id.bytes().all(|b| b.is_ascii_digit())) {
            return Err(PersonError::NoId(id.to_owned()));
        }
        let login = match (login.or(display_name), id) {
            (Some(name), _) => to_login(name).ok_or_else(|| PersonError::NoLogin(name.to_owned()))?,
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

/// The id of somebody who exists in the samples, or nine digits that follow from the login, so
/// that a name means the same person whenever it is used.
fn id_of(login: &str) -> String {
    if let Some(known) = USERS.iter().chain([&BROADCASTER]).find(|role| role.login == login) {
        return known.id.to_owned();
    }
    let hash = Sha256::digest(login);
    let number = u64::from_be_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]]);
    (100_000_000 + number % 900_000_000).to_string()
}

/// Gives the broadcaster's part and the other's in an event to these people. Says which part the
/// event doesn't have, if one was to be given away.
pub(super) fn recast(
    event: &mut Value,
    broadcaster: Option<&Person>,
    user: Option<&Person>,
) -> Result<(), &'static str> {
    let mut parts: Vec<(&Role, &Person)> = Vec::new();
    if let Some(person) = broadcaster {
        parts.push((Some(&BROADCASTER).filter(|role| mentions(event, role.id)).ok_or("broadcaster")?, person));
    }
    if let Some(person) = user {
        parts.push((USERS.iter().find(|role| mentions(event, role.id)).ok_or("user")?, person));
    }
    replace(event, &parts);
    Ok(())
}

fn mentions(value: &Value, id: &str) -> bool {
    match value {
        Value::String(text) => text == id,
        Value::Array(items) => items.iter().any(|item| mentions(item, id)),
        Value::Object(fields) => fields.values().any(|field| mentions(field, id)),
        _ => false,
    }
}

fn replace(value: &mut Value, parts: &[(&Role, &Person)]) {
    match value {
        Value::String(text) => *text = replaced(text, parts),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, parts)),
        Value::Object(fields) => fields.values_mut().for_each(|field| replace(field, parts)),
        _ => {}
    }
}

/// Ids and logins stand alone, display names also within texts, such as `system_message`.
fn replaced(text: &str, parts: &[(&Role, &Person)]) -> String {
    for (role, person) in parts {
        match text {
            _ if text == role.id => return person.id.clone(),
            _ if text == role.login => return person.login.clone(),
            _ if text == role.display_name => return person.display_name.clone(),
            _ => {}
        }
    }
    parts.iter().fold(text.to_owned(), |text, (role, person)| text.replace(role.display_name, &person.display_name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn person(display_name: &str) -> Person {
        Person::described(Some(display_name), None, None).unwrap().unwrap()
    }

    #[test]
    fn a_name_always_means_the_same_person() {
        assert_eq!(person("Somebody"), person("Somebody"));
        assert_eq!(person("Somebody").login, "somebody");
        assert_eq!(person("Somebody").id.len(), 9);
        assert_ne!(person("Somebody").id, person("Somebody_Else").id);
        assert_eq!(person("MapleArcade").id, BROADCASTER.id, "the samples' own people keep their ids");
    }

    #[test]
    fn what_is_not_given_is_made_up() {
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
            Err(PersonError::NoLogin("Überschall".to_owned()))
        );
        assert_eq!(Person::described(None, None, Some("x1")), Err(PersonError::NoId("x1".to_owned())));
    }

    #[test]
    fn a_part_is_recast_wherever_it_appears() {
        let mut event = json!({
            "broadcaster_user_id": "90210441", "user_login": "quietotter", "list": [{"user_id": "55120873"}],
            "system_message": "QuietOtter gifted a sub to MintComet!", "other": "71330092", "bits": 55_120_873,
        });
        recast(&mut event, Some(&person("QuietOtter")), Some(&person("MapleArcade"))).unwrap();
        assert_eq!(
            event,
            json!({
                "broadcaster_user_id": "55120873", "user_login": "maplearcade", "list": [{"user_id": "90210441"}],
                "system_message": "MapleArcade gifted a sub to MintComet!", "other": "71330092", "bits": 55_120_873,
            }),
            "even if two people swap parts"
        );
    }

    #[test]
    fn a_part_that_is_not_there_can_not_be_given_away() {
        let mut event = json!({ "client_id": "x" });
        assert_eq!(recast(&mut event, Some(&person("Somebody")), None), Err("broadcaster"));
        assert_eq!(recast(&mut event, None, Some(&person("Somebody"))), Err("user"));
        assert_eq!(recast(&mut event, None, None), Ok(()));
    }
}
