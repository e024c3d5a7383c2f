//! What is wrong with the posts to Discord.

use crate::status::Check;
use crate::store::tracking::posts::PostSummary;
use crate::tracking::budget::MAX_INVALID;

/// The check of all posts.
pub(super) fn check(summary: &PostSummary) -> Check {
    let PostSummary { has_bots, late, uncertain, failed, problem, unusable, is_stopped, invalid } = summary;
    if !has_bots {
        return Check::pass("posts", "no bot is added, so nothing is posted to Discord");
    }
    if *invalid >= MAX_INVALID[1] {
        let message = format!(
            "nothing is posted for some minutes: Discord refused {invalid} requests within ten minutes, and bans the address \
            after 10,000; the bots' webhooks may have been deleted"
        );
        return Check::fail("posts", message);
    }
    let mut problems = Vec::new();
    if *invalid >= MAX_INVALID[0] {
        problems.push(format!(
            "one request a second is made, since Discord refused {invalid} within ten minutes, and bans the address after 10,000"
        ));
    }
    if *is_stopped {
        problems.push("Discord wants no request at all from this address for now".to_owned());
    } else if *late > 0 {
        problems.push(format!("posts for {late} Discord channels are late"));
    }
    if *uncertain > 0 {
        problems.push(format!("{uncertain} posts of the last day may be missing, since Discord's answers were lost"));
    }
    if *failed > 0 {
        let problem = problem.as_deref().unwrap_or("no reason was given");
        problems.push(format!("{failed} posts failed in the last hour, the last one because: {problem}"));
    }
    match problems.as_slice() {
        [] if *unusable > 0 => {
            Check::pass("posts", format!("posts are made; {unusable} Discord channels wait for another webhook"))
        }
        [] => Check::pass("posts", "posts are made"),
        problems => Check::warn("posts", problems.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Verdict;

    #[test]
    fn check_says_what_needs_attention() {
        let healthy = PostSummary { has_bots: true, unusable: 3, ..PostSummary::default() };
        let problem = Some("Discord refuses it".to_owned());
        for (summary, status, message) in [
            (PostSummary::default(), Verdict::Pass, "no bot is added"),
            (healthy.clone(), Verdict::Pass, "3 Discord channels wait for another webhook"),
            (PostSummary { late: 2, ..healthy.clone() }, Verdict::Warn, "2 Discord channels are late"),
            (PostSummary { uncertain: 1, ..healthy.clone() }, Verdict::Warn, "1 posts of the last day may be missing"),
            (PostSummary { failed: 4, problem, ..healthy.clone() }, Verdict::Warn, "because: Discord refuses it"),
            (PostSummary { is_stopped: true, ..healthy.clone() }, Verdict::Warn, "no request at all"),
            (PostSummary { invalid: 700, ..healthy.clone() }, Verdict::Warn, "one request a second"),
            (PostSummary { invalid: 5_000, ..healthy }, Verdict::Fail, "nothing is posted"),
        ] {
            let check = check(&summary);
            assert_eq!((check.name, check.status), ("posts", status), "{summary:?}");
            assert!(check.message.contains(message), "{}", check.message);
        }
    }
}
