//! The commands on the database: `rebuild`, `backup`, `restore`, `migrate`, `local-db`.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Result, bail};
use clap::Subcommand;
use showtime::app::backup;
use showtime::cli::{AsJson, print, print_json, with_database};
use showtime::config::Config;
use showtime::postgres;
use showtime::store::{migrations, state};
use sqlx::Connection as _;

#[derive(Subcommand)]
pub(crate) enum Migrate {
    /// Apply all that are missing
    Up,
    /// Revert the newest, and delete what its tables hold
    Down {
        /// Required, since it deletes data
        #[arg(long)]
        force: bool,
    },
    /// List them
    Status(AsJson),
}

#[derive(Subcommand)]
pub(crate) enum LocalDb {
    /// Start it, and leave it running
    Up,
    /// Stop it
    Down,
    /// Delete everything in it
    Reset {
        /// Required, since it deletes all data
        #[arg(long)]
        force: bool,
    },
    /// Move it to the newest version of PostgreSQL that is installed
    Upgrade,
    /// Print the variables with which other programs reach it
    Env,
    /// Open psql on it
    Psql {
        /// Passed on to psql
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

pub(crate) async fn rebuild(config: &Config) -> Result<()> {
    with_database(config, async |connection| {
        let mut transaction = connection.begin().await?;
        let count = state::rebuild(&mut transaction).await?;
        transaction.commit().await?;
        print(format_args!("rebuilt from {count} messages"));
        Ok(())
    })
    .await
}

pub(crate) async fn backup(config: &Config, file: &Path) -> Result<()> {
    backup::backup(config, file).await?;
    print(format_args!("{} holds the database and its secrets: keep it as safe as them", file.display()));
    Ok(())
}

pub(crate) async fn restore(config: &Config, file: &Path, force: bool) -> Result<()> {
    backup::restore(config, file, force).await?;
    print(format_args!("{} is restored", file.display()));
    Ok(())
}

pub(crate) async fn migrate(command: Migrate, config: &Config) -> Result<()> {
    with_database(config, async |connection| {
        match command {
            Migrate::Up => migrations::up(connection).await?,
            Migrate::Down { force: false } => {
                bail!("this deletes what the tables of the newest migration hold: run it again with --force")
            }
            Migrate::Down { force: true } => match migrations::down(connection).await? {
                Some(reverted) => print(format_args!("reverted {:04} {}", reverted.version, reverted.description)),
                None => print("nothing to revert"),
            },
            Migrate::Status(AsJson { json: true }) => {
                return Ok(print_json(&migrations::status(connection).await?)?);
            }
            Migrate::Status(_) => {}
        }
        for migration in migrations::status(connection).await? {
            let mark = if migration.is_applied { "applied" } else { "missing" };
            print(format_args!("{mark}  {:04} {}", migration.version, migration.description));
        }
        Ok(())
    })
    .await
}

pub(crate) async fn local_db(command: LocalDb, config: &Config) -> Result<()> {
    let dir = &config.data_dir;
    let output = match command {
        LocalDb::Up => postgres::up(dir).await?,
        LocalDb::Down => postgres::down(dir).await?,
        LocalDb::Reset { force: false } => {
            bail!("this deletes all data in {}: run it again with --force", dir.display())
        }
        LocalDb::Reset { force: true } => postgres::reset(dir).await?,
        LocalDb::Upgrade => postgres::upgrade(dir).await?,
        LocalDb::Env => postgres::env(dir).await?,
        LocalDb::Psql { arguments } => return Err(postgres::psql(dir, &arguments).await.into()),
    };
    print(output);
    Ok(())
}
