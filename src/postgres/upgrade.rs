//! The way of a cluster to a newer major version of Postgres: a new cluster is filled from a dump of the old one, and takes its
//! place.

use std::fs::{self, File};
use std::os::unix::fs::lchown;
use std::path::Path;

use nix::unistd::Uid;

use super::binaries::{self, Binaries};
use super::cluster::Cluster;
use super::data_dir::DataDir;
use super::durability::Durability;
use super::error::LocalError;
use super::files::{exists, off_thread, remove_dir};
use super::{LocalPostgres, dump};

/// How much of a dump is between the two programs.
const PIPE_BYTES: usize = 1 << 16;

/// Moves the cluster in `data_dir` to the newest version of Postgres that is installed beside its own. The old cluster is
/// kept. Returns the text to print.
///
/// # Errors
///
/// [`LocalError::InUse`] while it runs; else what failed, after which the old cluster is as it was.
pub async fn upgrade(data_dir: &Path) -> Result<String, LocalError> {
    let data_dir = DataDir::existing(data_dir)?;
    let newest = binaries::newest().await?;
    let dir = data_dir.clone();
    match off_thread(move || dir.cluster_major()).await? {
        None => Ok("there is no database yet".to_owned()),
        Some(major) if major >= newest.major() => Ok(format!("PostgreSQL {major} is the newest that is installed")),
        Some(major) => replace(&data_dir, major, newest).await,
    }
}

async fn replace(data_dir: &DataDir, major: u32, newest: Binaries) -> Result<String, LocalError> {
    let (to, kept) = (newest.major(), data_dir.path().join(format!("postgres-{major}")));
    if exists(&kept).await {
        return Err(LocalError::io("replace", kept)(std::io::ErrorKind::AlreadyExists.into()));
    }
    let place = data_dir.path().join("upgrade");
    remove_dir(&place).await?;
    let mut old = LocalPostgres::start(data_dir.path(), Durability::Durable).await?;
    let Some(started) = old.started.take() else {
        return Err(LocalError::IsUp { dir: data_dir.path().to_owned() });
    };
    let filled = fill(data_dir, &place, &old, newest).await;
    // The old cluster stays locked until the new one is in its place.
    old.cluster.stop_watched(started).await?;
    if let Err(error) = filled {
        remove_dir(&place).await?;
        return Err(error);
    }
    let (dir, new, aside) = (data_dir.clone(), place.join("postgres"), kept.clone());
    off_thread(move || {
        fs::rename(dir.cluster(), &aside).map_err(LocalError::io("rename", dir.cluster()))?;
        if let Err(error) = fs::rename(&new, dir.cluster()) {
            let _ = fs::rename(&aside, dir.cluster());
            return Err(LocalError::io("rename", &new)(error));
        }
        File::open(dir.path()).and_then(|it| it.sync_all()).map_err(LocalError::io("sync", dir.path()))
    })
    .await?;
    remove_dir(&place).await?;
    Ok(format!(
        "moved from PostgreSQL {major} to {to}; the old cluster is kept in {}: delete it when all is well. Changes that you \
         made to its postgresql.conf are not carried over",
        kept.display()
    ))
}

/// Creates a cluster of the newest version in `place`, with all data of the old one.
async fn fill(data_dir: &DataDir, place: &Path, old: &LocalPostgres, newest: Binaries) -> Result<(), LocalError> {
    let (dir, parent) = (place.to_owned(), data_dir.clone());
    off_thread(move || {
        let new = DataDir::create(&dir)?;
        if Uid::effective().is_root() {
            let owner = parent.owner()?;
            lchown(new.path(), Some(owner.uid), None).map_err(LocalError::io("give away", new.path()))?;
        }
        Ok(())
    })
    .await?;
    let cluster = Cluster::open(place, Durability::Durable, Some(newest)).await?;
    let mut new = LocalPostgres { cluster, started: None };
    new.launch().await?;
    let (from, to) = (old.connect_options(), new.connect_options());
    let (mut output, mut input) = tokio::io::duplex(PIPE_BYTES);
    // Each drops its end of the pipe, so that neither waits for the other after a failure.
    let dumping = async move { dump::dump(&from, &mut output).await };
    let restoring = async move { dump::restore(&to, &mut input).await };
    let (dumped, restored) = tokio::join!(dumping, restoring);
    new.stop().await?;
    restored.and(dumped)
}
