//! What is wrong in rules, where, and what was probably meant.

use std::fmt;

/// The similarity, from 0 to 1, from which a name is proposed.
const MIN_SIMILARITY: f64 = 0.6;

/// The most names that are listed where none is similar.
const MAX_LISTED: usize = 45;

/// A step of a path into the tree of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// A field.
    Key(String),
    /// An item of a list.
    Index(usize),
}

/// Where something is in the tree, from the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(pub Vec<Segment>);

impl Path {
    /// The place of a rule.
    #[must_use]
    pub fn of_rule(index: usize) -> Self {
        Self::default().key("rule").index(index)
    }

    /// This place as one in its rule.
    #[must_use]
    pub fn in_rule(&self) -> Self {
        match self.0.as_slice() {
            [Segment::Key(rule), Segment::Index(_), rest @ ..] if rule == "rule" => Self(rest.to_vec()),
            _ => self.clone(),
        }
    }

    /// The place of a field in this one.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.with(Segment::Key(key.to_owned()))
    }

    /// The place of an item in this one.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    fn with(&self, segment: Segment) -> Self {
        Self(self.0.iter().cloned().chain([segment]).collect())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if place == 0 => f.write_str(key)?,
                Segment::Key(key) => write!(f, ".{key}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// A place in a file, both counted from 1; the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// Something wrong in rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The name of the rule, if it has one.
    pub rule: Option<String>,
    /// Where in the tree.
    pub path: Path,
    /// Where in the file; `None` if the rules came as JSON.
    pub position: Option<Position>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub proposal: Option<String>,
}

impl Problem {
    /// A problem at a place, without a proposal.
    #[must_use]
    pub fn new(path: Path, message: impl Into<String>) -> Self {
        Self { rule: None, path, position: None, message: message.into(), proposal: None }
    }

    /// The same with a proposal.
    #[must_use]
    pub fn propose(self, proposal: impl Into<String>) -> Self {
        Self { proposal: Some(proposal.into()), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Position { line, column }) = self.position {
            write!(f, "line {line}, column {column}, ")?;
        }
        if let Some(rule) = &self.rule {
            write!(f, "rule `{rule}`, ")?;
        }
        // A path into a named rule begins at the rule.
        let path = if self.rule.is_some() { self.path.in_rule() } else { self.path.clone() };
        if !path.0.is_empty() {
            write!(f, "{path}: ")?;
        }
        f.write_str(&self.message)?;
        self.proposal.as_ref().map_or(Ok(()), |proposal| write!(f, "; {proposal}"))
    }
}

/// The known name that is most similar to this one.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let similarity = |known: &str| strsim::normalized_damerau_levenshtein(&known.to_lowercase(), &name);
    let scored = known.into_iter().map(|known| (similarity(known), known));
    let best = scored.filter(|(score, _)| *score >= MIN_SIMILARITY).max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.map(|(_, known)| known)
}

/// What to write instead of this name: the nearest of those that are known, or else all of them.
#[must_use]
pub fn proposal(name: &str, known: &[&str]) -> Option<String> {
    match nearest(name, known.iter().copied()) {
        Some(nearest) => Some(format!("did you mean `{nearest}`?")),
        None if known.is_empty() || known.len() > MAX_LISTED => None,
        None => Some(format!("known are {}", known.join(", "))),
    }
}
