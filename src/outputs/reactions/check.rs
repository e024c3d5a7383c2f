//! What is wrong with the actions and the stored rules, and what has to be consented to.

use super::consent::{MissingConsent, missing_of};
use super::rules::problem::Problem;
use super::rules::read::rule_from_json;
use crate::program::Program;
use crate::status::Check;
use crate::store::actions::{ActionSummary, WantedStep};
use crate::store::rules::StoredRule;

/// The most rules that the check of the rules explains.
const MAX_EXPLAINED: usize = 3;

/// The check of all actions.
pub(super) fn check(summary: &ActionSummary, has_application: bool) -> Check {
    let ActionSummary { uncertain, failed, problem, is_leased, due } = summary;
    let mut problems = Vec::new();
    if *uncertain > 0 {
        problems.push(format!(
            "{uncertain} actions may or may not have happened, since Twitch's answers were lost: see GET \
            /actions?state=uncertain, then settle or retry each"
        ));
    }
    if *failed > 0 {
        let problem = problem.as_deref().unwrap_or("no reason was given");
        problems.push(format!("{failed} actions failed in the last hour, the last one because: {problem}"));
    }
    if has_application && !is_leased && *due > 0 {
        problems.push(format!("{due} actions are due, and no server executes them"));
    }
    match problems.as_slice() {
        [] if !has_application => Check::pass("actions", "no application is configured, so nothing is done on Twitch"),
        [] => Check::pass("actions", "no action needs attention"),
        problems => Check::warn("actions", problems.join("; ")),
    }
}

/// The check of the consents that the actions of the last days needed.
pub(super) fn consents(wanted: &[WantedStep]) -> Check {
    let missing = missing_of(wanted);
    if missing.is_empty() {
        return Check::pass("consents", "what the actions of the last week needed is consented to");
    }
    let problems = missing.into_iter().map(|MissingConsent { account, scopes, steps }| {
        format!(
            "{} has not consented to {}, which actions need ({}): run `{}`, or send a link that POST /consents makes",
            account.login().unwrap_or("the bot"),
            scopes.iter().copied().collect::<Vec<_>>().join(", "),
            steps.into_iter().collect::<Vec<_>>().join(", "),
            Program::Init.with(&account.arguments(scopes.iter().copied()))
        )
    });
    Check::warn("consents", problems.collect::<Vec<_>>().join("; "))
}

/// The check of the stored rules: which of them this version can't read, such as those that a newer one stored.
pub(super) fn rules(rows: &[StoredRule]) -> Check {
    let problems = rows.iter().filter_map(|row| {
        let problem = rule_from_json(row.body.clone()).err()?.into_iter().next()?;
        Some(Problem { rule: Some(row.name.clone()), ..problem }.to_string())
    });
    let problems: Vec<_> = problems.collect();
    let (count, server) = (problems.len(), Program::Server);
    if count == 0 {
        return Check::pass("rules", "every stored rule can be read");
    }
    let shown = problems.into_iter().take(MAX_EXPLAINED).collect::<Vec<_>>().join("; ");
    let more = if count > MAX_EXPLAINED { format!("; and {} more", count - MAX_EXPLAINED) } else { String::new() };
    Check::warn(
        "rules",
        format!(
            "stored rules that this version of showtime can't read are not used: {shown}{more}: run the version that stored them, \
            replace each with PUT /rules/NAME, or all with `{server} rules apply FILE`, or remove it with \
            DELETE /rules/NAME"
        ),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::status::Verdict;

    #[test]
    fn missing_scopes_are_named_for_each_account() {
        let wanted = |user: &str, is_bot, kind: &str, params, granted: &[&str]| WantedStep {
            user_id: user.parse().unwrap(),
            login: Some(format!("user{user}")),
            is_bot,
            kind: kind.to_owned(),
            params,
            granted: granted.iter().map(|&scope| scope.to_owned()).collect(),
        };
        let said = wanted("1", false, "say", json!("hi"), &["user:write:chat"]);
        assert_eq!(consents(std::slice::from_ref(&said)).status, Verdict::Pass);
        let title = wanted("1", false, "title", json!("a"), &["user:write:chat"]);
        let clip = wanted("2", true, "clip", json!({}), &[]);
        let check = consents(&[said, title, clip]);
        assert_eq!(check.status, Verdict::Warn);
        for text in [
            "user1 has not consented to channel:manage:broadcast, which actions need (title)",
            "--channel user1 --scope channel:manage:broadcast`",
            "user2 has not consented to clips:edit",
            "--bot --scope clips:edit`",
        ] {
            assert!(check.message.contains(text), "{}", check.message);
        }
    }

    #[test]
    fn rules_that_cannot_be_read_are_named_with_the_remedy() {
        let rule = |name: &str, action: &str| StoredRule {
            id: 1,
            name: name.to_owned(),
            revision: 1,
            position: 0,
            body: json!({ "name": name, "command": "!a", "do": [{ action: "x" }] }),
            changed_at: time::OffsetDateTime::UNIX_EPOCH,
        };
        let check = rules(&[rule("a", "say")]);
        assert_eq!((check.status, check.message.as_str()), (Verdict::Pass, "every stored rule can be read"));
        let rows: Vec<_> =
            ["b", "c", "d", "e"].iter().map(|name| rule(name, "teleport")).chain([rule("a", "say")]).collect();
        let check = rules(&rows);
        assert_eq!(check.status, Verdict::Warn);
        for text in [
            "stored rules that this version of showtime can't read are not used: rule `b`",
            "rule `b`, do[0].teleport: there is no action `teleport`",
            "; and 1 more: run the version that stored them",
            "rules apply FILE`",
        ] {
            assert!(check.message.contains(text), "{}", check.message);
        }
    }

    #[test]
    fn check_says_what_needs_a_person() {
        let healthy = ActionSummary { is_leased: true, due: 3, ..ActionSummary::default() };
        let problem = Some("consent: clips:edit of 5 is missing".to_owned());
        for (summary, verdict, text) in [
            (healthy.clone(), Verdict::Pass, "no action needs attention"),
            (ActionSummary { uncertain: 2, ..healthy.clone() }, Verdict::Warn, "state=uncertain"),
            (ActionSummary { failed: 1, problem, ..healthy.clone() }, Verdict::Warn, "clips:edit of 5 is missing"),
            (ActionSummary { is_leased: false, ..healthy }, Verdict::Warn, "no server executes"),
        ] {
            let check = check(&summary, true);
            assert_eq!(check.status, verdict, "{summary:?}");
            assert!(check.message.contains(text), "{}", check.message);
        }
    }
}
