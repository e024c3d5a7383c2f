//! Rules, compiled once, so that each event meets only the few that may react to it.

use std::collections::{HashMap, HashSet};

use regex::{Regex, RegexSet, RegexSetBuilder};

use super::check_step::texts;
use super::command::Command;
use super::filter::{self, CompiledFilter};
use super::occurrence::Occurrence;
use super::problem::Path;
use super::rule::{Rule, Rules};
use super::state::RuleId;
use super::template::Templates;
use super::vocabulary::STREAM_ONLINE;
use super::when::Conditions;

/// The most memory that the set of all regular expressions may take, in bytes.
const MAX_SET_SIZE: usize = 64 << 20;

/// The most reactions of a rule that writes, on a channel in a minute.
const MAX_PER_MINUTE: u32 = 10;

/// A rule, compiled.
#[derive(Debug)]
pub struct CompiledRule {
    /// Its id.
    pub id: RuleId,
    /// Its revision.
    pub revision: i32,
    /// As it was written.
    pub rule: Rule,
    /// Whether it only records what it would do.
    pub is_dry: bool,
    /// Whether it moderates the user of the event.
    pub moderates_sender: bool,
    /// The most reactions on a channel in a minute.
    pub max_per_minute: Option<u32>,
    /// The regular expression.
    pub regex: Option<Regex>,
    /// The filter.
    pub filter: Option<CompiledFilter>,
}

/// All rules, compiled.
#[derive(Debug, Default)]
pub struct Compiled {
    /// In the order in which they see an event.
    pub rules: Vec<CompiledRule>,
    /// The templates of all steps.
    pub templates: Templates,
    /// The conditions of all rules.
    pub conditions: Conditions,
    /// Users that no rule reacts to.
    pub ignored: HashSet<String>,
    /// Whether a rule can let a message through.
    pub has_permits: bool,
    by_type: HashMap<String, Vec<usize>>,
    by_command: HashMap<String, Vec<usize>>,
    filters: Vec<usize>,
    messages: RegexSet,
    by_message: Vec<usize>,
    /// The places of the rules with a timer.
    pub timers: Vec<usize>,
}

impl Compiled {
    /// Compiles rules that were checked. The function gives the id and the revision of each.
    ///
    /// # Errors
    /// Why they can't be compiled.
    pub fn new(rules: &Rules, identify: impl Fn(usize, &Rule) -> (RuleId, i32)) -> Result<Self, String> {
        let ignored = rules.ignore_users.iter().map(|user| user.trim_start_matches('@').to_lowercase()).collect();
        let mut compiled = Self { ignored, ..Self::default() };
        let mut patterns = Vec::new();
        for (place, rule) in rules.rules.iter().enumerate() {
            let (id, revision) = identify(place, rule);
            compiled.add(place, rule, (id, revision), rules.dry, &mut patterns)?;
        }
        let mut set = RegexSetBuilder::new(patterns);
        compiled.messages =
            set.size_limit(MAX_SET_SIZE).dfa_size_limit(MAX_SET_SIZE).build().map_err(|error| error.to_string())?;
        Ok(compiled)
    }

    /// Compiles rules that are in no database: their ids are their places, counted from 1.
    ///
    /// # Errors
    /// Why they can't be compiled.
    pub fn of_file(rules: &Rules) -> Result<Self, String> {
        Self::new(rules, |place, _| (RuleId(i64::try_from(place).unwrap_or(i64::MAX).saturating_add(1)), 0))
    }

    fn add(
        &mut self,
        place: usize,
        rule: &Rule,
        (id, revision): (RuleId, i32),
        is_dry: bool,
        patterns: &mut Vec<String>,
    ) -> Result<(), String> {
        let named = |message: String| format!("rule `{}`: {message}", rule.name);
        for kind in &rule.on.0 {
            self.by_type.entry(kind.clone()).or_default().push(place);
        }
        for command in &rule.command.0 {
            self.by_command.entry(command.to_lowercase()).or_default().push(place);
        }
        let regex = rule.message.as_deref().map(filter::regex).transpose().map_err(named)?;
        if let Some(pattern) = &rule.message {
            self.by_message.push(place);
            patterns.push(pattern.clone());
        }
        let filter = rule.filter.as_ref().map(CompiledFilter::new).transpose().map_err(|error| named(error.message))?;
        self.filters.extend(filter.iter().map(|_| place));
        self.timers.extend(rule.timer.iter().map(|_| place));
        self.has_permits |= rule.permit && rule.enabled;
        if let Some(condition) = &rule.when {
            self.conditions.add(condition).map_err(|(message, _)| named(message))?;
        }
        self.add_templates(rule).map_err(named)?;
        let moderates = rule.steps.iter().any(|step| step.action.moderates());
        let moderates_sender = rule.steps.iter().any(|step| step.action.moderates_sender());
        // What moderates writes nothing that could call other bots, and is needed most when there is much of it.
        let max_per_minute = rule.max_per_minute.or(if moderates { None } else { Some(MAX_PER_MINUTE) });
        let is_dry = is_dry || rule.dry;
        let rule = rule.clone();
        self.rules.push(CompiledRule { id, revision, rule, is_dry, moderates_sender, max_per_minute, regex, filter });
        Ok(())
    }

    fn add_templates(&mut self, rule: &Rule) -> Result<(), String> {
        let mut result = Ok(());
        for step in &rule.steps {
            let tree = serde_json::to_value(&step.action).map_err(|error| error.to_string())?;
            texts(&tree, &Path::default(), &mut |_, source| {
                if let Err((message, _)) = self.templates.add(source) {
                    result = Err(message);
                }
            });
        }
        result
    }

    /// The places of the rules that wait for something like this, in their order.
    #[must_use]
    pub fn candidates(&self, occurrence: &Occurrence) -> Vec<usize> {
        let mut places = self.by_type.get(&occurrence.kind).cloned().unwrap_or_default();
        if let Some(chat) = &occurrence.chat {
            let command = Command::new(&chat.text, chat.is_reply);
            places.extend(command.and_then(|command| self.by_command.get(&command.name)).into_iter().flatten());
            places.extend(self.messages.matches(&chat.text).into_iter().map(|index| self.by_message[index]));
            places.extend(&self.filters);
        }
        places.sort_unstable();
        places.dedup();
        places
    }

    /// Whether it may have a consequence: a rule waits for it, or a timer or a permit does.
    #[must_use]
    pub fn is_relevant(&self, occurrence: &Occurrence) -> bool {
        let is_timed = !self.timers.is_empty() && (occurrence.chat.is_some() || occurrence.kind == STREAM_ONLINE);
        is_timed || (self.has_permits && occurrence.chat.is_some()) || !self.candidates(occurrence).is_empty()
    }

    /// Whether something has to be done at a time: a timer, or the end of a batch.
    #[must_use]
    pub fn is_timed(&self) -> bool {
        !self.timers.is_empty() || self.rules.iter().any(|rule| rule.rule.batch.is_some())
    }

    /// A rule by its id.
    #[must_use]
    pub fn find(&self, id: RuleId) -> Option<&CompiledRule> {
        self.rules.iter().find(|rule| rule.id == id)
    }
}
