//! One sentence for each event: what people read in the dashboard, in a terminal, in chat and in messages to other services.
//!
//! A sentence never fails: what is missing is left out of it, and an unknown type shows what it has. Names and texts of
//! strangers are data: they stay in one line, control no terminal, and turn the direction of nothing beside them.

mod account;
mod chat;
mod fields;
mod moderation;
mod programme;
mod support;
mod words;

use self::fields::Fields;
use self::words::{count, quoted, said};
use crate::message::MessageType;
use crate::message::segment::{SEGMENT_BEGIN, SEGMENT_CHANGE, SEGMENT_END, SEGMENT_REMOVE};
use crate::store::read::events::LoggedEvent;

/// The sentence of an event, such as `CopperKite gifted 20 subs (Tier 1)`.
#[must_use]
pub fn sentence(logged: &LoggedEvent) -> String {
    let body = Fields::read(logged.payload.get());
    let kind = logged.kind.as_deref().unwrap_or_default();
    if logged.message_type == MessageType::Revocation.as_str() {
        let status = body.object("subscription").words("status");
        return said(format!("The subscription to {} ended", quoted(kind).unwrap_or_default()), status);
    }
    let it = body.object("event");
    let channel = || logged.channel_name.as_deref().and_then(quoted);
    let channel = it.name("broadcaster_user").or_else(|| it.name("broadcaster")).or_else(channel);
    let channel = channel.unwrap_or_else(|| "The channel".to_owned());
    let known = match kind {
        SEGMENT_BEGIN => Some(said("A segment began".to_owned(), it.text("title"))),
        SEGMENT_END => Some("The segment ended".to_owned()),
        SEGMENT_CHANGE => Some(said("The segment was changed".to_owned(), it.text("title"))),
        SEGMENT_REMOVE => Some("The segment was removed".to_owned()),
        "drop.entitlement.grant" => Some(account::drops(&body.objects("events"))),
        _ => support::sentence(kind, &it, &channel)
            .or_else(|| programme::sentence(kind, &it, &channel))
            .or_else(|| chat::sentence(kind, &it, &channel))
            .or_else(|| moderation::sentence(kind, &it, &channel))
            .or_else(|| account::sentence(kind, &it)),
    };
    known.unwrap_or_else(|| unknown(logged, &it))
}

/// What an event of an unknown type has of user, amount and text.
fn unknown(logged: &LoggedEvent, it: &Fields<'_>) -> String {
    let kind = logged.kind.as_deref().unwrap_or(&logged.message_type);
    let user = ["user", "from_broadcaster_user", "chatter_user"].into_iter().find_map(|prefix| it.name(prefix));
    let amount =
        ["bit", "viewer"].into_iter().find_map(|unit| Some(count(Some(it.number(&format!("{unit}s"))?), unit)));
    let parts: Vec<_> = [user, amount, it.message().or_else(|| it.text("title"))].into_iter().flatten().collect();
    let kind = quoted(kind).unwrap_or_else(|| "An event".to_owned());
    said(kind, Some(parts.join(", ")).filter(|parts| !parts.is_empty()))
}
