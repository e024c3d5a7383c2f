//! Dumps of a database, made and restored by Postgres' own programs.

use std::path::Path;
use std::process::Stdio;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use super::binaries;
use super::database::server_major;
use super::error::LocalError;

/// How much of the programs' messages an error shows.
const TEXT_BYTES: u64 = 4_000;

const DUMP: &str = "pg_dump";
const RESTORE: &str = "pg_restore";

/// Writes a dump of the database in the custom format of `pg_dump`: what one moment has, also while a server goes on writing.
///
/// # Errors
///
/// [`LocalError::NoClient`], [`LocalError::Dump`], or [`LocalError::Io`] if `output` can't be written.
pub async fn dump(database: &PgConnectOptions, output: &mut (impl AsyncWrite + Unpin)) -> Result<(), LocalError> {
    let program = binaries::client(DUMP, server_major(database).await?).await?;
    let mut command = client(&program, database);
    command.args(["--format=custom", "--no-owner", "--no-privileges", "--no-password", "--lock-wait-timeout=30s"]);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(LocalError::io("start", &program))?;
    let stdout = child.stdout.take();
    let copying = async {
        if let Some(mut stdout) = stdout {
            tokio::io::copy(&mut stdout, output).await?;
        }
        output.flush().await
    };
    let (copied, ended) = tokio::join!(copying, ended(DUMP, child));
    copied.map_err(LocalError::io("write", "the dump"))?;
    ended
}

/// Restores a dump into a database without tables: all of it or nothing.
///
/// # Errors
///
/// [`LocalError::NoClient`], or [`LocalError::Dump`].
pub async fn restore(database: &PgConnectOptions, dump: &mut (impl AsyncRead + Unpin)) -> Result<(), LocalError> {
    let name = format!("--dbname={}", database.get_database().unwrap_or(database.get_username()));
    run_restore(database, dump, &["--single-transaction", "--exit-on-error", "--no-password", &name]).await
}

/// Reads a dump to its end without restoring it.
///
/// # Errors
///
/// [`LocalError::NoClient`], or [`LocalError::Dump`] if it is damaged.
pub async fn check(database: &PgConnectOptions, dump: &mut (impl AsyncRead + Unpin)) -> Result<(), LocalError> {
    run_restore(database, dump, &["--file=/dev/null"]).await
}

async fn run_restore(
    database: &PgConnectOptions,
    dump: &mut (impl AsyncRead + Unpin),
    arguments: &[&str],
) -> Result<(), LocalError> {
    let program = binaries::client(RESTORE, server_major(database).await?).await?;
    let mut command = client(&program, database);
    command.args(["--no-owner", "--no-privileges"]).args(arguments).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().map_err(LocalError::io("start", &program))?;
    let stdin = child.stdin.take();
    let copying = async {
        if let Some(mut stdin) = stdin {
            // If the program ends early, its exit status and message say why.
            let _ = tokio::io::copy(dump, &mut stdin).await;
            let _ = stdin.shutdown().await;
        }
    };
    tokio::join!(copying, ended(RESTORE, child)).1
}

/// Waits for the end of a program, whose messages are the reason if it fails.
async fn ended(program: &'static str, mut child: Child) -> Result<(), LocalError> {
    let mut text = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        let mut beginning = stderr.take(TEXT_BYTES);
        let _ = beginning.read_to_end(&mut text).await;
        let _ = tokio::io::copy(&mut beginning.into_inner(), &mut tokio::io::sink()).await;
    }
    let status = child.wait().await.map_err(LocalError::io("wait for", program))?;
    if status.success() {
        return Ok(());
    }
    Err(LocalError::Dump { program, status, text: String::from_utf8_lossy(&text).trim().to_owned() })
}

/// A program that connects to the database. Its password is in the environment, which only this user can read, and not among
/// the arguments, which all can.
fn client(program: &Path, database: &PgConnectOptions) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C").env("PATH", std::env::var_os("PATH").unwrap_or_default());
    match database.get_socket() {
        Some(socket) => command.env("PGHOST", socket),
        None => command.env("PGHOST", database.get_host()),
    };
    command
        .env("PGPORT", database.get_port().to_string())
        .env("PGUSER", database.get_username())
        .env("PGDATABASE", database.get_database().unwrap_or(database.get_username()))
        .env("PGSSLMODE", ssl_mode(database.get_ssl_mode()))
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let url = database.to_url_lossy();
    // sqlx has no other way to the password than its percent-encoded form.
    if let Some(password) = url.password() {
        let encoded = format!("password={password}");
        command
            .envs(url::form_urlencoded::parse(encoded.as_bytes()).map(|(_, value)| ("PGPASSWORD", value.into_owned())));
    }
    for (name, value) in url.query_pairs() {
        match &*name {
            "sslrootcert" => command.env("PGSSLROOTCERT", &*value),
            "sslcert" => command.env("PGSSLCERT", &*value),
            "sslkey" => command.env("PGSSLKEY", &*value),
            _ => &mut command,
        };
    }
    command
}

fn ssl_mode(mode: PgSslMode) -> &'static str {
    match mode {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn program_gets_the_password_in_its_environment_alone() {
        let url = "postgres://me%40home:p%40ss%20w%2Brd%25%26@db.example.org:5433/events?sslmode=verify-full";
        let database = url.parse::<PgConnectOptions>().unwrap();
        let command = client(Path::new("pg_dump"), &database);
        let variable = |name| command.as_std().get_envs().find(|(it, _)| *it == OsStr::new(name)).unwrap().1.unwrap();
        for (name, value) in [
            ("PGHOST", "db.example.org"),
            ("PGPORT", "5433"),
            ("PGUSER", "me@home"),
            ("PGDATABASE", "events"),
            ("PGPASSWORD", "p@ss w+rd%&"),
            ("PGSSLMODE", "verify-full"),
        ] {
            assert_eq!(variable(name), value, "{name}");
        }
        assert_eq!(command.as_std().get_args().count(), 0);
    }
}
