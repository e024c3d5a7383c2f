//! The commands on rules.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use showtime::cli;
use showtime::clock::Clock;
use showtime::outputs::reactions::rules::compiled::Compiled;
use showtime::outputs::reactions::rules::read::from_toml;
use showtime::outputs::reactions::rules::role::Role;
use showtime::outputs::reactions::rules::rule;
use showtime::outputs::reactions::rules::trial::{Trial, TrialResult};

#[derive(clap::Subcommand)]
pub(crate) enum Rules {
    /// Say everything that is wrong in a file of rules
    Check {
        /// The file
        file: PathBuf,
    },
    /// Say what each rule makes of a message or an event, without any effect
    Test(Test),
}

#[derive(clap::Args)]
pub(crate) struct Test {
    /// The file of rules
    #[arg(long)]
    file: PathBuf,
    #[command(flatten)]
    what: What,
    /// The role of the author of the message
    #[arg(long = "as", value_name = "ROLE", default_value = "everyone", value_parser = role)]
    role: Role,
    /// The variant of the sample, such as `anonymous`
    #[arg(long, requires = "event")]
    variant: Option<String>,
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

pub(crate) fn run(command: Rules) -> Result<()> {
    match command {
        Rules::Check { file } => {
            let rules = read(&file)?;
            cli::print(format!("{} has {} rules, and nothing is wrong with them", file.display(), rules.rules.len()));
        }
        Rules::Test(test) => {
            let compiled = Compiled::of_file(&read(&test.file)?).map_err(anyhow::Error::msg)?;
            trial(&test)?.run(&compiled).iter().for_each(show);
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<rule::Rules> {
    let text = fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()))?;
    from_toml(&text).map_err(|problems| {
        let problems: Vec<_> = problems.iter().map(|problem| format!("  {problem}")).collect();
        anyhow::Error::msg(format!("{} is wrong:\n{}", file.display(), problems.join("\n")))
    })
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
    cli::print(format!("{}: {}", cli::printable(&result.rule), cli::printable(&result.outcome)));
    for action in &result.actions {
        let problem = action.problem.as_ref().map(|problem| format!(" ({problem})")).unwrap_or_default();
        cli::print(cli::printable(&format!("    {} {}{problem}", action.kind, action.params)));
    }
}
