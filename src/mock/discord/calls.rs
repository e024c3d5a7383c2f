//! Calls of the API: what a method and a path stand for, and the query.

use std::net::IpAddr;

use url::form_urlencoded;

use super::answer::Refusal;
use super::body::RawBody;
use super::form::FormErrors;
use super::limits::Bucket;
use super::snowflake::Snowflake;

/// The version of a path without one, and those that there are.
const DEFAULT_VERSION: u32 = 6;
const VERSIONS: std::ops::RangeInclusive<u32> = 6..=10;

/// A call.
pub(super) struct ApiCall {
    pub(super) version: u32,
    pub(super) target: Result<Target, Refusal>,
    pub(super) query: Query,
    pub(super) body: RawBody,
    pub(super) address: IpAddr,
    /// The `Authorization` header.
    pub(super) authorization: Option<String>,
}

/// What is called.
pub(super) enum Target {
    /// With the id and the token of a webhook.
    Webhook { id: Snowflake, token: String, call: WebhookCall },
    /// With the token of the bot.
    Bot(BotCall),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum WebhookCall {
    Execute,
    Show,
    Modify,
    Delete,
    ShowMessage(Snowflake),
    EditMessage(Snowflake),
    DeleteMessage(Snowflake),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum BotCall {
    ListMessages { channel: Snowflake },
    Publish { channel: Snowflake, message: Snowflake },
    ListWebhooks { channel: Snowflake },
    CreateWebhook { channel: Snowflake },
}

impl WebhookCall {
    pub(super) fn bucket(self) -> Bucket {
        match self {
            Self::Execute => Bucket::Execute,
            Self::Show | Self::Modify | Self::Delete => Bucket::Webhook,
            Self::ShowMessage(_) => Bucket::ShowMessage,
            Self::EditMessage(_) => Bucket::EditMessage,
            Self::DeleteMessage(_) => Bucket::DeleteMessage,
        }
    }
}

impl Target {
    /// The name in the ledger.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Webhook { call, .. } => match call {
                WebhookCall::Execute => "execute",
                WebhookCall::Show => "show_webhook",
                WebhookCall::Modify => "modify_webhook",
                WebhookCall::Delete => "delete_webhook",
                WebhookCall::ShowMessage(_) => "show_message",
                WebhookCall::EditMessage(_) => "edit_message",
                WebhookCall::DeleteMessage(_) => "delete_message",
            },
            Self::Bot(BotCall::ListMessages { .. }) => "list_messages",
            Self::Bot(BotCall::Publish { .. }) => "publish_message",
            Self::Bot(BotCall::ListWebhooks { .. }) => "list_webhooks",
            Self::Bot(BotCall::CreateWebhook { .. }) => "create_webhook",
        }
    }

    pub(super) fn webhook_id(&self) -> Option<Snowflake> {
        match self {
            Self::Webhook { id, .. } => Some(*id),
            Self::Bot(_) => None,
        }
    }

    /// What a method and a path below the version stand for.
    fn parse(method: &str, path: &[&str]) -> Result<Self, Refusal> {
        match path {
            ["webhooks", id, token, rest @ ..] => {
                let id = snowflake("webhook_id", id)?;
                let call = WebhookCall::parse(method, rest)?;
                Ok(Self::Webhook { id, token: (*token).to_owned(), call })
            }
            ["channels", channel, rest @ ..] => {
                let channel = snowflake("channel_id", channel)?;
                BotCall::parse(method, channel, rest).map(Self::Bot)
            }
            _ => Err(Refusal::not_found()),
        }
    }
}

impl WebhookCall {
    fn parse(method: &str, rest: &[&str]) -> Result<Self, Refusal> {
        match (method, rest) {
            ("POST", []) => Ok(Self::Execute),
            ("GET", []) => Ok(Self::Show),
            ("PATCH", []) => Ok(Self::Modify),
            ("DELETE", []) => Ok(Self::Delete),
            ("GET", ["messages", id]) => snowflake("message_id", id).map(Self::ShowMessage),
            ("PATCH", ["messages", id]) => snowflake("message_id", id).map(Self::EditMessage),
            ("DELETE", ["messages", id]) => snowflake("message_id", id).map(Self::DeleteMessage),
            (_, [] | ["messages", _]) => Err(Refusal::method_not_allowed()),
            _ => Err(Refusal::not_found()),
        }
    }
}

impl BotCall {
    fn parse(method: &str, channel: Snowflake, rest: &[&str]) -> Result<Self, Refusal> {
        match (method, rest) {
            ("GET", ["messages"]) => Ok(Self::ListMessages { channel }),
            ("GET", ["webhooks"]) => Ok(Self::ListWebhooks { channel }),
            ("POST", ["webhooks"]) => Ok(Self::CreateWebhook { channel }),
            ("POST", ["messages", message, "crosspost"]) => {
                Ok(Self::Publish { channel, message: snowflake("message_id", message)? })
            }
            (_, ["messages" | "webhooks"] | ["messages", _, "crosspost"]) => Err(Refusal::method_not_allowed()),
            _ => Err(Refusal::not_found()),
        }
    }
}

/// The version that a path below `/api` names, and what the rest stands for.
pub(super) fn parse(method: &str, path: &str) -> (u32, Result<Target, Refusal>) {
    let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
    let named = parts.first().and_then(|part| part.strip_prefix('v')).and_then(|digits| digits.parse().ok());
    match named {
        None => (DEFAULT_VERSION, Target::parse(method, &parts)),
        Some(version) if VERSIONS.contains(&version) => (version, Target::parse(method, &parts[1..])),
        Some(version) => (version, Err(Refusal::new(400, 50_041, "Invalid API version provided"))),
    }
}

fn snowflake(field: &str, text: &str) -> Result<Snowflake, Refusal> {
    let message = || format!("Value \"{text}\" is not snowflake.");
    text.parse().map_err(|_| FormErrors::refusal(field, "NUMBER_TYPE_COERCE", &message()))
}

/// The parameters of a query.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// `true`, `True` and `1`; false by default.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.get(name) {
            Some("true" | "True" | "1") => Ok(true),
            None | Some("false" | "False" | "0" | "") => Ok(false),
            Some(_) => Err(FormErrors::refusal(name, "BOOLEAN_TYPE_CONVERT", "Must be either true or false.")),
        }
    }

    pub(super) fn id(&self, name: &str) -> Result<Option<Snowflake>, Refusal> {
        self.get(name).map(|text| snowflake(name, text)).transpose()
    }

    pub(super) fn number(&self, name: &str, default: usize, max: usize) -> Result<usize, Refusal> {
        let number = self.get(name).map_or(Some(default), |text| text.parse().ok());
        let message = format!("int value should be from 1 to {max}.");
        let number = number.filter(|number| (1..=max).contains(number));
        number.ok_or_else(|| FormErrors::refusal(name, "NUMBER_TYPE_MAX", &message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_without_version_is_of_the_oldest() {
        let (version, target) = parse("POST", "/webhooks/1/abc");
        assert_eq!((version, target.unwrap().name()), (6, "execute"));
        assert_eq!(parse("PATCH", "/v10/webhooks/1/abc/messages/2").1.unwrap().name(), "edit_message");
        let refused = |method, path| parse(method, path).1.err().unwrap().0;
        assert_eq!(refused("POST", "/v5/webhooks/1/abc").code(), Some(50_041));
        assert_eq!(refused("PUT", "/v10/webhooks/1/abc").status, 405);
        assert_eq!(refused("GET", "/v10/guilds/1").status, 404);
        assert_eq!(refused("GET", "/v10/webhooks/x/abc").code(), Some(50_035));
    }
}
