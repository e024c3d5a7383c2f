//! A server with very many sessions, over TLS.

use std::path::Path;
use std::time::Duration;

use showtime::mock::MockConfig;
use tokio::time::{Instant, sleep};

use super::memory;
use super::scene::Scene;

/// Channels whose users have consented, as far as the source of sessions looks. Nothing is subscribed to, since there are no
/// tokens; the fake Twitch is lenient, and lets the sessions live.
const CHANNELS: &str = "
    with channel as (
        insert into served_channel (id, login, display_name, requested_at)
        select number::text, 'channel_' || number, 'Channel_' || number, now()
        from generate_series(200000001, 200000000 + $1) number returning id, login
    )
    insert into token (holder, login, access_token, scopes, obtained_at) select id, login, '', '{}', now() from channel";

/// Time limit for all sessions.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) async fn run(server: &Path, divisor: u32) {
    let count = 1_000 / divisor as usize;
    let config = MockConfig { is_tls: true, is_lenient: true, ..MockConfig::default() };
    let scene = Scene::start(server, config, false).await;
    sleep(Duration::from_secs(2)).await;
    let (before, begun) = (memory(scene.pid()), Instant::now());
    let bound = i32::try_from(count).expect("small");
    sqlx::query(CHANNELS).bind(bound).execute(&scene.pool).await.expect("channels");
    sqlx::query("select pg_notify('showtime_reconcile', '')").execute(&scene.pool).await.expect("a signal");
    while scene.twitch.world.sessions().len() < count && begun.elapsed() < PATIENCE {
        sleep(Duration::from_millis(20)).await;
    }
    let (open, took) = (scene.twitch.world.sessions().len(), begun.elapsed().as_secs_f64());
    sleep(Duration::from_secs(2)).await;
    let bytes = memory(scene.pid()).saturating_sub(before) / count as u64;
    println!("{open} of {count} sessions over TLS in {took:.1} s: {bytes} bytes of the server's resident memory each");
}
