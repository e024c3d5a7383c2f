//! What the server prints when it serves. Not part of the log, since it contains a token.

use std::fmt::Write as _;
use std::net::SocketAddr;

use secrecy::ExposeSecret as _;
use showtime::access::BootstrapToken;
use showtime::config::Config;
use showtime::program::Program;

/// The server's addresses, and what to try next.
pub(crate) fn banner(addr: SocketAddr, token: Option<&BootstrapToken>, config: &Config) -> String {
    let file = config.bootstrap_token_file();
    let (fragment, bearer) = match token {
        Some(BootstrapToken { text, write_error }) => {
            let text = text.expose_secret();
            let bearer = if write_error.is_some() { text.to_owned() } else { format!("$(cat {})", file.display()) };
            (format!("#token={text}"), bearer)
        }
        None => (String::new(), "TOKEN".to_owned()),
    };
    let mut banner = format!("showtime serves on http://{addr}\n  dashboard: http://{addr}/{fragment}\n");
    // Writing to a String never fails.
    let _ = match token {
        Some(BootstrapToken { write_error: Some(error), .. }) => writeln!(
            banner,
            "  note:      keep that token, it is not shown again: {} can't be written ({error})",
            file.display()
        ),
        Some(_) => Ok(()),
        None => writeln!(banner, "  token:     {} create --name NAME --scope admin", Program::Token),
    };
    // A made-up stream of the real Twitch would be live for ever.
    let (event, result) =
        if config.twitch.is_real() { ("channel.follow --test", "events") } else { ("stream.online", "channels") };
    let _ = write!(
        banner,
        "  try it:    {} {event}\n  \
           then see:  curl -s -H \"Authorization: Bearer {bearer}\" http://{addr}/{result}\n  \
           API:       http://{addr}/docs   health: http://{addr}/status\n",
        Program::Simulate
    );
    banner
}
