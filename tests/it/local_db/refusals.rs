//! Errors of the private Postgres, and their texts.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::Uid;
use showtime::postgres::{self, Durability, LocalError, LocalPostgres};

use super::{HOLD, Holder, child, open_place, start, text};

/// Id of an unprivileged user: `nobody` on most machines.
const UNPRIVILEGED: u32 = 65534;

async fn refusal(data_dir: &Path) -> LocalError {
    match LocalPostgres::start(data_dir, Durability::Durable).await {
        Ok(_) => panic!("it started"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn second_server_in_the_same_directory_is_an_error() {
    let place = open_place();
    let data_dir = place.path().join("data");
    let first = start(&data_dir).await;
    assert_eq!(
        refusal(&data_dir).await.to_string(),
        format!(
            "another showtime (pid {}) uses {}; stop it or set SHOWTIME_DATA_DIR",
            std::process::id(),
            data_dir.canonicalize().unwrap().display()
        )
    );
    assert_eq!(text(&first.connect_options(), "select 'unharmed'").await.unwrap(), "unharmed");
    first.stop().await.unwrap();
}

/// Makes a child run as [`UNPRIVILEGED`]. Returns false and prints why, if that is not possible on this machine.
fn as_unprivileged(command: &mut Command) -> bool {
    use std::os::unix::process::CommandExt;
    command.uid(UNPRIVILEGED).gid(UNPRIVILEGED).current_dir("/");
    let program = Path::new(command.get_program());
    let listing =
        Command::new(program).arg("--list").uid(UNPRIVILEGED).gid(UNPRIVILEGED).stdout(Stdio::null()).status();
    let possible = listing.is_ok_and(|status| status.success());
    if !possible {
        println!("NOT TESTED: user {UNPRIVILEGED} cannot run {}", program.display());
    }
    possible
}

#[tokio::test]
async fn ordinary_user_runs_its_own_cluster_and_not_those_of_other_users() {
    let place = open_place();
    let own = place.path().join("own");
    let foreign = place.path().join("foreign");
    for dir in [&own, &foreign] {
        fs::create_dir(dir).unwrap();
    }
    fs::create_dir(foreign.join("postgres")).unwrap();
    fs::write(foreign.join("postgres/PG_VERSION"), "15\n").unwrap();
    if !Uid::effective().is_root() {
        println!("NOT TESTED: requires root, to run as another user");
        return;
    }
    for dir in [&own, &foreign] {
        chown(dir, Some(UNPRIVILEGED), Some(UNPRIVILEGED)).unwrap();
    }

    let mut command = child("local_db::child_process_with_a_cluster");
    if !as_unprivileged(&mut command) {
        return;
    }
    let output = command.env(HOLD, &foreign).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let cluster = foreign.join("postgres");
    let expected =
        format!("{} belongs to user root; run as that user or as root, or set SHOWTIME_DATA_DIR", cluster.display());
    assert!(said.contains(&expected), "{said}");

    let mut holder = Holder(command.env(HOLD, &own).spawn().unwrap());
    holder.wait_until_running();
    let owner = fs::metadata(own.join("postgres/PG_VERSION")).unwrap().uid();
    assert_eq!(owner, UNPRIVILEGED);
    holder.kill_9();
    // Root runs the cluster as its owner, and leaves nothing that the owner can't use.
    let postgres = start(&own).await;
    postgres.stop().await.unwrap();
    let mut holder = Holder(command.spawn().unwrap());
    holder.wait_until_running();
    holder.kill_9();
}

#[tokio::test]
async fn invalid_cluster_and_other_version_are_errors_and_left_unchanged() {
    let place = open_place();
    let cluster = place.path().join("postgres");
    fs::create_dir(&cluster).unwrap();
    let name = cluster.canonicalize().unwrap();
    assert_eq!(
        refusal(place.path()).await.to_string(),
        format!(
            "{} is not a PostgreSQL cluster (its PG_VERSION cannot be read: No such file or directory \
             (os error 2)); remove it with `cargo run local-db reset --force`",
            name.display()
        )
    );
    fs::write(cluster.join("PG_VERSION"), "7\n").unwrap();
    let error = refusal(place.path()).await;
    assert!(matches!(error, LocalError::WrongMajor { required: 7, .. }), "{error}");
    assert_eq!(fs::read_to_string(cluster.join("PG_VERSION")).unwrap(), "7\n");
    let reset = postgres::reset(place.path()).await.unwrap();
    assert_eq!(reset, "removed; the next start makes a new one");
    assert!(!cluster.exists());
}

#[tokio::test]
async fn unusable_directory_is_named() {
    assert_eq!(
        refusal(Path::new("/dev/null/showtime")).await.to_string(),
        "could not create /dev/null: File exists (os error 17); fix that, or set \
         SHOWTIME_DATA_DIR to another place"
    );
}

#[tokio::test]
async fn failed_start_is_explained_by_the_log() {
    let place = open_place();
    let data_dir = place.path().join("data");
    start(&data_dir).await.stop().await.unwrap();
    let settings = data_dir.join("postgres/postgresql.conf");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text + "\nno_such_setting = 1\n").unwrap();
    let error = refusal(&data_dir).await.to_string();
    assert!(error.starts_with("postgres ended with exit status: 1; its log is "), "{error}");
    assert!(error.contains("unrecognized configuration parameter \"no_such_setting\""), "{error}");
}
