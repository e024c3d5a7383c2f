//! The token of the first start, and those that the program `token` makes.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use nix::sys::signal::Signal;
use sqlx::postgres::PgConnectOptions;
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use super::{PATIENCE, Place, Serving, Settings, TOKEN};
use crate::support::postgres::fresh_database;
use crate::support::until;

/// Runs `token` to its end.
async fn token(place: &Place, settings: Settings<'_>, args: &[&str]) -> Output {
    timeout(PATIENCE, place.command(TOKEN, settings, args).output()).await.expect("it ends").unwrap()
}

/// Runs `token`, which must succeed, and returns what it prints.
async fn done(place: &Place, args: &[&str]) -> String {
    let output = token(place, &[], args).await;
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn status_with(server: &Serving<'_>, token: &str) -> u16 {
    let request = server.client.get(server.url("/channels")).bearer_auth(token);
    request.send().await.unwrap().status().as_u16()
}

fn url(database: &PgConnectOptions) -> String {
    let socket = database.get_socket().unwrap().display();
    let (user, name) = (database.get_username(), database.get_database().unwrap());
    format!("postgres:///{name}?host={socket}&port={}&user={user}", database.get_port())
}

#[tokio::test]
async fn bootstrap_token_is_shown_at_every_start_while_it_is_valid() {
    let place = Place::new();
    let server = place.serve_on_terminal(&[]).await;
    let first = server.token.clone().unwrap();
    assert!(server.banner.contains(&format!("http://{}/#token={first}\r\n", server.addr)), "{}", server.banner);
    assert!(server.banner.contains("Bearer $(cat .showtime/token)"), "{}", server.banner);
    let file = place.path().join(".showtime/token");
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), first);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(status_with(&server, &first).await, 200);
    let log = server.stop().await;
    assert!(!log.contains("showtime_"), "{log}");

    let server = place.serve_on_terminal(&[]).await;
    assert_eq!(server.token.as_ref(), Some(&first));
    let other = done(&place, &["create", "--name", "other", "--scope", "admin"]).await;
    done(&place, &["revoke", "first"]).await;
    server.stop().await;
    let server = place.serve_on_terminal(&[]).await;
    assert_eq!(server.token, None, "{}", server.banner);
    assert!(server.banner.contains("--bin token create"), "{}", server.banner);
    assert_eq!((status_with(&server, &first).await, status_with(&server, other.trim()).await), (401, 200));
    server.stop().await;

    // A database without any token gets a new one.
    done(&place, &["revoke", "other"]).await;
    let server = place.serve_on_terminal(&[]).await;
    let second = server.token.clone().unwrap();
    assert_ne!(second, first);
    assert_eq!(status_with(&server, &second).await, 200);
    server.stop().await;
}

#[tokio::test]
async fn bootstrap_token_is_shown_on_terminals_only() {
    let place = Place::new();
    let server = place.serve(&[]).await;
    assert!(server.banner.contains("\n  token:     in .showtime/token\n"), "{}", server.banner);
    assert!(!server.banner.contains("showtime_"), "{}", server.banner);
    assert_eq!(status_with(&server, server.token.as_ref().unwrap()).await, 200);
    let log = server.stop().await;
    assert!(!log.contains("showtime_"), "{log}");

    let mut server = place.serve_on_terminal(&[("SHOWTIME_LOG_FORMAT", "json")]).await;
    assert!(server.banner.contains(r#""token_file":".showtime/token""#), "{}", server.banner);
    server.signal(Signal::SIGTERM);
    assert!(timeout(PATIENCE, server.child.wait()).await.expect("it ends").unwrap().success());
    let mut printed = String::new();
    // A terminal whose other side is gone ends with an error.
    let _ = server.stdout.read_to_string(&mut printed).await;
    assert_eq!(printed, "", "all that is told is in the log");
    let log = server.ended().await.1;
    assert!(!log.contains("showtime_"), "{log}");
}

#[tokio::test]
async fn tokens_are_created_listed_and_revoked_while_the_server_runs() {
    let place = Place::new();
    let server = place.serve(&[]).await;
    let overlay = done(&place, &["create", "--name", "overlay", "--scope", "overlay"]).await;
    assert_eq!(status_with(&server, overlay.trim()).await, 403);
    let made = done(&place, &["create", "--name", "obs", "--scope", "read"]).await;
    let made = made.trim();
    assert_eq!(status_with(&server, made).await, 200);
    let post = server.client.post(server.url("/channels")).bearer_auth(made).send().await.unwrap();
    assert_eq!(post.status(), 403);

    let again = token(&place, &[], &["create", "--name", "obs", "--scope", "read"]).await;
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    assert!(String::from_utf8_lossy(&again.stderr).contains("already"), "{again:?}");
    for wrong in [["create", "--name", "12", "--scope", "read"], ["create", "--name", "x", "--scope", "all"]] {
        assert_eq!(token(&place, &[], &wrong).await.status.code(), Some(2), "{wrong:?}");
    }
    let list = done(&place, &["list"]).await;
    let line = list.lines().find(|line| line.contains("obs")).unwrap();
    assert!(line.contains("read") && list.contains("first") && !list.contains("showtime_"), "{list}");

    let id = line.split_whitespace().next().unwrap();
    assert!(done(&place, &["revoke", id]).await.starts_with("revoked obs"));
    assert_eq!(token(&place, &[], &["revoke", "obs"]).await.status.code(), Some(1));
    until("it no longer counts", async || status_with(&server, made).await == 401).await;
    server.stop().await;
}

#[tokio::test]
async fn first_server_of_a_given_database_makes_its_token() {
    let (one, other) = (Place::new(), Place::new());
    let url = url(&fresh_database().await);
    let settings = [("DATABASE_URL", url.as_str())];
    let server = one.serve(&settings).await;
    let first = server.token.clone().unwrap();
    let replica = other.serve(&settings).await;
    assert_eq!(replica.token, None, "{}", replica.banner);
    assert_eq!(status_with(&replica, &first).await, 200);
    let made = token(&other, &settings, &["create", "--name", "other", "--scope", "admin"]).await;
    assert_eq!(status_with(&server, String::from_utf8(made.stdout).unwrap().trim()).await, 200);
    replica.stop().await;
    server.stop().await;
}

#[tokio::test]
async fn token_that_cannot_be_written_is_shown_once_on_a_terminal() {
    let place = Place::new();
    // A directory is in the place of the file.
    std::fs::create_dir_all(place.path().join(".showtime/token/in-the-way")).unwrap();
    let url = url(&fresh_database().await);
    let settings = [("DATABASE_URL", url.as_str())];
    let server = place.serve_on_terminal(&settings).await;
    let first = server.token.clone().unwrap();
    assert!(server.banner.contains("not shown again"), "{}", server.banner);
    assert_eq!(status_with(&server, &first).await, 200);
    server.stop().await;
    let server = place.serve_on_terminal(&settings).await;
    assert_eq!(server.token, None, "{}", server.banner);
    server.stop().await;
}

#[tokio::test]
async fn token_that_can_neither_be_written_nor_shown_is_made_by_hand() {
    let place = Place::new();
    std::fs::create_dir_all(place.path().join(".showtime/token/in-the-way")).unwrap();
    let url = url(&fresh_database().await);
    let server = place.serve(&[("DATABASE_URL", url.as_str())]).await;
    assert_eq!(server.token, None, "{}", server.banner);
    assert!(server.banner.contains(".showtime/token can't be written (Is a directory"), "{}", server.banner);
    assert!(server.banner.contains("--bin token create"), "{}", server.banner);
    assert!(!server.banner.contains("showtime_"), "{}", server.banner);
    server.stop().await;
}
