//! Outputs. None slows the input: each reads the log at its own pace.
//!
//! What may be missed is shown by the live feeds. What may not is a follower. A sink is a follower whose events leave the
//! machine. Actions, which showtime does on Twitch, are executed from a table of their own; so are the posts to Discord.

pub mod amqp;
pub mod announcements;
pub mod follow;
pub mod live;
pub mod reactions;
pub mod sink;
pub mod webhook;
