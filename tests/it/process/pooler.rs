//! A connection pooler (`PgBouncer`) between the server and its database.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Stdio;

use nix::unistd::{Uid, User};
use sqlx::postgres::PgConnectOptions;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::Place;
use crate::support::postgres::fresh_database;
use crate::support::{skip, until};

const PROGRAM: &str = "/usr/sbin/pgbouncer";

/// Starts a pooler in front of this database. Returns it, and the URL that leads through it.
async fn pool(place: &Place, database: &PgConnectOptions, settings: &str) -> (Child, String) {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let socket = database.get_socket().unwrap();
    let (user, name) = (database.get_username(), database.get_database().unwrap());
    let file = place.path().join("pgbouncer.ini");
    let text = format!(
        "[databases]\n{name} = host={} port={} dbname={name} user={user}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
         listen_port = {port}\nunix_socket_dir =\nauth_type = any\n{settings}\n",
        socket.display(),
        database.get_port()
    );
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(PROGRAM);
    if Uid::effective().is_root() {
        // It refuses to run as root, and only this user may use the socket.
        let owner = Uid::from_raw(std::fs::metadata(socket).unwrap().uid());
        command.args(["--user", &User::from_uid(owner).unwrap().unwrap().name]);
    }
    let child = command.arg(&file).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    until("the pooler listens", async || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok()).await;
    (child, format!("postgres://{user}:secret@127.0.0.1:{port}/{name}?sslmode=disable"))
}

#[tokio::test]
async fn pooler_in_transaction_mode_is_refused_at_start() {
    if !Path::new(PROGRAM).exists() {
        return skip("the package pgbouncer");
    }
    let (place, database) = (Place::new(), fresh_database().await);
    for size in [1, 5] {
        let settings = format!(
            "pool_mode = transaction\ndefault_pool_size = {size}\nignore_startup_parameters = extra_float_digits,options"
        );
        let (_pooler, url) = pool(&place, &database, &settings).await;
        assert_eq!(
            place.refused(&[("DATABASE_URL", &url)], &[]).await,
            "error: the address of the database leads to a connection pooler in transaction mode, or to one that refuses \
             settings (its connections share sessions): use the direct address of the database, or the pooler's address for \
             session mode\n"
        );
    }
}

#[tokio::test]
async fn pooler_that_refuses_settings_is_an_error_at_start() {
    if !Path::new(PROGRAM).exists() {
        return skip("the package pgbouncer");
    }
    let (place, database) = (Place::new(), fresh_database().await);
    for (ignored, parameter) in [("", "extra_float_digits"), ("extra_float_digits", "options")] {
        let settings = format!("pool_mode = session\nignore_startup_parameters = {ignored}");
        let (_pooler, url) = pool(&place, &database, &settings).await;
        let said = place.refused(&[("DATABASE_URL", &url)], &[]).await;
        assert!(said.contains(&format!("unsupported startup parameter: {parameter}")), "{said}");
        assert!(said.contains("use the direct address of the database"), "{said}");
    }
}

#[tokio::test]
async fn pooler_in_session_mode_is_served() {
    if !Path::new(PROGRAM).exists() {
        return skip("the package pgbouncer");
    }
    let (place, poolers_place, database) = (Place::new(), Place::new(), fresh_database().await);
    let settings = "pool_mode = session\nignore_startup_parameters = extra_float_digits,options";
    let (_pooler, url) = pool(&poolers_place, &database, settings).await;
    let server = place.serve(&[("DATABASE_URL", &url)]).await;
    assert_eq!(server.status("/readyz").await, 200);
    assert_eq!(server.simulate(&["channel.follow"]).await.0, Some(0));
    assert_eq!(server.list("/events").await.len(), 1);
    server.stop().await;
}
