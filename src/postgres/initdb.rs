//! Creation of a cluster by initdb.

use std::fs::{self, File};
use std::time::Duration;

use tokio::time::timeout;

use super::binaries::Binaries;
use super::data_dir::{self, DataDir};
use super::database::NAME;
use super::durability::Durability;
use super::error::LocalError;
use super::files::{off_thread, remove_dir};
use super::lock::Lock;
use super::process::{start, watched};
use super::run_as::RunAs;

/// Time limit for initdb, on a slow disk too.
const INITDB_TIMEOUT: Duration = Duration::from_secs(120);

/// The size of a file of the write-ahead log, in MB. Until a new cluster has files to use again, Postgres fills each new one with
/// zeros while commits wait: for 10 to 20 ms with its default of 16 MB.
const WAL_SEGMENT_SIZE: &str = "2";

/// Appended to a new cluster's postgresql.conf: a small server, in UTC. The sizes of the write-ahead log are Postgres' defaults,
/// for which initdb has smaller ones if its files are smaller.
const SETTINGS: &str = "\
# Set by showtime when it made this cluster; yours to change.
shared_buffers = 32MB
min_wal_size = 80MB
max_wal_size = 1GB
timezone = 'UTC'
log_timezone = 'UTC'";

/// Further settings of a durable cluster.
const DURABLE_SETTINGS: &str = "max_connections = 60";

/// Further settings of a throwaway cluster: many connections, and no durability.
const THROWAWAY_SETTINGS: &str = "\
max_connections = 1000
fsync = off
synchronous_commit = off
full_page_writes = off";

/// Shell script that creates a cluster, as its owner.
const INITDB: &str = include_str!("initdb.sh");

/// Creates the cluster in another directory and renames that when it is complete, so that an interrupted initdb never leaves
/// something that looks like a cluster.
pub(super) async fn make_cluster(
    data_dir: &DataDir,
    lock: &Lock,
    binaries: &Binaries,
    run_as: &RunAs,
    durability: Durability,
) -> Result<(), LocalError> {
    let new = data_dir.new_cluster();
    remove_dir(&new).await?;
    data_dir::make_dir_for(&new, run_as.user())?;

    let further = match durability {
        Durability::Durable => DURABLE_SETTINGS,
        Durability::Throwaway => THROWAWAY_SETTINGS,
    };
    let mut command = watched(run_as, lock, "INT", None)?;
    command
        .args(["/bin/sh", "-c", INITDB, "initdb.sh"])
        .arg(&new)
        .arg(format!("{SETTINGS}\n{further}"))
        .arg(binaries.initdb())
        .args(["--username", NAME, "--auth", "trust"])
        // The same order of text on every machine, whatever locales it has.
        .args(["--encoding", "UTF8", "--no-locale"])
        .args(["--wal-segsize", WAL_SEGMENT_SIZE]);
    if durability == Durability::Throwaway {
        command.arg("--no-sync");
    }
    let mut started = start(data_dir, command).await?;
    let status = match timeout(INITDB_TIMEOUT, started.child.wait()).await {
        Ok(status) => status.map_err(LocalError::io("wait for", binaries.initdb()))?,
        Err(_) => {
            return Err(LocalError::NotReady {
                seconds: INITDB_TIMEOUT.as_secs(),
                reason: "initdb is still running".to_owned(),
                log: data_dir.log(),
                tail: data_dir.log_tail(started.log_from),
            });
        }
    };
    if !status.success() {
        return Err(started.ended("initdb", status, data_dir));
    }
    lock.share_has_ended();
    let (data_dir, cluster) = (data_dir.path().to_owned(), data_dir.cluster());
    off_thread(move || {
        fs::rename(&new, &cluster).map_err(LocalError::io("create", cluster))?;
        File::open(&data_dir).and_then(|dir| dir.sync_all()).map_err(LocalError::io("sync", data_dir))
    })
    .await
}
