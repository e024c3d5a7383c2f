//! Creates, lists and revokes the tokens of the API.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Parser, Subcommand};
use secrecy::ExposeSecret as _;
use showtime::access::grant::Scope;
use showtime::access::{TOKEN_TTL, TokenHash, check_name, generate};
use showtime::api::AccessToken;
use showtime::cli::{self, AsJson, with_database};
use showtime::clock::{Clock, to_text};
use showtime::config::Config;
use showtime::program::Program;
use showtime::store::access_tokens;
use sqlx::PgConnection;
use strum::VariantNames as _;

/// Creates, lists and revokes the tokens of the API, whether the server runs or not.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Create a token and print it; it can't be shown again
    Create {
        /// The name by which it is listed and revoked
        #[arg(long, value_parser = name)]
        name: String,
        /// What it permits: following alerts and chat, as overlays do; reading; or everything
        #[arg(long, value_parser = PossibleValuesParser::new(Scope::VARIANTS).try_map(|scope| scope.parse::<Scope>()))]
        scope: Scope,
    },
    /// List the tokens, without their text
    List(AsJson),
    /// Revoke a token; running servers notice within seconds
    Revoke {
        /// The token's name or id, as `list` shows them
        #[arg(value_name = "NAME|ID")]
        name: String,
    },
}

fn name(text: &str) -> Result<String, &'static str> {
    check_name(text).map(|()| text.to_owned())
}

fn main() -> ExitCode {
    match start(&cli::parse::<Arguments>().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => cli::fail(error.as_ref()),
    }
}

fn start(command: &Command) -> Result<()> {
    let config = Config::load()?;
    cli::log(&config.log, config.log_format);
    cli::runtime()?.block_on(with_database(&config, async |connection| {
        cli::require_migrations(connection).await?;
        match command {
            Command::Create { name, scope } => create(connection, name, *scope).await,
            Command::List(format) => list(connection, *format).await,
            Command::Revoke { name } => revoke(connection, name).await,
        }
    }))
}

async fn create(connection: &mut PgConnection, name: &str, scope: Scope) -> Result<()> {
    let token = generate();
    let hash = TokenHash::from(&token);
    if !access_tokens::insert(connection, name, scope, hash.as_bytes(), Clock::default().now()).await? {
        bail!("there is a token named {name} already: choose another name, or revoke it first");
    }
    // Alone on standard output, so that a script can read it.
    writeln!(io::stdout(), "{}", token.expose_secret()).context("the token can't be shown: revoke it")?;
    cli::note(format_args!(
        "This is the token {name}, with the scope {}. Keep it: it can't be shown again.",
        scope.as_str()
    ));
    Ok(())
}

async fn list(connection: &mut PgConnection, format: AsJson) -> Result<()> {
    let tokens = access_tokens::all(connection).await?;
    if format.json {
        return Ok(cli::print_json(&tokens.into_iter().map(AccessToken::from).collect::<Vec<_>>())?);
    }
    let width = tokens.iter().map(|token| token.name.len()).max().unwrap_or_default().max(4);
    cli::print(format_args!("{:>4}  {:width$}  scope    {:20}  last used", "id", "name", "created"));
    for token in tokens {
        let used = token.last_used_at.map_or("never".to_owned(), to_text);
        let (name, scope, created) = (token.name, token.scope.as_str(), to_text(token.created_at));
        cli::print(format_args!("{:>4}  {name:width$}  {scope:7}  {created:20}  {used}", token.id));
    }
    Ok(())
}

async fn revoke(connection: &mut PgConnection, name: &str) -> Result<()> {
    let Some(name) = access_tokens::delete(connection, name).await? else {
        bail!("there is no token {name}: `{} list` shows which there are", Program::Token);
    };
    cli::print(format_args!("revoked {name}; running servers refuse it within {} s", TOKEN_TTL.as_secs()));
    Ok(())
}
