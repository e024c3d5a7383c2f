//! Templates of routing keys and bodies.

use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use super::error::SettingsError;
use crate::credentials::profile_images::ProfileImages;
use crate::store::read::events::LoggedEvent;
use crate::twitch::id::ChannelId;
use crate::twitch::payload::is_placeholder;
use crate::view::{Alert, Event};

/// Instructions that one template may take for one event.
const FUEL: u64 = 100_000;

/// Names of the templates. In a `.json` each value is written as JSON, so that no text of a viewer can break it.
const KEY: &str = "routing_key";
const BODY: &str = "body.json";
const TEXT_BODY: &str = "body.txt";

/// The templates of a sink, parsed.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
    has_key: bool,
    /// Whether one of them shows the profile image of a user.
    has_image: bool,
    images: ProfileImages,
    /// The name of the template of the body, if there is one.
    body: Option<&'static str>,
}

/// What templates may use.
#[derive(Serialize)]
struct Values<'a> {
    event: serde_json::Value,
    alert: serde_json::Value,
    channel: Channel<'a>,
    user: User,
    text: String,
}

/// The user that an event is about; the fields are `null` for an anonymous one.
#[derive(Serialize)]
struct User {
    id: Option<String>,
    login: Option<String>,
    name: Option<String>,
    /// Empty if it is not known.
    profile_image_url: String,
}

/// The channel of an event.
#[derive(Serialize)]
struct Channel<'a> {
    id: Option<&'a str>,
    login: Option<&'a str>,
    name: Option<&'a str>,
}

impl Templates {
    /// Parses the templates.
    ///
    /// # Errors
    /// The template that can't be parsed, and why.
    pub fn new(routing_key: Option<&str>, body: Option<&str>) -> Result<Self, SettingsError> {
        Self::parse(routing_key, BODY, body)
    }

    /// Parses the template of a webhook's body, in which values are written as JSON if it is JSON.
    ///
    /// # Errors
    /// The template that can't be parsed, and why.
    pub fn of_webhook(body: Option<&str>, is_json: bool) -> Result<Self, SettingsError> {
        Self::parse(None, if is_json { BODY } else { TEXT_BODY }, body)
    }

    fn parse(routing_key: Option<&str>, body_name: &'static str, body: Option<&str>) -> Result<Self, SettingsError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        for (field, name, source) in [("settings.routing_key", KEY, routing_key), ("settings.body", body_name, body)] {
            if let Some(source) = source {
                let added = environment.add_template_owned(name, source.to_owned());
                added.map_err(|error| SettingsError::new(field, format!("is no template: {error}")))?;
            }
        }
        let has_image = [routing_key, body].into_iter().flatten().any(|source| source.contains("profile_image_url"));
        let images = ProfileImages::default();
        Ok(Self { environment, has_image, images, has_key: routing_key.is_some(), body: body.map(|_| body_name) })
    }

    /// These templates with the profile images of users, which they look up only if they show them.
    #[must_use]
    pub fn with_images(self, images: &ProfileImages) -> Self {
        Self { images: images.clone(), ..self }
    }

    /// The routing key of an event.
    ///
    /// # Errors
    /// Why the template can't be rendered.
    pub fn routing_key(&self, event: &LoggedEvent) -> Result<String, String> {
        if self.has_key {
            return self.render(KEY, event);
        }
        let channel = event.channel_id.as_ref().map_or("none", ChannelId::as_str);
        Ok(format!("twitch.{channel}.{}", event_type(event)))
    }

    /// The body of an event: without a template what `/live/events` shows.
    ///
    /// # Errors
    /// Why the template can't be rendered.
    pub fn body(&self, event: &LoggedEvent) -> Result<Vec<u8>, String> {
        if let Some(name) = self.body {
            return self.render(name, event).map(String::into_bytes);
        }
        serde_json::to_vec(&Event::new(event, false)).map_err(|error| error.to_string())
    }

    fn user(&self, event: &serde_json::Value) -> User {
        let [id, login, name] = user_of(event).unwrap_or_default();
        let image = id.as_deref().filter(|_| self.has_image).map(|id| self.images.get(id));
        User { id, login, name, profile_image_url: image.unwrap_or_default() }
    }

    fn render(&self, name: &str, event: &LoggedEvent) -> Result<String, String> {
        let channel = Channel {
            id: event.channel_id.as_ref().map(ChannelId::as_str),
            login: event.channel_login.as_deref(),
            name: event.channel_name.as_deref(),
        };
        let render = || {
            // Through a value: a payload is raw JSON, which only serde_json reads.
            let alert = serde_json::to_value(Alert::new(event, false)).map_err(|error| error.to_string())?;
            let event = Event::new(event, false);
            let text = event.text.clone();
            let event = serde_json::to_value(event).map_err(|error| error.to_string())?;
            let user = self.user(&event["payload"]["event"]);
            let values = Value::from(Serde(Values { event, alert, channel, user, text }));
            let template = self.environment.get_template(name).map_err(|error| error.to_string())?;
            template.render(values).map_err(|error| error.to_string())
        };
        // The reason is stored, and may quote a text with U+0000.
        render().map_err(|error: String| {
            let name = name.split('.').next().unwrap_or(name);
            format!("the template of the {name} fails: {}", error.replace('\0', ""))
        })
    }
}

/// The id, login and name of the user that an event is about; `None` if it names none.
fn user_of(event: &serde_json::Value) -> Option<[Option<String>; 3]> {
    if ["is_anonymous", "chatter_is_anonymous"].iter().any(|flag| event[*flag] == true) {
        return None;
    }
    let text = |prefix: &str, field: &str| Some(event[format!("{prefix}_{field}")].as_str()?.to_owned());
    ["user", "chatter_user", "from_broadcaster_user"].into_iter().find_map(|prefix| {
        let id = text(prefix, "id").filter(|id| !is_placeholder(id))?;
        Some([Some(id), text(prefix, "login"), text(prefix, "name")])
    })
}

/// The type by which readers select: that of the event; of the end of a subscription, which is no event, `revocation`.
#[must_use]
pub fn event_type(event: &LoggedEvent) -> &str {
    match (event.message_type.as_str(), &event.kind) {
        ("revocation", _) | (_, None) => &event.message_type,
        (_, Some(kind)) => kind,
    }
}
