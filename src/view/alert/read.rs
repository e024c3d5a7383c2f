//! From Twitch's payloads to alerts. What may be `null` or missing in them follows
//! payloads/NOTES.md.

use super::What;
use super::types::*;
use crate::view::fields::{Fields, Person};

/// The subscription types that alerts come from.
pub const SOURCES: [&str; 29] = [
    "channel.follow",
    "channel.raid",
    "channel.cheer",
    "channel.bits.use",
    "channel.custom_power_up_redemption.add",
    "channel.subscribe",
    "channel.subscription.message",
    "channel.subscription.gift",
    "channel.hype_train.begin",
    "channel.hype_train.progress",
    "channel.hype_train.end",
    "channel.channel_points_custom_reward_redemption.add",
    "channel.channel_points_automatic_reward_redemption.add",
    "channel.goal.begin",
    "channel.goal.progress",
    "channel.goal.end",
    "channel.charity_campaign.donate",
    "channel.charity_campaign.start",
    "channel.charity_campaign.progress",
    "channel.charity_campaign.stop",
    "channel.poll.begin",
    "channel.poll.progress",
    "channel.poll.end",
    "channel.prediction.begin",
    "channel.prediction.progress",
    "channel.prediction.lock",
    "channel.prediction.end",
    "channel.ad_break.begin",
    "channel.shoutout.receive",
];

pub(super) fn what(kind: &str, event: Fields<'_>) -> Option<What> {
    Some(match kind {
        "channel.follow" => What::Follow(Follow { user: user(event)? }),
        "channel.raid" => {
            What::Raid(Raid { user: event.person("from_broadcaster_user_")?, viewers: event.number("viewers")? })
        }
        "channel.cheer" => {
            What::Cheer(Cheer { user: giver(event)?, bits: event.number("bits")?, message: event.words("message") })
        }
        "channel.bits.use" => What::PowerUp(power_up(event)?),
        "channel.custom_power_up_redemption.add" => What::PowerUp(custom_power_up(event)?),
        "channel.subscribe" if event.flag("is_gift") != Some(true) => {
            What::Subscribe(Subscribe { user: user(event)?, tier: event.text("tier")? })
        }
        "channel.subscription.message" => What::Resubscribe(Resubscribe {
            user: user(event)?,
            tier: event.text("tier")?,
            months: event.number("cumulative_months")?,
            streak_months: event.number("streak_months"),
            message: event.object("message").and_then(|message| message.words("text")),
        }),
        "channel.subscription.gift" => What::Gift(Gift {
            user: giver(event)?,
            tier: event.text("tier")?,
            total: event.number("total")?,
            cumulative_total: event.number("cumulative_total"),
        }),
        "channel.hype_train.begin" => What::HypeTrainBegin(hype_train(event)?),
        "channel.hype_train.progress" => What::HypeTrainProgress(hype_train(event)?),
        "channel.hype_train.end" => What::HypeTrainEnd(hype_train(event)?),
        "channel.channel_points_custom_reward_redemption.add" => What::Redemption(redemption(event)?),
        "channel.channel_points_automatic_reward_redemption.add" => What::Redemption(automatic_redemption(event)?),
        "channel.goal.begin" => What::GoalBegin(goal(event)?),
        "channel.goal.progress" => What::GoalProgress(goal(event)?),
        "channel.goal.end" => What::GoalEnd(goal(event)?),
        "channel.charity_campaign.donate" => What::CharityDonation(CharityDonation {
            user: user(event)?,
            amount: money(event, "amount")?,
            charity: charity(event)?,
        }),
        "channel.charity_campaign.start" => What::CharityCampaignBegin(campaign(event)?),
        "channel.charity_campaign.progress" => What::CharityCampaignProgress(campaign(event)?),
        "channel.charity_campaign.stop" => What::CharityCampaignEnd(campaign(event)?),
        "channel.poll.begin" => What::PollBegin(poll(event)?),
        "channel.poll.progress" => What::PollProgress(poll(event)?),
        "channel.poll.end" => What::PollEnd(poll(event)?),
        "channel.prediction.begin" => What::PredictionBegin(prediction(event)?),
        "channel.prediction.progress" => What::PredictionProgress(prediction(event)?),
        "channel.prediction.lock" => What::PredictionLock(prediction(event)?),
        "channel.prediction.end" => What::PredictionEnd(prediction(event)?),
        "channel.ad_break.begin" => What::AdBreakBegin(AdBreak {
            duration_seconds: number_or_text(event, "duration_seconds")?,
            is_automatic: event.flag("is_automatic").or(event.str("is_automatic").map(|text| text == "true"))?,
        }),
        "channel.shoutout.receive" => What::ShoutoutReceived(Shoutout {
            user: event.person("from_broadcaster_user_")?,
            viewers: event.number("viewer_count")?,
        }),
        _ => return None,
    })
}

fn user(event: Fields<'_>) -> Option<Person> {
    event.person("user_")
}

/// Somebody who may want to stay unnamed: `Some(None)`.
fn giver(event: Fields<'_>) -> Option<Option<Person>> {
    if event.flag("is_anonymous")? { Some(None) } else { user(event).map(Some) }
}

/// Numbers that Twitch's own examples print as strings.
fn number_or_text(event: Fields<'_>, name: &str) -> Option<i64> {
    event.number(name).or_else(|| event.str(name)?.parse().ok())
}

/// What was cheered is told by `channel.cheer`, and what was redeemed by
/// `channel.custom_power_up_redemption.add`.
fn power_up(event: Fields<'_>) -> Option<PowerUp> {
    let used = event.object("power_up").filter(|_| event.str("type") == Some("power_up"))?;
    Some(PowerUp {
        user: user(event)?,
        bits: event.number("bits")?,
        power_up: used.text("type")?,
        title: None,
        message: event.object("message").and_then(|message| message.words("text")),
    })
}

fn custom_power_up(event: Fields<'_>) -> Option<PowerUp> {
    let used = event.object("custom_power_up")?;
    Some(PowerUp {
        user: user(event)?,
        bits: used.number("bits")?,
        power_up: "custom".to_owned(),
        title: used.text("title"),
        message: event.words("user_input"),
    })
}

fn hype_train(event: Fields<'_>) -> Option<HypeTrain> {
    let contribution =
        |it: Fields<'_>| Some(Contribution { user: user(it)?, kind: it.text("type")?, total: it.number("total")? });
    Some(HypeTrain {
        hype_train_id: event.text("id")?,
        level: event.number("level")?,
        total: event.number("total")?,
        progress: event.number("progress"),
        goal: event.number("goal"),
        expires_at: event.time("expires_at"),
        train_type: event.text("type"),
        top_contributions: event.list("top_contributions").filter_map(contribution).collect(),
    })
}

fn redemption(event: Fields<'_>) -> Option<Redemption> {
    let reward = event.object("reward")?;
    Some(Redemption {
        user: user(event)?,
        reward: Reward { id: reward.text("id"), title: reward.text("title")?, cost: reward.number("cost")? },
        message: event.words("user_input"),
    })
}

/// Version 2 calls the cost `channel_points`.
fn automatic_redemption(event: Fields<'_>) -> Option<Redemption> {
    let reward = event.object("reward")?;
    let cost = reward.number("channel_points").or_else(|| reward.number("cost"))?;
    Some(Redemption {
        user: user(event)?,
        reward: Reward { id: None, title: reward.text("type")?, cost },
        message: event.object("message").and_then(|message| message.words("text")),
    })
}

fn goal(event: Fields<'_>) -> Option<Goal> {
    Some(Goal {
        goal_id: event.text("id")?,
        kind: event.text("type")?,
        description: event.words("description"),
        current: event.number("current_amount")?,
        target: event.number("target_amount")?,
        is_achieved: event.flag("is_achieved"),
    })
}

fn money(event: Fields<'_>, name: &str) -> Option<Money> {
    let amount = event.object(name)?;
    Some(Money {
        value: amount.number("value")?,
        decimal_places: amount.number("decimal_places")?,
        currency: amount.text("currency")?,
    })
}

fn charity(event: Fields<'_>) -> Option<Charity> {
    Some(Charity {
        name: event.text("charity_name")?,
        description: event.words("charity_description"),
        logo: event.words("charity_logo"),
        website: event.words("charity_website"),
    })
}

fn campaign(event: Fields<'_>) -> Option<CharityCampaign> {
    Some(CharityCampaign {
        campaign_id: event.text("id")?,
        charity: charity(event)?,
        current: money(event, "current_amount")?,
        target: money(event, "target_amount")?,
    })
}

/// Votes are counted from the first `progress` on.
fn poll(event: Fields<'_>) -> Option<Poll> {
    let choice = |it: Fields<'_>| {
        Some(Choice { id: it.text("id")?, title: it.text("title")?, votes: it.number("votes").unwrap_or(0) })
    };
    Some(Poll {
        poll_id: event.text("id")?,
        title: event.text("title")?,
        choices: event.list("choices").map(choice).collect::<Option<_>>()?,
        ends_at: event.time("ends_at").or_else(|| event.time("ended_at"))?,
        status: event.text("status"),
    })
}

fn prediction(event: Fields<'_>) -> Option<Prediction> {
    let outcome = |it: Fields<'_>| {
        Some(Outcome {
            id: it.text("id")?,
            title: it.text("title")?,
            color: it.words("color"),
            users: it.number("users").unwrap_or(0),
            channel_points: it.number("channel_points").unwrap_or(0),
        })
    };
    Some(Prediction {
        prediction_id: event.text("id")?,
        title: event.text("title")?,
        outcomes: event.list("outcomes").map(outcome).collect::<Option<_>>()?,
        winning_outcome_id: event.words("winning_outcome_id"),
        status: event.text("status"),
    })
}
