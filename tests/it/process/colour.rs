//! Colours are for terminals, as `NO_COLOR` and `CLICOLOR_FORCE` say.

use nix::pty::{OpenptyResult, openpty};
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use super::{Place, SERVER, Settings};
use crate::support::PATIENCE;

const ESCAPE: char = '\u{1b}';

/// What a command that fails says, on a terminal.
async fn said_on_a_terminal(place: &Place, settings: Settings<'_>) -> String {
    let OpenptyResult { master, slave } = openpty(None, None).unwrap();
    let status = place.command(SERVER, settings, &["rules", "check", "nowhere.toml"]).stderr(slave).status();
    assert_eq!(timeout(PATIENCE, status).await.expect("it ends").unwrap().code(), Some(1));
    let mut said = Vec::new();
    // The terminal has no end, but an error once the program has gone.
    let _ = tokio::fs::File::from_std(master.into()).read_to_end(&mut said).await;
    String::from_utf8(said).unwrap()
}

#[tokio::test]
async fn errors_are_coloured_on_terminals_only() {
    let place = Place::new();
    let terminal = ("TERM", "xterm");
    let said = said_on_a_terminal(&place, &[terminal]).await;
    assert!(said.contains("\u{1b}[31merror:") && said.contains(" nowhere.toml can't be read"), "{said:?}");
    for refusal in [("NO_COLOR", "1"), ("CLICOLOR", "0"), ("TERM", "dumb")] {
        let said = said_on_a_terminal(&place, &[terminal, refusal]).await;
        assert!(said.starts_with("error: nowhere.toml") && !said.contains(ESCAPE), "{refusal:?}: {said:?}");
    }
    let command = ["rules", "check", "nowhere.toml"];
    assert!(!place.refused(&[terminal], &command).await.contains(ESCAPE));
    assert!(place.refused(&[("CLICOLOR_FORCE", "1")], &command).await.contains("\u{1b}[31merror:"));
}

#[tokio::test]
async fn log_is_coloured_on_terminals_only() {
    let place = Place::new();
    let log = place.serve(&[("CLICOLOR_FORCE", "1")]).await.stop().await;
    assert!(log.contains(ESCAPE), "{log:?}");
    let log = place.serve(&[("TERM", "xterm")]).await.stop().await;
    assert!(!log.is_empty() && !log.contains(ESCAPE), "{log:?}");
}
