//! Reads rules from TOML or JSON: the same tree, with every problem at its place.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment as ErrorSegment;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::check;
use super::problem::{Path, Position, Problem, Segment, proposal};
use super::rule::{Rule, Rules};
use super::rule_step::{CONTINUE, RuleAction, RuleStep};

/// The largest file, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// Where the rules are in the tree.
const RULES: &str = "rule";

/// Where the steps are in a rule.
const STEPS: &str = "do";

/// Reads a file.
///
/// # Errors
/// All that is wrong, each with its line and column.
pub fn from_toml(text: &str) -> Result<Rules, Vec<Problem>> {
    if text.len() > MAX_BYTES {
        return Err(vec![Problem::new(Path::default(), format!("rules of more than {MAX_BYTES} bytes are too many"))]);
    }
    let syntax = |error: toml::de::Error| {
        let mut problem = Problem::new(Path::default(), error.message().lines().collect::<Vec<_>>().join(" "));
        problem.position = error.span().map(|span| position(text, span.start));
        vec![problem]
    };
    let places = DeTable::parse(text).map_err(syntax)?;
    let tree: Value = toml::from_str(text).map_err(syntax)?;
    from_json(tree).map_err(|mut problems| {
        for problem in &mut problems {
            problem.position = Some(position(text, offset(&places, &problem.path)));
        }
        problems
    })
}

/// Reads a tree.
///
/// # Errors
/// All that is wrong.
pub fn from_json(tree: Value) -> Result<Rules, Vec<Problem>> {
    let Value::Object(mut tree) = tree else {
        return Err(vec![Problem::new(Path::default(), "rules are a table with a list `rule`")]);
    };
    let root = Path::default();
    let items = match tree.remove(RULES) {
        None => Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(vec![Problem::new(root.key(RULES), "must be a list: write [[rule]]")]),
    };
    let mut problems = Vec::new();
    let mut rules: Rules = keep(&mut problems, read(Value::Object(tree), &root)).unwrap_or_default();
    let mut names = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        names.push(item.get("name").and_then(Value::as_str).map(str::to_owned));
        match read_rule(item, &Path::of_rule(index)) {
            Ok(rule) => rules.rules.push(rule),
            Err(wrong) => problems.extend(wrong),
        }
    }
    // A rule that can't be read would move the others.
    if problems.is_empty() {
        problems = check::problems(&rules);
    }
    if problems.is_empty() {
        return Ok(rules);
    }
    for problem in &mut problems {
        if let [Segment::Key(key), Segment::Index(index), ..] = problem.path.0.as_slice()
            && key == RULES
        {
            problem.rule = names.get(*index).cloned().flatten();
        }
    }
    Err(problems)
}

/// Reads one rule.
///
/// # Errors
/// All that is wrong, each at its place in the rule.
pub fn rule_from_json(tree: Value) -> Result<Rule, Vec<Problem>> {
    let mut rules = from_json(serde_json::json!({ RULES: [tree] }))?;
    rules.rules.pop().ok_or_else(|| vec![Problem::new(Path::default(), "there is no rule")])
}

fn keep<T>(problems: &mut Vec<Problem>, result: Result<T, Problem>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

fn read_rule(rule: Value, path: &Path) -> Result<Rule, Vec<Problem>> {
    let Value::Object(mut fields) = rule else {
        return Err(vec![Problem::new(path.clone(), "a rule is a table")]);
    };
    let mut problems = Vec::new();
    let steps = match fields.remove(STEPS) {
        None => Vec::new(),
        Some(Value::Array(steps)) => steps,
        Some(_) => {
            problems
                .push(Problem::new(path.key(STEPS), "must be a list of steps").propose("write do = [{ say = \"…\" }]"));
            Vec::new()
        }
    };
    let rule: Option<Rule> = keep(&mut problems, read(Value::Object(fields), path));
    let steps = steps.into_iter().enumerate().filter_map(|(index, step)| {
        let step = read_step(step, &path.key(STEPS).index(index));
        keep(&mut problems, step)
    });
    let steps: Vec<_> = steps.collect();
    match rule {
        Some(rule) if problems.is_empty() => Ok(Rule { steps, ..rule }),
        _ => Err(problems),
    }
}

fn read_step(step: Value, path: &Path) -> Result<RuleStep, Problem> {
    let known = RuleAction::names();
    let Value::Object(mut fields) = step else {
        return Err(Problem::new(path.clone(), "a step is a table with one action").propose("write { say = \"…\" }"));
    };
    let continues = match fields.remove(CONTINUE) {
        None => false,
        Some(Value::Bool(continues)) => continues,
        Some(_) => return Err(Problem::new(path.key(CONTINUE), "must be true or false")),
    };
    let names: Vec<_> = fields.keys().cloned().collect();
    let [name] = names.as_slice() else {
        let message = match names.as_slice() {
            [] => "the step has no action".to_owned(),
            names => format!("the step has {} actions: {}", names.len(), names.join(", ")),
        };
        return Err(Problem::new(path.clone(), message).propose("write one action in each step"));
    };
    if !known.contains(&name.as_str()) {
        let message = format!("there is no action `{name}`");
        return Err(Problem { proposal: proposal(name, known), ..Problem::new(path.key(name), message) });
    }
    let action = read(Value::Object(fields), path)?;
    Ok(RuleStep { action, continues })
}

/// Reads a value of the tree, whose path is known.
fn read<T: DeserializeOwned>(value: Value, path: &Path) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let mut place = path.clone();
        for segment in error.path() {
            place = match segment {
                ErrorSegment::Seq { index } => place.index(*index),
                ErrorSegment::Map { key } => place.key(key),
                ErrorSegment::Enum { variant } => place.key(variant),
                ErrorSegment::Unknown => place,
            };
        }
        explain(place, &error.into_inner().to_string())
    })
}

/// Takes apart what serde says of a name that is not known: `` unknown field `x`, expected one of `y`, `z` ``.
fn explain(path: Path, message: &str) -> Problem {
    let quoted: Vec<_> = message.split('`').skip(1).step_by(2).collect();
    match (quoted.as_slice(), message.split(' ').next()) {
        ([name, known @ ..], Some("unknown")) => {
            let what = message.split('`').next().unwrap_or_default().trim();
            let is_there = path.0.last() == Some(&Segment::Key((*name).to_owned()));
            let path = if is_there || what != "unknown field" { path } else { path.key(name) };
            Problem { proposal: proposal(name, known), ..Problem::new(path, format!("{what} `{name}`")) }
        }
        _ => Problem::new(path, message),
    }
}

/// Where the nearest thing to a path begins in the file, in bytes.
fn offset(places: &Spanned<DeTable<'_>>, path: &Path) -> usize {
    let mut found = places.span().start;
    let mut table = Some(places.get_ref());
    let mut array = None;
    for segment in &path.0 {
        let value: Option<&Spanned<DeValue<'_>>> = match segment {
            Segment::Key(key) => {
                let entry =
                    table.and_then(|table| table.iter().find(|(name, _)| name.get_ref().as_ref() == key.as_str()));
                entry.map(|(name, value)| {
                    found = name.span().start;
                    value
                })
            }
            Segment::Index(index) => {
                array.and_then(|array: &toml::de::DeArray<'_>| array.get(*index)).inspect(|value| {
                    found = value.span().start;
                })
            }
        };
        let Some(value) = value else { break };
        table = value.get_ref().as_table();
        array = value.get_ref().as_array();
    }
    found
}

fn position(text: &str, offset: usize) -> Position {
    let before = &text[..offset.min(text.len())];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
}

/// The rules as a tree, from which [`from_json`] makes the same rules.
#[must_use]
pub fn to_json(rules: &Rules) -> Value {
    serde_json::to_value(rules).unwrap_or_else(|_| Value::Object(Map::new()))
}
