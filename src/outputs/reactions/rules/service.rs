//! What the API and the command line do with the stored rules.

use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use time::OffsetDateTime;

use super::check;
use super::compiled::Compiled;
use super::needs;
use super::problem::{Path, Problem};
use super::read::{from_json, rule_from_json};
use super::rule::{Rule, Rules};
use super::state::RuleId;
use crate::store::rules::change::{self, RuleChange};
use crate::store::rules::{self as store, RuleSet, StoredRule};
use crate::store::signals::Channel;

/// Why rules can't be changed.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// There is one of this name.
    #[error("there is a rule named `{0}` already: choose another name, or replace it")]
    Exists(String),
    /// There is none of this name.
    #[error("there is no rule `{0}`")]
    NotFound(String),
    /// They are wrong: each problem, at least one.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Problem>),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// What became of a rule that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It is new.
    Added(String),
    /// These fields are others than before.
    Changed(String, Vec<String>),
    /// It has another place among the rules.
    Moved(String),
    /// It is gone.
    Removed(String),
    /// What all rules have in common is another: these fields.
    SetChanged(Vec<String>),
}

/// The stored rules.
#[derive(Debug)]
pub struct Stored {
    /// What all have in common.
    pub set: RuleSet,
    /// As they are stored.
    pub rows: Vec<StoredRule>,
    /// Those that this version can read.
    pub rules: Rules,
    /// Their ids and revisions, in the same order.
    pub ids: Vec<(RuleId, i32)>,
    /// Why it can't read the others.
    pub unreadable: Vec<String>,
}

impl Stored {
    /// Compiles them.
    ///
    /// # Errors
    /// Why they can't be compiled.
    pub fn compile(&self) -> Result<Compiled, String> {
        Compiled::new(&self.rules, |place, _| self.ids.get(place).copied().unwrap_or((RuleId(0), 0)))
    }

    fn row(&self, name: &str) -> Option<&StoredRule> {
        self.rows.iter().find(|row| row.name == name)
    }
}

/// The stored rules.
///
/// # Errors
/// If the database fails.
pub async fn read(db: &mut PgConnection) -> sqlx::Result<Stored> {
    let set = store::set(&mut *db).await?;
    let rows = store::all(&mut *db).await?;
    let ignore_users = set.ignore_users.clone().unwrap_or_else(|| Rules::default().ignore_users);
    let mut rules = Rules { bot: set.bot.clone(), ignore_users, dry: set.is_dry, rules: Vec::new() };
    let (mut ids, mut unreadable) = (Vec::new(), Vec::new());
    for row in &rows {
        match from_json(json!({ "rule": [row.body] })) {
            Ok(mut one) => {
                rules.rules.append(&mut one.rules);
                ids.push((RuleId(row.id), row.revision));
            }
            Err(problems) => unreadable.extend(problems.first().map(ToString::to_string)),
        }
    }
    Ok(Stored { set, rows, rules, ids, unreadable })
}

/// Makes the stored rules these, and says what that changed. Rules that are not among them are removed.
///
/// # Errors
/// [`RuleError`]
pub async fn apply(
    db: &mut PgConnection,
    rules: Rules,
    by: &str,
    now: OffsetDateTime,
) -> Result<Vec<Applied>, RuleError> {
    edit(db, by, now, |stored, _| {
        let names: Vec<_> = stored.rows.iter().map(|row| row.name.clone()).collect();
        Ok((rules, names))
    })
    .await
}

/// Adds a rule, after all others.
///
/// # Errors
/// [`RuleError`]
pub async fn add(db: &mut PgConnection, rule: Rule, by: &str, now: OffsetDateTime) -> Result<(), RuleError> {
    let added = edit(db, by, now, |stored, mut rules| {
        if stored.row(&rule.name).is_some() {
            return Err(RuleError::Exists(rule.name));
        }
        rules.rules.push(rule);
        Ok((rules, Vec::new()))
    });
    added.await.map(drop)
}

/// Replaces the rule of this name.
///
/// # Errors
/// [`RuleError`]
pub async fn replace(db: &mut PgConnection, rule: Rule, by: &str, now: OffsetDateTime) -> Result<(), RuleError> {
    let replaced = edit(db, by, now, |stored, mut rules| {
        match rules.rules.iter_mut().find(|known| known.name == rule.name) {
            Some(known) => *known = rule,
            // This version can't read it.
            None if stored.row(&rule.name).is_some() => rules.rules.push(rule),
            None => return Err(RuleError::NotFound(rule.name)),
        }
        Ok((rules, Vec::new()))
    });
    replaced.await.map(drop)
}

/// Turns the rule of this name on or off, or its dry run.
///
/// # Errors
/// [`RuleError`]
pub async fn switch(
    db: &mut PgConnection,
    name: &str,
    (is_enabled, is_dry): (Option<bool>, Option<bool>),
    by: &str,
    now: OffsetDateTime,
) -> Result<(), RuleError> {
    let switched = edit(db, by, now, |stored, mut rules| {
        let Some(rule) = rules.rules.iter_mut().find(|rule| rule.name == name) else {
            let row = stored.row(name).ok_or_else(|| RuleError::NotFound(name.to_owned()))?;
            return Err(RuleError::Invalid(rule_from_json(row.body.clone()).err().unwrap_or_default()));
        };
        rule.enabled = is_enabled.unwrap_or(rule.enabled);
        rule.dry = is_dry.unwrap_or(rule.dry);
        Ok((rules, Vec::new()))
    });
    switched.await.map(drop)
}

/// Removes the rule of this name, and what is known of its past.
///
/// # Errors
/// [`RuleError`]
pub async fn remove(db: &mut PgConnection, name: &str, by: &str, now: OffsetDateTime) -> Result<(), RuleError> {
    let removed = edit(db, by, now, |stored, mut rules| {
        if stored.row(name).is_none() {
            return Err(RuleError::NotFound(name.to_owned()));
        }
        rules.rules.retain(|rule| rule.name != name);
        Ok((rules, vec![name.to_owned()]))
    });
    removed.await.map(drop)
}

/// Changes what all rules have in common.
///
/// # Errors
/// [`RuleError`]
pub async fn change_set(
    db: &mut PgConnection,
    change: impl FnOnce(&mut Rules),
    by: &str,
    now: OffsetDateTime,
) -> Result<(), RuleError> {
    let changed = edit(db, by, now, |_, mut rules| {
        change(&mut rules);
        Ok((rules, Vec::new()))
    });
    changed.await.map(drop)
}

/// Changes the rules in a transaction of its own. The function gets those that are stored, and returns those that shall be, and
/// the names of those to remove that are not among them.
async fn edit(
    db: &mut PgConnection,
    by: &str,
    now: OffsetDateTime,
    change: impl FnOnce(&Stored, Rules) -> Result<(Rules, Vec<String>), RuleError>,
) -> Result<Vec<Applied>, RuleError> {
    let mut transaction = db.begin().await?;
    store::lock(&mut *transaction).await?;
    let before = read(&mut transaction).await?;
    let (after, removed) = change(&before, before.rules.clone())?;
    let problems = check::problems(&after);
    if !problems.is_empty() {
        return Err(RuleError::Invalid(problems));
    }
    Compiled::of_file(&after).map_err(|error| RuleError::Invalid(vec![Problem::new(Path::default(), error)]))?;
    let applied = save(&mut transaction, &before, &after, &removed, (by, now)).await?;
    transaction.commit().await?;
    Ok(applied)
}

async fn save(
    db: &mut PgConnection,
    before: &Stored,
    after: &Rules,
    removed: &[String],
    (by, at): (&str, OffsetDateTime),
) -> sqlx::Result<Vec<Applied>> {
    let mut applied = Vec::new();
    for name in removed.iter().filter(|name| !after.rules.iter().any(|rule| rule.name == **name)) {
        let Some(row) = before.row(name) else { continue };
        let new = RuleChange { name, position: row.position, body: &row.body, types: &[], channels: &[], by, at };
        change::remove(&mut *db, row.id, new).await?;
        applied.push(Applied::Removed(name.clone()));
    }
    for (place, rule) in after.rules.iter().enumerate() {
        let body = json!(rule);
        let position = i32::try_from(place).unwrap_or(i32::MAX);
        let (types, channels) = (needs::types(rule), needs::channels(rule));
        let new = RuleChange { name: &rule.name, position, body: &body, types: &types, channels: &channels, by, at };
        let Some(row) = before.row(&rule.name) else {
            change::add(&mut *db, new).await?;
            applied.push(Applied::Added(rule.name.clone()));
            continue;
        };
        if row.position != position {
            change::place(&mut *db, row.id, position).await?;
        }
        if !is_same(&row.body, &body) {
            change::change(&mut *db, row.id, new).await?;
            applied.push(Applied::Changed(rule.name.clone(), differences(&row.body, &body)));
        } else if row.position != position {
            applied.push(Applied::Moved(rule.name.clone()));
        }
    }
    let common = |rules: &Rules| json!(Rules { rules: Vec::new(), ..rules.clone() });
    let fields = differences(&common(&before.rules), &common(after));
    if !fields.is_empty() {
        applied.push(Applied::SetChanged(fields));
    }
    if !applied.is_empty() {
        store::save_set(&mut *db, after.bot.as_deref(), &after.ignore_users, after.dry).await?;
        // They may need other chats and subscriptions.
        Channel::Chat.notify(&mut *db, "").await?;
        Channel::Reconcile.notify(&mut *db, "").await?;
    }
    Ok(applied)
}

/// The fields that are not the same in both.
fn differences(before: &Value, after: &Value) -> Vec<String> {
    let names = |tree: &Value| tree.as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default();
    let mut fields: Vec<String> = names(before);
    fields.extend(names(after));
    fields.sort_unstable();
    fields.dedup();
    fields.retain(|field| match (before.get(field), after.get(field)) {
        (Some(before), Some(after)) => !is_same(before, after),
        _ => true,
    });
    fields
}

/// Whether two trees say the same: Postgres writes the number 1e20 as an integer, which may be read with another last digit.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
            (a - b).abs() <= a.abs() * 4.0 * f64::EPSILON
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| is_same(a, b)))
        }
        (a, b) => a == b,
    }
}
