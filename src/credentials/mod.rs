//! Twitch's tokens: kept encrypted, renewed before they expire, validated as Twitch demands.

pub mod tokens;
pub mod vault;
