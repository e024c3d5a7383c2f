//! The tables of tracking: Discord bots, where they want to know of what, and what was posted. Times are those of the
//! caller's clock.

pub mod announcements;
pub mod bots;
pub mod current;
pub mod deliveries;
pub mod destinations;
pub mod egress;
pub mod events;
pub mod look_ups;
pub mod names;
pub mod outcomes;
pub mod posts;
pub mod signing_keys;
pub mod spread;
pub mod test_posts;
pub mod tracks;
pub mod watched;
