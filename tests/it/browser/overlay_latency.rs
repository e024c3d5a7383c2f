//! How soon an alert is visible on a page while other overlays are open.
//!
//! `OVERLAYS` is the number of the others, `ALERTS` that of the alerts. Prints the times from the acknowledgement of a message to
//! the frame with its alert; they are of a build without optimization unless run with `--release`.

use serde_json::json;
use showtime::clock::Clock;

use super::chromium::in_chromium;
use crate::support::feeds::Sse;
use crate::support::messages::{at, follow};
use crate::support::server::Server;
use crate::support::setting;

/// JavaScript: remembers when each text of an alert was first on the page.
const WATCH: &str = "(() => {
    window.seen = {};
    const look = () => {
        const text = document.querySelector('.alert .text')?.textContent;
        if (text && !(text in seen)) requestAnimationFrame(() => { seen[text] ??= performance.timeOrigin + performance.now(); });
    };
    new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
    return true;
})()";

#[tokio::test]
async fn alert_is_visible_beside_many_overlays() {
    let (overlays, alerts) = (setting("OVERLAYS", 20), setting("ALERTS", 2));
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open_overlay(&server.page("/overlay/alerts?duration=1&max_age=60")).await;
        page.eval(WATCH).await;
        let mut others = Vec::new();
        for _ in 0..overlays {
            others.push(Sse::open(&server, "/live/alerts").await);
        }
        let mut times = Vec::new();
        for number in 0..alerts {
            assert_eq!(server.deliver(&follow(&number.to_string(), at(number.into()))).await.status, 204);
            let acknowledged = Clock::default().now().unix_timestamp_nanos() as f64 / 1e6;
            let text = json!(format!("User{number} follows!"));
            let seen = page.until(&format!("window.seen[{text}]")).await.as_f64().unwrap();
            times.push(seen - acknowledged);
            page.until("!document.querySelector('.alert')").await;
        }
        for other in &mut others {
            assert_eq!(other.take(alerts as usize).await.len(), alerts as usize);
        }
        times.sort_by(f64::total_cmp);
        let [half, many] = [50, 99].map(|part| times[(times.len() * part / 100).min(times.len() - 1)]);
        println!("beside {overlays} overlays, {alerts} alerts: visible after {half:.0} ms (p50), {many:.0} ms (p99)");
    })
    .await;
}
