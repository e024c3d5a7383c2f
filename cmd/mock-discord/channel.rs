//! `mock-discord channel`: shows the channels and threads of a running mock-discord, and makes, changes and deletes them.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};
use showtime::cli::{self, AsJson};
use showtime::mock::ControlClient;

#[derive(Debug, Subcommand)]
pub(crate) enum ChannelCommand {
    /// Show the channels and threads.
    List(AsJson),
    /// Make a channel, or with --parent a thread.
    Create {
        /// Its name
        name: String,
        /// Its kind
        #[arg(long, value_enum, default_value_t = Kind::Text)]
        kind: Kind,
        /// Name or id of the channel that a thread is in
        #[arg(long, conflicts_with = "kind")]
        parent: Option<String>,
    },
    /// Archive a thread.
    Archive {
        /// Its name or id
        channel: String,
    },
    /// Lock a thread.
    Lock {
        /// Its name or id
        channel: String,
    },
    /// Delete a channel or thread, with its webhooks and messages.
    Delete {
        /// Its name or id
        channel: String,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Kind {
    Text,
    Announcement,
    Forum,
    Media,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Announcement => "announcement",
            Self::Forum => "forum",
            Self::Media => "media",
        }
    }
}

pub(crate) async fn run(control: &ControlClient, command: ChannelCommand) -> anyhow::Result<()> {
    let path = |channel: &str| format!("/mock/channels/{channel}");
    match command {
        ChannelCommand::List(format) => {
            let state = control.get("/mock/state").await?;
            if format.json {
                return Ok(cli::print_json(&state["channels"])?);
            }
            let channels = state["channels"].as_array().map(Vec::as_slice).unwrap_or_default();
            channels.iter().for_each(show);
        }
        ChannelCommand::Create { name, kind, parent } => {
            let body = json!({ "name": name, "kind": kind.name(), "parent": parent });
            show(&control.post("/mock/channels", &body).await?);
        }
        ChannelCommand::Archive { channel } => {
            show(&control.patch(&path(&channel), &json!({ "is_archived": true })).await?);
        }
        ChannelCommand::Lock { channel } => {
            show(&control.patch(&path(&channel), &json!({ "is_locked": true })).await?);
        }
        ChannelCommand::Delete { channel } => {
            control.delete(&path(&channel)).await?;
            cli::print(format_args!("deleted {channel}"));
        }
    }
    Ok(())
}

fn show(channel: &Value) {
    let text = |name: &str| cli::printable(channel[name].as_str().unwrap_or_default());
    let state = [("is_archived", ", archived"), ("is_locked", ", locked")];
    let state: String = state.into_iter().filter(|(name, _)| channel[name] == true).map(|(_, words)| words).collect();
    cli::print(format_args!("{}  {}  #{}{state}", text("id"), text("kind"), text("name")));
}
