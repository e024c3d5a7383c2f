//! `sinks apply`: the sinks of a file.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};
use showtime::cli;
use showtime::config::Config;
use showtime::outputs::sink::apply::{self, Applied};
use showtime::outputs::sink::service::{self, SinkChange};
use showtime::store::LogId;
use showtime::store::followers::Start;
use showtime::store::sinks::SinkKind;
use sqlx::{Connection as _, PgConnection};

use super::webhooks;

/// The sinks, by name; each has the fields that `POST /sinks` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    sinks: BTreeMap<String, Sink>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sink {
    #[serde(default)]
    kind: SinkKind,
    url: Option<SecretString>,
    types: Option<Vec<String>>,
    channels: Option<Vec<String>>,
    #[serde(default)]
    settings: Map<String, Value>,
    /// Where a new one begins.
    after: Option<i64>,
}

/// Adds and changes sinks as the file says, all or none of them, and says what changed.
pub(super) async fn run(connection: &mut PgConnection, config: &Config, path: &Path) -> Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()))?;
    let file = parse(&text).with_context(|| format!("{} is wrong, and nothing was changed", path.display()))?;
    let mut transaction = connection.begin().await?;
    let (mut lines, mut keys) = (Vec::new(), Vec::new());
    for (name, sink) in &file.sinks {
        let (url, types, channels) = (sink.url.clone(), sink.types.clone(), sink.channels.clone());
        let change = SinkChange { url, types, channels, settings: sink.settings.clone() };
        let start = sink.after.map_or(Start::Now, |after| Start::After(LogId(after)));
        let applied = apply::apply(&mut transaction, config, (sink.kind, name), change, start).await;
        lines.push(match applied.with_context(|| format!("the sink {name} is wrong, and nothing was changed"))? {
            Applied::Added(key) => {
                keys.extend(key.map(|key| (name, key)));
                format!("added {name}")
            }
            Applied::Changed(fields) if fields.is_empty() => format!("{name} is so already"),
            Applied::Changed(fields) => format!("changed {name}: {}", fields.join(", ")),
        });
    }
    let others = service::list(&mut transaction).await?.into_iter().map(|sink| sink.name);
    let others: Vec<_> = others.filter(|name| !file.sinks.contains_key(name)).collect();
    transaction.commit().await?;
    lines.extend(others.iter().map(|name| format!("{name} is not in the file, and stays")));
    for line in lines {
        cli::print(line);
    }
    for (name, key) in keys {
        cli::print(format_args!("{name}:"));
        webhooks::print_key(&key);
    }
    Ok(())
}

/// Reads the file. Its errors show nothing of its text, which may hold passwords.
fn parse(text: &str) -> Result<File> {
    toml::from_str(text).or_else(|error| {
        let before = error.span().and_then(|span| text.as_bytes().get(..span.start)).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        bail!("line {line}: {}", error.message())
    })
}
