//! What is wrong with the actions.

use crate::status::Check;
use crate::store::actions::ActionSummary;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Verdict;

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
