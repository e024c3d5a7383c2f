//! The list of settings. `--help-all`, `.env.example` and error texts are made from it.

use std::fmt::Write as _;

/// A setting: an environment variable or a line of `.env`.
pub(super) struct Setting {
    pub(super) name: &'static str,
    pub(super) default: Option<&'static str>,
    pub(super) meaning: &'static str,
    pub(super) is_secret: bool,
}

const fn setting(name: &'static str, default: Option<&'static str>, meaning: &'static str) -> Setting {
    Setting { name, default, meaning, is_secret: false }
}

const fn secret(name: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default: None, meaning, is_secret: true }
}

pub(super) const BIND_ADDR: Setting =
    setting("BIND_ADDR", Some("127.0.0.1"), "IP address to serve on; 0.0.0.0 for all of them");
pub(super) const LISTEN_PORT: Setting = setting("LISTEN_PORT", Some("5001"), "port to serve on");
pub(super) const DATABASE_URL: Setting = secret(
    "DATABASE_URL",
    "Postgres to use, as postgres://user:password@host:port/database; without it and without PG* the server runs a private one",
);
pub(super) const PGHOST: Setting = setting("PGHOST", None, "Postgres host or socket directory");
pub(super) const PGPORT: Setting = setting("PGPORT", None, "Postgres port (5432)");
pub(super) const PGDATABASE: Setting = setting("PGDATABASE", None, "Postgres database");
pub(super) const PGUSER: Setting = setting("PGUSER", None, "Postgres user");
pub(super) const PGPASSWORD: Setting = secret("PGPASSWORD", "Postgres password");
pub(super) const PGSSLMODE: Setting =
    setting("PGSSLMODE", None, "disable, allow, prefer, require, verify-ca or verify-full");
pub(super) const MIGRATE: Setting =
    setting("SHOWTIME_MIGRATE", Some("true"), "whether the server applies migrations at start: true or false");
pub(super) const DATA_DIR: Setting = setting(
    "SHOWTIME_DATA_DIR",
    Some(".showtime"),
    "directory of the private Postgres, of generated secrets and of media files",
);
pub(super) const CHANNEL_NAME: Setting =
    setting("TWITCH_CHANNEL_NAME", None, "login of the channel to serve, as in twitch.tv/LOGIN");
pub(super) const CLIENT_ID: Setting =
    setting("TWITCH_CLIENT_ID", None, "id of your application, from dev.twitch.tv/console");
pub(super) const CLIENT_SECRET: Setting = secret("TWITCH_CLIENT_SECRET", "client secret of your application");
pub(super) const TRANSPORT: Setting = setting(
    "TWITCH_EVENTSUB_TRANSPORT",
    Some("auto"),
    "how Twitch delivers: webhook, websocket, or auto for webhook if TWITCH_WEBHOOK_CALLBACK_URL is set, else websocket",
);
pub(super) const WEBSOCKET_URL: Setting = setting(
    "TWITCH_EVENTSUB_WEBSOCKET_URL",
    Some("wss://eventsub.wss.twitch.tv/ws"),
    "Twitch's WebSocket server; mock-twitch prints its own",
);
pub(super) const CALLBACK_URL: Setting = setting(
    "TWITCH_WEBHOOK_CALLBACK_URL",
    None,
    "public address of this server's /callback: https, port 443 (http only for loopback)",
);
pub(super) const WEBHOOK_SECRET: Setting = secret(
    "TWITCH_WEBHOOK_SECRET",
    "secret that Twitch signs messages with, 10 to 100 ASCII characters; without it the server makes one in its data directory",
);
pub(super) const PREVIOUS_WEBHOOK_SECRET: Setting = secret(
    "TWITCH_WEBHOOK_SECRET_PREVIOUS",
    "the secret before that one, accepted as well while the subscriptions are renewed",
);
pub(super) const EVENTSUB_TYPES: Setting = setting(
    "TWITCH_EVENTSUB_TYPES",
    None,
    "subscription types in addition to the usual ones, separated by commas: names, patterns such as channel.poll.*, or alerts, chat, moderation or all",
);
pub(super) const IRC_URL: Setting = setting(
    "TWITCH_IRC_URL",
    Some("wss://irc-ws.chat.twitch.tv"),
    "Twitch's chat server, for chats that are read over IRC; mock-twitch prints its own",
);
pub(super) const API_URL: Setting =
    setting("TWITCH_API_URL", Some("https://api.twitch.tv/helix"), "Twitch's API; mock-twitch prints its own");
pub(super) const AUTH_URL: Setting = setting(
    "TWITCH_AUTH_URL",
    Some("https://id.twitch.tv/oauth2"),
    "Twitch's login server; mock-twitch prints its own",
);
pub(super) const DISCORD_URL: Setting =
    setting("DISCORD_API_URL", Some("https://discord.com/api/v10"), "Discord's API; mock-discord prints its own");
pub(super) const DISCORD_RATE: Setting = setting(
    "SHOWTIME_DISCORD_RATE",
    Some("45"),
    "most requests per second to Discord, by all servers together; 0 for no limit, only for a fake Discord",
);
pub(super) const BOT_TOKEN_TTL: Setting =
    setting("SHOWTIME_BOT_TOKEN_TTL", Some("72h"), "how long a token of a Discord bot is valid, from 1m to 365d");
pub(super) const GRPC_PORT: Setting =
    setting("SHOWTIME_GRPC_PORT", None, "port to serve tracking over gRPC on; without it gRPC is off");
pub(super) const ENCRYPTION_KEY: Setting = secret(
    "SHOWTIME_ENCRYPTION_KEY",
    "key that encrypts tokens in the database, 64 hex digits; without it the server makes one in its data directory",
);
pub(super) const AMQP_URL: Setting = secret(
    "SHOWTIME_AMQP_URL",
    "RabbitMQ to which every event is published, as amqp://user:password@host:port/vhost; the virtual host / is %2f",
);
pub(super) const PUBLIC_URL: Setting = setting(
    "SHOWTIME_PUBLIC_URL",
    None,
    "public address of this server, for consent links; that address with /auth must be registered at Twitch as a redirect URL",
);
pub(super) const CORS_ORIGINS: Setting = setting(
    "SHOWTIME_CORS_ORIGINS",
    None,
    "origins of web pages that may read the API, separated by commas, such as https://example.org; * for all",
);
pub(super) const RETENTION: Setting = setting(
    "SHOWTIME_RETENTION",
    Some("channel.chat.message=30d,showtime.chat.presence=30d"),
    "days after which events are deleted, by type, such as channel.chat.message=7d,*=365d; none to keep all",
);
pub(super) const LOG: Setting =
    setting("SHOWTIME_LOG", Some("info"), "error, warn, info, debug, trace, or filter directives");
pub(super) const LOG_FORMAT: Setting = setting("SHOWTIME_LOG_FORMAT", Some("human"), "human or json");

/// All settings, in the order in which they are shown.
const ALL: &[&Setting] = &[
    &BIND_ADDR,
    &LISTEN_PORT,
    &DATABASE_URL,
    &PGHOST,
    &PGPORT,
    &PGDATABASE,
    &PGUSER,
    &PGPASSWORD,
    &PGSSLMODE,
    &MIGRATE,
    &DATA_DIR,
    &CHANNEL_NAME,
    &CLIENT_ID,
    &CLIENT_SECRET,
    &TRANSPORT,
    &CALLBACK_URL,
    &WEBHOOK_SECRET,
    &PREVIOUS_WEBHOOK_SECRET,
    &EVENTSUB_TYPES,
    &WEBSOCKET_URL,
    &IRC_URL,
    &API_URL,
    &AUTH_URL,
    &DISCORD_URL,
    &DISCORD_RATE,
    &BOT_TOKEN_TTL,
    &GRPC_PORT,
    &ENCRYPTION_KEY,
    &AMQP_URL,
    &PUBLIC_URL,
    &CORS_ORIGINS,
    &RETENTION,
    &LOG,
    &LOG_FORMAT,
];

/// The settings as shown at the end of each program's `--help-all`.
#[must_use]
pub fn settings_help() -> String {
    let mut text = String::from("Settings (environment variables, or lines of a .env file):\n");
    for setting in ALL {
        let _ = write!(text, "  {:<31} {}", setting.name, setting.meaning);
        let _ = match setting.default {
            Some(default) => writeln!(text, " [default: {default}]"),
            None => writeln!(text),
        };
    }
    text
}

/// The text of `.env.example`.
#[must_use]
pub fn env_example() -> String {
    let mut text = String::from(
        "# Copy to .env and uncomment what you need; nothing here is required. Environment variables take precedence.\n",
    );
    for setting in ALL {
        let _ = write!(text, "\n# {}\n#{}={}\n", setting.meaning, setting.name, setting.default.unwrap_or_default());
    }
    text
}

/// Variables of these families belong to showtime.
const FAMILIES: [&str; 2] = ["SHOWTIME_", "TWITCH_"];

/// Variables of this family may belong to other programs as well, such as a bot: only those that resemble a setting are
/// warned about.
const SHARED_FAMILY: &str = "DISCORD_";

/// The token of `server listen`, which is no setting of the server.
const TOKEN: &str = "SHOWTIME_TOKEN";

/// The similarity, from 0 to 1, from which a setting is suggested.
const MIN_SIMILARITY: f64 = 0.8;

/// A warning for each of these names that looks like a setting and is none.
pub(super) fn unknown<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let is_unknown = |name: &&str| {
        let is_ours = FAMILIES.iter().any(|family| name.starts_with(family));
        let is_misspelt = name.starts_with(SHARED_FAMILY) && nearest(name).is_some();
        (is_ours || is_misspelt) && *name != TOKEN && ALL.iter().all(|setting| setting.name != *name)
    };
    names.into_iter().filter(is_unknown).map(|name| format!("{name} is not a setting{}", suggestion(name))).collect()
}

/// The setting that may be meant.
fn nearest(name: &str) -> Option<&'static Setting> {
    let similarity = |setting: &Setting| strsim::normalized_damerau_levenshtein(setting.name, name);
    let nearest = ALL.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
    nearest.filter(|setting| similarity(setting) >= MIN_SIMILARITY).copied()
}

fn suggestion(name: &str) -> String {
    match nearest(name) {
        Some(setting) => format!(" (did you mean {}?)", setting.name),
        None => "; --help-all lists the settings".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_setting_is_told_with_the_one_that_is_meant() {
        let names = ["PATH", "TWITCH_CHANEL_NAME", "TWITCH_CHANNEL_NAME", "SHOWTIME_TOKEN", "SHOWTIME_COLOUR"];
        let names = names.into_iter().chain(["DISCORD_API_URI", "DISCORD_API_URL", "DISCORD_TOKEN"]);
        assert_eq!(
            unknown(names),
            [
                "TWITCH_CHANEL_NAME is not a setting (did you mean TWITCH_CHANNEL_NAME?)",
                "SHOWTIME_COLOUR is not a setting; --help-all lists the settings",
                "DISCORD_API_URI is not a setting (did you mean DISCORD_API_URL?)",
            ]
        );
    }
}
