//! Runs mock-discord.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::Context as _;
use clap::Args;
use showtime::cli::{self, Shutdown};
use showtime::config::LogFormat;
use showtime::mock::discord::{DiscordConfig, FakeDiscord, Limits};

/// The mock that is to be started.
#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    /// Address of this machine to listen on.
    #[arg(long, default_value_t = Ipv4Addr::LOCALHOST.into(), value_parser = cli::loopback)]
    ip: IpAddr,
    /// Port to listen on; 0 for any that is free.
    #[arg(short, long, default_value_t = 8081)]
    port: u16,
    /// Log more.
    #[arg(long)]
    debug: bool,
    /// Allow any number of calls.
    #[arg(long)]
    unlimited: bool,
    /// The token of the bot, for the calls that require one.
    #[arg(long, default_value_t = DiscordConfig::default().bot_token)]
    bot_token: String,
    /// Decides which calls the random faults hit.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

pub(crate) async fn run(args: ServeArgs) -> anyhow::Result<()> {
    // The HTTP server's own lines would stand between those that are to be pasted.
    cli::log(if args.debug { "debug" } else { "info,actix_server=warn" }, LogFormat::Human);
    let mut shutdown = Shutdown::new()?;
    let place = format!("{}:{}", args.ip, args.port);
    let config = DiscordConfig {
        ip: args.ip,
        port: args.port,
        seed: args.seed,
        bot_token: args.bot_token,
        limits: if args.unlimited { Limits::NONE } else { Limits::default() },
        ..DiscordConfig::default()
    };
    let discord = FakeDiscord::start(config).await;
    let discord =
        discord.with_context(|| format!("mock-discord can't start at {place} (--port chooses another port)"))?;
    cli::print(instructions(&discord));
    shutdown.requested().await;
    discord.stop().await.context("mock-discord had failed")
}

/// What to paste: the environment, a channel, a webhook, and calls of it.
fn instructions(discord: &FakeDiscord) -> String {
    let (world, api) = (&discord.world, discord.api_url());
    let (channels, webhooks, roles) = (world.channels(), world.webhooks(), world.roles());
    let (Some(webhook), Some(role)) = (webhooks.first(), roles.first()) else { return String::new() };
    let channel = channels.iter().find(|channel| channel.id == webhook.channel_id);
    let name = channel.map(|channel| channel.name.as_str()).unwrap_or_default();
    let url = format!("{api}/webhooks/{}/{}", webhook.id, webhook.token);
    format!(
        "A fake Discord is at {base} (Ctrl-C ends it). To use it, paste this where your program will run:\n\n\
         export DISCORD_API_URL={api}\n\n\
         Channel  {channel_id}  (#{name})\n\
         Webhook  {{\"id\":\"{id}\",\"token\":\"{token}\"}}\n\
         Role     {role_id}  (@{role})\n\
         Bot      {bot}\n\n\
         curl -s '{url}?wait=true' -H 'Content-Type: application/json' -d '{{\"content\":\"MapleArcade is live!\"}}'\n\
         curl -s '{url}?wait=true' -H 'Content-Type: application/json' \\\n  \
           -d '{{\"content\":\"<@&{role_id}> live\",\"allowed_mentions\":{{\"roles\":[\"{role_id}\"]}}}}'\n\
         curl -s {url}\n",
        base = discord.base_url(),
        channel_id = webhook.channel_id,
        id = webhook.id,
        token = webhook.token,
        role_id = role.id,
        role = role.name,
        bot = world.config().bot_token,
    )
}
