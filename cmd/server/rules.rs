//! The commands on rules.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use showtime::api::StoredRuleReport;
use showtime::cli::{self, AsJson, printable, with_database};
use showtime::clock::{Clock, to_text};
use showtime::config::Config;
use showtime::outputs::reactions::rules::compiled::Compiled;
use showtime::outputs::reactions::rules::export::to_toml;
use showtime::outputs::reactions::rules::missing::missing;
use showtime::outputs::reactions::rules::read::from_toml;
use showtime::outputs::reactions::rules::role::Role;
use showtime::outputs::reactions::rules::rule;
use showtime::outputs::reactions::rules::service::{self, Applied, Stored};
use showtime::outputs::reactions::rules::trial::{Trial, TrialResult};
use showtime::store::rules::{self as store, outcomes};

/// Who changes rules here, as their history says.
const BY: &str = "command line";

#[derive(clap::Subcommand)]
pub(crate) enum Rules {
    /// List the stored rules, and what each did last
    List(AsJson),
    /// Write the stored rules as TOML
    Export {
        /// The file, which is replaced; without it, the terminal
        file: Option<PathBuf>,
    },
    /// Replace the stored rules by those of a file, and print what changed
    Apply {
        /// The file; rules that it does not have are removed
        file: PathBuf,
    },
    /// Check a file of rules, and print all errors
    Check {
        /// The file
        file: PathBuf,
    },
    /// Show what each rule would do with a message or an event, without any effect
    Test(Test),
}

#[derive(clap::Args)]
pub(crate) struct Test {
    /// The file of rules; without it, the stored rules
    #[arg(long)]
    file: Option<PathBuf>,
    #[command(flatten)]
    what: What,
    /// The role of the author of the message
    #[arg(long = "as", value_name = "ROLE", default_value = "everyone", value_parser = role)]
    role: Role,
    /// The variant of the sample, such as `anonymous`
    #[arg(long, requires = "event")]
    variant: Option<String>,
    #[command(flatten)]
    format: AsJson,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct What {
    /// A message in chat
    #[arg(long, value_name = "TEXT")]
    chat: Option<String>,
    /// A sample of an event of this type, such as channel.raid
    #[arg(long, value_name = "TYPE")]
    event: Option<String>,
}

fn role(text: &str) -> Result<Role, String> {
    text.parse()
}

pub(crate) async fn run(command: Rules, config: &Config) -> Result<()> {
    match command {
        Rules::List(format) => list(config, format).await,
        Rules::Export { file } => export(config, file.as_deref()).await,
        Rules::Apply { file } => apply(config, &file).await,
        Rules::Check { file } => {
            let rules = read(&file)?;
            cli::print(format!("{} has {} rules, and nothing is wrong with them", file.display(), rules.rules.len()));
            Ok(())
        }
        Rules::Test(test) => {
            let compiled = match &test.file {
                Some(file) => Compiled::of_file(&read(file)?),
                None => stored(config).await?.compile(),
            };
            let results = trial(&test)?.run(&compiled.map_err(anyhow::Error::msg)?);
            if test.format.json {
                return Ok(cli::print_json(&results)?);
            }
            results.iter().for_each(show);
            Ok(())
        }
    }
}

fn read(file: &Path) -> Result<rule::Rules> {
    let text = fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()))?;
    from_toml(&text).map_err(|problems| {
        let problems: Vec<_> = problems.iter().map(|problem| format!("  {problem}")).collect();
        anyhow::Error::msg(format!("{} is wrong:\n{}", file.display(), problems.join("\n")))
    })
}

async fn list(config: &Config, format: AsJson) -> Result<()> {
    let (rows, mut outcomes) = with_database(config, async |connection| {
        cli::require_migrations(connection).await?;
        anyhow::Ok((store::all(&mut *connection).await?, outcomes::all(connection).await?))
    })
    .await?;
    let reports = rows.into_iter().map(|row| {
        let outcome = outcomes.remove(&row.id).unwrap_or_default();
        StoredRuleReport::new(row, outcome)
    });
    let reports: Vec<_> = reports.collect();
    if format.json {
        return Ok(cli::print_json(&reports)?);
    }
    let width = reports.iter().map(|rule| rule.name.len()).max().unwrap_or_default().max(4);
    cli::print(format_args!("{:width$}  state  {:20}  {:20}  refusal", "name", "last fired", "last refused"));
    for StoredRuleReport { name, is_enabled, is_dry, fired_at, refused_at, refusal, .. } in reports {
        let state = if !is_enabled {
            "off"
        } else if is_dry {
            "dry"
        } else {
            "on"
        };
        let [fired, refused] = [fired_at, refused_at].map(|at| at.map_or("never".to_owned(), to_text));
        let refusal = printable(&refusal.unwrap_or_default());
        cli::print(format_args!("{name:width$}  {state:5}  {fired:20}  {refused:20}  {refusal}"));
    }
    Ok(())
}

async fn stored(config: &Config) -> Result<Stored> {
    with_database(config, async |connection| {
        cli::require_migrations(connection).await?;
        Ok(service::read(connection).await?)
    })
    .await
}

async fn export(config: &Config, file: Option<&Path>) -> Result<()> {
    let stored = stored(config).await?;
    if let Some(problem) = stored.unreadable.first() {
        bail!("a stored rule can't be read by this version: {problem}");
    }
    let text = to_toml(&stored.rules);
    match file {
        Some(file) => fs::write(file, text).with_context(|| format!("{} can't be written", file.display()))?,
        None => cli::print(text.trim_end()),
    }
    Ok(())
}

async fn apply(config: &Config, file: &Path) -> Result<()> {
    let rules = read(file)?;
    let count = rules.rules.len();
    let (applied, missing) = with_database(config, async |connection| {
        cli::require_migrations(connection).await?;
        let missing = missing(connection, &rules).await?;
        let applied = service::apply(connection, rules, BY, Clock::default().now()).await;
        anyhow::Ok((applied.context("nothing was changed")?, missing))
    })
    .await?;
    for change in &applied {
        cli::print(printable(&match change {
            Applied::Added(name) => format!("added {name}"),
            Applied::Changed(name, fields) => format!("changed {name}: {}", fields.join(", ")),
            Applied::Moved(name) => format!("moved {name}"),
            Applied::Removed(name) => format!("removed {name}"),
            Applied::SetChanged(fields) => format!("changed for all rules: {}", fields.join(", ")),
        }));
    }
    if applied.is_empty() {
        cli::print(format!("all {count} rules are so already"));
    }
    missing.iter().for_each(|missing| cli::print(printable(missing)));
    Ok(())
}

fn trial(test: &Test) -> Result<Trial> {
    let now = Clock::default().now();
    let trial = match (&test.what.chat, &test.what.event) {
        (Some(text), _) => Trial::chat(text, test.role, now),
        (None, Some(kind)) => Trial::sample(kind, test.variant.as_deref(), now),
        (None, None) => None,
    };
    let Some(trial) = trial else { bail!("there is no sample of this type and variant that is about a channel") };
    Ok(trial)
}

fn show(result: &TrialResult) {
    cli::print(format!("{}: {}", printable(&result.rule), printable(&result.outcome)));
    for action in &result.actions {
        let problem = action.problem.as_ref().map(|problem| format!(" ({problem})")).unwrap_or_default();
        cli::print(printable(&format!("    {} {}{problem}", action.kind, action.params)));
    }
}
