//! Colour, where the output is a terminal that shows it. `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE` and `TERM` are judged by
//! [anstream], as for clap's help.

use std::fmt::Display;
use std::io;

use anstream::{AutoStream, ColorChoice};
use clap::builder::styling::{AnsiColor, Style};

/// What works.
pub const GOOD: Style = AnsiColor::Green.on_default();

/// What is under way, or needs attention.
pub const WARNING: Style = AnsiColor::Yellow.on_default();

/// What does not work.
pub const BAD: Style = AnsiColor::Red.on_default().bold();

/// What names the kind of a line.
pub const KIND: Style = AnsiColor::Cyan.on_default();

/// What is of less interest.
pub const FAINT: Style = Style::new().dimmed();

/// A text in this style, for [`print`](super::print) and [`note`](super::note), which take the style away where it is not shown.
#[must_use]
pub fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Whether colours are shown on stderr.
pub(super) fn is_shown_on_stderr() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}
