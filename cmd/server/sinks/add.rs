//! `server sinks add`.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use showtime::cli;
use showtime::config::Config;
use showtime::outputs::sink::service::{self, SinkChange};
use showtime::postgres;
use showtime::store::LogId;
use showtime::store::followers::Start;
use showtime::store::sinks::SinkKind;
use sqlx::PgConnection;
use tokio::task::spawn_blocking;
use url::Url;

use super::webhooks;

/// A sink: for RabbitMQ, or a webhook.
#[derive(clap::Args)]
pub(crate) struct Add {
    /// Its name
    name: String,
    #[command(flatten)]
    receiver: Receiver,
    #[command(flatten)]
    amqp: AmqpOptions,
    #[command(flatten)]
    options: WebhookOptions,
    /// Template of the body [default: the event as in /live/events]
    #[arg(long, value_name = "TEMPLATE")]
    body: Option<String>,
    /// Send test events, too
    #[arg(long)]
    tests: bool,
    /// Only these types, such as channel.cheer,stream.*; '' for none, so that only rules and actions send to it
    #[arg(long, value_delimiter = ',')]
    types: Option<Vec<String>>,
    /// Only these channels, by id or login
    #[arg(long, value_delimiter = ',')]
    channels: Option<Vec<String>>,
    /// Start after the event with this id; 0 for everything
    #[arg(long, value_name = "ID")]
    after: Option<LogId>,
}

/// Where events go.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Receiver {
    /// RabbitMQ, as amqp://user:password@host:port/vhost, which is kept encrypted; `-` reads it from standard input, as
    /// a URL with a password must be
    #[arg(long, value_name = "URL")]
    amqp: Option<SecretString>,
    /// The environment variable of the server that holds that URL
    #[arg(long, value_name = "VARIABLE")]
    amqp_url_env: Option<String>,
    /// The address that gets signed requests, which is kept encrypted; `-` reads it from standard input, as one that is
    /// a secret should be
    #[arg(long, value_name = "URL")]
    webhook: Option<SecretString>,
}

impl Receiver {
    /// The URL that is given. A list of processes shows arguments, so none of them may be a password.
    async fn url(&mut self) -> Result<Option<SecretString>> {
        let has_password = |url: &SecretString| Url::parse(url.expose_secret()).is_ok_and(|it| it.password().is_some());
        if self.amqp.as_ref().is_some_and(has_password) {
            bail!(
                "a password may not be an argument, since the list of processes shows it: give the URL on standard input \
                 (--amqp -), or name the variable that holds it (--amqp-url-env VARIABLE)"
            );
        }
        match self.amqp.take().or(self.webhook.take()) {
            Some(url) if url.expose_secret() == "-" => spawn_blocking(read_url).await?.map(Some),
            url => Ok(url),
        }
    }
}

fn read_url() -> Result<SecretString> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).context("the URL can't be read from standard input")?;
    match line.trim() {
        "" => bail!("standard input has no URL"),
        url => Ok(url.into()),
    }
}

/// What only RabbitMQ has.
#[derive(clap::Args)]
#[command(next_help_heading = "RabbitMQ")]
struct AmqpOptions {
    /// The topic exchange [default: showtime]
    #[arg(long)]
    exchange: Option<String>,
    /// Expect the exchange to exist
    #[arg(long)]
    no_declare: bool,
    /// Template of the routing key [default: `twitch.CHANNEL_ID.TYPE`]
    #[arg(long, value_name = "TEMPLATE")]
    routing_key: Option<String>,
    /// A durable queue to declare and bind
    #[arg(long)]
    queue: Option<String>,
    /// File with the certificate of a private CA
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// What only webhooks have.
#[derive(clap::Args)]
#[command(next_help_heading = "Webhooks")]
struct WebhookOptions {
    /// Private networks that may be reached, also by http, such as 192.168.1.0/24
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    allow: Option<Vec<String>>,
    /// The content type of the body [default: application/json]
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// Let an event that fails block those after it
    #[arg(long)]
    ordered: bool,
}

impl Add {
    fn kind(&self) -> SinkKind {
        if self.receiver.webhook.is_some() { SinkKind::Webhook } else { SinkKind::Amqp }
    }

    /// The settings that are given.
    fn settings(&self) -> Map<String, Value> {
        let (amqp, webhook) = (&self.amqp, &self.options);
        let settings = [
            ("url_env", json!(self.receiver.amqp_url_env)),
            ("exchange", json!(amqp.exchange)),
            ("declare", json!(amqp.no_declare.then_some(false))),
            ("routing_key", json!(amqp.routing_key)),
            ("queue", json!(amqp.queue)),
            ("ca_file", json!(amqp.ca_file)),
            ("allow", json!(webhook.allow)),
            ("content_type", json!(webhook.content_type)),
            ("ordered", json!(webhook.ordered.then_some(true))),
            ("body", json!(self.body)),
            ("tests", json!(self.tests.then_some(true))),
        ];
        settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

pub(super) async fn run(connection: &mut PgConnection, config: &Config, mut sink: Add) -> Result<()> {
    // The key that encrypts the URL is kept there.
    postgres::create_data_dir(&config.data_dir)?;
    let (kind, settings, url) = (sink.kind(), sink.settings(), sink.receiver.url().await?);
    let start = sink.after.map_or(Start::Now, Start::After);
    let types = sink.types.map(|types| types.into_iter().filter(|kind| !kind.is_empty()).collect());
    let change = SinkChange { url, types, channels: sink.channels, settings };
    let key = service::add(connection, config, (kind, &sink.name), change, start).await?;
    cli::print(format_args!("added {}", sink.name));
    key.iter().for_each(webhooks::print_key);
    Ok(())
}
