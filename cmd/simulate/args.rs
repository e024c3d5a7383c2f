//! Command-line arguments of `simulate`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use showtime::cli::AsJson;
use showtime::load::mix::Mix;
use showtime::simulate::edit::Edit;
use url::Url;

const EXAMPLES: &str = "\
Examples:
  simulate stream.online
  simulate channel.follow --user NewFriend
  simulate channel.cheer --set bits=500 --set 'message=Cheer500 gg'
  simulate channel.cheer --variant anonymous --broadcaster AnotherChannel
  simulate channel.raid --test
  simulate channel.follow --fault duplicate
  simulate revoke channel.follow --status user_removed
  simulate load --connections 64 --duration 10s
  simulate load --rate 5000 --duration 30s --ledger
  simulate crash --kills 50

Exit status: 0 if every answer was as expected; 1 if one was not, or there was no answer; 2 if the
message can't be sent.
";

const LOAD_EXAMPLES: &str = "\
Examples:
  simulate load --connections 64 --duration 10s            throughput and latency
  simulate load --rate 5000 --duration 30s                 latency at a fixed rate
  simulate load --mix hot --ledger                         and check that all is stored exactly once
  simulate load --rate 2000 --flood 64 --slow 2000         during an attack

With --rate, each message is due at a fixed time whatever the server does, and its latency counts
from then. \"late\" is how late the generator itself was: shorter latencies are not measured.

The messages are about invented channels and viewers, new in each run, and stay in the database.

Exit status: 0 if every message was acknowledged, no forged one was, and the ledger is clean; 1 if
not; 2 if the load can't be sent.
";

const CRASH_EXAMPLES: &str = "\
Examples:
  simulate crash --kills 50
  simulate crash --kills 1000 --connections 64 --mix chat

The server program is the one beside this program; it runs in a temporary directory with a private
Postgres. Of every four faults one is a kill -9 of the server, one of Postgres' main process, one of
the server and all of Postgres, and one pauses Postgres for some seconds. Messages without a 2xx are
sent again, as by Twitch.

Ctrl-C ends the run early, with its report. The directory is kept if something was lost.

Exit status: 0 if every message is stored exactly once and the totals, streams and broadcasts are
correct; 1 if not; 2 if the server did not recover.
";

/// Sends a server messages as Twitch does, and shows its answers
#[derive(Parser)]
#[command(
    name = "simulate",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = EXAMPLES
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) notify: NotifyArgs,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Lists the types that can be simulated
    List {
        /// Only types whose name or summary contains this
        filter: Option<String>,
        #[command(flatten)]
        format: AsJson,
    },
    /// Sends a challenge, as Twitch does when a subscription is created
    Challenge {
        /// The subscription's type
        #[arg(value_name = "TYPE", default_value = "stream.online")]
        kind: String,
        /// Sends the challenge of a conduit shard instead
        #[arg(long)]
        conduit_shard: bool,
        #[command(flatten)]
        event: EventArgs,
        #[command(flatten)]
        send: SendArgs,
    },
    /// Sends a revocation: the subscription has ended
    Revoke {
        /// The subscription's type
        #[arg(value_name = "TYPE")]
        kind: String,
        /// The reason, for example `user_removed`, `moderator_removed`, `chat_user_banned`,
        /// `notification_failures_exceeded`, `version_removed`
        #[arg(long, default_value = "authorization_revoked")]
        status: String,
        #[command(flatten)]
        event: EventArgs,
        #[command(flatten)]
        send: SendArgs,
    },
    /// Measures throughput and latency under load
    #[command(after_help = LOAD_EXAMPLES)]
    Load(LoadArgs),
    /// Kills a server and its database repeatedly under load, and verifies that nothing is lost
    #[command(after_help = CRASH_EXAMPLES)]
    Crash(CrashArgs),
}

/// A notification of an event.
#[derive(Args)]
pub(crate) struct NotifyArgs {
    /// The subscription type, for example stream.online; `simulate list` shows all
    #[arg(value_name = "TYPE", required = true)]
    pub(crate) kind: Option<String>,
    /// How many messages, one after the other, each with a new id
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) count: u32,
    /// Marks it as a test: the server stores and delivers it, but it changes no state
    #[arg(long)]
    pub(crate) test: bool,
    #[command(flatten)]
    pub(crate) event: EventArgs,
    #[command(flatten)]
    pub(crate) send: SendArgs,
}

/// The event.
#[derive(Args)]
#[command(next_help_heading = "Event")]
pub(crate) struct EventArgs {
    /// The version of the type; default: the newest
    #[arg(long, value_name = "VERSION")]
    pub(crate) type_version: Option<String>,
    /// Another sample of the type, for example `anonymous`
    #[arg(long)]
    pub(crate) variant: Option<String>,
    /// The channel, by display name; login and id follow from it
    #[arg(long, value_name = "NAME")]
    pub(crate) broadcaster: Option<String>,
    /// The channel's login, if it isn't the display name in lower case
    #[arg(long, value_name = "LOGIN")]
    pub(crate) broadcaster_login: Option<String>,
    /// The channel's id
    #[arg(long, value_name = "ID")]
    pub(crate) broadcaster_id: Option<String>,
    /// The user who acts, or is acted upon, by display name; login and id follow from it
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// The user's login, if it isn't the display name in lower case
    #[arg(long, value_name = "LOGIN")]
    pub(crate) user_login: Option<String>,
    /// The user's id
    #[arg(long, value_name = "ID")]
    pub(crate) user_id: Option<String>,
    /// Sets a field of the event: `bits=500`, `message.fragments[0].text=hi`; `path:=json` sets JSON
    /// as it is and may add a field; repeatable
    #[arg(long, value_name = "PATH=VALUE")]
    pub(crate) set: Vec<Edit>,
}

/// The callback, and the secret to sign with.
#[derive(Args)]
#[command(next_help_heading = "Delivery")]
pub(crate) struct TargetArgs {
    /// The callback; default: /callback of the server that `BIND_ADDR` and `LISTEN_PORT` describe
    #[arg(long, value_name = "URL")]
    pub(crate) target: Option<Url>,
    /// Allows a target that is not this machine
    #[arg(long)]
    pub(crate) allow_remote: bool,
    /// A file with the secret to sign with; default: `TWITCH_WEBHOOK_SECRET`, else the secret that
    /// the server in this directory has made
    #[arg(long, value_name = "FILE", conflicts_with = "secret")]
    pub(crate) secret_file: Option<PathBuf>,
    /// The secret itself; other users of this machine can see it, so prefer --secret-file
    #[arg(long)]
    pub(crate) secret: Option<String>,
}

/// How the message is sent.
#[derive(Args)]
#[command(next_help_heading = "Delivery")]
pub(crate) struct SendArgs {
    #[command(flatten)]
    pub(crate) to: TargetArgs,
    /// The message's id; default: a new one
    #[arg(long, value_name = "ID")]
    pub(crate) message_id: Option<String>,
    /// The time of the message (RFC 3339), signed and sent as given; the event gets the same time
    #[arg(long, value_name = "TIME")]
    pub(crate) timestamp: Option<String>,
    /// The redelivery counter
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) retry: u32,
    /// A fault that the server should notice; repeatable
    #[arg(long, value_enum)]
    pub(crate) fault: Vec<MessageFault>,
}

/// Arguments of `simulate load`.
#[derive(Args)]
pub(crate) struct LoadArgs {
    /// Number of connections; each sends its next message when the last one is answered
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) connections: u16,
    /// Duration of the measurement, for example 10s or 2m; at most an hour
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) duration: Duration,
    /// Messages per second, whatever the answers; default: as many as are answered
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) rate: Option<u32>,
    /// Duration of the load before the measurement
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub(crate) warm_up: Duration,
    /// The mix of messages
    #[arg(long, value_enum, default_value_t = Mix::Chat)]
    pub(crate) mix: Mix,
    /// Number of additional connections that send forged messages as fast as they are refused
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=10_000))]
    pub(crate) flood: u16,
    /// Number of additional connections that send one byte per second
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=10_000))]
    pub(crate) slow: u16,
    /// Records the acknowledged messages and compares them with the database of the settings
    #[arg(long)]
    pub(crate) ledger: bool,
    /// Address of another server on the same database, which gets a part of the connections; may be given several times
    #[arg(long = "replica", value_name = "HOST:PORT")]
    pub(crate) replicas: Vec<SocketAddr>,
    /// Prints the report as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) to: TargetArgs,
}

/// Arguments of `simulate crash`.
#[derive(Args)]
pub(crate) struct CrashArgs {
    /// Number of faults
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) kills: u32,
    /// Seed of the times and kinds of the faults; default: random
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Number of connections; each has one message in flight
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(crate) connections: u16,
    /// The mix of messages
    #[arg(long, value_enum, default_value_t = Mix::Channels)]
    pub(crate) mix: Mix,
    /// Prints the report as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Parses a duration of at most an hour.
fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration > Duration::from_secs(3_600) { Err("at most an hour".to_owned()) } else { Ok(duration) }
}

/// A fault of a message. The doc comments are shown by `--help`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessageFault {
    /// The same message twice; both must be accepted
    Duplicate,
    /// Signed with another secret; must be refused with 403
    BadSignature,
    /// Not signed; must be refused with 403
    NoSignature,
    /// Sent eleven minutes ago (or at --timestamp); must be refused with 403
    Stale,
    /// Correctly signed, but not JSON; must be refused with 400
    Garbage,
}
