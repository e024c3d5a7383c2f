//! One run: with a secret, to a target, with the faults that were asked for.

use anyhow::{Context as _, Result, ensure};
use reqwest::StatusCode;
use secrecy::SecretString;
use serde_json::Value;
use showtime::clock::Clock;
use showtime::config::Config;
use showtime::program::Program;
use showtime::simulate::delivery::{DeliveryError, Sender, Wanted};
use showtime::simulate::event::Recipe;
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp};
use showtime::twitch::eventsub::{self, MAX_AGE};
use showtime::twitch::signature::WebhookSecret;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::args::{Fault, SendArgs};
use crate::report::{self, Tally};
use crate::target;

/// The body of a message that is no JSON, nor even text.
const GARBAGE: &[u8] = b"{\"subscription\": \xff\xfe this is no JSON";

pub(crate) struct Session<'a> {
    args: &'a SendArgs,
    secret: WebhookSecret,
    secret_source: String,
    sender: Sender,
    /// The server's, for servers on this machine only.
    token: Option<SecretString>,
    clock: Clock,
    count: u32,
    tally: Tally,
}

impl<'a> Session<'a> {
    pub(crate) async fn open(args: &'a SendArgs, count: u32) -> Result<Self> {
        ensure!(
            !(args.has(Fault::BadSignature) && args.has(Fault::NoSignature)),
            "a message can't both have a bad signature and none"
        );
        ensure!(
            count == 1 || args.message_id.is_none(),
            "--count makes a new id for each, so --message-id can't be one"
        );
        let config = Config::load()?;
        let (secret, secret_source) = target::secret(&args.to, &config)?;
        let (callback, addresses) = target::target(&args.to, &config).await?;
        let sender = Sender::new(callback, &addresses)?;
        let token = if args.to.allow_remote { None } else { config.bootstrap_token() };
        Ok(Self { args, secret, secret_source, sender, token, clock: Clock::default(), count, tally: Tally::default() })
    }

    pub(crate) fn callback(&self) -> &str {
        self.sender.callback().as_str()
    }

    /// Marks a new message, and tells when it is from.
    pub(crate) fn stamp(&self) -> Result<(Stamp, OffsetDateTime)> {
        let stale = if self.args.has(Fault::Stale) { MAX_AGE + Duration::MINUTE } else { Duration::ZERO };
        let (timestamp, at) = match &self.args.timestamp {
            Some(text) => {
                let at = eventsub::parse_timestamp(text);
                (text.clone(), at.with_context(|| format!("--timestamp: {text:?} is no time as in RFC 3339"))?)
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

    /// For `stream.offline`: the stream that is live on that channel, if the server knows. Without
    /// it the sample's stream would end, of which no `stream.online` has told.
    pub(crate) async fn stream_to_end(&self, recipe: &Recipe) -> Result<Option<String>> {
        let names_stream = recipe.variant.is_some() || recipe.edits.iter().any(|edit| edit.path() == "id");
        if recipe.kind.name != "stream.offline" || names_stream {
            return Ok(None);
        }
        let event = recipe.event(self.clock.now())?;
        let channel_id = event["broadcaster_user_id"].as_str().unwrap_or_default();
        match self.sender.live_stream(channel_id, self.token.as_ref()).await {
            Ok(Some(id)) => return Ok(Some(id)),
            Ok(None) => eprintln!("note: the server knows of no live stream there, so one that it doesn't know ends"),
            Err(DeliveryError::NobodyThere(_)) => {}
            Err(error) => eprintln!("note: which stream is live can't be asked, so the sample's ends ({error})"),
        }
        Ok(None)
    }

    /// Sends a message, and again if that is wanted. False if it makes no sense to go on.
    pub(crate) async fn send(&mut self, mut message: Outgoing, event: Option<&Value>, wanted: Wanted) -> Result<bool> {
        if self.args.has(Fault::Garbage) {
            message.body = GARBAGE.to_vec();
        }
        let signature = match () {
            () if self.args.has(Fault::NoSignature) => None,
            () if self.args.has(Fault::BadSignature) => Some(message.sign(&WebhookSecret::generate())),
            () => Some(message.sign(&self.secret)),
        };
        let wanted = self.unless_faulty(wanted);
        if self.tally.sent == 0 {
            let times = if self.count > 1 { format!("{} times ", self.count) } else { String::new() };
            report::print(&format!("{times}to {}: {}", self.callback(), report::sending(&message, event)))?;
        }
        for _ in 0..if self.args.has(Fault::Duplicate) { 2 } else { 1 } {
            let answer = match self.sender.deliver(&message, signature.as_deref()).await {
                Ok(answer) => answer,
                Err(error @ DeliveryError::Header(_)) => return Err(error.into()),
                Err(error) => {
                    eprintln!("error: {error}{}", hint(&error));
                    return Ok(false);
                }
            };
            let is_wrong = wanted.objection(&answer).is_some();
            self.tally.count(&answer, is_wrong);
            let number = if self.count > 1 { format!("{:>6}  ", self.tally.sent) } else { String::new() };
            report::print(&format!("{number}{}", report::answer(&answer, &wanted)))?;
            if is_wrong && answer.status == StatusCode::FORBIDDEN && self.tally.wrong == 1 {
                eprintln!("note: signed with the secret of {}; is that the server's?", self.secret_source);
            }
        }
        Ok(true)
    }

    /// What is wanted of a message that is as it should be, or else its refusal.
    fn unless_faulty(&self, wanted: Wanted) -> Wanted {
        let has = |fault| self.args.has(fault);
        match wanted {
            _ if has(Fault::BadSignature) || has(Fault::NoSignature) || has(Fault::Stale) => {
                Wanted::Status(StatusCode::FORBIDDEN)
            }
            _ if has(Fault::Garbage) => Wanted::Status(StatusCode::BAD_REQUEST),
            wanted => wanted,
        }
    }

    /// Sums up. Whether all answers were the wanted ones.
    pub(crate) fn finish(self) -> Result<bool> {
        if self.count > 1 {
            report::print(&format!("{}\n", self.tally.summary()))?;
        }
        Ok(self.tally.wrong == 0)
    }
}

impl SendArgs {
    fn has(&self, fault: Fault) -> bool {
        self.fault.contains(&fault)
    }
}

fn hint(error: &DeliveryError) -> String {
    match error {
        DeliveryError::NobodyThere(_) => format!(": start the server with `{}`", Program::Server),
        _ => String::new(),
    }
}
