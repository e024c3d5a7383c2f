//! The documents that outputs and the API show: events with a sentence for each, channels, alerts and chat. Pure functions of rows of the database.

pub mod alert;
mod channel;
pub mod chat;
mod event;
mod person;
pub mod text;

use serde::Deserialize;
use serde_json::value::RawValue;

pub use self::alert::Alert;
pub use self::channel::*;
pub use self::chat::Chat;
pub use self::event::Event;
pub use self::person::Person;
use crate::store::read::events::LoggedEvent;

/// The JSON of what happened, as Twitch sent it, or as it was inferred or made up for the demo. `None` for other messages.
fn event_json(logged: &LoggedEvent) -> Option<&str> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        event: &'a RawValue,
    }
    if !["notification", "inferred", "demo"].contains(&&*logged.message_type) {
        return None;
    }
    let body: Body<'_> = serde_json::from_str(logged.payload.get()).ok()?;
    Some(body.event.get())
}
