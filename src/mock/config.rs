//! Settings of the fake Twitch.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::clock::Clock;

/// Settings of the fake Twitch. The defaults are Twitch's own figures where these are known.
#[derive(Clone, Debug)]
pub struct MockConfig {
    /// Address of this machine to listen on.
    pub ip: IpAddr,
    /// Port; 0 for any free one.
    pub port: u16,
    /// Serves `https://` and `wss://`, with a certificate made at the start ([`Mock::certificate`](super::Mock::certificate)).
    pub is_tls: bool,
    /// As twitch-cli's mock without `--require-subscription`: each WebSocket session gets every event, and may stay unused.
    pub is_lenient: bool,
    /// Clock for timestamps, lifetimes and pauses.
    pub clock: Clock,
    /// Seed that decides which messages and calls the [`Faults`](super::Faults) hit.
    pub seed: u64,
    /// Client id of the one registered application.
    pub client_id: String,
    /// Client secret of that application. Printed by `--help`, so no secret type.
    pub client_secret: String,
    /// Redirect URLs of that application, which must match exactly.
    pub redirect_urls: Vec<String>,
    /// Logins of the channels that exist at the start.
    pub channels: Vec<String>,
    /// Login of an account that is a moderator of these channels, and consents to what a bot is asked for.
    pub bot: Option<String>,
    /// Consents to everything at once as this login, instead of showing a page.
    pub auto_consent: Option<String>,
    /// Accepts callbacks at `http://` on this machine, which the real Twitch does not.
    pub allow_local_http: bool,
    /// How long a callback may take to answer.
    pub delivery_timeout: Duration,
    /// Pause before each redelivery. After the last one the message is lost.
    pub redelivery: Vec<Duration>,
    /// How many messages in a row may be lost before the subscription is revoked.
    pub tolerated_losses: u32,
    /// Lifetime of user access tokens.
    pub user_token_lifetime: Duration,
    /// Lifetime of app access tokens.
    pub app_token_lifetime: Duration,
    /// Prefix of every token and authorization code, so that a search for leaks finds them.
    pub token_prefix: String,
    /// Whether each refresh also replaces the refresh token.
    pub rotate_refresh_tokens: bool,
    /// Helix calls per minute.
    pub rate_limit: u32,
    /// Limit for the cost of all subscriptions together.
    pub max_total_cost: u32,
    /// Subscriptions in one page of a list.
    pub page_size: usize,
}

impl Default for MockConfig {
    fn default() -> Self {
        Self {
            ip: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            is_tls: false,
            is_lenient: false,
            clock: Clock::default(),
            seed: 0,
            client_id: "mockclientid0000000000000000000".to_owned(),
            client_secret: "mock-client-secret".to_owned(),
            // Where `init` and a server with `SHOWTIME_PUBLIC_URL=http://localhost:5001` send browsers back to.
            redirect_urls: ["http://localhost:3033/auth", "http://localhost:5001/auth"].map(str::to_owned).to_vec(),
            channels: vec!["maplearcade".to_owned()],
            bot: None,
            auto_consent: None,
            allow_local_http: true,
            delivery_timeout: Duration::from_secs(10),
            redelivery: [2, 10, 30, 60].map(Duration::from_secs).to_vec(),
            tolerated_losses: 2,
            user_token_lifetime: Duration::from_secs(4 * 3_600),
            app_token_lifetime: Duration::from_secs(60 * 86_400),
            token_prefix: String::new(),
            rotate_refresh_tokens: true,
            rate_limit: 800,
            max_total_cost: 10_000,
            page_size: 100,
        }
    }
}
