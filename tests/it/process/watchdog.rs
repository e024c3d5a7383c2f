//! The server ended in the moments in which it starts Postgres: the watchdog ends that Postgres, however early.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::{sleep, timeout};

use super::{PATIENCE, Place, SERVER};
use crate::support::postgres::installed_programs;
use crate::support::until;

/// Creates a directory with `initdb` and a `postgres` that creates the file `begun`, waits, and becomes the real one.
/// Returns the value of PATH with it in front.
fn slow_programs(place: &Place, seconds: &str) -> String {
    let real = installed_programs();
    let dir = place.path().join("programs");
    fs::create_dir(&dir).unwrap();
    symlink(real.join("initdb"), dir.join("initdb")).unwrap();
    let begun = begun(place);
    let (begun, real) = (begun.display(), real.display());
    // Postgres, as whose user this runs, can't write into the directory, but into the file.
    let script =
        format!("#!/bin/sh\ncase $1 in -D) echo >{begun}; sleep {seconds} ;; esac\nexec {real}/postgres \"$@\"\n");
    fs::write(dir.join("postgres"), script).unwrap();
    fs::set_permissions(dir.join("postgres"), Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", dir.display(), std::env::var_os("PATH").unwrap().into_string().unwrap())
}

/// The file that has content when Postgres begins.
fn begun(place: &Place) -> PathBuf {
    place.path().join("begun")
}

/// Ends a server by this signal, so long after its Postgres has begun.
async fn end_early(place: &Place, path: &str, signal: Signal, delay: Duration) {
    let begun = begun(place);
    fs::write(&begun, "").unwrap();
    fs::set_permissions(&begun, Permissions::from_mode(0o666)).unwrap();
    let mut command = place.command(SERVER, &[("PATH", path)], &[]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while fs::metadata(&begun).unwrap().len() == 0 {
        assert_eq!(child.try_wait().unwrap(), None);
        sleep(Duration::from_micros(200)).await;
    }
    sleep(delay).await;
    kill(Pid::from_raw(child.id().unwrap().try_into().unwrap()), signal).unwrap();
    timeout(PATIENCE, child.wait()).await.expect("it ends").unwrap();
}

#[tokio::test]
async fn postgres_ends_with_a_server_that_is_ended_while_it_starts() {
    let place = Place::new();
    place.serve(&[]).await.stop().await;
    let path = slow_programs(&place, "0");
    for milliseconds in [0, 1, 2, 3, 4, 6, 8, 10, 13, 16, 20, 30] {
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            end_early(&place, &path, signal, Duration::from_millis(milliseconds)).await;
            until("Postgres has ended", async || place.processes().is_empty()).await;
        }
    }
    place.serve(&[]).await.stop().await;
}

#[tokio::test]
async fn next_start_waits_for_a_postgres_that_is_told_to_end_before_it_can_hear_it() {
    let place = Place::new();
    place.serve(&[]).await.stop().await;
    let path = slow_programs(&place, "0.5");
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGKILL] {
        end_early(&place, &path, signal, Duration::ZERO).await;
        place.serve(&[]).await.stop().await;
    }
}
