//! What cannot be done, and what a person is told then.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::Uid;
use showtime::postgres::{self, Durability, LocalError, LocalPostgres};

use super::{HOLD, Holder, child, open_place, start, text};

/// `nobody` on most machines; any unprivileged number does.
const NOBODY: u32 = 65534;

async fn refusal(data_dir: &Path) -> LocalError {
    match LocalPostgres::start(data_dir, Durability::Durable).await {
        Ok(_) => panic!("it started"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_second_server_in_the_same_directory_is_told_of_the_first() {
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

/// Makes a child run as [`NOBODY`]; false, loudly, if that is not possible here.
fn as_nobody(command: &mut Command) -> bool {
    use std::os::unix::process::CommandExt;
    command.uid(NOBODY).gid(NOBODY).current_dir("/");
    let program = Path::new(command.get_program());
    let listing = Command::new(program).arg("--list").uid(NOBODY).gid(NOBODY).stdout(Stdio::null()).status();
    let possible = listing.is_ok_and(|status| status.success());
    if !possible {
        println!("NOT TESTED: user {NOBODY} cannot run {}", program.display());
    }
    possible
}

#[tokio::test]
async fn an_ordinary_user_runs_it_as_itself_and_leaves_other_users_clusters_alone() {
    let place = open_place();
    let own = place.path().join("own");
    let foreign = place.path().join("foreign");
    for dir in [&own, &foreign] {
        fs::create_dir(dir).unwrap();
    }
    fs::create_dir(foreign.join("postgres")).unwrap();
    fs::write(foreign.join("postgres/PG_VERSION"), "15\n").unwrap();
    if !Uid::effective().is_root() {
        println!("NOT TESTED: only root can play another user");
        return;
    }
    for dir in [&own, &foreign] {
        chown(dir, Some(NOBODY), Some(NOBODY)).unwrap();
    }

    let mut command = child("local_db::a_child_that_holds_a_cluster");
    if !as_nobody(&mut command) {
        return;
    }
    let output = command.env(HOLD, &foreign).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let cluster = foreign.join("postgres");
    let wanted =
        format!("{} belongs to user root; run as that user or as root, or set SHOWTIME_DATA_DIR", cluster.display());
    assert!(said.contains(&wanted), "{said}");

    let mut holder = Holder(command.env(HOLD, &own).spawn().unwrap());
    holder.wait_until_it_holds();
    let owner = fs::metadata(own.join("postgres/PG_VERSION")).unwrap().uid();
    assert_eq!(owner, NOBODY);
    holder.kill_9();
    // Root takes the cluster over as its owner, and leaves nothing its owner could not use.
    let postgres = start(&own).await;
    postgres.stop().await.unwrap();
    let mut holder = Holder(command.spawn().unwrap());
    holder.wait_until_it_holds();
    holder.kill_9();
}

#[tokio::test]
async fn what_is_no_cluster_or_another_versions_is_named_and_not_touched() {
    let place = open_place();
    let cluster = place.path().join("postgres");
    fs::create_dir(&cluster).unwrap();
    let name = cluster.canonicalize().unwrap();
    assert_eq!(
        refusal(place.path()).await.to_string(),
        format!(
            "{} is not a PostgreSQL cluster (its PG_VERSION cannot be read: No such file or directory \
             (os error 2)); remove it with `./local-db.sh reset`",
            name.display()
        )
    );
    fs::write(cluster.join("PG_VERSION"), "7\n").unwrap();
    let error = refusal(place.path()).await;
    assert!(matches!(error, LocalError::WrongMajor { wanted: 7, .. }), "{error}");
    assert_eq!(fs::read_to_string(cluster.join("PG_VERSION")).unwrap(), "7\n");
    let reset = postgres::reset(place.path()).await.unwrap();
    assert_eq!(reset, "removed; the next start makes a new one");
    assert!(!cluster.exists());
}

#[tokio::test]
async fn a_place_that_cannot_be_used_is_named() {
    assert_eq!(
        refusal(Path::new("/dev/null/showtime")).await.to_string(),
        "could not create /dev/null: File exists (os error 17); mend that, or let \
         SHOWTIME_DATA_DIR name another place"
    );
}

#[tokio::test]
async fn a_server_that_cannot_run_is_explained_by_its_own_log() {
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
