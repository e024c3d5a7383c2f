//! The callback to send to, and the secret to sign with.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use showtime::config::Config;
use showtime::program::Program;
use showtime::simulate::delivery;
use showtime::twitch::signature::WebhookSecret;
use url::{Host, Url};

use crate::args::TargetArgs;

/// Time limit for resolving a name.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns the callback, and the only addresses that its host may resolve to (none: any).
pub(crate) async fn target(args: &TargetArgs, config: &Config) -> Result<(Url, Vec<SocketAddr>)> {
    let url = match &args.target {
        Some(url) => url.clone(),
        None => own_callback(config)?,
    };
    ensure!(
        matches!(url.scheme(), "http" | "https") && url.has_host(),
        "{url} is not a callback; expected an address like http://127.0.0.1:5001/callback"
    );
    if args.allow_remote {
        return Ok((url, Vec::new()));
    }
    let addresses = resolve(&url).await?;
    if let Some(address) = addresses.iter().find(|address| !address.ip().to_canonical().is_loopback()) {
        bail!(
            "{url} is not this machine ({} is not a loopback address); add --allow-remote to send there anyway",
            address.ip()
        );
    }
    Ok((url, addresses))
}

/// Returns the callback of the server with this configuration.
fn own_callback(config: &Config) -> Result<Url> {
    ensure!(
        config.listen_port != 0,
        "LISTEN_PORT is 0, so the server's port is not known; give the callback with --target"
    );
    Ok(delivery::own_callback(SocketAddr::new(config.bind_addr, config.listen_port))?)
}

/// Resolves the host of a URL.
pub(crate) async fn resolve(url: &Url) -> Result<Vec<SocketAddr>> {
    let port = url.port_or_known_default().unwrap_or_default();
    let name = match url.host() {
        Some(Host::Ipv4(ip)) => return Ok(vec![SocketAddr::new(ip.into(), port)]),
        Some(Host::Ipv6(ip)) => return Ok(vec![SocketAddr::new(ip.into(), port)]),
        Some(Host::Domain(name)) => name,
        None => bail!("{url} names no host"),
    };
    let lookup = tokio::time::timeout(RESOLVE_TIMEOUT, tokio::net::lookup_host((name, port)));
    let addresses = lookup.await.with_context(|| format!("the name {name} was not resolved in time"))?;
    let addresses: Vec<_> = addresses.with_context(|| format!("the name {name} can't be resolved"))?.collect();
    ensure!(!addresses.is_empty(), "the name {name} has no address");
    Ok(addresses)
}

/// Returns the secret, and where it was found.
pub(crate) fn secret(args: &TargetArgs, config: &Config) -> Result<(WebhookSecret, String)> {
    if let Some(text) = &args.secret {
        return Ok((WebhookSecret::new(text).context("--secret")?, "--secret".to_owned()));
    }
    if let Some(path) = &args.secret_file {
        return Ok((secret_in(path)?, path.display().to_string()));
    }
    let file = config.webhook_secret_file();
    match config.existing_webhook_secret()? {
        Some(secret) if config.twitch.webhook_secret.is_some() => Ok((secret, "TWITCH_WEBHOOK_SECRET".to_owned())),
        Some(secret) => Ok((secret, file.display().to_string())),
        None => bail!(
            "no secret to sign with: TWITCH_WEBHOOK_SECRET is set neither in the environment nor in .env, and there \
             is no {}, which a server makes at its first start. Start one in this directory with `{}`, or name \
             a file that holds the secret with --secret-file.",
            file.display(),
            Program::Server
        ),
    }
}

fn secret_in(path: &Path) -> Result<WebhookSecret> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()))?;
    WebhookSecret::new(text.trim()).with_context(|| format!("the secret in {}", path.display()))
}
