//! `mock-twitch trigger`: lets an event happen on a running mock-twitch.

use anyhow::bail;
use clap::{Args, ValueEnum};
use rand::RngExt as _;
use serde_json::{Value, json};
use showtime::cli;
use showtime::simulate::template::EventTemplate;
use showtime::twitch::catalogue::SubscriptionType;
use showtime::twitch::catalogue::lookup::{self, KindError};

use crate::subscription::require;
use crate::ws::resolve;
use showtime::mock::ControlClient;

/// The short names of twitch-cli, with the type that each stands for
/// (<https://dev.twitch.tv/docs/cli/event-command/>).
const SHORT_NAMES: [(&str, &str); 48] = [
    ("ad-begin", "channel.ad_break.begin"),
    ("add-moderator", "channel.moderator.add"),
    ("add-redemption", "channel.channel_points_custom_reward_redemption.add"),
    ("add-reward", "channel.channel_points_custom_reward.add"),
    ("ban", "channel.ban"),
    ("channel-gift", "channel.subscription.gift"),
    ("charity-donate", "channel.charity_campaign.donate"),
    ("charity-progress", "channel.charity_campaign.progress"),
    ("charity-start", "channel.charity_campaign.start"),
    ("charity-stop", "channel.charity_campaign.stop"),
    ("cheer", "channel.cheer"),
    ("drop", "drop.entitlement.grant"),
    ("follow", "channel.follow"),
    ("gift", "channel.subscribe"),
    ("goal-begin", "channel.goal.begin"),
    ("goal-end", "channel.goal.end"),
    ("goal-progress", "channel.goal.progress"),
    ("grant", "user.authorization.grant"),
    ("hype-train-begin", "channel.hype_train.begin"),
    ("hype-train-end", "channel.hype_train.end"),
    ("hype-train-progress", "channel.hype_train.progress"),
    ("poll-begin", "channel.poll.begin"),
    ("poll-end", "channel.poll.end"),
    ("poll-progress", "channel.poll.progress"),
    ("prediction-begin", "channel.prediction.begin"),
    ("prediction-end", "channel.prediction.end"),
    ("prediction-lock", "channel.prediction.lock"),
    ("prediction-progress", "channel.prediction.progress"),
    ("raid", "channel.raid"),
    ("remove-moderator", "channel.moderator.remove"),
    ("remove-reward", "channel.channel_points_custom_reward.remove"),
    ("revoke", "user.authorization.revoke"),
    ("shield-mode-begin", "channel.shield_mode.begin"),
    ("shield-mode-end", "channel.shield_mode.end"),
    ("shoutout-create", "channel.shoutout.create"),
    ("shoutout-received", "channel.shoutout.receive"),
    ("stream-change", "channel.update"),
    ("streamdown", "stream.offline"),
    ("streamup", "stream.online"),
    ("subscribe", "channel.subscribe"),
    ("subscribe-end", "channel.subscription.end"),
    ("subscribe-message", "channel.subscription.message"),
    ("transaction", "extension.bits_transaction.create"),
    ("unban", "channel.unban"),
    ("unban-request-create", "channel.unban_request.create"),
    ("unban-request-resolve", "channel.unban_request.resolve"),
    ("unsubscribe", "channel.subscription.end"),
    ("user-update", "user.update"),
];

/// The most events of one command.
const MAX_COUNT: u32 = 100_000;

#[derive(Args, Debug)]
pub(crate) struct TriggerArgs {
    /// The type, such as `channel.follow`, or twitch-cli's short name, such as `follow`.
    r#type: String,
    /// Its version, if not the newest.
    #[arg(short, long)]
    version: Option<String>,
    /// Send it to this session only; its id or the first characters of it.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Send it to this subscription only.
    #[arg(short = 'u', long = "subscription-id", value_name = "ID")]
    subscription: Option<String>,
    /// The channel, by its login or id. The first one if not given.
    #[arg(short, long, value_name = "USER")]
    to_user: Option<String>,
    /// The user, by login or id. A made-up one if not given.
    #[arg(short, long, value_name = "USER")]
    from_user: Option<String>,
    /// How many events.
    #[arg(short, long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_COUNT)))]
    count: u32,
    /// Set a field of the event; may be given many times.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Every subscriber is sent the event, whatever its transport: only here for scripts that say so.
    #[arg(short = 'T', long, hide = true)]
    transport: Option<Transport>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Transport {
    Websocket,
}

pub(crate) async fn run(control: &ControlClient, args: TriggerArgs) -> anyhow::Result<()> {
    let kind = find_type(type_name(&args.r#type), args.version.as_deref())?;
    let mut body = body(control, &args, kind).await?;
    let makes_up_user = args.from_user.is_none() && EventTemplate::plain(kind).names_user();
    let mut messages = 0;
    for _ in 0..args.count {
        if makes_up_user {
            body["user"] = format!("viewer_{:06}", rand::rng().random_range(0..1_000_000)).into();
        }
        let answer = control.post("/mock/events", &body).await?;
        messages += answer["messages"].as_u64().unwrap_or_default();
    }
    if messages == 0 {
        bail!("there is no enabled subscription to {} for this event", kind.name);
    }
    cli::print(format_args!("{}: {messages} {}", kind.name, if messages == 1 { "message" } else { "messages" }));
    Ok(())
}

/// A type that Twitch offers. The error lists all types.
fn find_type(name: &str, version: Option<&str>) -> anyhow::Result<&'static SubscriptionType> {
    match lookup::find(name, version) {
        Err(error @ KindError::Unknown { .. }) => {
            let short: Vec<_> = SHORT_NAMES.iter().map(|(short, _)| *short).collect();
            bail!("{error}; there are:\n  {}\nand for short:\n  {}", lookup::names().join("\n  "), short.join(", "));
        }
        found => Ok(found?),
    }
}

/// The body of `POST /mock/events`.
async fn body(control: &ControlClient, args: &TriggerArgs, kind: &SubscriptionType) -> anyhow::Result<Value> {
    let mut set = args.set.clone();
    if args.r#type == "gift" {
        set.insert(0, "is_gift=true".to_owned());
    }
    let mut body = json!({ "type": kind.name, "version": kind.version, "set": set });
    if let Some(session) = &args.session {
        body["session"] = resolve(control, Some(session)).await?.into();
    }
    if let Some(subscription) = &args.subscription {
        require(control, subscription).await?;
    }
    let named = [("subscription", &args.subscription), ("channel", &args.to_user), ("user", &args.from_user)];
    for (field, value) in named {
        if let Some(value) = value {
            body[field] = value.as_str().into();
        }
    }
    Ok(body)
}

/// The type that a short name stands for; any other name stays.
fn type_name(name: &str) -> &str {
    SHORT_NAMES.iter().find(|(short, _)| *short == name).map_or(name, |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_name_stands_for_a_type() {
        assert_eq!((type_name("cheer"), type_name("channel.raid")), ("channel.cheer", "channel.raid"));
        assert!(SHORT_NAMES.iter().all(|(_, kind)| lookup::names().contains(kind)));
        assert!(SHORT_NAMES.is_sorted());
        let error = find_type("chear", None).unwrap_err().to_string();
        assert!(error.contains("\n  channel.cheer\n") && error.contains(" cheer, "), "{error}");
    }
}
