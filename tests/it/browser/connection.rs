//! The dashboard while the database hangs.

use std::time::{Duration, Instant};

use super::chromium::in_chromium;
use crate::process::{Frozen, Place};
use crate::support::server::Server;

#[tokio::test]
async fn header_shows_that_the_database_hangs_and_that_it_is_back() {
    let place = Place::new();
    in_chromium(async |page| {
        let server = place.serve(&[]).await;
        let token = server.token.as_ref().unwrap();
        page.open(&server.url(&format!("/#token={token}"))).await;
        page.until("document.querySelector('#connection.pass')").await;
        page.until("document.getElementById('verdict').textContent === 'warn'").await;

        let frozen = Frozen::new(&place);
        let began = Instant::now();
        let shown = page.until("document.querySelector('#connection.fail')?.textContent").await;
        assert!(shown.as_str().unwrap().starts_with("the server can store nothing now, since "), "{shown}");
        // Five seconds, and what other tests take of the machine meanwhile.
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
        let reason = "document.getElementById('connection-reason').textContent";
        let shown = page.until(reason).await;
        assert!(shown.as_str().unwrap().starts_with("the database"), "{shown}");
        page.until("document.getElementById('verdict').textContent === 'fail'").await;

        drop(frozen);
        page.until("document.querySelector('#connection.pass')").await;
        page.until("document.getElementById('verdict').textContent === 'warn'").await;
        assert_eq!(page.eval(reason).await, "");
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn server_that_is_gone_is_told_in_plain_words() {
    in_chromium(async |page| {
        let server = Server::start().await;
        page.open(&server.page("/")).await;
        page.until("document.querySelector('#connection.pass') && !document.getElementById('alert-control').hidden")
            .await;
        server.stop().await;
        page.click("#alerts-skip").await;
        let gone = "the server can't be reached: check that it runs, and the network";
        page.until(&format!("document.getElementById('toast').textContent === {gone:?}")).await;
        let badge = "document.querySelector('#connection.fail')?.textContent";
        page.until(&format!("{badge}?.startsWith('the server does not answer, since ')")).await;
        page.until(&format!("document.getElementById('health-message').textContent === {gone:?}")).await;
    })
    .await;
}
