//! What can be asked of `simulate`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use showtime::config::settings_help;
use showtime::load::traffic::Mix;
use showtime::simulate::edit::Edit;
use url::Url;

const EXAMPLES: &str = "\
Examples:
  simulate stream.online
  simulate channel.follow --user SomebodyNew
  simulate channel.cheer --set bits=500 --set 'message=Cheer500 gg'
  simulate channel.cheer --variant anonymous --broadcaster AnotherChannel
  simulate channel.raid --test
  simulate channel.follow --fault duplicate
  simulate revoke channel.follow --status user_removed
  simulate load --connections 64 --duration 10s
  simulate load --rate 5000 --duration 30s --ledger
  simulate crash --kills 50

Exit status: 0 if every answer was the wanted one; 1 if one was not, or none came; 2 if what was
asked for can't be sent.
";

const LOAD_EXAMPLES: &str = "\
Examples:
  simulate load --connections 64 --duration 10s            throughput and latency
  simulate load --rate 5000 --duration 30s                 latency at a fixed rate
  simulate load --mix hot --ledger                         and whether all of it is there, once
  simulate load --rate 2000 --flood 64 --slow 2000         beside an attack

With --rate, a message is due at its time whatever the server does, and its latency counts from
then. \"late\" is how late the generator itself was: what is less than that is not measured.

The messages are of channels and viewers that are made up for the run, and stay in the database.

Exit status: 0 if every message was acknowledged, no forged one was, and the ledger is clean; 1 if
not; 2 if what was asked for can't be done.
";

const CRASH_EXAMPLES: &str = "\
Examples:
  simulate crash --kills 50
  simulate crash --kills 1000 --connections 64 --mix chat

The server is the one beside this program, in a temporary directory, with a Postgres of its own.
Of each four strikes one is a kill -9 of the server, one of Postgres' main process, one of the server
and all of Postgres, and one stops Postgres for some seconds. What got no 2xx is sent again, as by Twitch.

Ctrl-C ends it with the ledger of what there is. A directory that proves a loss is kept.

Exit status: 0 if all that was sent is there, once, and so are the totals, streams and broadcasts
that must have come of it; 1 if not; 2 if the server did not recover.
";

/// Sends a server what Twitch would send it, and says what came back
#[derive(Parser)]
#[command(
    name = "simulate",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = format!("{EXAMPLES}\n{}", settings_help())
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) notify: NotifyArgs,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Shows what can be simulated
    List {
        /// Only types whose name or summary contains this
        filter: Option<String>,
    },
    /// Asks the server whether it wants a subscription, as Twitch does when one is created
    Challenge {
        /// The subscription's type
        #[arg(value_name = "TYPE", default_value = "stream.online")]
        kind: String,
        /// Asks whether it wants to be a shard of a conduit instead
        #[arg(long)]
        conduit_shard: bool,
        #[command(flatten)]
        event: EventArgs,
        #[command(flatten)]
        send: SendArgs,
    },
    /// Tells the server that a subscription has ended
    Revoke {
        /// The subscription's type
        #[arg(value_name = "TYPE")]
        kind: String,
        /// Why, for example `user_removed`, `moderator_removed`, `chat_user_banned`,
        /// `notification_failures_exceeded`, `version_removed`
        #[arg(long, default_value = "authorization_revoked")]
        status: String,
        #[command(flatten)]
        event: EventArgs,
        #[command(flatten)]
        send: SendArgs,
    },
    /// Sends as much as the server takes, or at a rate, and measures
    #[command(after_help = LOAD_EXAMPLES)]
    Load(LoadArgs),
    /// Loads a server of its own, kills it and its database again and again, and closes the ledger
    #[command(after_help = CRASH_EXAMPLES)]
    Crash(CrashArgs),
}

/// Something happens on a channel.
#[derive(Args)]
pub(crate) struct NotifyArgs {
    /// What happens, for example stream.online; `simulate list` shows all
    #[arg(value_name = "TYPE", required = true)]
    pub(crate) kind: Option<String>,
    /// How often, one after the other, each time with a new id
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) count: u32,
    /// Marks it as a test: the server keeps and delivers it, but nothing comes of it
    #[arg(long)]
    pub(crate) test: bool,
    #[command(flatten)]
    pub(crate) event: EventArgs,
    #[command(flatten)]
    pub(crate) send: SendArgs,
}

/// What event.
#[derive(Args)]
#[command(next_help_heading = "Event")]
pub(crate) struct EventArgs {
    /// The version of the type; without it the newest
    #[arg(long, value_name = "VERSION")]
    pub(crate) type_version: Option<String>,
    /// Another sample of the type, for example `anonymous`
    #[arg(long)]
    pub(crate) variant: Option<String>,
    /// The channel it happens on, by display name; login and id follow from it
    #[arg(long, value_name = "NAME")]
    pub(crate) broadcaster: Option<String>,
    /// The channel's login, if it isn't the display name in lower case
    #[arg(long, value_name = "LOGIN")]
    pub(crate) broadcaster_login: Option<String>,
    /// The channel's id
    #[arg(long, value_name = "ID")]
    pub(crate) broadcaster_id: Option<String>,
    /// Who acts, or is acted upon, by display name; login and id follow from it
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Their login, if it isn't the display name in lower case
    #[arg(long, value_name = "LOGIN")]
    pub(crate) user_login: Option<String>,
    /// Their id
    #[arg(long, value_name = "ID")]
    pub(crate) user_id: Option<String>,
    /// Sets a field of the event: `bits=500`, `message.fragments[0].text=hi`; `path:=json` takes
    /// JSON as it is and may add a field; repeatable
    #[arg(long, value_name = "PATH=VALUE")]
    pub(crate) set: Vec<Edit>,
}

/// Where it goes, and signed with what.
#[derive(Args)]
#[command(next_help_heading = "Delivery")]
pub(crate) struct TargetArgs {
    /// Where to; without it /callback of the server that `BIND_ADDR` and `LISTEN_PORT` describe
    #[arg(long, value_name = "URL")]
    pub(crate) target: Option<Url>,
    /// Allows a target that is not this machine
    #[arg(long)]
    pub(crate) allow_remote: bool,
    /// A file that holds the secret to sign with; without it `TWITCH_WEBHOOK_SECRET`, else the
    /// secret that the server in this directory has made
    #[arg(long, value_name = "FILE", conflicts_with = "secret")]
    pub(crate) secret_file: Option<PathBuf>,
    /// The secret itself; other users of this machine can see it, so better use one of the above
    #[arg(long)]
    pub(crate) secret: Option<String>,
}

/// How it is sent.
#[derive(Args)]
#[command(next_help_heading = "Delivery")]
pub(crate) struct SendArgs {
    #[command(flatten)]
    pub(crate) to: TargetArgs,
    /// The message's id; without it a new one
    #[arg(long, value_name = "ID")]
    pub(crate) message_id: Option<String>,
    /// When Twitch says that it sent the message (RFC 3339), signed and sent as given; the event
    /// happens at that time
    #[arg(long, value_name = "TIME")]
    pub(crate) timestamp: Option<String>,
    /// The redelivery counter
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) retry: u32,
    /// Something that goes wrong, and that the server should notice; repeatable
    #[arg(long, value_enum)]
    pub(crate) fault: Vec<Fault>,
}

/// How much.
#[derive(Args)]
pub(crate) struct LoadArgs {
    /// Over how many connections; each sends its next message when the last one is answered
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) connections: u16,
    /// How long, for example 10s or 2m; at most an hour
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) duration: Duration,
    /// Messages a second, whatever the answers; without it as many as are answered
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) rate: Option<u32>,
    /// How long to send before it counts
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub(crate) warm_up: Duration,
    /// What to send
    #[arg(long, value_enum, default_value_t = Mix::Chat)]
    pub(crate) mix: Mix,
    /// As many more connections send forged messages as fast as they are refused
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=10_000))]
    pub(crate) flood: u16,
    /// As many more connections send one byte a second
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=10_000))]
    pub(crate) slow: u16,
    /// Writes down what is acknowledged, and compares it with the database, which the settings name
    #[arg(long)]
    pub(crate) ledger: bool,
    /// Reports as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) to: TargetArgs,
}

/// How often.
#[derive(Args)]
pub(crate) struct CrashArgs {
    /// How often something is struck down
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) kills: u32,
    /// What the moments and kinds of the kills follow from; without it another one each time
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Over how many connections; each has one message under way
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(crate) connections: u16,
    /// What to send
    #[arg(long, value_enum, default_value_t = Mix::Channels)]
    pub(crate) mix: Mix,
    /// Reports as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// No longer than an hour.
fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration > Duration::from_secs(3_600) { Err("at most an hour".to_owned()) } else { Ok(duration) }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// The same message twice; both are to be taken
    Duplicate,
    /// Signed with another secret; to be refused with 403
    BadSignature,
    /// Not signed; to be refused with 403
    NoSignature,
    /// Sent eleven minutes ago (or at --timestamp); to be refused with 403
    Stale,
    /// Well signed, but no JSON; to be refused with 400
    Garbage,
}
