//! The private Postgres: real clusters, real processes, real kill -9.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use showtime::store::local::{self, Durability, LocalError, LocalPostgres};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::support::postgres::fresh_database;

/// For everything that a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tells a child of these tests which data directory to hold, or to run psql on.
const HOLD: &str = "SHOWTIME_TEST_HOLD";
const PSQL: &str = "SHOWTIME_TEST_PSQL";

/// `nobody` on most machines; any unprivileged number does.
const NOBODY: u32 = 65534;

/// A temporary directory that everybody may enter, with room for a data directory.
fn open_place() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
    place
}

async fn start(data_dir: &Path) -> LocalPostgres {
    LocalPostgres::start(data_dir, Durability::Durable).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn refusal(data_dir: &Path) -> LocalError {
    match LocalPostgres::start(data_dir, Durability::Durable).await {
        Ok(_) => panic!("it started"),
        Err(error) => error,
    }
}

async fn text(options: &PgConnectOptions, query: &'static str) -> Result<String, sqlx::Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    let value = sqlx::query_scalar(query).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(value)
}

async fn write_note(options: &PgConnectOptions) {
    let mut connection = PgConnection::connect_with(options).await.unwrap();
    sqlx::raw_sql("create table note (text text); insert into note values ('kept')")
        .execute(&mut connection)
        .await
        .unwrap();
}

async fn read_note(options: &PgConnectOptions) -> String {
    text(options, "select text from note").await.unwrap()
}

fn postmaster(data_dir: &Path) -> Pid {
    let file = fs::read_to_string(data_dir.join("postgres/postmaster.pid")).unwrap();
    Pid::from_raw(file.lines().next().unwrap().parse().unwrap())
}

fn is_alive(pid: Pid) -> bool {
    kill(pid, None).is_ok()
}

async fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// This test binary again, to run one of the ignored tests below in a process of its own.
fn child(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "--nocapture", test]).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// A child that holds the data directory; ended by the test, or when the test panics.
struct Holder(Child);

impl Holder {
    fn spawn(data_dir: &Path) -> Self {
        let mut command = child("local_db::a_child_that_holds_a_cluster");
        Self(command.env(HOLD, data_dir).spawn().unwrap())
    }

    /// Reads what the child says until it holds the cluster.
    fn wait_until_it_holds(&mut self) {
        let stdout = self.0.stdout.take().unwrap();
        let held = BufReader::new(stdout).lines().any(|line| line.unwrap() == "held");
        assert!(held, "the child ended without holding the cluster");
    }

    fn kill_9(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
#[ignore = "run as a child process by other tests"]
async fn a_child_that_holds_a_cluster() {
    let data_dir = std::env::var_os(HOLD).expect("its data directory");
    let durability = match data_dir.to_str().unwrap().ends_with("throwaway") {
        true => Durability::Throwaway,
        false => Durability::Durable,
    };
    match LocalPostgres::start(Path::new(&data_dir), durability).await {
        Ok(mut postgres) => {
            println!("\nheld");
            panic!("{}", postgres.supervise().await);
        }
        Err(error) => println!("\n{error}"),
    }
}

#[tokio::test]
#[ignore = "run as a child process by other tests"]
async fn a_child_that_becomes_psql() {
    let data_dir = std::env::var_os(PSQL).expect("its data directory");
    println!();
    let arguments = ["-Atc", "select text from note"].map(Into::into);
    println!("{}", local::psql(Path::new(&data_dir), &arguments).await);
}

#[tokio::test]
async fn a_fresh_directory_becomes_a_private_database_that_keeps_its_data() {
    let place = open_place();
    let data_dir = place.path().join("not/yet/there");
    let postgres = start(&data_dir).await;
    let options = postgres.connect_options();
    write_note(&options).await;
    let first = postmaster(&data_dir);

    for (setting, value) in [
        ("select current_setting('listen_addresses')", ""),
        ("select current_setting('unix_socket_permissions')", "0700"),
        ("select current_setting('shared_buffers')", "32MB"),
        ("select current_setting('fsync')", "on"),
        ("select current_setting('server_encoding')", "UTF8"),
        ("select current_database()::text", "showtime"),
        ("select count(*)::text from pg_hba_file_rules", "1"),
    ] {
        assert_eq!(text(&options, setting).await.unwrap(), value, "{setting}");
    }
    assert_eq!(fs::metadata(&data_dir).unwrap().mode() & 0o067, 0);
    for private in ["postgres", "socket"] {
        let mode = fs::metadata(data_dir.join(private)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o700, "{private}");
    }

    postgres.stop().await.unwrap();
    assert!(!is_alive(first), "stop returned before Postgres had ended");
    assert!(!data_dir.join("postgres/postmaster.pid").exists());

    let begun = Instant::now();
    let postgres = start(&data_dir).await;
    println!("ready on an existing cluster after {:?}", begun.elapsed());
    assert_eq!(read_note(&postgres.connect_options()).await, "kept");
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn dropping_it_stops_postgres_too() {
    let place = open_place();
    let data_dir = place.path().join("data");
    let postgres = start(&data_dir).await;
    let pid = postmaster(&data_dir);
    drop(postgres);
    wait_until("Postgres has ended", || !is_alive(pid)).await;
}

#[tokio::test]
async fn after_kill_9_no_postgres_stays_and_the_next_start_has_the_data() {
    let place = open_place();
    let data_dir = place.path().join("data");
    let postgres = start(&data_dir).await;
    write_note(&postgres.connect_options()).await;
    postgres.stop().await.unwrap();

    let mut holder = Holder::spawn(&data_dir);
    holder.wait_until_it_holds();
    let orphan = postmaster(&data_dir);
    holder.kill_9();
    // At once, while the watchdog is still at work.
    let postgres = start(&data_dir).await;
    assert!(!is_alive(orphan), "two servers met");
    assert_eq!(read_note(&postgres.connect_options()).await, "kept");
    postgres.stop().await.unwrap();

    let mut holder = Holder::spawn(&data_dir);
    holder.wait_until_it_holds();
    let orphan = postmaster(&data_dir);
    holder.kill_9();
    wait_until("the orphan has ended", || !is_alive(orphan)).await;
}

#[tokio::test]
async fn when_the_watchdog_is_killed_too_the_next_start_stops_what_it_left() {
    let place = open_place();
    let data_dir = place.path().join("data");
    let mut holder = Holder::spawn(&data_dir);
    holder.wait_until_it_holds();
    let orphan = postmaster(&data_dir);
    let group = nix::unistd::getpgid(Some(orphan)).unwrap();
    for pid in processes_of_group(group) {
        if pid != orphan {
            kill(pid, Signal::SIGKILL).unwrap();
        }
    }
    holder.kill_9();
    assert!(is_alive(orphan));

    let postgres = start(&data_dir).await;
    assert_ne!(postmaster(&data_dir), orphan);
    postgres.stop().await.unwrap();
}

/// The processes of a process group, by what `ps` says.
fn processes_of_group(group: Pid) -> Vec<Pid> {
    let output = Command::new("ps").args(["-A", "-o", "pgid=,pid="]).output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let numbers = lines.lines().map(|line| {
        let mut numbers = line.split_whitespace().map(|n| n.parse::<i32>().unwrap());
        (numbers.next().unwrap(), numbers.next().unwrap())
    });
    numbers.filter(|(pgid, _)| *pgid == group.as_raw()).map(|(_, pid)| Pid::from_raw(pid)).collect()
}

#[tokio::test]
async fn a_postgres_that_dies_is_started_again() {
    let place = open_place();
    let data_dir = place.path().join("data");
    let mut postgres = start(&data_dir).await;
    let options = postgres.connect_options();
    write_note(&options).await;
    let first = postmaster(&data_dir);
    kill(first, Signal::SIGKILL).unwrap();

    let recovered = async {
        loop {
            let note = text(&options, "select text from note").await;
            let file = fs::read_to_string(data_dir.join("postgres/postmaster.pid"));
            let same = file.is_ok_and(|file| file.starts_with(&format!("{first}\n")));
            if let (Ok(note), false) = (note, same) {
                break note;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        error = postgres.supervise() => panic!("{error}"),
        note = recovered => assert_eq!(note, "kept"),
        () = tokio::time::sleep(PATIENCE) => panic!("it did not come back"),
    }
    postgres.stop().await.unwrap();
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

#[tokio::test]
async fn a_path_too_long_for_a_socket_gets_a_short_private_one() {
    let place = open_place();
    let deep = place.path().join("with space").join("d".repeat(120));
    let postgres = start(&deep).await;
    let socket = fs::read_link(deep.join("socket")).unwrap();
    assert_eq!(fs::metadata(&socket).unwrap().mode() & 0o777, 0o700);
    let options = postgres.connect_options();
    assert_eq!(options.get_socket(), Some(&socket));
    write_note(&options).await;
    postgres.stop().await.unwrap();
    assert!(!socket.exists(), "nothing stays outside of the directory");

    // Somebody puts a directory of his own where the link points.
    fs::create_dir(&socket).unwrap();
    std::os::unix::fs::symlink(&socket, deep.join("socket")).unwrap();
    let postgres = start(&deep).await;
    let other = fs::read_link(deep.join("socket")).unwrap();
    assert_ne!(other, socket, "an open directory is not trusted");
    assert_eq!(read_note(&postgres.connect_options()).await, "kept");
    postgres.stop().await.unwrap();
    fs::remove_dir(&socket).unwrap();
}

#[tokio::test]
async fn root_can_use_a_directory_below_a_closed_one() {
    if !Uid::effective().is_root() {
        println!("NOT TESTED: only root has the problem that this solves");
        return;
    }
    let place = tempfile::tempdir().unwrap(); // mode 0700, as the clone in `mktemp -d`
    assert_eq!(fs::metadata(place.path()).unwrap().mode() & 0o777, 0o700);
    let data_dir = place.path().join("data");
    let postgres = start(&data_dir).await;
    write_note(&postgres.connect_options()).await;
    assert_ne!(fs::metadata(data_dir.join("postgres")).unwrap().uid(), 0);
    postgres.stop().await.unwrap();
    let postgres = start(&data_dir).await;
    assert_eq!(read_note(&postgres.connect_options()).await, "kept");
    postgres.stop().await.unwrap();
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
async fn a_cluster_left_half_made_is_made_again() {
    let place = open_place();
    let data_dir = place.path().join("data");
    let mut holder = Holder::spawn(&data_dir);
    let half_made = data_dir.join("postgres.new/PG_VERSION");
    wait_until("initdb is at work", || half_made.exists()).await;
    holder.kill_9();
    assert!(!data_dir.join("postgres").exists(), "initdb was too fast");

    let postgres = start(&data_dir).await;
    write_note(&postgres.connect_options()).await;
    postgres.stop().await.unwrap();
    assert!(!data_dir.join("postgres.new").exists());
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
    let reset = local::reset(place.path()).await.unwrap();
    assert_eq!(reset, "removed; the next start makes a new one");
    assert!(!cluster.exists());
}

#[tokio::test]
async fn a_place_that_cannot_be_used_is_named() {
    assert_eq!(
        refusal(Path::new("/dev/null/showtime")).await.to_string(),
        "could not create /dev/null/showtime: Not a directory (os error 20); mend that, or let \
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

#[tokio::test]
async fn up_stays_for_servers_to_use_until_down() {
    let place = open_place();
    let data_dir = place.path().join("data");
    let dir = data_dir.display();
    assert_eq!(local::down(&data_dir).await.unwrap(), "not running");
    assert_eq!(local::reset(&data_dir).await.unwrap(), "nothing to reset");
    assert_eq!(
        local::env(&data_dir).await.unwrap_err().to_string(),
        format!("no Postgres runs in {dir}; start one with `./local-db.sh up`, or start the server")
    );
    assert!(!data_dir.exists(), "asking makes nothing");

    let said = local::up(&data_dir).await.unwrap();
    let _down = DownAtTheEnd(data_dir.clone());
    let dir = data_dir.canonicalize().unwrap();
    let dir = dir.display();
    assert_eq!(said, format!("running in {dir}; stop it with `./local-db.sh down`"));
    let said = local::up(&data_dir).await.unwrap();
    assert_eq!(said, format!("already running in {dir}"));
    let pid = postmaster(&data_dir);

    let server = start(&data_dir).await;
    let options = server.connect_options();
    write_note(&options).await;
    let held = format!("pid {}", std::process::id());
    for refused in [local::down(&data_dir).await, local::reset(&data_dir).await] {
        assert!(refused.unwrap_err().to_string().contains(&held));
    }
    let said = local::up(&data_dir).await.unwrap();
    assert_eq!(said, format!("already running in {dir}, for a server ({held})"));
    server.stop().await.unwrap();
    assert!(is_alive(pid), "a server that joined leaves it running");
    assert_eq!(read_note(&options).await, "kept");

    let env = local::env(&data_dir).await.unwrap();
    let url = env.split('\'').nth(1).unwrap().parse::<PgConnectOptions>().unwrap();
    assert_eq!(read_note(&url).await, "kept");
    assert_eq!(said_by_shell(&format!("{env}\npsql \"$DATABASE_URL\" -Atc 'select text from note'")), "kept\n");
    assert_eq!(said_by_shell(&format!("{env}\nunset DATABASE_URL; psql -Atc 'select text from note'")), "kept\n");
    let mut psql = child("local_db::a_child_that_becomes_psql");
    let output = psql.env(PSQL, &data_dir).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.ends_with("\nkept\n"), "{said}");

    assert_eq!(local::reset(&data_dir).await.unwrap(), "the database is empty");
    let error = text(&options, "select text from note").await.unwrap_err();
    assert!(error.to_string().contains("\"note\" does not exist"), "{error}");
    assert_eq!(local::down(&data_dir).await.unwrap(), "stopped");
    assert!(text(&options, "select 'there'").await.is_err());
    assert_eq!(local::down(&data_dir).await.unwrap(), "not running");
}

/// Stops a cluster that a failing test would leave running.
struct DownAtTheEnd(PathBuf);

impl Drop for DownAtTheEnd {
    fn drop(&mut self) {
        let file = fs::read_to_string(self.0.join("postgres/postmaster.pid"));
        let pid = file.ok().and_then(|file| file.lines().next()?.parse().ok());
        if let Some(pid) = pid {
            let _ = kill(Pid::from_raw(pid), Signal::SIGQUIT);
        }
    }
}

fn said_by_shell(script: &str) -> String {
    let output = Command::new("sh").args(["-ec", script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_throwaway_cluster_vanishes_with_its_process() {
    let place = open_place();
    let data_dir = place.path().join("throwaway");
    // Its own parent, so that whoever runs Postgres may remove it.
    fs::set_permissions(place.path(), Permissions::from_mode(0o777)).unwrap();
    let mut holder = Holder::spawn(&data_dir);
    holder.wait_until_it_holds();
    let pid = postmaster(&data_dir);
    holder.kill_9();
    wait_until("the directory is gone", || !data_dir.exists()).await;
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn each_test_gets_a_database_of_its_own() {
    let (one, other) = tokio::join!(fresh_database(), fresh_database());
    write_note(&one).await;
    write_note(&other).await;
    let name = "select current_database()::text";
    assert_ne!(text(&one, name).await.unwrap(), text(&other, name).await.unwrap());
}
