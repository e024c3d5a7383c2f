//! The addresses that the server prints at start.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;

use secrecy::ExposeSecret as _;
use showtime::access::BootstrapToken;
use showtime::app::App;
use showtime::config::{Config, LogFormat};
use showtime::program::Program;
use showtime::simulate::delivery::own_callback;

/// The port that the programs expect the server on.
const DEFAULT_PORT: u16 = 5001;

/// Prints the server's address: on stdout, or in the log if that is made for programs, since a service manager joins the two.
pub(crate) fn announce(app: &App, config: &Config) {
    let (addr, token) = (app.addr(), app.token());
    match config.log_format {
        LogFormat::Human => {
            let mut stdout = io::stdout();
            let banner = banner(addr, token, config, stdout.is_terminal());
            // A closed stdout is no reason not to serve.
            let _ = stdout.write_all(banner.as_bytes());
        }
        LogFormat::Json => {
            let token_file = token.filter(|token| token.write_error.is_none()).map(|_| config.bootstrap_token_file());
            let token_file = token_file.map(|file| file.display().to_string());
            tracing::info!(url = format!("http://{addr}"), token_file, "serving");
            if let Some(BootstrapToken { write_error: Some(error), .. }) = token {
                let file = config.bootstrap_token_file();
                tracing::error!(%error, "no access token can be put into {}: make one with {}", file.display(), create());
            }
        }
    }
}

/// The command that makes a token.
fn create() -> String {
    format!("`{} create --name NAME --scope admin`", Program::Token)
}

/// The server's addresses, and what to try next. Shows the token on a terminal only: anything else may be kept as a log.
fn banner(addr: SocketAddr, token: Option<&BootstrapToken>, config: &Config, is_terminal: bool) -> String {
    let file = config.bootstrap_token_file();
    let file = file.display();
    let create = create();
    let (fragment, note, bearer) = match token {
        Some(BootstrapToken { text, write_error: None }) => {
            let bearer = format!("$(cat {file})");
            match is_terminal {
                true => (format!("#token={}", text.expose_secret()), String::new(), bearer),
                false => (String::new(), format!("  token:     in {file}\n"), bearer),
            }
        }
        Some(BootstrapToken { text, write_error: Some(error) }) if is_terminal => {
            let text = text.expose_secret();
            let note =
                format!("  note:      keep that token, it is not shown again: {file} can't be written ({error})\n");
            (format!("#token={text}"), note, text.to_owned())
        }
        Some(BootstrapToken { write_error: Some(error), .. }) => {
            let note = format!("  token:     {file} can't be written ({error}): make a token with {create}\n");
            (String::new(), note, "TOKEN".to_owned())
        }
        None => (String::new(), format!("  token:     make one with {create}\n"), "TOKEN".to_owned()),
    };
    let mut banner = format!("showtime serves on http://{addr}\n  dashboard: http://{addr}/{fragment}\n{note}");
    if config.twitch.client.is_some() {
        // Writing to a String never fails.
        let _ = writeln!(banner, "  set up:    {}  (while this runs; it does only what is missing)", Program::Init);
    }
    // An invented event without the mark of a test would stay among real ones.
    let (event, result) = match config.twitch.client {
        Some(_) => ("channel.follow --test", "events"),
        None => {
            let _ = writeln!(banner, "  try it:    “Start a demo show” on the dashboard, or");
            ("stream.online", "channels")
        }
    };
    // The other program may not know the port that this one was started with.
    let target = match addr.port() {
        DEFAULT_PORT => String::new(),
        _ => own_callback(addr).map(|url| format!(" --target {url}")).unwrap_or_default(),
    };
    let simulate = Program::Simulate.with(&format!("{event}{target}"));
    let label = if config.twitch.client.is_some() { "try it:" } else { "" };
    let _ = write!(
        banner,
        "  {label:<10} {simulate}\n  \
           then see:  curl -s -H \"Authorization: Bearer {bearer}\" http://{addr}/{result}\n  \
           API:       http://{addr}/docs   health: http://{addr}/status\n",
    );
    banner
}
