//! The commands on chats.

use anyhow::{Result, bail};
use serde::Serialize;
use showtime::api::ChatReading;
use showtime::cli::{self, AsJson, with_database};
use showtime::config::Config;
use showtime::store::chat::{self, ChatChoice, ChatEdit, ChatMode, ChatSetting};
use showtime::store::read::channels;

#[derive(clap::Subcommand)]
pub(crate) enum Chat {
    /// List the channels, and how the chat of each is read
    List(AsJson),
    /// Set how the chat of a channel is read
    Set {
        /// The channel's login or id
        channel: String,
        /// When it is read: off, live, always, or default for what the rules need
        #[arg(value_name = "WHEN", value_parser = mode, required_unless_present = "membership")]
        mode: Option<ChatChoice>,
        /// Whether events report who enters and leaves
        #[arg(long, value_name = "true|false")]
        membership: Option<bool>,
    },
}

/// The chat of a channel, as the API has it, with the channel's login.
#[derive(Serialize)]
struct ChatOfChannel {
    channel: String,
    #[serde(flatten)]
    reading: ChatReading,
}

fn mode(text: &str) -> Result<ChatChoice, String> {
    text.parse().map_err(|_| "must be off, live, always or default".to_owned())
}

pub(crate) async fn run(command: Chat, config: &Config) -> Result<()> {
    with_database(config, async |connection| {
        cli::require_migrations(connection).await?;
        match command {
            Chat::List(AsJson { json: true }) => {
                let of_channel = |(channel, setting)| ChatOfChannel { channel, reading: ChatReading::from(setting) };
                let chats = chat::all(&mut *connection).await?;
                cli::print_json(&chats.into_iter().map(of_channel).collect::<Vec<_>>())?;
            }
            Chat::List(_) => {
                chat::all(&mut *connection).await?.iter().for_each(|(login, setting)| show(login, *setting));
            }
            Chat::Set { channel, mode, membership } => {
                let id = channels::find(&mut *connection, &channel).await?;
                let edit = ChatEdit { mode, membership };
                let is_set = match &id {
                    Some(id) => chat::set(&mut *connection, id, edit).await?,
                    None => false,
                };
                let setting = match &id {
                    Some(id) if is_set => chat::get(&mut *connection, id).await?,
                    _ => None,
                };
                match setting {
                    Some(setting) => show(&channel, setting),
                    None => bail!("{channel} is not served: `server chat list` shows the channels"),
                }
            }
        }
        Ok(())
    })
    .await
}

fn show(channel: &str, setting: ChatSetting) {
    let ChatSetting { mode, is_default, membership, has_eventsub } = setting;
    let source = match (mode, has_eventsub) {
        (_, true) => "messages come from EventSub",
        (ChatMode::Off, false) => "it is not read",
        (_, false) => "messages come over IRC",
    };
    let default = if is_default { ", as the rules need it" } else { "" };
    let membership = if membership { ", and who comes and leaves" } else { "" };
    cli::print(format_args!("{channel}: {mode}{default} ({source}{membership})"));
}
