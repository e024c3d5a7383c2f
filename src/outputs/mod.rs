//! Outputs. None slows the input: each reads the log at its own pace.
//!
//! What may be missed is shown by the live feeds. What may not is a follower. A sink is a follower whose events leave the
//! machine.

pub mod amqp;
pub mod follow;
pub mod live;
pub mod sink;
pub mod webhook;
