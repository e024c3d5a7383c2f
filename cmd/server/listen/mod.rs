//! `server listen`: prints a live feed.

mod line;
mod sse;

use std::io::{self, ErrorKind, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use clap::builder::{PossibleValue, PossibleValuesParser};
use reqwest::{Client, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use showtime::backoff::Backoff;
use showtime::cli::{Shutdown, note, printable};
use showtime::clock::Clock;
use showtime::config::Config;
use showtime::http::{self, root_cause};
use showtime::outputs::live::feed::Feed;
use showtime::program::Program;
use showtime::simulate::delivery::own_callback;
use strum::IntoEnumIterator as _;
use url::Url;

use self::sse::Parser;

/// How long the server may be silent. It sends a heartbeat every 15 seconds.
const SILENCE: Duration = Duration::from_secs(45);

/// The pauses before the feed is opened again.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(500), max: Duration::from_secs(10) };

const EXAMPLES: &str = "\
Examples:
  server listen events                                     every event, as it comes
  server listen alerts --channel maplearcade --last 10     the last ten alerts of a channel, and what follows
  server listen events --type channel.cheer --json | jq .data.payload
  server listen chat --url https://show.example.org --token-file token

A line has time (UTC), channel, type and text. The command goes on until Ctrl-C, over restarts of the server, and
misses nothing meanwhile.";

/// A live feed to print.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Listen {
    /// The feed, as /live/FEED
    #[arg(value_parser = feeds())]
    feed: String,
    /// The server [default: that of this directory, from `BIND_ADDR` and `LISTEN_PORT`]
    #[arg(long)]
    url: Option<Url>,
    /// File with an access token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// An access token [default: without --url, the one that the server of this directory made]
    #[arg(long, env = "SHOWTIME_TOKEN", hide_env_values = true)]
    token: Option<SecretString>,
    /// Only these channels, by id or login
    #[arg(long, value_name = "CHANNELS")]
    channel: Option<String>,
    /// Only these types: of subscriptions for events, of alerts for alerts
    #[arg(long = "type", value_name = "TYPES")]
    kind: Option<String>,
    /// Start with this many of the last events: 1 to 100
    #[arg(long, conflicts_with = "after")]
    last: Option<u8>,
    /// Start after the event with this id; 0 for the whole log
    #[arg(long, value_name = "ID")]
    after: Option<i64>,
    /// Print each event as a JSON object: {"id", "event", "data"}
    #[arg(long)]
    json: bool,
}

fn feeds() -> PossibleValuesParser {
    Feed::iter().map(|feed| PossibleValue::new(feed.name()).help(feed.summary())).collect::<Vec<_>>().into()
}

/// Prints the feed until Ctrl-C, or until what reads it has ended.
pub(crate) async fn run(listen: Listen, config: &Config) -> Result<()> {
    let mut shutdown = Shutdown::new()?;
    // On a task of its own: printing may wait for what reads it.
    tokio::spawn(async move {
        shutdown.requested().await;
        std::process::exit(0);
    });
    let mut follower = Follower::new(listen, config)?;
    match follower.follow().await {
        Err(error) if is_broken_pipe(&error) => Ok(()),
        outcome => outcome,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// Why a connection ended, after which the feed is opened again.
struct Cut(String);

struct Follower {
    client: Client,
    url: Url,
    token: SecretString,
    is_json: bool,
    /// The id up to which everything was printed.
    cursor: Option<String>,
    clock: Clock,
}

impl Follower {
    fn new(listen: Listen, config: &Config) -> Result<Self> {
        let token = listen.token(config)?;
        let mut client = http::stream_client(SILENCE);
        if listen.url.is_none() {
            client = client.no_proxy();
        }
        let client = client.build().context("no HTTP client can be made")?;
        Ok(Self {
            client,
            url: listen.address(config)?,
            token,
            is_json: listen.json,
            cursor: None,
            clock: Clock::default(),
        })
    }

    /// Prints the feed. A server that was there once is waited for, whatever it answers but a refusal.
    async fn follow(&mut self) -> Result<()> {
        let mut response = self.open().await?.map_err(|Cut(reason)| anyhow!("{reason}{}", self.hint()))?;
        loop {
            let Cut(reason) = self.print(response).await?;
            note(format_args!("the connection ended ({}); opening it again", printable(&reason)));
            let mut failures = 0;
            response = loop {
                failures += 1;
                self.clock.sleep(BACKOFF.pause(failures)).await;
                if let Ok(response) = self.open().await? {
                    break response;
                }
            };
            note("connected again");
        }
    }

    /// Opens the feed behind the cursor.
    async fn open(&self) -> Result<Result<Response, Cut>> {
        let mut request = self.client.get(self.url.clone()).bearer_auth(self.token.expose_secret());
        if let Some(cursor) = &self.cursor {
            request = request.header("Last-Event-ID", cursor);
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Ok(Err(Cut(format!("{} can't be reached: {}", self.server(), root_cause(&error))))),
        };
        let status = response.status();
        if status.is_success() {
            let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
            ensure!(
                kind.starts_with("text/event-stream"),
                "{} is no showtime server: it answers {:?}",
                self.server(),
                kind
            );
            return Ok(Ok(response));
        }
        let problem: Value = response.json().await.unwrap_or_default();
        let detail = printable(problem["detail"].as_str().or(status.canonical_reason()).unwrap_or_default());
        match status.as_u16() {
            401 | 403 => bail!("{} refuses the token: {detail} ({})", self.server(), status.as_u16()),
            429 | 500.. => Ok(Err(Cut(format!("{} answers: {detail} ({})", self.server(), status.as_u16())))),
            _ => bail!("{} answers: {detail} ({})", self.server(), status.as_u16()),
        }
    }

    /// Prints what comes until the connection ends.
    async fn print(&mut self, mut response: Response) -> Result<Cut> {
        let (mut parser, mut comment) = (Parser::default(), String::new());
        loop {
            match response.chunk().await {
                Ok(Some(bytes)) => parser.push(&bytes)?,
                Ok(None) if ["", "heartbeat"].contains(&comment.as_str()) => {
                    return Ok(Cut("the server ended it".to_owned()));
                }
                Ok(None) => return Ok(Cut(comment)),
                Err(error) => return Ok(Cut(root_cause(&error))),
            }
            while let Some(event) = parser.next() {
                if !event.data.is_empty() {
                    self.write(&event)?;
                }
                comment.clone_from(&event.comment);
                self.cursor = event.id.or(self.cursor.take());
            }
        }
    }

    fn write(&self, event: &sse::FeedEvent) -> Result<()> {
        let mut stdout = anstream::stdout().lock();
        if self.is_json {
            writeln!(stdout, "{}", line::json(event))?;
        } else if event.name == "resync" {
            let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
            note(format_args!("events are missing here: {}", printable(data["reason"].as_str().unwrap_or_default())));
        } else {
            for line in line::text(event, self.clock.now()) {
                writeln!(stdout, "{line}")?;
            }
        }
        Ok(stdout.flush()?)
    }

    /// The server's address, without what the URL may hold beside it.
    fn server(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    fn hint(&self) -> String {
        format!(": start a server with `{}`, or name another with --url", Program::Server)
    }
}

impl Listen {
    fn token(&self, config: &Config) -> Result<SecretString> {
        if let Some(file) = &self.token_file {
            let text = std::fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()))?;
            return Ok(SecretString::from(text.trim()));
        }
        if let Some(token) = &self.token {
            return Ok(token.clone());
        }
        let give = format!(
            "make one with `{} create --name me --scope read`, and give it in SHOWTIME_TOKEN or with --token-file",
            Program::Token
        );
        ensure!(self.url.is_none(), "no access token for this server: {give}");
        let file = config.bootstrap_token_file();
        let missing = || {
            format!("no access token: there is no {}, which a server makes at its first start; {give}", file.display())
        };
        config.bootstrap_token().with_context(missing)
    }

    /// The address of the feed.
    fn address(&self, config: &Config) -> Result<Url> {
        let mut url = match &self.url {
            Some(url) => url.clone(),
            None => {
                ensure!(
                    config.listen_port != 0,
                    "LISTEN_PORT is 0, so the server's port is not known; name it with --url"
                );
                own_callback(SocketAddr::new(config.bind_addr, config.listen_port))?.join("/")?
            }
        };
        ensure!(
            matches!(url.scheme(), "http" | "https") && url.has_host(),
            "--url must be an address like http://127.0.0.1:5001"
        );
        url.set_path(&format!("{}/live/{}", url.path().trim_end_matches('/'), self.feed));
        let (last, after) = (self.last.map(|last| last.to_string()), self.after.map(|after| after.to_string()));
        let parameters = [("channel", &self.channel), ("type", &self.kind), ("last", &last), ("after", &after)];
        url.query_pairs_mut()
            .clear()
            .extend_pairs(parameters.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))));
        Ok(url)
    }
}
