//! Search for Postgres' programs on this machine.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::error::LocalError;
use super::files::exists;

/// The oldest major version that is used; older ones are no longer supported.
const OLDEST: u32 = 14;

/// Time limit for `postgres --version` and `pg_config`.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Places with one directory per version: parent, prefix of the version's directory, and the subdirectory of the programs.
const VERSIONED: [(&str, &str, &str); 4] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// A directory with `postgres` and `initdb` of one version.
#[derive(Clone, Debug)]
pub(super) struct Binaries {
    dir: PathBuf,
    major: u32,
}

impl Binaries {
    /// The major version.
    pub(super) fn major(&self) -> u32 {
        self.major
    }

    /// The server.
    pub(super) fn postgres(&self) -> PathBuf {
        self.dir.join("postgres")
    }

    /// The program that creates clusters.
    pub(super) fn initdb(&self) -> PathBuf {
        self.dir.join("initdb")
    }

    /// Whether the programs are still there, and of this major version; true if that can't be found out now.
    pub(super) async fn are_still_of(&self, major: u32) -> bool {
        match Self::in_dir(&self.dir).await {
            Some(found) => found.major == major,
            None => exists(&self.postgres()).await,
        }
    }

    /// The programs in `dir`, if they are complete.
    async fn in_dir(dir: &Path) -> Option<Self> {
        // PATH often has links to the real directory, in which initdb finds its template files.
        let dir = tokio::fs::canonicalize(dir.join("postgres")).await.ok()?;
        let dir = dir.parent()?.to_owned();
        tokio::fs::metadata(dir.join("initdb")).await.ok()?;
        let version = output_of(&dir.join("postgres"), "--version").await?;
        let major = version_in(&version)?;
        Some(Self { dir, major })
    }
}

/// Finds the first suitable server, in the order of the places: of the major version of `cluster` if there is one, else any
/// version that is not too old.
pub(super) async fn find(cluster: Option<(u32, &Path)>) -> Result<Binaries, LocalError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // If it is in PATH, the start need not wait for pg_config.
    match choose(directories(&path), cluster).await {
        Err(_) => choose(places(&path).await, cluster).await,
        found => found,
    }
}

async fn choose(places: Vec<PathBuf>, cluster: Option<(u32, &Path)>) -> Result<Binaries, LocalError> {
    let mut found = Vec::new();
    for place in places {
        let Some(binaries) = Binaries::in_dir(&place).await else {
            continue;
        };
        match cluster {
            Some((required, _)) if binaries.major == required => return Ok(binaries),
            None if binaries.major >= OLDEST => return Ok(binaries),
            _ => found.push(binaries.major.to_string()),
        }
    }
    found.dedup();
    match cluster {
        Some((required, cluster)) if !found.is_empty() => {
            Err(LocalError::WrongMajor { cluster: cluster.to_owned(), required, found: found.join(", ") })
        }
        _ => Err(LocalError::NoBinaries { oldest: OLDEST }),
    }
}

/// Finds the newest server.
pub(super) async fn newest() -> Result<Binaries, LocalError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut newest: Option<Binaries> = None;
    for place in places(&path).await {
        let found = Binaries::in_dir(&place).await;
        newest = [newest, found].into_iter().flatten().max_by_key(|binaries| binaries.major);
    }
    newest.ok_or(LocalError::NoBinaries { oldest: OLDEST })
}

/// Finds `pg_dump` or `pg_restore` for a server of this major version: the oldest that is not older than the server.
pub(super) async fn client(program: &'static str, major: u32) -> Result<PathBuf, LocalError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut best: Option<(u32, PathBuf)> = None;
    for place in places(&path).await {
        // Debian's wrapper, which looks for the system's own clusters, has another name behind its link.
        let Ok(file) = tokio::fs::canonicalize(place.join(program)).await else { continue };
        if file.file_name() != Some(OsStr::new(program)) {
            continue;
        }
        let version = output_of(&file, "--version").await;
        if let Some(found) = version.as_deref().and_then(version_in).filter(|found| *found >= major)
            && best.as_ref().is_none_or(|(best, _)| found < *best)
        {
            best = Some((found, file));
        }
    }
    best.map(|(_, file)| file).ok_or(LocalError::NoClient { program, major })
}

/// Finds `psql`: beside a server's programs, or else in PATH.
///
/// Debian's `psql` in PATH is a wrapper that looks for the system's own clusters, so the real one comes first.
pub(super) async fn psql() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    for place in places(&path).await {
        if let Some(binaries) = Binaries::in_dir(&place).await {
            let psql = binaries.dir.join("psql");
            if tokio::fs::metadata(&psql).await.is_ok() {
                return psql;
            }
        }
    }
    PathBuf::from("psql")
}

fn directories(path: &OsStr) -> Vec<PathBuf> {
    std::env::split_paths(path).filter(|dir| dir.is_absolute()).collect()
}

/// All directories to search, in order of preference.
async fn places(path: &OsStr) -> Vec<PathBuf> {
    let mut places = directories(path);
    if let Some(bindir) = output_of(Path::new("pg_config"), "--bindir").await {
        places.push(PathBuf::from(bindir.trim()));
    }
    for (parent, prefix, bin) in VERSIONED {
        places.extend(versions_in(Path::new(parent), prefix, bin).await);
    }
    places
}

/// The versions in one of [`VERSIONED`], newest first.
async fn versions_in(parent: &Path, prefix: &str, bin: &str) -> Vec<PathBuf> {
    let mut versions = Vec::new();
    if let Ok(mut entries) = tokio::fs::read_dir(parent).await {
        while let Ok(Some(entry)) = entries.next_entry().await {
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(prefix));
            if let Some(major) = number.and_then(leading_number) {
                versions.push((major, entry.path().join(bin)));
            }
        }
    }
    versions.sort_by(|a, b| b.cmp(a));
    versions.into_iter().map(|(_, dir)| dir).collect()
}

/// The output of `program` with one argument; `None` if it is missing or fails.
async fn output_of(program: &Path, argument: &str) -> Option<String> {
    let mut command = Command::new(program);
    command.arg(argument).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(PROBE_TIMEOUT, command.output()).await.ok()?.ok()?;
    output.status.success().then_some(())?;
    String::from_utf8(output.stdout).ok()
}

/// The major version in `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn version_in(text: &str) -> Option<u32> {
    text.split_once("(PostgreSQL) ").and_then(|(_, version)| leading_number(version))
}

/// The digits that a text begins with, as a number: 18 of `18beta1`, 15 of `15.18`.
pub(super) fn leading_number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Creates a directory whose programs print this version.
    fn pretend(root: &Path, name: &str, version: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let dir = root.join(name).join("bin");
        std::fs::create_dir_all(&dir).unwrap();
        for program in ["postgres", "initdb"] {
            let file = dir.join(program);
            let says = format!("#!/bin/sh\necho '{program} (PostgreSQL) {version}'\n");
            std::fs::write(&file, says).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        dir
    }

    #[test]
    fn versions_are_read_in_all_spellings() {
        let cases = [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", Some(15)),
            ("postgres (PostgreSQL) 18beta1", Some(18)),
            ("postgres (PostgreSQL) 9.6.24", Some(9)),
            ("postgres (PostgreSQL) devel", None),
            ("something else 15", None),
        ];
        for (text, major) in cases {
            assert_eq!(version_in(text), major, "{text}");
        }
    }

    #[tokio::test]
    async fn newest_version_comes_first() {
        let root = tempfile::tempdir().unwrap();
        for name in ["9.6", "15", "18", "17"] {
            pretend(root.path(), name, name);
        }
        std::fs::create_dir(root.path().join("common")).unwrap();
        let names: Vec<_> = versions_in(root.path(), "", "bin")
            .await
            .iter()
            .map(|dir| dir.strip_prefix(root.path()).unwrap().display().to_string())
            .collect();
        assert_eq!(names, ["18/bin", "17/bin", "15/bin", "9.6/bin"]);
    }

    #[tokio::test]
    async fn existing_cluster_gets_binaries_of_its_own_version() {
        let root = tempfile::tempdir().unwrap();
        let places = vec![pretend(root.path(), "18", "18.1"), pretend(root.path(), "16", "16.9")];
        let cluster = Path::new("/data/postgres");

        let newest = choose(places.clone(), None).await.unwrap();
        assert_eq!(newest.major, 18);
        let matching = choose(places.clone(), Some((16, cluster))).await.unwrap();
        assert_eq!(matching.major, 16);
        let error = choose(places, Some((15, cluster))).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the database in /data/postgres was made by PostgreSQL 15, but only 18, 16 is installed; \
             install PostgreSQL 15 beside it, and then move the data with `cargo run local-db upgrade`, or delete the data \
             with `cargo run local-db reset --force`"
        );
    }

    #[tokio::test]
    async fn missing_server_is_an_error_that_says_what_to_do() {
        let root = tempfile::tempdir().unwrap();
        let client_only = root.path().join("client/bin");
        std::fs::create_dir_all(&client_only).unwrap();
        std::fs::write(client_only.join("psql"), "").unwrap();
        let too_old = pretend(root.path(), "9.6", "9.6.24");

        let error = choose(vec![client_only, too_old], None).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "found no PostgreSQL server of version 14 or newer (looked in PATH, `pg_config --bindir`, \
             /usr/lib/postgresql/*/bin, Homebrew and Postgres.app); install the package `postgresql`, or \
             set DATABASE_URL, or PGHOST, PGUSER and PGDATABASE, to use a server that runs elsewhere"
        );
    }
}
