//! The page that a browser shows before and after Twitch's.

/// The page: a heading, a text, and then `rest`, which is HTML.
const PAGE: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
    <meta name=\"viewport\" content=\"width=device-width\">\n<title>showtime: {{title}}</title>\n\
    <style>body { font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 3rem auto; padding: 0 1rem; }</style>\n\
    <h1>{{title}}</h1>\n<p>{{text}}</p>\n{{rest}}</html>\n";

/// The page with this heading and text.
#[must_use]
pub fn outcome(title: &str, text: &str) -> String {
    render(title, text, "")
}

/// The page that says what this account is asked for, with a button that leads to Twitch.
#[must_use]
pub fn request(account: &str, scopes: &[String], until: &str) -> String {
    let scopes: String = scopes.iter().map(|scope| format!("<li><code>{}</code></li>\n", escaped(scope))).collect();
    let text = format!("{account} is asked to let this server act on Twitch. Twitch calls what it may then do scopes:");
    let rest = format!(
        "<ul>\n{scopes}</ul>\n<p>The button leads to Twitch, where {} signs in and decides. This page works once, \
        until {until}. If you did not expect this page, close it.</p>\n<form method=\"post\"><button>Go to Twitch</button></form>\n",
        escaped(account)
    );
    render("Consent", &text, &rest)
}

fn render(title: &str, text: &str, rest: &str) -> String {
    // In this order, so that no text is searched for the mark of another.
    PAGE.replace("{{rest}}", rest).replace("{{text}}", &escaped(text)).replace("{{title}}", &escaped(title))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped() {
        let page = request("<b>me</b>", &["a:<i>".to_owned()], "tomorrow");
        assert!(page.contains("&lt;b&gt;me") && page.contains("a:&lt;i&gt;") && !page.contains("<b>"), "{page}");
        assert!(outcome("No", "\"<x>\" & more").contains("&quot;&lt;x&gt;&quot; &amp; more"));
    }
}
