//! A Postgres that can't be started for a while, or takes long to start.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::statvfs::statvfs;
use showtime::postgres::{Durability, LocalError, LocalPostgres};
use tokio::time::{sleep, timeout};

use super::{open_place, postmaster, read_note, start, text, write_note};
use crate::process::{Place, Serving};
use crate::support::messages::{at, notification};
use crate::support::server::{SECRET, secret};
use crate::support::{PATIENCE, skip_for_lack_of, until};

/// Longer than a server was once waited for.
const LONG: Duration = Duration::from_secs(10);

#[tokio::test]
async fn postgres_that_cannot_start_for_a_while_is_tried_until_it_can() {
    let place = open_place();
    let data_dir = place.path().join("data");
    let mut postgres = start(&data_dir).await;
    let options = postgres.connect_options();
    write_note(&options).await;

    let settings = data_dir.join("postgres/postgresql.conf");
    let good = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("{good}\nno_such_setting = 1\n")).unwrap();
    kill(postmaster(&data_dir), Signal::SIGKILL).unwrap();
    let outage = async {
        sleep(LONG).await;
        assert!(text(&options, "select 'there'").await.is_err(), "it can't start");
        fs::write(&settings, good).unwrap();
        until("Postgres answers again", async || text(&options, "select 'there'").await.is_ok()).await;
    };
    tokio::select! {
        error = postgres.supervise() => panic!("{error}"),
        () = outage => {}
    }
    assert_eq!(read_note(&options).await, "kept");
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn postgres_whose_cluster_is_gone_is_given_up() {
    let place = open_place();
    let data_dir = place.path().join("data");
    let mut postgres = start(&data_dir).await;
    fs::rename(data_dir.join("postgres"), data_dir.join("moved")).unwrap();
    let pid = fs::read_to_string(data_dir.join("moved/postmaster.pid")).unwrap();
    kill(nix::unistd::Pid::from_raw(pid.lines().next().unwrap().parse().unwrap()), Signal::SIGKILL).unwrap();
    let error = timeout(PATIENCE, postgres.supervise()).await.expect("it gives up");
    assert!(matches!(error, LocalError::NotACluster { .. }), "{error}");
}

/// Postgres says that it is starting until a restore command has ended, which waits for a file.
#[tokio::test]
async fn recovery_takes_as_long_as_it_takes() {
    let place = open_place();
    let data_dir = place.path().join("data");
    let postgres = start(&data_dir).await;
    write_note(&postgres.connect_options()).await;
    postgres.stop().await.unwrap();

    let go = place.path().join("go");
    let cluster = data_dir.join("postgres");
    fs::write(cluster.join("recovery.signal"), "").unwrap();
    let settings = fs::read_to_string(cluster.join("postgresql.conf")).unwrap();
    let wait = format!("until [ -e {} ]; do sleep 0.1; done; false", go.display());
    fs::write(cluster.join("postgresql.conf"), format!("{settings}\nrestore_command = '{wait}'\n")).unwrap();

    let begun = Instant::now();
    let starting = LocalPostgres::start(&data_dir, Durability::Durable);
    // Longer than a start may be silent.
    let release = async {
        sleep(Duration::from_secs(35)).await;
        fs::write(&go, "").unwrap();
    };
    let (postgres, ()) = tokio::join!(starting, release);
    let postgres = postgres.unwrap_or_else(|error| panic!("{error}"));
    assert!(begun.elapsed() > Duration::from_secs(35), "it had to wait");
    assert_eq!(read_note(&postgres.connect_options()).await, "kept");
    postgres.stop().await.unwrap();
}

/// A file system in memory, of this size; unmounted at the end of the test.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where this is not permitted.
    fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir(at).unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={size},mode=755"), "tmpfs"]).arg(at);
        let is_mounted = command.output().is_ok_and(|output| output.status.success());
        is_mounted.then(|| Self(at.to_owned()))
    }

    fn free_bytes(&self) -> u64 {
        let stat = statvfs(&self.0).unwrap();
        stat.blocks_available() * stat.fragment_size()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a Postgres of a failed test may still be ending.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).output();
    }
}

/// Delivers a message of 100 kB that can't be compressed. Returns the status.
async fn deliver(server: &Serving<'_>, client: &reqwest::Client) -> u16 {
    let noise: String = std::iter::repeat_with(|| rand::random_range('a'..='z')).take(100_000).collect();
    let message = notification("channel.update", at(0), serde_json::json!({ "noise": noise }));
    let headers = message.headers(Some(&message.sign(&secret())));
    let request = client.post(server.url("/callback")).body(message.body);
    let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
    request.send().await.expect("the server answers").status().as_u16()
}

#[tokio::test]
async fn full_disk_refuses_messages_until_it_has_room_again() {
    let place = Place::new();
    let Some(disk) = SmallDisk::mount(&place.path().join("disk"), "200m") else {
        return skip_for_lack_of("the right to mount a file system (root)");
    };
    let data_dir = disk.0.join("data");
    let settings = [("SHOWTIME_DATA_DIR", data_dir.to_str().unwrap()), ("TWITCH_WEBHOOK_SECRET", SECRET)];
    let server = place.serve(&settings).await;
    let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
    assert_eq!(deliver(&server, &client).await, 204);

    // Less than a segment of the write-ahead log.
    let ballast = disk.0.join("ballast");
    let length = usize::try_from(disk.free_bytes().saturating_sub(9 << 20)).unwrap();
    fs::write(&ballast, vec![1; length]).unwrap();
    let mut acknowledged = 1;
    let pid = postmaster(&data_dir);
    until("Postgres has ended for lack of room", async || {
        acknowledged += u32::from(deliver(&server, &client).await == 204);
        !super::is_alive(pid)
    })
    .await;
    let ended = Instant::now();
    while ended.elapsed() < LONG {
        assert_eq!(deliver(&server, &client).await, 503);
        sleep(Duration::from_millis(500)).await;
    }
    fs::remove_file(&ballast).unwrap();
    until("messages are stored again", async || deliver(&server, &client).await == 204).await;
    let stored = server.list("/events").await.len();
    assert!(stored > usize::try_from(acknowledged).unwrap(), "{stored} of {acknowledged} and one more");
    let log = server.stop().await;
    assert!(log.contains("the private Postgres can't be started; trying again"), "{log}");
}
