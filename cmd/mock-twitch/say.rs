//! `mock-twitch say`: lets a user write in the chat of a channel.

use clap::Args;
use serde_json::json;
use showtime::cli;

use showtime::mock::ControlClient;

/// The user, the text, and the channel whose chat it is.
#[derive(Debug, Args)]
pub(crate) struct SayArgs {
    /// Display name or login of the user, who is added if need be
    user: String,
    /// What the user writes
    text: String,
    /// Login of the channel [default: the mock's first]
    #[arg(short = 't', long, value_name = "LOGIN")]
    channel: Option<String>,
}

pub(crate) async fn run(control: &ControlClient, args: SayArgs) -> anyhow::Result<()> {
    let SayArgs { user, text, channel } = args;
    let answer = control.post("/mock/say", &json!({ "user": user, "text": text, "channel": channel })).await?;
    let channel = answer["channel"].as_str().unwrap_or_default();
    let id = answer["message_id"].as_str().unwrap_or_default();
    cli::print(format_args!("{user} wrote in the chat of {channel}: message {id}"));
    Ok(())
}
