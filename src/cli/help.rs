//! `--help` shows a command's options, and `--help-all` the settings as well.

use std::env;

use clap::{Arg, ArgAction, Command, Parser};

use crate::config::settings_help;

/// The option that shows the settings as well.
const ALL: &str = "help-all";

/// Parses the arguments of a program that has settings, or prints what is asked for or wrong, and exits.
#[must_use]
pub fn parse<A: Parser>() -> A {
    let shows_settings = env::args_os().any(|argument| argument.to_str() == Some("--help-all"));
    let settings = shows_settings.then(settings_help);
    let matches = with_help_all(A::command(), settings.as_deref()).get_matches();
    A::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// This command and those below it, with the option, and with these settings at the end of their help.
fn with_help_all(command: Command, settings: Option<&str>) -> Command {
    let option = Arg::new(ALL).long(ALL).action(ArgAction::Help).help("Print help, and all settings");
    let command = command
        .arg(option.help_heading(None::<&'static str>))
        .mut_subcommands(|command| with_help_all(command, settings));
    match (settings, command.get_after_help().map(ToString::to_string)) {
        (None, _) => command,
        (Some(settings), None) => command.after_help(settings.to_owned()),
        (Some(settings), Some(text)) => command.after_help(format!("{text}\n\n{settings}")),
    }
}
