//! What users and other channels do for a channel.

use super::fields::Fields;
use super::words::{count, money, noted, number, plain, quoted, said, titled};
use crate::twitch::payload::Money;

pub(super) fn sentence(kind: &str, it: &Fields<'_>, channel: &str) -> Option<String> {
    Some(match kind {
        "channel.follow" => format!("{} followed", it.user()),
        "channel.raid" => {
            let (from, to) = (it.named("from_broadcaster_user", "A channel"), it.named("to_broadcaster_user", channel));
            format!("{from} raided {to} with {}", count(it.number("viewers"), "viewer"))
        }
        "channel.cheer" => said(format!("{} cheered {}", it.user(), count(it.number("bits"), "bit")), it.message()),
        "channel.bits.use" => bits(it),
        "channel.custom_power_up_redemption.add" => {
            let power_up = it.object("custom_power_up");
            said(power_up_used(it, power_up.text("title"), power_up.number("bits")), it.text("user_input"))
        }
        "channel.subscribe" if it.flag("is_gift") => noted(format!("{} got a gift sub", it.user()), it.tier()),
        "channel.subscribe" => noted(format!("{} subscribed", it.user()), it.tier()),
        "channel.subscription.message" => said(noted(subscribed(it), it.tier()), it.message()),
        "channel.subscription.gift" => {
            noted(format!("{} gifted {}", it.user(), count(it.number("total"), "sub")), it.tier())
        }
        "channel.subscription.end" => noted(format!("The subscription of {} ended", it.user()), it.tier()),
        "channel.shoutout.create" => {
            format!("{channel} gave {} a shoutout", it.named("to_broadcaster_user", "a channel"))
        }
        "channel.shoutout.receive" => {
            format!("{} gave {channel} a shoutout", it.named("from_broadcaster_user", "A channel"))
        }
        _ => return points(kind, it, channel).or_else(|| charity(kind, it, channel)),
    })
}

fn subscribed(it: &Fields<'_>) -> String {
    match it.number("cumulative_months") {
        Some(months) if months > 1 => format!("{} has subscribed for {}", it.user(), count(Some(months), "month")),
        _ => format!("{} subscribed", it.user()),
    }
}

fn bits(it: &Fields<'_>) -> String {
    let (kind, bits) = (it.word("type").unwrap_or_default(), it.number("bits"));
    let name = || it.object("power_up").words("type").or_else(|| it.object("custom_power_up").text("title"));
    let sentence = match kind.as_str() {
        "cheer" => format!("{} cheered {}", it.user(), count(bits, "bit")),
        "power_up" | "custom_power_up" => power_up_used(it, name(), bits),
        _ => noted(format!("{} used {}", it.user(), count(bits, "bit")), quoted(&plain(&kind))),
    };
    said(sentence, it.message())
}

fn power_up_used(it: &Fields<'_>, title: Option<String>, bits: Option<i64>) -> String {
    let bits = bits.map(|bits| format!(" for {}", count(Some(bits), "bit"))).unwrap_or_default();
    format!("{} used {}{bits}", it.user(), titled("power-up", title))
}

fn points(kind: &str, it: &Fields<'_>, channel: &str) -> Option<String> {
    let cost =
        |cost: Option<i64>| cost.map(|cost| format!(" for {}", count(Some(cost), "channel point"))).unwrap_or_default();
    let reward = it.object("reward");
    Some(match kind {
        "channel.channel_points_custom_reward.add" => {
            format!("{channel} added {}{}", titled("reward", it.text("title")), cost(it.number("cost")))
        }
        "channel.channel_points_custom_reward.update" => {
            let cost = it.number("cost").map(|cost| count(Some(cost), "channel point"));
            noted(format!("{channel} changed {}", titled("reward", it.text("title"))), cost)
        }
        "channel.channel_points_custom_reward.remove" => {
            format!("{channel} removed {}", titled("reward", it.text("title")))
        }
        "channel.channel_points_custom_reward_redemption.add" => {
            let sentence = format!("{} redeemed {}", it.user(), titled("reward", reward.text("title")));
            said(sentence + &cost(reward.number("cost")), it.text("user_input"))
        }
        "channel.channel_points_custom_reward_redemption.update" => {
            let status = it.words("status").unwrap_or_else(|| "changed".to_owned());
            format!("The redemption of {} by {} was {status}", titled("reward", reward.text("title")), it.user())
        }
        "channel.channel_points_automatic_reward_redemption.add" => {
            let price = reward.number("channel_points").or_else(|| reward.number("cost"));
            let sentence = format!("{} redeemed {}", it.user(), titled("reward", reward.words("type")));
            said(sentence + &cost(price), it.message())
        }
        _ => return None,
    })
}

fn charity(kind: &str, it: &Fields<'_>, channel: &str) -> Option<String> {
    let amount = |name: &str| it.get::<Money>(name).map(|amount| money(&amount));
    let charity = it.text("charity_name").unwrap_or_else(|| "charity".to_owned());
    let collected = || match (amount("current_amount"), amount("target_amount")) {
        (Some(current), Some(target)) => format!("{current} of {target}"),
        (Some(current), None) => current,
        _ => "money".to_owned(),
    };
    Some(match kind {
        "channel.charity_campaign.donate" => {
            let amount = amount("amount").map(|amount| format!("{amount} ")).unwrap_or_default();
            format!("{} donated {amount}to {charity}", it.user())
        }
        "channel.charity_campaign.start" => {
            let goal = amount("target_amount").map(|target| format!("goal: {target}"));
            noted(format!("{channel} began to collect for {charity}"), goal)
        }
        "channel.charity_campaign.progress" => format!("{channel} has collected {} for {charity}", collected()),
        "channel.charity_campaign.stop" => format!("{channel} collected {} for {charity}", collected()),
        _ => return None,
    })
}

/// `41 of 100`
pub(super) fn progress(current: Option<i64>, target: Option<i64>) -> Option<String> {
    match (current, target) {
        (Some(current), Some(target)) => Some(format!("{} of {}", number(current), number(target))),
        (Some(only), None) | (None, Some(only)) => Some(number(only)),
        (None, None) => None,
    }
}
