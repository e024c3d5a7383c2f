//! Delivery of challenges, notifications and revocations, with retries
//! (<https://dev.twitch.tv/docs/eventsub/handling-webhook-events/>).

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::fault_generator::DeliveryFault;
use super::state::{Delivery, Held, MAX_HELD, Route, State, rfc3339};
use super::world::World;
use crate::simulate::answer::ExpectedAnswer;
use crate::simulate::delivery::CallbackClient;
use crate::twitch::catalogue::SubscriptionType;
use crate::twitch::eventsub::outgoing::{Outgoing, Stamp, Subscription, Transport, new_challenge};
use crate::twitch::signature::WebhookSecret;
use crate::twitch::subscription_status::SubscriptionStatus;

/// The longest that [`Faults::reorder`](super::Faults::reorder) holds a message back.
const HELD_BACK: Duration = Duration::from_secs(2);

impl World {
    /// Sends the challenge of a subscription, once, and sets its status by the answer.
    pub(super) fn challenge(self: &Arc<Self>, id: &str) {
        let (world, id) = (Arc::clone(self), id.to_owned());
        self.spawn(async move {
            let Some((shown, secret, client)) = world.target(&id) else { return };
            let challenge = new_challenge();
            let message = Outgoing::challenge(world.stamp(), &shown, &challenge);
            let is_accepted =
                world.attempt(&client, &secret, &shown, &message, &ExpectedAnswer::Challenge(challenge), false).await;
            let mut state = world.state();
            if let Some(held) = state
                .subscription_mut(&id)
                .filter(|held| held.shown.status == SubscriptionStatus::WebhookCallbackVerificationPending)
            {
                held.shown.status = if is_accepted {
                    SubscriptionStatus::Enabled
                } else {
                    SubscriptionStatus::WebhookCallbackVerificationFailed
                };
            }
        });
    }

    /// Sends an event to all its subscribers and returns their number. Connections of IRC that are in the chat get a line about it.
    pub(super) fn notify(self: &Arc<Self>, state: &mut State, kind: &SubscriptionType, event: &Value) -> usize {
        self.send_to_irc(state, &kind.name, event);
        self.notify_where(state, kind, event, |_, _| true)
    }

    /// Sends an event to those of its subscribers whose subscription, by its id, and session are as wanted, and returns their
    /// number.
    pub(super) fn notify_where(
        self: &Arc<Self>,
        state: &mut State,
        kind: &SubscriptionType,
        event: &Value,
        is_wanted: impl Fn(&str, Option<&str>) -> bool,
    ) -> usize {
        let is_of_kind = |shown: &Subscription| shown.kind == kind.name && shown.version == kind.version;
        let matches = |shown: &Subscription| {
            shown.status == SubscriptionStatus::Enabled && is_of_kind(shown) && concerns(shown, event)
        };
        let shown = state.subscriptions.iter().map(|held| &held.shown).filter(|shown| matches(shown));
        let is_wanted_too = |shown: &&Subscription| is_wanted(&shown.id, shown.transport.session_id());
        let subscribed: Vec<_> = shown.filter(is_wanted_too).cloned().collect();
        for shown in &subscribed {
            self.dispatch(state, shown, Outgoing::notification(self.stamp(), shown, event));
        }
        let mut made_up = Subscription::new(kind, event, "");
        let listeners = self.listeners(state, &subscribed, |session_id| is_wanted(&made_up.id, Some(session_id)));
        for session_id in &listeners {
            made_up.transport = Transport::websocket(session_id);
            self.dispatch(state, &made_up, Outgoing::notification(self.stamp(), &made_up, event));
        }
        subscribed.len() + listeners.len()
    }

    /// Sends a callback the end of its subscription.
    pub(super) fn revocation(self: &Arc<Self>, state: &mut State, shown: &Subscription) {
        self.dispatch(state, shown, Outgoing::revocation(self.stamp(), shown));
    }

    fn dispatch(self: &Arc<Self>, state: &mut State, shown: &Subscription, message: Outgoing) {
        if let Some(session_id) = shown.transport.session_id() {
            return self.send_to_session(state, session_id, &message);
        }
        let fault = state.faults.draw_delivery_fault();
        if fault.is_doubled {
            let twin = DeliveryFault { is_doubled: false, is_held_back: false, ..fault };
            self.spawn(deliver(Arc::clone(self), shown.clone(), message.clone(), twin));
        }
        self.spawn(deliver(Arc::clone(self), shown.clone(), message, fault));
    }

    /// Runs a delivery until it is done or the mock stops. When too many are running it is dropped.
    pub(super) fn spawn(&self, delivery: impl Future<Output = ()> + Send + 'static) {
        if self.deliveries.len() >= MAX_HELD {
            tracing::warn!("too many deliveries are running; one is dropped");
            return;
        }
        let stop = self.stop.clone();
        let until_stop = async move {
            stop.run_until_cancelled(delivery).await;
        };
        self.deliveries.spawn_on(until_stop, &self.runtime);
    }

    /// A subscription with its secret and the client of its callback, as long as it exists.
    fn target(&self, id: &str) -> Option<(Subscription, WebhookSecret, CallbackClient)> {
        let mut state = self.state();
        let Held { shown, route: Route::Webhook { secret, client, .. } } = state.subscription_mut(id)? else {
            return None;
        };
        Some((shown.clone(), secret.clone(), client.clone()))
    }

    pub(super) fn stamp(&self) -> Stamp {
        Stamp::new(rfc3339(self.config.clock.now()))
    }

    /// Sends a message once and logs it. Returns whether the expected answer arrived.
    async fn attempt(
        &self,
        client: &CallbackClient,
        secret: &WebhookSecret,
        shown: &Subscription,
        message: &Outgoing,
        expected: &ExpectedAnswer,
        loses_answer: bool,
    ) -> bool {
        let Ok(_slot) = self.delivery_slots.acquire().await else { return false };
        let signature = message.sign(secret);
        let sending = client.deliver(message, Some(&signature));
        let outcome = match tokio::time::timeout(self.config.delivery_timeout, sending).await {
            Err(_) => Err(format!("no answer within {:?}", self.config.delivery_timeout)),
            Ok(Err(error)) => Err(error.to_string()),
            Ok(Ok(_)) if loses_answer => Err("the answer was lost on purpose".to_owned()),
            Ok(Ok(answer)) => expected.objection(&answer).map_or(Ok(answer.status.as_u16()), Err),
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
        self.state().log_delivery(delivery);
        self.delivered.notify_waiters();
        is_accepted
    }

    /// Counts messages lost in a row, and ends the subscription when there are too many.
    fn count_losses(self: &Arc<Self>, id: &str, is_accepted: bool) {
        let mut state = self.state();
        let Some(Held { route: Route::Webhook { losses, .. }, .. }) = state.subscription_mut(id) else { return };
        *losses = if is_accepted { 0 } else { *losses + 1 };
        if *losses > self.config.tolerated_losses {
            self.end(&mut state, id, SubscriptionStatus::NotificationFailuresExceeded);
        }
    }
}

/// Delivers a message, with retries while its subscription is enabled. Only a revocation is delivered for an ended one.
async fn deliver(world: Arc<World>, shown: Subscription, mut message: Outgoing, fault: DeliveryFault) {
    let clock = &world.config.clock;
    if fault.is_held_back {
        tokio::select! {
            () = world.delivered.notified() => {}
            () = clock.sleep(HELD_BACK) => {}
        }
    }
    clock.sleep(fault.delay).await;
    let is_revocation = message.message_type == "revocation";
    let mut pauses = world.config.redelivery.iter();
    loop {
        let target =
            world.target(&shown.id).filter(|(now, ..)| is_revocation || now.status == SubscriptionStatus::Enabled);
        let Some((_, secret, client)) = target else { return };
        let loses_answer = fault.loses_answer && message.stamp.retry == 0;
        let is_accepted =
            world.attempt(&client, &secret, &shown, &message, &ExpectedAnswer::Success, loses_answer).await;
        let pause = if is_accepted { None } else { pauses.next() };
        match pause {
            Some(pause) => clock.sleep(*pause).await,
            None if is_revocation => return,
            None => return world.count_losses(&shown.id, is_accepted),
        }
        message.stamp.retry += 1;
    }
}

/// Whether every field of the condition that is also in the event has the same value there. (The moderator of a condition is
/// the one whose permission is used, that of an event the one who acted.)
fn concerns(shown: &Subscription, event: &Value) -> bool {
    let of_event = |field: &String| event.get(field).filter(|_| field != "moderator_user_id");
    shown.condition.iter().all(|(field, id)| of_event(field).is_none_or(|of_event| of_event == id))
}
