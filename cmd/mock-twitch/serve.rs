//! Runs mock-twitch.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use showtime::cli::{self, Shutdown};
use showtime::config::LogFormat;
use showtime::mock::{Mock, MockConfig, Notify};
use tempfile::NamedTempFile;

/// The mock that is to be started.
#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    /// Address of this machine to listen on.
    #[arg(long, default_value_t = Ipv4Addr::LOCALHOST.into(), value_parser = cli::loopback)]
    ip: IpAddr,
    /// Port to listen on; 0 for any that is free.
    #[arg(short, long, default_value_t = 8080)]
    port: u16,
    /// Serve https:// and wss://, with a certificate that is made at the start.
    #[arg(long, visible_alias = "ssl")]
    tls: bool,
    /// As twitch-cli's: every WebSocket session gets every event, and may stay unused.
    #[arg(long, conflicts_with = "require_subscription")]
    lenient: bool,
    /// What is the case without --lenient, by twitch-cli's name.
    #[arg(short = 'S', long, hide = true)]
    require_subscription: bool,
    /// Log more.
    #[arg(long)]
    debug: bool,
    /// A channel that exists from the start; may be given many times. The first is the one in the
    /// environment that is printed.
    #[arg(long = "channel", value_name = "LOGIN", default_value = "maplearcade")]
    channels: Vec<String>,
    /// An account that moderates these channels, for a bot.
    #[arg(long, value_name = "LOGIN", default_value = "showbot")]
    bot: String,
    /// Begin with channels that are not live.
    #[arg(long)]
    offline: bool,
    /// Show no consent page: consent to everything, as the first channel, or as the bot to what a bot is asked for.
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
    /// Run a schedule of faults: `a-bad-day`.
    #[arg(long, value_name = "NAME")]
    schedule: Option<String>,
    /// The callback of a program under test that takes webhooks, for the environment that is printed.
    #[arg(long, value_name = "URL")]
    callback: Option<String>,
}

pub(crate) async fn run(args: ServeArgs) -> anyhow::Result<()> {
    // The HTTP server's own lines would stand between those that are to be pasted.
    cli::log(if args.debug { "debug" } else { "info,actix_server=warn" }, LogFormat::Human);
    let (callback, schedule, is_offline) = (args.callback.clone(), args.schedule.clone(), args.offline);
    let mut shutdown = Shutdown::new()?;
    let place = format!("{}:{}", args.ip, args.port);
    let mock = Mock::start(args.config()?).await;
    let mock = mock.with_context(|| format!("mock-twitch can't start at {place} (--port chooses another port)"))?;
    for channel in mock.world.config().channels.iter().filter(|_| !is_offline) {
        // One that is named twice is live already.
        let _ = mock.world.go_live(&channel.to_lowercase(), Notify::No);
    }
    if let Some(name) = schedule {
        mock.world.start_schedule(&name, 1.0)?;
    }
    cli::print(environment(&mock, callback.as_deref()));
    let certificate = mock.certificate().map(write_certificate).transpose()?;
    if let Some(file) = &certificate {
        cli::print(format_args!("Its certificate, for programs that are to trust it, is in {}", file.path().display()));
    }
    shutdown.requested().await;
    mock.stop().await.context("mock-twitch had failed")
}

/// Writes a certificate into a file that is there as long as the mock runs.
fn write_certificate(certificate: &str) -> anyhow::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix("mock-twitch-").suffix(".pem").tempfile()?;
    file.write_all(certificate.as_bytes()).context("the certificate can't be written")?;
    Ok(file)
}

impl ServeArgs {
    fn config(self) -> anyhow::Result<MockConfig> {
        let redelivery: Result<Vec<_>, _> = self.redelivery.iter().map(|s| Duration::try_from_secs_f64(*s)).collect();
        Ok(MockConfig {
            ip: self.ip,
            port: self.port,
            is_tls: self.tls,
            is_lenient: self.lenient,
            seed: self.seed,
            client_id: self.client_id,
            client_secret: self.client_secret,
            redirect_urls: self.redirect_urls,
            bot: Some(self.bot),
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

/// The environment of a program under test. Without a callback it uses the WebSocket.
fn environment(mock: &Mock, callback: Option<&str>) -> String {
    let config = mock.world.config();
    let channel = config.channels.first().map(|name| name.to_lowercase()).unwrap_or_default();
    let mut text = format!(
        "A fake Twitch is at {} (Ctrl-C ends it). To use it, paste this where your program will run:\n\n\
         export TWITCH_API_URL={}\n\
         export TWITCH_AUTH_URL={}\n\
         export TWITCH_EVENTSUB_WEBSOCKET_URL={}\n\
         export TWITCH_IRC_URL={}\n\
         export TWITCH_CLIENT_ID={}\n\
         export TWITCH_CLIENT_SECRET={}\n\
         export TWITCH_CHANNEL_NAME={channel}\n",
        mock.base_url(),
        mock.api_url(),
        mock.auth_url(),
        mock.websocket_url(),
        mock.irc_url(),
        config.client_id,
        config.client_secret,
    );
    if let Some(callback) = callback {
        text += &format!("export TWITCH_WEBHOOK_CALLBACK_URL={callback}\n");
    }
    text
}
