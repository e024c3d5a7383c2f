//! Errors that keep the server from starting, and their texts.

use std::net::{Ipv4Addr, TcpListener};

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Place;
use crate::support::Unused;
use crate::support::postgres::fresh_database;

/// A URL for another database of the tests' cluster, with a password that is never checked.
fn url(options: &PgConnectOptions, database: &str) -> String {
    let socket = options.get_socket().unwrap().display();
    let (user, port) = (options.get_username(), options.get_port());
    format!("postgres://{user}:hunter2@localhost/{database}?host={socket}&port={port}")
}

#[tokio::test]
async fn second_server_in_the_same_directory_is_refused() {
    let place = Place::new();
    let first = place.serve(&[]).await;
    let dir = place.path().canonicalize().unwrap().join(".showtime");
    let pid = first.child.id().unwrap();
    assert_eq!(
        place.refused(&[], &[]).await,
        format!("error: another showtime (pid {pid}) uses {}; stop it or set SHOWTIME_DATA_DIR\n", dir.display())
    );
    assert_eq!(first.status("/readyz").await, 200);
    first.stop().await;
}

#[tokio::test]
async fn port_in_use_is_named_and_no_postgres_is_left_running() {
    let place = Place::new();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let said = place.refused(&[("LISTEN_PORT", &port)], &[]).await;
    let last = said.lines().last().unwrap();
    let begin = format!("error: 127.0.0.1:{port} can't be served on: Address already in use");
    assert!(last.starts_with(&begin) && last.ends_with("; BIND_ADDR and LISTEN_PORT choose another"), "{said}");
    assert_eq!(place.processes(), Vec::<String>::new());
}

#[tokio::test]
async fn wrong_settings_are_reported_together_without_secrets() {
    let place = Place::new();
    let wrong = [
        ("LISTEN_PORT", "70000"),
        ("DATABASE_URL", "mysql://me:hunter2@host/db"),
        ("TWITCH_WEBHOOK_SECRET", "hunter2"),
        ("SHOWTIME_LOG_FORMAT", "xml"),
    ];
    assert_eq!(
        place.refused(&wrong, &[]).await,
        "error: wrong settings:\n  \
         LISTEN_PORT is \"70000\", but must be a port from 0 to 65535\n  \
         DATABASE_URL must be postgres://user:password@host:port/database (special characters percent-encoded)\n  \
         TWITCH_WEBHOOK_SECRET has 7 characters, but Twitch requires 10 to 100; `openssl rand -hex 32` makes a good one\n  \
         SHOWTIME_LOG_FORMAT is \"xml\", but must be human or json\n"
    );
    assert!(!place.path().join(".showtime").exists(), "nothing was begun");
}

#[tokio::test]
async fn malformed_env_file_is_named_without_its_secrets() {
    let place = Place::new();
    std::fs::write(place.path().join(".env"), "LISTEN_PORT=0\nTWITCH_CLIENT_SECRET=\"hunter2\n").unwrap();
    assert_eq!(
        place.refused(&[], &[]).await,
        "error: the file .env can't be read: the value of TWITCH_CLIENT_SECRET can't be parsed; put it in single quotes\n"
    );
}

#[tokio::test]
async fn missing_database_or_user_is_an_error_at_once() {
    let place = Place::new();
    let existing = fresh_database().await;
    for (options, database, expected) in [
        (existing.clone(), "no_such_database", "database \"no_such_database\" does not exist"),
        (existing.clone().username("nobody_here"), existing.get_database().unwrap(), "\"nobody_here\" does not exist"),
    ] {
        let url = url(&options, database);
        for command in [&[][..], &["rebuild"], &["migrate", "status"]] {
            let said = place.refused(&[("DATABASE_URL", &url)], command).await;
            let last = said.lines().last().unwrap();
            let place = format!("port {}, user {}, database {database})", options.get_port(), options.get_username());
            let begin = format!(
                "error: the database can't be used (host {}, {place}: ",
                options.get_socket().unwrap().display()
            );
            assert!(last.starts_with(&begin) && last.contains(expected), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
    assert!(!place.path().join(".showtime/postgres").exists());
}

/// A Postgres that accepts no password: it reads the startup message and refuses.
async fn refuse_passwords(listener: tokio::net::TcpListener) {
    let fields = b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user \"me\"\0\0";
    let length = u32::try_from(fields.len() + 4).unwrap().to_be_bytes();
    while let Ok((mut client, _)) = listener.accept().await {
        let mut startup = [0; 1024];
        let _ = client.read(&mut startup).await;
        let _ = client.write_all(&[b"E", &length[..], fields].concat()).await;
    }
}

#[tokio::test]
async fn wrong_password_is_an_error_at_once() {
    let place = Place::new();
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("postgres://me:hunter2@127.0.0.1:{port}/db?sslmode=disable");
    tokio::spawn(refuse_passwords(listener));
    assert_eq!(
        place.refused(&[("DATABASE_URL", &url)], &[]).await,
        format!(
            "error: the database can't be used (host 127.0.0.1, port {port}, user me, database db): error returned from \
             database: password authentication failed for user \"me\"\n"
        )
    );
}

#[tokio::test]
async fn database_that_is_away_is_waited_for() {
    let place = Place::new();
    let unused = Unused::new();
    let url = format!("postgres://me:hunter2@{}/db", unused.addr());
    let server = place.serve(&[("DATABASE_URL", &url)]).await;
    assert_eq!((server.status("/livez").await, server.status("/readyz").await), (200, 503));
    let (code, said) = server.simulate(&["channel.follow"]).await;
    assert!(code == Some(1) && said.contains("503 Service Unavailable"), "{said}");
    let log = server.stop().await;
    let address = format!("host 127.0.0.1, port {}, user me, database db", unused.addr().port());
    for words in ["database is away; waiting for it", "log can't be followed"] {
        assert!(log.lines().any(|line| line.contains(words) && line.contains(&address)), "{words}: {log}");
    }
    assert!(!log.contains("hunter2"), "{log}");
}
