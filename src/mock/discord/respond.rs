//! The way of a call: faults, ban, limits, effect, ledger.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use super::answer::{Answer, Refusal};
use super::calls::{ApiCall, Target, WebhookCall};
use super::config::DiscordConfig;
use super::drawn::DrawnFaults;
use super::faults::DiscordFault;
use super::ledger::DiscordCall;
use super::limits::{Scope, banned, rate_limited};
use super::snowflake::Snowflake;
use super::state::State;
use super::world::DiscordWorld;

/// What the client gets.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The answer.
    Answer(Answer),
    /// The first half of the answer's body.
    Truncated(Answer),
    /// Nothing: the connection is closed.
    Closed,
}

impl DiscordWorld {
    /// Answers a call. It has its effect even if the client does not wait for the answer.
    pub(super) async fn respond(self: Arc<Self>, call: ApiCall) -> Outcome {
        let fault = self.state().faults.draw();
        self.pause(fault.delay).await;
        let (answer, hang, error) = {
            let mut state = self.state();
            let answer = state.answer(&self.config, &call, fault);
            let faults = &state.faults.settings;
            let error = fault.after.and_then(|fault| fault.answer(faults, call.version));
            (answer, Duration::from_millis(faults.hang_ms), error)
        };
        let Some(answer) = answer else {
            if fault.before == Some(DiscordFault::HangBefore) {
                self.pause(hang).await;
            }
            return Outcome::Closed;
        };
        match fault.after {
            Some(DiscordFault::ResetAfter) => Outcome::Closed,
            Some(DiscordFault::HangAfter) => {
                self.pause(hang).await;
                Outcome::Closed
            }
            Some(DiscordFault::Truncated) => Outcome::Truncated(answer),
            _ => Outcome::Answer(error.unwrap_or(answer)),
        }
    }

    async fn pause(&self, span: Duration) {
        tokio::select! {
            () = self.config.clock.sleep(span) => {}
            () = self.stop.cancelled() => {}
        }
    }
}

impl State {
    /// Answers a call, and keeps it in the ledger. `None` if a fault takes it away.
    fn answer(&mut self, config: &DiscordConfig, call: &ApiCall, fault: DrawnFaults) -> Option<Answer> {
        let now = config.clock.now();
        let answer = if self.limits.is_banned(call.address, now) {
            Some(banned())
        } else if let Some(fault) = fault.before {
            fault.answer(&self.faults.settings, call.version)
        } else {
            Some(self.perform_within_limits(config, call, now))
        };
        if let Some(answer) = &answer {
            self.limits.count_invalid(call.address, answer, config.limits.invalid, now);
        }
        self.ledger.call(DiscordCall {
            at: now,
            call: call.target.as_ref().map_or("unknown", Target::name),
            webhook_id: call.target.as_ref().ok().and_then(Target::webhook_id),
            status: answer.as_ref().map_or(0, |answer| answer.status),
            code: answer.as_ref().and_then(Answer::code),
            fault: fault.before.or(fault.after),
        });
        answer
    }

    fn perform_within_limits(&mut self, config: &DiscordConfig, call: &ApiCall, now: OffsetDateTime) -> Answer {
        let target = match &call.target {
            Ok(target) => target,
            Err(Refusal(answer)) => return answer.clone(),
        };
        let caller = matches!(target, Target::Webhook { .. }).then_some(call.address);
        let global = self.limits.take_global(caller, config.limits.global, now);
        if let Some(usage) = global.filter(|usage| usage.is_exceeded) {
            return rate_limited(usage.left, Scope::Global, None, call.version);
        }
        let (id, token, webhook_call) = match target {
            Target::Webhook { id, token, call } => (*id, token.as_str(), *call),
            Target::Bot(bot_call) => {
                return self.perform_as_bot(config, call, *bot_call, now).unwrap_or_else(|Refusal(answer)| answer);
            }
        };
        let bucket = webhook_call.bucket();
        let usage = self.limits.take_bucket(bucket, id, config.limits.webhook, now);
        let mut answer = match usage.filter(|usage| usage.is_exceeded) {
            Some(usage) => rate_limited(usage.left, Scope::User, None, call.version),
            None => self.perform(config, call, (id, token, webhook_call), now).unwrap_or_else(|Refusal(it)| it),
        };
        answer.headers.extend(usage.iter().flat_map(|usage| usage.headers(bucket)));
        answer
    }

    fn perform(
        &mut self,
        config: &DiscordConfig,
        call: &ApiCall,
        (id, token, webhook_call): (Snowflake, &str, WebhookCall),
        now: OffsetDateTime,
    ) -> Result<Answer, Refusal> {
        let webhook = self.webhooks.get(&id).ok_or_else(Refusal::unknown_webhook)?;
        if webhook.token != *token {
            return Err(Refusal::invalid_token());
        }
        let webhook = webhook.clone();
        match webhook_call {
            WebhookCall::Execute => self.execute(config, &webhook, call, now),
            WebhookCall::Show => Ok(Answer::ok(&webhook.shown())),
            WebhookCall::Modify => self.modify_webhook(&webhook, call),
            WebhookCall::Delete => {
                self.webhooks.remove(&id);
                Ok(Answer::no_content())
            }
            WebhookCall::ShowMessage(message) => {
                let message = self.message_of(&webhook, message, call)?;
                Ok(Answer::ok(&message.shown(&self.members)))
            }
            WebhookCall::EditMessage(message) => self.edit_message(config, &webhook, message, call, now),
            WebhookCall::DeleteMessage(message) => {
                let id = self.message_of(&webhook, message, call)?.id;
                self.delete_message(id, now);
                Ok(Answer::no_content())
            }
        }
    }
}
