//! What happens on a channel: streams, hype trains, goals, polls, predictions, guests.

use super::fields::Fields;
use super::support::progress;
use super::words::{count, noted, number, said, span};
use crate::message::viewers::STREAM_VIEWERS;

pub(super) fn sentence(kind: &str, it: &Fields<'_>, channel: &str) -> Option<String> {
    Some(match kind {
        "stream.online" => noted(format!("{channel} is live"), it.words("type").filter(|kind| kind != "live")),
        STREAM_VIEWERS => format!("{channel} has {}", count(it.number("viewers"), "viewer")),
        "stream.offline" => format!("{channel} is offline"),
        "channel.update" => {
            let title = it.text("title").map(|title| format!("“{title}”"));
            let category = it.text("category_name");
            match (title, category) {
                (None, category) => said(format!("{channel} updated the channel"), category),
                (title, category) => noted(said(format!("{channel} updated the channel"), title), category),
            }
        }
        "channel.ad_break.begin" => {
            let length = it.number("duration_seconds").map(|seconds| format!(" for {}", span(seconds)));
            format!("{channel} runs ads{}", length.unwrap_or_default())
        }
        "channel.goal.begin" => goal("New goal", it),
        "channel.goal.progress" => goal("Goal", it),
        "channel.goal.end" => match it.get("is_achieved") {
            Some(true) => goal("Goal achieved", it),
            Some(false) => goal("Goal missed", it),
            None => goal("Goal ended", it),
        },
        "channel.hype_train.begin" => said("A hype train began".to_owned(), train(it)),
        "channel.hype_train.progress" => said("The hype train goes on".to_owned(), train(it)),
        "channel.hype_train.end" => said("The hype train ended".to_owned(), train(it)),
        "channel.poll.begin" => question("Poll began", it, "choices", None),
        "channel.poll.progress" => question("Poll", it, "choices", Some("votes")),
        "channel.poll.end" => question("Poll ended", it, "choices", Some("votes")),
        "channel.prediction.begin" => question("Prediction began", it, "outcomes", None),
        "channel.prediction.progress" => question("Prediction", it, "outcomes", Some("channel_points")),
        "channel.prediction.lock" => question("Prediction locked", it, "outcomes", Some("channel_points")),
        "channel.prediction.end" => prediction_end(it),
        _ => return together(kind, it, channel),
    })
}

fn together(kind: &str, it: &Fields<'_>, channel: &str) -> Option<String> {
    let others = || {
        let participants = it.objects("participants").into_iter();
        let names = participants.filter_map(|it| it.name("broadcaster_user")).filter(|name| name != channel);
        Some(names.collect::<Vec<_>>().join(", ")).filter(|names| !names.is_empty())
    };
    let shared = |verb: &str| match others() {
        Some(others) => format!("{channel} {verb} chat with {others}"),
        None => format!("{channel} {verb} chat"),
    };
    Some(match kind {
        "channel.shared_chat.begin" => shared("began to share its"),
        "channel.shared_chat.update" => shared("shares its"),
        "channel.shared_chat.end" => format!("{channel} no longer shares its chat"),
        "channel.guest_star_session.begin" => format!("{channel} began a Guest Star session"),
        "channel.guest_star_session.end" => format!("{channel} ended the Guest Star session"),
        "channel.guest_star_settings.update" => format!("{channel} changed the settings of Guest Star"),
        "channel.guest_star_guest.update" => match (it.name("guest_user"), it.words("state")) {
            (Some(guest), Some(state)) => format!("{guest} is {state} in the Guest Star session"),
            (Some(guest), None) => format!("{guest} changed place in the Guest Star session"),
            (None, _) => format!("A place in the Guest Star session of {channel} changed"),
        },
        _ => return None,
    })
}

/// `New goal: 41 of 100 subscriptions (New microphone)`
fn goal(verb: &str, it: &Fields<'_>) -> String {
    let unit = match it.word("type").as_deref() {
        Some("follow") => Some("followers".to_owned()),
        Some("subscription") => Some("subscription points".to_owned()),
        Some("subscription_count") => Some("subscriptions".to_owned()),
        Some("new_subscription") => Some("new subscription points".to_owned()),
        Some("new_subscription_count") => Some("new subscriptions".to_owned()),
        Some("new_bit") => Some("bits".to_owned()),
        Some("new_cheerer") => Some("new cheerers".to_owned()),
        _ => it.words("type"),
    };
    let parts = [progress(it.number("current_amount"), it.number("target_amount")), unit];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    let count = Some(parts.join(" ")).filter(|count| !count.is_empty());
    noted(said(verb.to_owned(), count), it.text("description"))
}

/// `level 2, 450 of 1,800 points`; at the end, where there is no goal, the points in all.
fn train(it: &Fields<'_>) -> Option<String> {
    let level = it.number("level").map(|level| format!("level {}", number(level)));
    let points = match it.number("goal") {
        Some(goal) => progress(it.number("progress"), Some(goal)),
        None => it.number("total").map(number),
    };
    let parts: Vec<_> = [level, points.map(|points| format!("{points} points"))].into_iter().flatten().collect();
    Some(parts.join(", ")).filter(|parts| !parts.is_empty())
}

/// `Poll ended: Next map? (Forest 17, Desert 12)`
fn question(verb: &str, it: &Fields<'_>, answers: &str, count: Option<&str>) -> String {
    let answer = |it: Fields<'_>| {
        let title = it.text("title")?;
        let count = count.and_then(|count| it.number(count));
        Some(count.map_or_else(|| title.clone(), |count| format!("{title} {}", number(count))))
    };
    let answers: Vec<_> = it.objects(answers).into_iter().filter_map(answer).collect();
    let answers = Some(answers.join(", ")).filter(|answers| !answers.is_empty());
    noted(said(verb.to_owned(), it.text("title")), answers)
}

/// `Prediction resolved: Beat the boss first try? Yes`
fn prediction_end(it: &Fields<'_>) -> String {
    let winner: Option<String> = it.get("winning_outcome_id");
    let is_winner = |outcome: &Fields<'_>| winner.is_some() && outcome.get("id") == winner;
    let winner = it.objects("outcomes").into_iter().find(is_winner).and_then(|outcome| outcome.text("title"));
    let verb =
        it.words("status").map_or_else(|| "Prediction ended".to_owned(), |status| format!("Prediction {status}"));
    let question = said(verb, it.text("title"));
    winner.map_or_else(|| question.clone(), |winner| format!("{question} {winner}"))
}
