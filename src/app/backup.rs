//! Backup of all that a server needs: the database, and the secrets without which what is in it can't be used.
//!
//! A backup is one file: a line of JSON with the secrets, and after it a dump of `pg_dump` in its custom format.

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

use crate::config::{Config, Database, EncryptionKey, SecretFileError, describe_database};
use crate::postgres::{self, Durability, LocalError, LocalPostgres};
use crate::store::migrations::{self, MigrationError};
use crate::store::{answered, databases, epoch, forget};
use crate::twitch::id::UserId;
use crate::twitch::signature::WebhookSecret;

/// The version of the format.
const FORMAT: u32 = 1;

/// The longest first line of a backup.
const MAX_HEADER: u64 = 4096;

/// Why a backup can't be made or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file can't be written or read.
    #[error("the backup {path} can't be written or read: {source}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file was not made by this command, or by a newer version.
    #[error("{path} is no backup that this version can read", path = .0.display())]
    NoBackup(PathBuf),
    /// The database has no tables.
    #[error("there is nothing to back up: the database has no tables (another directory, or DATABASE_URL?)")]
    Empty,
    /// The database has tables.
    #[error("the database is not empty: restore into an empty one, or replace all that is in it with --force")]
    NotEmpty,
    /// A server uses the database.
    #[error("a server uses the database: stop it first")]
    Served,
    /// A secret differs from that of the backup.
    #[error("{name} is another one than that of the backup: {what_to_do}")]
    OtherSecret {
        /// The setting or file.
        name: String,
        /// What helps.
        what_to_do: &'static str,
    },
    /// A secret can't be read or written.
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    /// Postgres or its programs failed.
    #[error(transparent)]
    Postgres(#[from] LocalError),
    /// The restored database can't be migrated.
    #[error("the database can't be migrated: {0}")]
    Migrate(#[from] MigrationError),
    /// There is no connection to the database.
    #[error("the database can't be used ({address}): {source}")]
    NotConnected {
        /// Where it is.
        address: String,
        /// Why not.
        source: sqlx::Error,
    },
    /// The database failed.
    #[error("the database can't be used: {0}")]
    Database(#[from] sqlx::Error),
}

/// The first line of a backup.
#[derive(Deserialize, Serialize)]
struct Header {
    showtime_backup: u32,
    webhook_secret: Option<String>,
    encryption_key: Option<String>,
}

/// Writes a backup to a file that only this user can read, in place of an older one. Servers may run meanwhile.
///
/// # Errors
/// What can't be read or written; then there is no new file.
pub async fn backup(config: &Config, path: &Path) -> Result<(), BackupError> {
    let (database, local) = match &config.database {
        Database::Given(options) => ((**options).clone(), None),
        Database::Private => postgres::start_or_join(&config.data_dir).await?,
    };
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let written = write(config, &database, &draft).await;
    if let Some(local) = local {
        local.stop().await?;
    }
    let failed = |source| BackupError::File { path: path.to_owned(), source };
    let outcome = written.and_then(|()| fs::rename(&draft, path).map_err(failed));
    outcome.inspect_err(|_| drop(fs::remove_file(&draft)))
}

async fn connect(database: &PgConnectOptions) -> Result<PgConnection, BackupError> {
    let failed = |source| BackupError::NotConnected { address: describe_database(database), source };
    answered(database.connect()).await.map_err(failed)
}

async fn write(config: &Config, database: &PgConnectOptions, draft: &Path) -> Result<(), BackupError> {
    let failed = |source| BackupError::File { path: draft.to_owned(), source };
    let mut connection = connect(database).await?;
    if !databases::has_tables(&mut connection).await? {
        return Err(BackupError::Empty);
    }
    connection.close().await?;
    let header = Header {
        showtime_backup: FORMAT,
        webhook_secret: config.existing_webhook_secret()?.map(|secret| secret.expose_secret().to_owned()),
        encryption_key: config.existing_encryption_key()?.map(|key| key.expose_secret().to_owned()),
    };
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft).map_err(failed)?;
    let mut file = File::from_std(file);
    let line = serde_json::to_string(&header).map_err(|error| failed(error.into()))? + "\n";
    file.write_all(line.as_bytes()).await.map_err(failed)?;
    postgres::dump(database, &mut file).await?;
    file.sync_all().await.map_err(failed)
}

/// Restores a backup: into a database without tables, or with `force` in place of what is in it. Keeps the secrets of the
/// backup where they are not configured.
///
/// # Errors
/// What is in the way or fails. Nothing is changed before the backup has been read to its end.
pub async fn restore(config: &Config, path: &Path, force: bool) -> Result<(), BackupError> {
    let (header, _) = open(path).await?;
    check_secrets(config, &header, force)?;
    let (database, local) = match &config.database {
        Database::Given(options) => ((**options).clone(), None),
        Database::Private => {
            let local = LocalPostgres::start(&config.data_dir, Durability::Durable).await?;
            (local.connect_options(), Some(local))
        }
    };
    let restored = restore_into(config, &database, path, &header, force).await;
    if let Some(local) = local {
        local.stop().await?;
    }
    restored
}

async fn restore_into(
    config: &Config,
    database: &PgConnectOptions,
    path: &Path,
    header: &Header,
    force: bool,
) -> Result<(), BackupError> {
    let mut connection = connect(database).await?;
    if databases::is_served(&mut connection).await? {
        return Err(BackupError::Served);
    }
    let is_empty = !databases::has_tables(&mut connection).await?;
    if !is_empty && !force {
        return Err(BackupError::NotEmpty);
    }
    postgres::check_dump(database, &mut open(path).await?.1).await?;
    keep_secrets(config, header)?;
    // The backup may be older than that they were forgotten.
    let forgotten = forget::forgotten(&mut connection).await?;
    if !is_empty {
        migrations::revert_all(&mut connection).await?;
    }
    postgres::restore_dump(database, &mut open(path).await?.1).await?;
    begin(config, &mut connection, &forgotten).await?;
    connection.close().await?;
    Ok(())
}

/// Prepares a restored database for the next server: old ids lead to no other events, and who was forgotten stays so.
async fn begin(config: &Config, connection: &mut PgConnection, forgotten: &[UserId]) -> Result<(), BackupError> {
    if config.migrate {
        migrations::up(connection).await?;
    }
    epoch::begin(connection).await?;
    for id in forgotten {
        forget::forget(connection, id).await?;
    }
    Ok(())
}

/// The first line of a backup, and the rest of it.
async fn open(path: &Path) -> Result<(Header, BufReader<File>), BackupError> {
    let failed = |source| BackupError::File { path: path.to_owned(), source };
    let mut file = BufReader::new(File::open(path).await.map_err(failed)?);
    let mut line = Vec::new();
    (&mut file).take(MAX_HEADER).read_until(b'\n', &mut line).await.map_err(failed)?;
    match serde_json::from_slice::<Header>(&line) {
        Ok(header) if header.showtime_backup == FORMAT => Ok((header, file)),
        _ => Err(BackupError::NoBackup(path.to_owned())),
    }
}

/// Fails if another secret is configured, or, without `force`, is in the data directory.
fn check_secrets(config: &Config, header: &Header, force: bool) -> Result<(), BackupError> {
    if is_other(config.existing_webhook_secret()?.as_ref(), header.webhook_secret.as_deref()) {
        let file = config.twitch.webhook_secret.is_none().then(|| config.webhook_secret_file());
        must_be_replaceable("TWITCH_WEBHOOK_SECRET", file, force)?;
    }
    if is_other(config.existing_encryption_key()?.as_ref(), header.encryption_key.as_deref()) {
        let file = config.encryption_key.is_none().then(|| config.encryption_key_file());
        must_be_replaceable("SHOWTIME_ENCRYPTION_KEY", file, force)?;
    }
    Ok(())
}

/// Whether there are both a secret here and one in the backup, and they differ.
fn is_other(own: Option<&impl ExposeSecret<str>>, backups: Option<&str>) -> bool {
    own.zip(backups).is_some_and(|(own, backups)| own.expose_secret() != backups)
}

/// Fails if a secret is configured by this setting, or, without `force`, is in this file.
fn must_be_replaceable(setting: &str, file: Option<PathBuf>, force: bool) -> Result<(), BackupError> {
    let (name, what_to_do) = match file {
        None => (setting.to_owned(), "set it to that one, or remove it, so that the backup's is used"),
        Some(file) if !force => (file.display().to_string(), "replace it with --force"),
        Some(_) => return Ok(()),
    };
    Err(BackupError::OtherSecret { name, what_to_do })
}

/// Writes the backup's secrets to the data directory, unless they are configured.
fn keep_secrets(config: &Config, header: &Header) -> Result<(), BackupError> {
    postgres::create_data_dir(&config.data_dir)?;
    if let Some(text) = &header.webhook_secret {
        let secret = WebhookSecret::new(text).map_err(|error| invalid(&config.webhook_secret_file(), &error))?;
        config.replace_webhook_secret(&secret)?;
    }
    if let Some(text) = &header.encryption_key {
        let key = EncryptionKey::new(text).map_err(|error| invalid(&config.encryption_key_file(), &error))?;
        config.replace_encryption_key(&key)?;
    }
    Ok(())
}

fn invalid(path: &Path, error: &impl ToString) -> SecretFileError {
    SecretFileError::Invalid { path: path.to_owned(), reason: error.to_string() }
}
