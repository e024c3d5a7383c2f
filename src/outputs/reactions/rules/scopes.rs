//! The scopes that rules need, so that they can act.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::super::step::{self, Step};
use super::role::is_user;
use super::rule::{Rule, Rules};
use super::rule_step::RuleAction;
use super::service;
use crate::credentials::consent::Account;
use crate::store::actions;
use crate::twitch::helix::chat::{AnnouncementColor, ChatSettings};

/// What a bot is asked for before there are rules: to moderate and to make clips, so that the first rules can act at once.
const FIRST_SCOPES: [&str; 6] = [
    "clips:edit",
    "moderator:manage:announcements",
    "moderator:manage:banned_users",
    "moderator:manage:chat_messages",
    "moderator:manage:shoutouts",
    "moderator:manage:warnings",
];

/// The scopes that an account needs for what the stored rules do, if they are enabled.
///
/// # Errors
/// If the database fails.
pub async fn scopes(db: &mut PgConnection, account: &Account) -> sqlx::Result<BTreeSet<&'static str>> {
    let rules = service::read(&mut *db).await?.rules;
    let has_bot = actions::bot(db).await?.is_some();
    Ok(scopes_of(&rules, has_bot, account))
}

/// The scopes that an account needs for what these rules do. Without a bot, broadcasters do all of it themselves.
#[must_use]
pub fn scopes_of(rules: &Rules, has_bot: bool, account: &Account) -> BTreeSet<&'static str> {
    let steps = |is_about: &dyn Fn(&Rule) -> bool, acts: &dyn Fn(&Step) -> bool| {
        let rules = rules.rules.iter().filter(|rule| rule.enabled && is_about(rule));
        let steps = rules.flat_map(|rule| &rule.steps).filter_map(|step| like(&step.action));
        steps.filter(acts).flat_map(|step| step.scopes().iter().copied()).collect()
    };
    match account {
        Account::Bot(_) if rules.rules.is_empty() => FIRST_SCOPES.into(),
        Account::Bot(_) => steps(&|_| true, &|step| !step.is_broadcasters()),
        Account::Broadcaster { id, login } => {
            let is_named = |name: &String| is_user(name, Some(id.as_str()), Some(login));
            let is_about = |rule: &Rule| rule.channels.is_empty() || rule.channels.iter().any(is_named);
            let acts = match &rules.bot {
                Some(bot) => bot.eq_ignore_ascii_case(login),
                None => !has_bot,
            };
            steps(&is_about, &|step| acts || step.is_broadcasters())
        }
    }
}

/// A step that needs the same scopes of the same account; `None` if it needs none.
fn like(action: &RuleAction) -> Option<Step> {
    let empty = String::new;
    Some(match action {
        RuleAction::Say(_) | RuleAction::Reply(_) => Step::Say(empty()),
        RuleAction::Announce(_) => {
            Step::Announce(step::Announcement { text: empty(), color: AnnouncementColor::default() })
        }
        RuleAction::Whisper(_) => Step::Whisper(step::Whisper { user: empty(), text: empty() }),
        RuleAction::Shoutout(_) => Step::Shoutout(empty()),
        RuleAction::Delete(_) | RuleAction::Clear(_) | RuleAction::Pin(_) | RuleAction::Unpin(_) => {
            Step::Clear(step::Nothing {})
        }
        RuleAction::Timeout(_) | RuleAction::Ban(_) | RuleAction::Unban(_) => {
            Step::Unban(step::OneUser { user: empty() })
        }
        RuleAction::Warn(_) => Step::Warn(step::Warning { user: empty(), reason: empty() }),
        RuleAction::Title(_) | RuleAction::Game(_) | RuleAction::Tags(_) => Step::Title(empty()),
        RuleAction::Clip(_) => Step::Clip(step::NewClip { title: None, seconds: None, say: None }),
        RuleAction::Marker(_) => Step::Marker(step::Marker { description: None }),
        RuleAction::Ad(_) => Step::Ad(step::Commercial { seconds: 0 }),
        RuleAction::Vip(_) | RuleAction::Unvip(_) => Step::Vip(step::OneUser { user: empty() }),
        RuleAction::Settings(_) => Step::Settings(ChatSettings::default()),
        RuleAction::Shield(is_on) => Step::Shield(*is_on),
        RuleAction::Webhook(_)
        | RuleAction::Count(_)
        | RuleAction::Set(_)
        | RuleAction::Permit(_)
        | RuleAction::Delay(_)
        | RuleAction::Stop(_) => return None,
    })
}
