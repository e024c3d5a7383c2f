//! `mock-discord webhook`: shows the webhooks of a running mock-discord, and makes, moves and deletes them.

use clap::Subcommand;
use serde_json::{Value, json};
use showtime::cli::{self, AsJson};
use showtime::mock::ControlClient;

#[derive(Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    /// Show the webhooks.
    List(AsJson),
    /// Make a webhook.
    Create {
        /// Name or id of its channel
        #[arg(default_value = "go-live")]
        channel: String,
        /// Its name
        #[arg(long, default_value = "Stream alerts")]
        name: String,
        /// It may not mention everyone, nor roles that are not mentionable
        #[arg(long)]
        no_mentions: bool,
    },
    /// Move a webhook to another channel. Its URL stays.
    Move {
        /// Its id
        id: String,
        /// Name or id of the other channel
        channel: String,
    },
    /// Delete a webhook.
    Delete {
        /// Its id
        id: String,
    },
}

pub(crate) async fn run(control: &ControlClient, command: WebhookCommand) -> anyhow::Result<()> {
    match command {
        WebhookCommand::List(format) => {
            let state = control.get("/mock/state").await?;
            if format.json {
                return Ok(cli::print_json(&state["webhooks"])?);
            }
            let webhooks = state["webhooks"].as_array().map(Vec::as_slice).unwrap_or_default();
            webhooks.iter().for_each(show);
        }
        WebhookCommand::Create { channel, name, no_mentions } => {
            let body = json!({ "channel": channel, "name": name, "may_mention_everyone": !no_mentions });
            show(&control.post("/mock/webhooks", &body).await?);
        }
        WebhookCommand::Move { id, channel } => {
            let moved = control.patch(&format!("/mock/webhooks/{id}"), &json!({ "channel": channel })).await?;
            cli::print(format_args!("moved {id} to {}", moved["channel_id"].as_str().unwrap_or_default()));
        }
        WebhookCommand::Delete { id } => {
            control.delete(&format!("/mock/webhooks/{id}")).await?;
            cli::print(format_args!("deleted the webhook {id}"));
        }
    }
    Ok(())
}

fn show(webhook: &Value) {
    let text = |name: &str| webhook[name].as_str().unwrap_or_default();
    let (id, channel, name) = (text("id"), text("channel_id"), cli::printable(text("name")));
    cli::print(format_args!("{id}  token {}  channel {channel}  {name}", text("token")));
}
