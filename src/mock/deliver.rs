//! Delivering: challenges, notifications, revocations; redelivery, and giving up (webhook.md §4, §5).

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::World;
use super::faults::Fate;
use super::state::{Delivery, MAX_HELD, State};
use super::subscriptions::{ENABLED, PENDING};
use crate::simulate::delivery::{Sender, Wanted};
use crate::twitch::catalogue::SubscriptionType;
use crate::twitch::eventsub::outgoing::{Outgoing, Stamp, Subscription, new_challenge};
use crate::twitch::signature::WebhookSecret;

/// How long a message that [`Faults::reorder`](super::Faults::reorder) holds back waits for another.
const HELD_BACK: Duration = Duration::from_secs(2);

/// A challenge has its own status if it fails.
const VERIFICATION_FAILED: &str = "webhook_callback_verification_failed";

/// Too many messages got lost.
const FAILURES_EXCEEDED: &str = "notification_failures_exceeded";

impl World {
    /// Sends the challenge of a subscription, once, and enables it or not.
    pub(super) fn challenge(self: &Arc<Self>, id: &str) {
        let (world, id) = (Arc::clone(self), id.to_owned());
        self.spawn(async move {
            let Some((shown, secret, sender)) = world.target(&id) else { return };
            let challenge = new_challenge();
            let message = Outgoing::challenge(world.stamp(), &shown, &challenge);
            let is_accepted = world.attempt(&sender, &secret, &shown, &message, &Wanted::Echo(challenge), false).await;
            let mut state = world.state();
            if let Some(held) = state.subscription_mut(&id).filter(|held| held.shown.status == PENDING) {
                let status = if is_accepted { ENABLED } else { VERIFICATION_FAILED };
                status.clone_into(&mut held.shown.status);
            }
        });
    }

    /// Sends an event to everyone who is subscribed to it, and says how many that are.
    pub(super) fn notify(self: &Arc<Self>, state: &mut State, kind: &SubscriptionType, event: &Value) -> usize {
        let is_of_kind = |shown: &Subscription| shown.kind == kind.name && shown.version == kind.version;
        let is_wanted = |shown: &Subscription| shown.status == ENABLED && is_of_kind(shown) && concerns(shown, event);
        let shown = state.subscriptions.iter().map(|held| &held.shown);
        let wanted: Vec<_> = shown.filter(|shown| is_wanted(shown)).cloned().collect();
        for shown in &wanted {
            self.dispatch(state, shown, Outgoing::notification(self.stamp(), shown, event));
        }
        wanted.len()
    }

    /// Tells a callback that its subscription has ended.
    pub(super) fn revocation(self: &Arc<Self>, state: &mut State, shown: &Subscription) {
        self.dispatch(state, shown, Outgoing::revocation(self.stamp(), shown));
    }

    fn dispatch(self: &Arc<Self>, state: &mut State, shown: &Subscription, message: Outgoing) {
        let fate = state.draw_fate();
        if fate.is_doubled {
            let twin = Fate { is_doubled: false, is_held_back: false, ..fate };
            self.spawn(deliver(Arc::clone(self), shown.clone(), message.clone(), twin));
        }
        self.spawn(deliver(Arc::clone(self), shown.clone(), message, fate));
    }

    /// Runs until it is done or the mock stops. Beyond a bound it does not run at all.
    fn spawn(&self, delivery: impl Future<Output = ()> + Send + 'static) {
        if self.deliveries.len() >= MAX_HELD {
            tracing::warn!("too many deliveries are under way: one is left out");
            return;
        }
        let stop = self.stop.clone();
        let until_stop = async move {
            stop.run_until_cancelled(delivery).await;
        };
        self.deliveries.spawn_on(until_stop, &self.runtime);
    }

    /// Where a subscription delivers to, as long as it exists.
    fn target(&self, id: &str) -> Option<(Subscription, WebhookSecret, Sender)> {
        let mut state = self.state();
        let held = state.subscription_mut(id)?;
        Some((held.shown.clone(), held.secret.clone(), held.sender.clone()))
    }

    fn stamp(&self) -> Stamp {
        Stamp::new(super::scenario::rfc3339(self.config.clock.now()))
    }

    /// Sends once, logs it, and says whether the answer is as wanted (and has arrived).
    async fn attempt(
        &self,
        sender: &Sender,
        secret: &WebhookSecret,
        shown: &Subscription,
        message: &Outgoing,
        wanted: &Wanted,
        loses_answer: bool,
    ) -> bool {
        let Ok(_slot) = self.delivery_slots.acquire().await else { return false };
        let signature = message.sign(secret);
        let sending = sender.deliver(message, Some(&signature));
        let outcome = match tokio::time::timeout(self.config.delivery_timeout, sending).await {
            Err(_) => Err(format!("no answer within {:?}", self.config.delivery_timeout)),
            Ok(Err(error)) => Err(error.to_string()),
            Ok(Ok(_)) if loses_answer => Err("the answer got lost, on purpose".to_owned()),
            Ok(Ok(answer)) => wanted.objection(&answer).map_or(Ok(answer.status.as_u16()), Err),
        };
        let is_accepted = outcome.is_ok();
        let outcome = outcome.map_or_else(|objection| objection, |status| status.to_string());
        let delivery = Delivery {
            at: self.config.clock.now(),
            message_id: message.stamp.message_id.clone(),
            message_type: message.message_type,
            subscription_type: shown.kind.clone(),
            subscription_id: shown.id.clone(),
            retry: message.stamp.retry,
            is_accepted,
            outcome,
        };
        tracing::info!(
            message.r#type = delivery.message_type,
            subscription.r#type = delivery.subscription_type,
            retry = delivery.retry,
            outcome = delivery.outcome,
            "delivered"
        );
        self.state().note(delivery);
        self.delivered.notify_waiters();
        is_accepted
    }

    /// Counts messages lost in a row, and ends the subscription when they are too many.
    fn settle(self: &Arc<Self>, id: &str, is_accepted: bool) {
        let mut state = self.state();
        let Some(held) = state.subscription_mut(id) else { return };
        held.losses = if is_accepted { 0 } else { held.losses + 1 };
        if held.losses > self.config.tolerated_losses {
            self.end(&mut state, id, FAILURES_EXCEEDED);
        }
    }
}

/// Delivers a message, again and again if need be, while its subscription lives. A revocation is
/// the one thing that a dead subscription still says.
async fn deliver(world: Arc<World>, shown: Subscription, mut message: Outgoing, fate: Fate) {
    let clock = &world.config.clock;
    if fate.is_held_back {
        tokio::select! {
            () = world.delivered.notified() => {}
            () = clock.sleep(HELD_BACK) => {}
        }
    }
    clock.sleep(fate.delay).await;
    let is_revocation = message.message_type == "revocation";
    let mut pauses = world.config.redelivery.iter();
    loop {
        let target = world.target(&shown.id).filter(|(now, ..)| is_revocation || now.status == ENABLED);
        let Some((_, secret, sender)) = target else { return };
        let loses_answer = fate.loses_answer && message.stamp.retry == 0;
        let is_accepted = world.attempt(&sender, &secret, &shown, &message, &Wanted::Taken, loses_answer).await;
        let pause = if is_accepted { None } else { pauses.next() };
        match pause {
            Some(pause) => clock.sleep(*pause).await,
            None if is_revocation => return,
            None => return world.settle(&shown.id, is_accepted),
        }
        message.stamp.retry += 1;
    }
}

/// A field of the condition that the event has too must agree with it. (A condition names the
/// moderator or reader on whose behalf it is read, too, and events don't.)
fn concerns(shown: &Subscription, event: &Value) -> bool {
    shown.condition.iter().all(|(field, id)| event.get(field).is_none_or(|of_event| of_event == id))
}
