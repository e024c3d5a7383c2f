//! One run of `simulate`: messages with the chosen faults, signed and sent to one callback.

use anyhow::{Context as _, Result, ensure};
use reqwest::StatusCode;
use secrecy::SecretString;
use serde_json::Value;
use showtime::cli::note;
use showtime::clock::Clock;
use showtime::config::Config;
use showtime::program::Program;
use showtime::simulate::answer::ExpectedAnswer;
use showtime::simulate::delivery::{CallbackClient, DeliveryError};
use showtime::simulate::people::Person;
use showtime::simulate::template::EventTemplate;
use showtime::simulate::test_mark::marked;
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp};
use showtime::twitch::eventsub::parse_timestamp;
use showtime::twitch::eventsub::webhook::MAX_AGE;
use showtime::twitch::signature::WebhookSecret;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::args::{MessageFault, SendArgs};
use crate::report::{self, Tally};
use crate::target;

/// A body that is neither JSON nor UTF-8.
const GARBAGE: &[u8] = b"{\"subscription\": \xff\xfe this is no JSON";

pub(crate) struct Session<'a> {
    args: &'a SendArgs,
    secret: WebhookSecret,
    secret_source: String,
    client: CallbackClient,
    /// API token of the server, for servers on this machine only.
    token: Option<SecretString>,
    /// Login of the channel that the server serves, if it is configured.
    channel_name: Option<String>,
    /// Whether the real Twitch is configured.
    is_real: bool,
    clock: Clock,
    count: u32,
    tally: Tally,
}

impl<'a> Session<'a> {
    pub(crate) async fn open(args: &'a SendArgs, count: u32) -> Result<Self> {
        ensure!(
            !(args.has(MessageFault::BadSignature) && args.has(MessageFault::NoSignature)),
            "a message can't both have a bad signature and none"
        );
        ensure!(
            count == 1 || args.message_id.is_none(),
            "--count makes a new id for each, so --message-id can't be one"
        );
        let config = Config::load()?;
        let (secret, secret_source) = target::secret(&args.to, &config)?;
        let (callback, addresses) = target::target(&args.to, &config).await?;
        let client = CallbackClient::new(callback, &addresses)?;
        let token = if args.to.allow_remote { None } else { config.bootstrap_token() };
        let is_real = config.twitch.is_real();
        let (clock, tally) = (Clock::default(), Tally::default());
        let channel_name = config.twitch.channel_name;
        Ok(Self { args, secret, secret_source, client, token, channel_name, is_real, clock, count, tally })
    }

    pub(crate) fn callback(&self) -> &str {
        self.client.callback().as_str()
    }

    /// Makes the id, timestamp and retry counter of a new message. Also returns its time.
    pub(crate) fn stamp(&self) -> Result<(Stamp, OffsetDateTime)> {
        let stale = if self.args.has(MessageFault::Stale) { MAX_AGE + Duration::MINUTE } else { Duration::ZERO };
        let (timestamp, at) = match &self.args.timestamp {
            Some(text) => {
                let at = parse_timestamp(text);
                (text.clone(), at.with_context(|| format!("--timestamp: {text:?} is not a time in RFC 3339"))?)
            }
            None => {
                let at = self.clock.now() - stale;
                (at.format(&Rfc3339)?, at)
            }
        };
        let mut stamp = Stamp { retry: self.args.retry, ..Stamp::new(timestamp) };
        if let Some(id) = &self.args.message_id {
            stamp.message_id.clone_from(id);
        }
        Ok((stamp, at))
    }

    /// The configured channel, with the id and the name that the server knows.
    pub(crate) async fn configured_channel(&self) -> Result<Option<Person>> {
        let Some(login) = self.channel_name.as_deref() else { return Ok(None) };
        let known = self.client.channel(login, self.token.as_ref()).await.ok().flatten();
        let (id, name) = known.map(|channel| (channel.id, channel.display_name)).unwrap_or_default();
        let name = name.filter(|name| !name.is_empty());
        Ok(Person::described(name.as_deref(), Some(login), id.as_deref())?)
    }

    /// Marks a message as a test where it would otherwise change the state of channels of the real Twitch.
    pub(crate) fn mark(&self, message: Outgoing, is_test: bool) -> Outgoing {
        if self.is_real && !is_test && self.tally.sent == 0 {
            note("note: marked as a test, since the real Twitch is configured: it changes no state");
        }
        if is_test || self.is_real { marked(message) } else { message }
    }

    /// For `stream.offline`: asks the server for the id of the channel's live stream. Otherwise the sample's stream would end,
    /// which never began.
    pub(crate) async fn stream_to_end(&self, template: &EventTemplate) -> Result<Option<String>> {
        let names_stream = template.variant.is_some() || template.edits.iter().any(|edit| edit.path() == "id");
        if template.kind.name != "stream.offline" || names_stream {
            return Ok(None);
        }
        let event = template.event(self.clock.now())?;
        let channel_id = event["broadcaster_user_id"].as_str().unwrap_or_default();
        let channel = self.client.channel(channel_id, self.token.as_ref()).await;
        match channel.map(|channel| channel.and_then(|channel| channel.stream)) {
            Ok(Some(stream)) => return Ok(Some(stream.id)),
            Ok(None) => note("note: the server knows no live stream of this channel, so the sample's stream ends"),
            Err(DeliveryError::NotListening(_)) => {}
            Err(error) => {
                note(format_args!("note: the server gives no live stream, so the sample's stream ends ({error})"))
            }
        }
        Ok(None)
    }

    /// Sends a message, twice with the fault `duplicate`. Returns false if the server can't be reached.
    pub(crate) async fn send(
        &mut self,
        mut message: Outgoing,
        event: Option<&Value>,
        expected: ExpectedAnswer,
    ) -> Result<bool> {
        if self.args.has(MessageFault::Garbage) {
            message.body = GARBAGE.to_vec();
        }
        let signature = match () {
            () if self.args.has(MessageFault::NoSignature) => None,
            () if self.args.has(MessageFault::BadSignature) => Some(message.sign(&WebhookSecret::generate())),
            () => Some(message.sign(&self.secret)),
        };
        let expected = self.with_faults(expected);
        if self.tally.sent == 0 {
            let times = if self.count > 1 { format!("{} times ", self.count) } else { String::new() };
            report::print(&format!("{times}to {}: {}", self.callback(), report::sending(&message, event)))?;
        }
        for _ in 0..if self.args.has(MessageFault::Duplicate) { 2 } else { 1 } {
            let answer = match self.client.deliver(&message, signature.as_deref()).await {
                Ok(answer) => answer,
                Err(error @ DeliveryError::Header(_)) => return Err(error.into()),
                Err(error) => {
                    note(format_args!("error: {error}{}", hint(&error)));
                    return Ok(false);
                }
            };
            let is_wrong = expected.objection(&answer).is_some();
            self.tally.count(&answer, is_wrong);
            let number = if self.count > 1 { format!("{:>6}  ", self.tally.sent) } else { String::new() };
            report::print(&format!("{number}{}", report::answer(&answer, &expected)))?;
            if is_wrong && answer.status == StatusCode::FORBIDDEN && self.tally.wrong == 1 {
                note(format_args!("note: signed with the secret of {}; is it the server's?", self.secret_source));
            }
        }
        Ok(true)
    }

    /// Returns the refusal that the message's faults should get, or else the expected answer unchanged.
    fn with_faults(&self, expected: ExpectedAnswer) -> ExpectedAnswer {
        let has = |fault| self.args.has(fault);
        match expected {
            _ if has(MessageFault::BadSignature) || has(MessageFault::NoSignature) || has(MessageFault::Stale) => {
                ExpectedAnswer::Status(StatusCode::FORBIDDEN)
            }
            _ if has(MessageFault::Garbage) => ExpectedAnswer::Status(StatusCode::BAD_REQUEST),
            expected => expected,
        }
    }

    /// Prints the totals. Returns whether all answers were as expected.
    pub(crate) fn finish(self) -> Result<bool> {
        if self.count > 1 {
            report::print(&format!("{}\n", self.tally.summary()))?;
        }
        Ok(self.tally.wrong == 0)
    }
}

impl SendArgs {
    fn has(&self, fault: MessageFault) -> bool {
        self.fault.contains(&fault)
    }
}

fn hint(error: &DeliveryError) -> String {
    match error {
        DeliveryError::NotListening(_) => format!(": start the server with `{}`", Program::Server),
        _ => String::new(),
    }
}
