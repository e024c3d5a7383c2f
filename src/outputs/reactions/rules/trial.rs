//! Tries rules out: what each makes of a message in chat or of a sample of an event, without any effect.

use serde::Serialize;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use sqlx::types::Json;
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

use super::super::step::CLIP_URL;
use super::compiled::Compiled;
use super::plan::explain;
use super::planned::{PlannedAction, PlannedState};
use super::role::Role;
use super::state::{ChannelFacts, State, ViewerFacts};
use super::verdict::Outcome;
use super::vocabulary::CHAT_MESSAGE;
use crate::store::LogId;
use crate::store::read::events::LoggedEvent;
use crate::twitch::id::ChannelId;
use crate::twitch::{catalogue, samples};

/// How long the stream of a trial has run.
const UPTIME: Duration = Duration::minutes(65);

/// What is tried.
#[derive(Debug)]
pub struct Trial {
    event: LoggedEvent,
    state: State,
}

/// The result of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TrialResult {
    /// The name of the rule.
    pub rule: String,
    /// Whether it reacted.
    pub fired: bool,
    /// What it did, in words: the first check that said no.
    pub outcome: String,
    /// What would be done.
    pub actions: Vec<TrialAction>,
}

/// What would be done.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TrialAction {
    /// The name of the action.
    pub kind: String,
    /// What it says.
    pub params: Value,
    /// Why it can't be done.
    pub problem: Option<String>,
}

impl Trial {
    /// A message in a live chat, by a user with this role.
    #[must_use]
    pub fn chat(text: &str, role: Role, at: OffsetDateTime) -> Option<Self> {
        let mut trial = Self::event(CHAT_MESSAGE, None, at, |event| {
            event["message"] = json!({ "text": text, "fragments": [{ "type": "text", "text": text }] });
            event["badges"] = badges(role);
        })?;
        if role == Role::Follower {
            let user = trial.user()?;
            let channel = trial.event.channel_id.clone()?;
            trial.state.viewers.insert((channel, user), ViewerFacts { is_follower: true, tier: 0 });
        }
        Some(trial)
    }

    /// A sample of an event. `None` if there is none of this type or variant.
    #[must_use]
    pub fn sample(kind: &str, variant: Option<&str>, at: OffsetDateTime) -> Option<Self> {
        Self::event(kind, variant, at, |_| ())
    }

    fn event(kind: &str, variant: Option<&str>, at: OffsetDateTime, change: impl FnOnce(&mut Value)) -> Option<Self> {
        let version = &catalogue::find(kind, None)?.version;
        let mut event: Value = serde_json::from_str(samples::sample(kind, version, variant)?).ok()?;
        change(&mut event);
        let text =
            |event: &Value, fields: [&str; 2]| fields.iter().find_map(|field| Some(event[*field].as_str()?.to_owned()));
        let channel_id: ChannelId = text(&event, ["broadcaster_user_id", "to_broadcaster_user_id"])?.parse().ok()?;
        let facts = ChannelFacts {
            login: text(&event, ["broadcaster_user_login", "to_broadcaster_user_login"]).unwrap_or_default(),
            name: text(&event, ["broadcaster_user_name", "to_broadcaster_user_name"]).unwrap_or_default(),
            title: Some("A title".to_owned()),
            category: Some("A category".to_owned()),
            live_since: Some(at - UPTIME),
            viewers: Some(12),
        };
        let state = State { channels: [(channel_id.clone(), facts)].into(), ..State::default() };
        let event = LoggedEvent {
            id: LogId(1),
            message_id: "a-trial".to_owned(),
            message_type: "notification".to_owned(),
            kind: Some(kind.to_owned()),
            version: Some(version.clone()),
            channel_id: Some(channel_id),
            subscription_id: None,
            occurred_at: at,
            received_at: at,
            is_test: false,
            payload: Json(to_raw_value(&json!({ "event": event })).ok()?),
            channel_login: None,
            channel_name: None,
            repeats: None,
            repeated_on: None,
            is_echo: false,
        };
        Some(Self { event, state })
    }

    fn user(&self) -> Option<String> {
        let payload: Value = serde_json::from_str(self.event.payload.get()).ok()?;
        Some(payload["event"]["chatter_user_id"].as_str()?.to_owned())
    }

    /// What each rule makes of it, in their order.
    #[must_use]
    pub fn run(&self, compiled: &Compiled) -> Vec<TrialResult> {
        let plan = explain(compiled, &self.state, &self.event, self.event.occurred_at);
        let results = compiled.rules.iter().zip(&plan.verdicts).map(|(rule, verdict)| TrialResult {
            rule: rule.rule.name.clone(),
            fired: !matches!(verdict.outcome, Outcome::Refused(_)),
            outcome: verdict.outcome.to_string(),
            actions: plan.actions.iter().filter(|action| action.rule == rule.id).map(TrialAction::from).collect(),
        });
        results.collect()
    }
}

impl From<&PlannedAction> for TrialAction {
    fn from(action: &PlannedAction) -> Self {
        let problem = match &action.state {
            PlannedState::Failed(reason) => Some(reason.clone()),
            PlannedState::Off => Some("a step before it failed".to_owned()),
            _ => None,
        };
        // The address of a clip is not known before the clip is there.
        let params = action.params.to_string().replace(CLIP_URL, "CLIP_URL");
        Self { kind: action.kind.to_owned(), params: serde_json::from_str(&params).unwrap_or_default(), problem }
    }
}

/// The badges of a user with this role.
fn badges(role: Role) -> Value {
    let (set, id) = match role {
        Role::Everyone | Role::Follower => return json!([]),
        Role::Subscriber(tier) if tier > 1 => ("subscriber".to_owned(), format!("{tier}000")),
        Role::Subscriber(_) => ("subscriber".to_owned(), "0".to_owned()),
        role => (role.to_string(), "1".to_owned()),
    };
    json!([{ "set_id": set, "id": id, "info": "" }])
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::outputs::reactions::rules::read::from_toml;

    const NOW: OffsetDateTime = datetime!(2026-03-14 18:00 UTC);

    fn run(trial: Option<Trial>) -> Vec<(String, String, usize)> {
        let rules = from_toml(include_str!("../../../../docs/examples/rules.toml")).unwrap();
        let results = trial.unwrap().run(&Compiled::of_file(&rules).unwrap());
        let results = results.into_iter().filter(|it| it.fired || it.rule == "title");
        results.map(|it| (it.rule, it.outcome, it.actions.len())).collect()
    }

    #[test]
    fn message_is_tried_with_a_role() {
        let fired = [("title".to_owned(), "fired".to_owned(), 2)];
        for role in ["moderator", "broadcaster", "lead_moderator"] {
            assert_eq!(run(Trial::chat("!title Speedrun", role.parse().unwrap(), NOW)), fired);
        }
        let refused = [("title".to_owned(), "only for broadcaster, moderator, mintcomet".to_owned(), 0)];
        for role in ["everyone", "subscriber>=3", "follower", "vip", "founder"] {
            assert_eq!(run(Trial::chat("!title Speedrun", role.parse().unwrap(), NOW)), refused, "{role}");
        }
    }

    #[test]
    fn sample_of_an_event_is_tried() {
        let results = run(Trial::sample("channel.raid", None, NOW));
        assert_eq!(results[0], ("raid".to_owned(), "fired".to_owned(), 2));
        assert!(Trial::sample("channel.rade", None, NOW).is_none());
    }
}
