//! `mock-twitch subscription`: overwrites the status of a subscription, in what Helix shows.

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};
use showtime::cli;

use showtime::mock::ControlClient;

/// Twitch's names
/// (<https://dev.twitch.tv/docs/api/reference/#get-eventsub-subscriptions>).
const STATUSES: [&str; 18] = [
    "enabled",
    "webhook_callback_verification_pending",
    "webhook_callback_verification_failed",
    "notification_failures_exceeded",
    "authorization_revoked",
    "moderator_removed",
    "user_removed",
    "chat_user_banned",
    "version_removed",
    "beta_maintenance",
    "websocket_disconnected",
    "websocket_failed_ping_pong",
    "websocket_received_inbound_traffic",
    "websocket_connection_unused",
    "websocket_internal_error",
    "websocket_network_timeout",
    "websocket_network_error",
    "websocket_failed_to_reconnect",
];

#[derive(Args, Debug)]
pub(crate) struct SubscriptionArgs {
    /// The subscription's id.
    #[arg(long, value_name = "ID")]
    subscription: String,
    /// Its new status, by Twitch's name or twitch-cli's (`revoked`, `network_timeout`). No message is sent.
    #[arg(long)]
    status: String,
}

pub(crate) async fn run(control: &ControlClient, args: SubscriptionArgs) -> anyhow::Result<()> {
    let SubscriptionArgs { subscription, status } = args;
    let status = status_name(&status)?;
    require(control, &subscription).await?;
    control.post(&format!("/mock/subscriptions/{subscription}/status"), &json!({ "status": status })).await?;
    cli::print(format_args!("{subscription} is {status}"));
    Ok(())
}

/// Fails with a list of all subscriptions unless there is one with this id.
pub(crate) async fn require(control: &ControlClient, id: &str) -> anyhow::Result<()> {
    let state = control.get("/mock/state").await?;
    let held = state["subscriptions"].as_array().map_or(&[][..], Vec::as_slice);
    if held.iter().any(|held| held["id"] == *id) {
        return Ok(());
    }
    let known: Vec<_> = held.iter().map(line).collect();
    match known.as_slice() {
        [] => bail!("there is no subscription"),
        known => bail!("there is no subscription {id}; there are:\n{}", known.join("\n")),
    }
}

fn line(held: &Value) -> String {
    let text = |field: &str| held[field].as_str().unwrap_or_default().to_owned();
    format!("  {}  {} v{}  {}", text("id"), text("type"), text("version"), text("status"))
}

/// Twitch's name of a status.
fn status_name(status: &str) -> anyhow::Result<&str> {
    match status {
        "revoked" => Ok("authorization_revoked"),
        "network_timeout" => Ok("websocket_network_timeout"),
        known if STATUSES.contains(&known) => Ok(known),
        _ => bail!("there is no status {status}; there are:\n  {}", STATUSES.join("\n  ")),
    }
}

#[cfg(test)]
mod tests {
    use showtime::twitch::subscription_status::SubscriptionStatus;

    use super::*;

    #[test]
    fn status_has_twitchs_name_and_that_of_twitch_cli() {
        assert_eq!(status_name("revoked").unwrap(), "authorization_revoked");
        assert_eq!(status_name("websocket_disconnected").unwrap(), "websocket_disconnected");
        assert!(
            status_name("gone")
                .unwrap_err()
                .to_string()
                .starts_with("there is no status gone; there are:\n  enabled\n")
        );
        assert!(STATUSES.iter().all(|name| !matches!(SubscriptionStatus::from(*name), SubscriptionStatus::Other(_))));
    }
}
