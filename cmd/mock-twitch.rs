//! A fake Twitch on this machine.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use showtime::cli::{self, Shutdown};
use showtime::config::LogFormat;
use showtime::mock::{Mock, MockConfig};

const AFTER_HELP: &str = "\
What it is:
  The login server, Helix and EventSub (over webhooks) of a Twitch of its own,
  on 127.0.0.1, with one registered application. Nothing is kept when it ends.
  It speaks the real protocols, so that any program whose Twitch URLs are
  settings can be tried on it: consent, tokens, refresh, validation, revocation;
  users, streams and channels; subscriptions with challenge, cost and limits;
  signed notifications, redelivered under the same id until the callback takes
  them; revocations.

  Its page, at the address that it prints, shows everything and has a button
  for most of it.

Its control API (JSON; a body may leave out what it does not change):
  GET   /mock/state
        channels, consents, subscriptions, the last deliveries, faults
  POST  /mock/channels                     {\"name\"}
  PATCH /mock/channels/LOGIN               {\"title\", \"game_id\", \"game_name\",
                                            \"language\", \"labels\"}
  POST  /mock/channels/LOGIN/live          {\"silent\": true}: Helix shows it,
  POST  /mock/channels/LOGIN/offline       but sends nothing
  POST  /mock/channels/LOGIN/follow        {\"user\"}
  POST  /mock/channels/LOGIN/raid          {\"from\", \"viewers\"}
  POST  /mock/channels/LOGIN/cheer         {\"user\", \"bits\"}
  POST  /mock/channels/LOGIN/subscribe     {\"user\", \"tier\"}
  POST  /mock/events                       {\"type\", \"version\", \"channel\",
        any type, from its sample           \"user\", \"set\": [\"path=value\"]}
  POST  /mock/consents/LOGIN/withdraw
        ends tokens, and revokes subscriptions that rest on the consent
  POST  /mock/subscriptions/ID/end         {\"status\"}, such as \"user_removed\"
  POST  /mock/tokens/app/end               Helix answers 401 from now on
  POST  /mock/tokens/user/end
  POST  /mock/rate-limit                   {\"seconds\"}: Helix answers 429 so long
  GET, PUT /mock/faults
        chances from 0 to 1: delay (by delay_ms), duplicate, reorder,
        drop_answer, helix_error, token_revoked, rate_limit,
        hide_streams;
        countdowns: fail_next_helix, fail_next_oauth

Example:
  curl -X POST localhost:8080/mock/channels/maplearcade/live";

/// A whole fake Twitch on this machine: OAuth, Helix and EventSub webhooks, to try things out without an account.
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP)]
struct Args {
    /// Port to listen on, on 127.0.0.1; 0 for any that is free.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// A channel that exists from the start; may be given many times. The first is the one in the
    /// environment that is printed.
    #[arg(long = "channel", value_name = "LOGIN", default_value = "maplearcade")]
    channels: Vec<String>,
    /// Show no consent page: consent to everything, as the first channel.
    #[arg(long)]
    auto_consent: bool,
    /// The client id of the one application.
    #[arg(long, default_value_t = MockConfig::default().client_id)]
    client_id: String,
    /// Its secret.
    #[arg(long, default_value_t = MockConfig::default().client_secret)]
    client_secret: String,
    /// Where browsers may be sent back to after consent; may be given many times. Must match exactly.
    #[arg(long = "redirect-url", value_name = "URL", default_values_t = MockConfig::default().redirect_urls)]
    redirect_urls: Vec<String>,
    /// Refuse callbacks at http:// on this machine, as the real Twitch does.
    #[arg(long)]
    https_only: bool,
    /// Seconds to wait before each redelivery of a message that the callback did not take.
    #[arg(long, value_name = "SECONDS", value_delimiter = ',', default_values_t = [2.0, 10.0, 30.0, 60.0])]
    redelivery: Vec<f64>,
    /// How many messages in a row may get lost before the subscription is revoked.
    #[arg(long, value_name = "COUNT", default_value_t = MockConfig::default().tolerated_losses)]
    tolerated_losses: u32,
    /// Helix calls a minute.
    #[arg(long, value_name = "POINTS", default_value_t = MockConfig::default().rate_limit)]
    rate_limit: u32,
    /// Decides which messages and calls the random faults hit.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where the environment that is printed lets the program under test be reached.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:5001/callback")]
    callback: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => cli::fail(error.as_ref()),
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    // The HTTP server's own lines would stand between those that are to be pasted.
    cli::log("info,actix_server=warn", LogFormat::Human);
    let callback = args.callback.clone();
    let mut shutdown = Shutdown::new()?;
    let mock = Mock::start(args.config()?).await.context("mock-twitch can't start")?;
    cli::print(environment(&mock, &callback));
    shutdown.requested().await;
    mock.stop().await.context("mock-twitch had failed")
}

impl Args {
    fn config(self) -> anyhow::Result<MockConfig> {
        let redelivery: Result<Vec<_>, _> = self.redelivery.iter().map(|s| Duration::try_from_secs_f64(*s)).collect();
        Ok(MockConfig {
            port: self.port,
            seed: self.seed,
            client_id: self.client_id,
            client_secret: self.client_secret,
            redirect_urls: self.redirect_urls,
            auto_consent: self.channels.first().filter(|_| self.auto_consent).cloned(),
            channels: self.channels,
            allow_local_http: !self.https_only,
            redelivery: redelivery.context("--redelivery requires numbers of seconds")?,
            tolerated_losses: self.tolerated_losses,
            rate_limit: self.rate_limit,
            ..MockConfig::default()
        })
    }
}

fn environment(mock: &Mock, callback: &str) -> String {
    let config = mock.world.config();
    let channel = config.channels.first().map(|name| name.to_lowercase()).unwrap_or_default();
    format!(
        "A fake Twitch is at {} (Ctrl-C ends it). To use it, paste this where your program will run:\n\n\
         export TWITCH_API_URL={}\n\
         export TWITCH_AUTH_URL={}\n\
         export TWITCH_CLIENT_ID={}\n\
         export TWITCH_CLIENT_SECRET={}\n\
         export TWITCH_CHANNEL_NAME={channel}\n\
         export TWITCH_WEBHOOK_CALLBACK_URL={callback}\n",
        mock.base_url(),
        mock.api_url(),
        mock.auth_url(),
        config.client_id,
        config.client_secret,
    )
}
