//! A fake Discord on this machine: webhooks, their messages and threads, with limits and faults.
//!
//! [`FakeDiscord::start`] serves it; [`DiscordWorld`] is its state: tests call its methods, users click on its page or use the
//! control API under `/mock`. It speaks [Discord's own protocol](https://docs.discord.com/developers/resources/webhook) and
//! knows nothing of showtime. Everything it holds is bounded, every task it starts ends with it, and its random faults are
//! seeded.

mod answer;
mod body;
mod calls;
mod components;
mod config;
mod control;
mod drawn;
mod edits;
mod embeds;
mod faults;
mod form;
mod guild;
mod ledger;
mod limits;
mod mentions;
mod message;
mod messages;
mod names;
mod page;
mod payload;
mod respond;
mod server;
mod snowflake;
mod state;
mod threads;
mod webhooks;
mod world;

pub use self::config::{DiscordConfig, Limits};
pub use self::faults::{DiscordFault, DiscordFaults, InvalidDiscordFaults};
pub use self::guild::{Channel, ChannelKind, DiscordRole, Member, Tag, Webhook};
pub use self::ledger::{Change, ChangeKind, DiscordCall};
pub use self::mentions::Mentions;
pub use self::message::DiscordMessage;
pub use self::server::FakeDiscord;
pub use self::snowflake::Snowflake;
pub use self::state::Full;
pub use self::world::{ChannelEdit, DiscordError, DiscordWorld, NewChannel, NewWebhook};
