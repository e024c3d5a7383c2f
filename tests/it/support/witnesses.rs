//! Witnesses for the messages that Twitch does not send, obtained as the program obtains them.

use std::net::Ipv4Addr;

use secrecy::ExposeSecret as _;
use showtime::access::grant::{Grant, Scope};
use showtime::access::{Access, TokenHash, generate};
use showtime::clock::Clock;
use showtime::store::access_tokens;
use showtime::twitch::helix::{Answer, Stream};
use sqlx::PgPool;

use super::postgres::fresh_database;
use super::twitch::{CHANNEL_ID, Twitch};

/// The grant of a new token.
pub(crate) async fn grant(scope: Scope) -> Grant {
    let (clock, token) = (Clock::default(), generate());
    let pool = PgPool::connect_with(fresh_database().await).await.unwrap();
    let conn = &mut pool.acquire().await.unwrap();
    assert!(
        access_tokens::insert(conn, "a-test", scope, TokenHash::from(&token).as_bytes(), clock.now()).await.unwrap()
    );
    let access = Access::new(pool, clock, None);
    access.admit(token.expose_secret(), Ipv4Addr::LOCALHOST.into()).await.unwrap()
}

/// The fake Twitch's answer to Get Streams.
pub(crate) async fn streams() -> Answer<Stream> {
    let twitch = Twitch::start().await;
    let answer = twitch.helix.streams(&[CHANNEL_ID]).await.unwrap();
    twitch.mock.stop().await.unwrap();
    answer
}
