use serde::Serialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::ToSchema;

use super::text;
use crate::store::LogId;
use crate::store::read::events::LoggedEvent;
use crate::twitch::id::ChannelId;

/// One message of the log.
#[derive(Debug, Serialize, ToSchema)]
pub struct Event {
    /// Its place in the log. Ids grow in the order in which events became visible: a reader that has
    /// seen this one misses nothing by asking for those after it.
    #[schema(value_type = i64)]
    pub id: LogId,
    /// Twitch's id of the message. It is the same in every redelivery.
    pub message_id: String,
    /// `notification`, `revocation`, or a type of message that Twitch added later. Messages that
    /// Twitch did not send are `inferred` (Twitch's API showed that a stream began or ended, a new
    /// title, or the number of viewers) or `segment` (the broadcaster marked one); `irc` came over IRC,
    /// and `demo` is of the demo show.
    pub message_type: String,
    /// The subscription type, for example `channel.follow`; `showtime.segment.begin`, `….end`,
    /// `….change` and `….remove` for segments, `showtime.chat.presence` for who comes into a chat and leaves it,
    /// `showtime.stream.viewers` for the number of viewers.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The version of that type.
    pub version: Option<String>,
    /// The channel it is about, or the user where a type has no channel.
    pub channel_id: Option<String>,
    /// The subscription it came through; `null` for messages that do not come from EventSub.
    pub subscription_id: Option<String>,
    /// When Twitch sent it first, or when it was inferred or marked.
    #[serde(with = "time::serde::rfc3339")]
    pub occurred_at: OffsetDateTime,
    /// When it arrived here.
    #[serde(with = "time::serde::rfc3339")]
    pub received_at: OffsetDateTime,
    /// Whether it is a test event.
    pub is_test: bool,
    /// Whether a live feed sends it again; `false` everywhere else.
    pub is_replay: bool,
    /// The id of the earlier event that told the same, or that took this one back before it arrived; `null` for news. The
    /// feeds of alerts and chat leave such events out.
    #[schema(value_type = Option<i64>)]
    pub repeats: Option<LogId>,
    /// Whether Twitch sent the event `repeats` over two transports, because the channel was changing from one to the other, or
    /// the chat message came both over IRC and from EventSub.
    /// It changed no state, is in no feed, and reaches no sink.
    pub is_echo: bool,
    /// One sentence for people, in English. Names and texts in it are as Twitch sent them, without control characters.
    pub text: String,
    /// The body exactly as it came. Messages that do not come from EventSub have `inferred`, `segment`,
    /// `irc` or `demo` in place of `subscription`.
    #[schema(value_type = Object)]
    pub payload: Box<RawValue>,
}

impl Event {
    /// A row of the log as an event, which a live feed may send again.
    #[must_use]
    pub fn new(logged: &LoggedEvent, is_replay: bool) -> Self {
        Self {
            id: logged.id,
            message_id: logged.message_id.clone(),
            message_type: logged.message_type.clone(),
            kind: logged.kind.clone(),
            version: logged.version.clone(),
            channel_id: logged.channel_id.as_ref().map(ChannelId::to_string),
            subscription_id: logged.subscription_id.clone(),
            occurred_at: logged.occurred_at,
            received_at: logged.received_at,
            is_test: logged.is_test,
            is_replay,
            repeats: logged.repeats,
            is_echo: logged.is_echo,
            text: text::sentence(logged),
            payload: logged.payload.0.clone(),
        }
    }

    /// An event for the documentation.
    #[must_use]
    pub fn example() -> Self {
        let payload = json!({
            "subscription": {
                "id": "f1c2a387-161a-49f9-a165-0f21d7a4e1c4",
                "type": "channel.follow",
                "version": "2",
                "status": "enabled",
                "cost": 0,
                "condition": { "broadcaster_user_id": "141981764", "moderator_user_id": "141981764" },
                "transport": { "method": "webhook", "callback": "https://example.com/callback" },
                "created_at": "2026-06-30T10:11:12.634234626Z",
            },
            "event": {
                "user_id": "90790024",
                "user_login": "a_viewer",
                "user_name": "A_Viewer",
                "broadcaster_user_id": "141981764",
                "broadcaster_user_login": "twitchdev",
                "broadcaster_user_name": "TwitchDev",
                "followed_at": "2026-07-01T18:16:11.17106713Z",
            },
        });
        Self {
            id: LogId(1042),
            message_id: "befa7b53-d79d-478f-86b9-120f112b044e".into(),
            message_type: "notification".into(),
            kind: Some("channel.follow".into()),
            version: Some("2".into()),
            channel_id: Some("141981764".into()),
            subscription_id: Some("f1c2a387-161a-49f9-a165-0f21d7a4e1c4".into()),
            occurred_at: datetime!(2026-07-01 18:16:11.464757 UTC),
            received_at: datetime!(2026-07-01 18:16:11.598201 UTC),
            is_test: false,
            is_replay: false,
            repeats: None,
            is_echo: false,
            text: "A_Viewer followed".into(),
            payload: to_raw_value(&payload).unwrap_or_default(),
        }
    }
}
