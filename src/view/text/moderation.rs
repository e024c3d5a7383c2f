//! What moderators and AutoMod do.

use time::Duration;

use super::fields::Fields;
use super::words::{count, noted, said, span, titled};

pub(super) fn sentence(kind: &str, it: &Fields<'_>, channel: &str) -> Option<String> {
    let (user, moderator) = (it.user(), it.moderator());
    Some(match kind {
        "channel.ban" => ban(it, &user, &moderator),
        "channel.unban" => format!("{moderator} unbanned {user}"),
        "channel.unban_request.create" => said(format!("{user} asks to be unbanned"), it.text("text")),
        "channel.unban_request.resolve" => {
            let status = it.words("status").unwrap_or_else(|| "resolved".to_owned());
            let sentence = match it.name("moderator_user") {
                Some(moderator) => format!("{moderator} {status} the unban request of {user}"),
                None => format!("The unban request of {user} was {status}"),
            };
            said(sentence, it.text("resolution_text"))
        }
        "channel.warning.send" => {
            said(format!("{moderator} warned {user}"), it.text("reason").or_else(|| it.list("chat_rules_cited")))
        }
        "channel.warning.acknowledge" => format!("{user} acknowledged a warning"),
        "channel.moderator.add" => format!("{user} is a moderator now"),
        "channel.moderator.remove" => format!("{user} is no longer a moderator"),
        "channel.vip.add" => format!("{user} is a VIP now"),
        "channel.vip.remove" => format!("{user} is no longer a VIP"),
        "channel.shield_mode.begin" => format!("{moderator} switched Shield Mode on"),
        "channel.shield_mode.end" => format!("{moderator} switched Shield Mode off"),
        "channel.suspicious_user.message" => {
            let sentence = noted(format!("{user}, a suspicious user"), it.words("low_trust_status"));
            said(format!("{sentence}, wrote"), it.message())
        }
        "channel.suspicious_user.update" => match it.words("low_trust_status").as_deref() {
            Some("none") => format!("{moderator} no longer treats {user} as suspicious"),
            status => noted(format!("{moderator} treats {user} as suspicious"), status.map(str::to_owned)),
        },
        "channel.moderate" => action(it, &moderator, channel),
        _ => return automod(kind, it, &user),
    })
}

fn ban(it: &Fields<'_>, user: &str, moderator: &str) -> String {
    let length = it.time("ends_at").zip(it.time("banned_at")).map(|(end, begin)| end - begin);
    let length = length.map(|length| span((length + Duration::milliseconds(500)).whole_seconds()));
    let sentence = match (length, it.get("is_permanent")) {
        (Some(length), _) => format!("{moderator} timed out {user} for {length}"),
        (None, Some(false)) => format!("{moderator} timed out {user}"),
        (None, _) => format!("{moderator} banned {user}"),
    };
    said(sentence, it.text("reason"))
}

fn automod(kind: &str, it: &Fields<'_>, user: &str) -> Option<String> {
    Some(match kind {
        "automod.message.hold" | "channel.chat.user_message_hold" => {
            said(noted(format!("AutoMod holds a message of {user}"), cause(it)), it.message())
        }
        "automod.message.update" | "channel.chat.user_message_update" => {
            let status = it.words("status").unwrap_or_else(|| "decided on".to_owned());
            let sentence = match (it.name("moderator_user"), status.as_str()) {
                (Some(moderator), "approved" | "denied") => format!("{moderator} {status} a held message of {user}"),
                (_, "expired") => format!("A held message of {user} expired"),
                (_, "invalid") => format!("A held message of {user} became invalid"),
                _ => format!("A held message of {user} was {status}"),
            };
            said(sentence, it.message())
        }
        "automod.settings.update" => {
            let level = it.number("overall_level").map(|level| format!("level {level}"));
            noted(format!("{} changed the settings of AutoMod", it.moderator()), level)
        }
        "automod.terms.update" => terms(&it.moderator(), it.words("action"), it.list("terms")),
        _ => return None,
    })
}

/// Why AutoMod holds a message: `aggressive, level 2`.
fn cause(it: &Fields<'_>) -> Option<String> {
    let automod = it.object("automod");
    let category = automod.words("category").or_else(|| it.words("category"));
    let level = automod.number("level").or_else(|| it.number("level"));
    match (category, level) {
        (Some(category), Some(level)) => Some(format!("{category}, level {level}")),
        (category, _) => category.or_else(|| it.words("reason")),
    }
}

/// `LanternMod added blocked terms: badword`. The action is `add blocked`, `remove permitted` or the like.
fn terms(moderator: &str, action: Option<String>, terms: Option<String>) -> String {
    let action = action.unwrap_or_default();
    let verb = if action.starts_with("remove") { "removed" } else { "added" };
    let list = if action.contains("permitted") { "permitted" } else { "blocked" };
    said(format!("{moderator} {verb} {list} terms"), terms)
}

/// The [actions of `channel.moderate`](https://dev.twitch.tv/docs/eventsub/eventsub-reference/#channel-moderate-event): each
/// has its details in a field of its name.
fn action(it: &Fields<'_>, moderator: &str, channel: &str) -> String {
    let action = it.word("action").unwrap_or_default();
    let details = it.object(&action);
    let user = details.named("user", "a user");
    let reason = || details.text("reason");
    match action.trim_start_matches("shared_chat_") {
        "ban" => said(format!("{moderator} banned {user}"), reason()),
        "timeout" => said(format!("{moderator} timed out {user}"), reason()),
        "unban" => format!("{moderator} unbanned {user}"),
        "untimeout" => format!("{moderator} ended the timeout of {user}"),
        "warn" => said(format!("{moderator} warned {user}"), reason().or_else(|| details.list("chat_rules_cited"))),
        "mod" => format!("{moderator} made {user} a moderator"),
        "unmod" => format!("{moderator} removed {user} from the moderators"),
        "vip" => format!("{moderator} made {user} a VIP"),
        "unvip" => format!("{moderator} removed {user} from the VIPs"),
        "delete" => said(format!("{moderator} deleted a message of {user}"), details.text("message_body")),
        "clear" => format!("{moderator} deleted all messages in the chat of {channel}"),
        "raid" => {
            format!("{moderator} started a raid on {user} with {}", count(details.number("viewer_count"), "viewer"))
        }
        "unraid" => format!("{moderator} canceled the raid on {user}"),
        "approve_unban_request" | "deny_unban_request" => {
            let verb = if action.starts_with("approve") { "approved" } else { "denied" };
            let request = it.object("unban_request");
            let user = request.named("user", "a user");
            said(format!("{moderator} {verb} the unban request of {user}"), request.text("moderator_message"))
        }
        "add_blocked_term" | "add_permitted_term" | "remove_blocked_term" | "remove_permitted_term" => {
            terms(moderator, Some(action), it.object("automod_terms").list("terms"))
        }
        mode => self::mode(mode, &details, moderator, it.words("action")),
    }
}

/// A mode of the chat that was switched on or off, or an action that is not known.
fn mode(mode: &str, details: &Fields<'_>, moderator: &str, action: Option<String>) -> String {
    let (name, state) = match mode.strip_suffix("off") {
        Some(name) => (name, "off"),
        None => (mode, "on"),
    };
    let name = match name {
        "emoteonly" => "emote-only mode",
        "followers" => "follower-only mode",
        "subscribers" => "subscriber-only mode",
        "slow" => "slow mode",
        "uniquechat" => "unique-chat mode",
        _ => return format!("{moderator} took {}", titled("action", action)),
    };
    let length = [("follow_duration_minutes", "minute"), ("wait_time_seconds", "second")];
    let length = length.into_iter().find_map(|(field, unit)| Some(count(Some(details.number(field)?), unit)));
    noted(format!("{moderator} switched {name} {state}"), length)
}
