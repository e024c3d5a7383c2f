//! The dashboard while the database hangs.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::chromium::in_chromium;
use crate::process::Place;
use crate::support::server::Server;

/// A private Postgres whose processes are stopped. They continue when this is dropped.
struct Frozen(Vec<Pid>);

impl Frozen {
    /// Stops the postmaster, and then its children.
    fn new(place: &Place) -> Self {
        let file = fs::read_to_string(place.path().join(".showtime/postgres/postmaster.pid")).unwrap();
        let postmaster = file.lines().next().unwrap();
        let mut frozen = Self(Vec::new());
        frozen.stop(postmaster);
        let children = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children")).unwrap();
        children.split_whitespace().for_each(|child| frozen.stop(child));
        frozen
    }

    fn stop(&mut self, process: &str) {
        let process = Pid::from_raw(process.parse().unwrap());
        if kill(process, Signal::SIGSTOP).is_ok() {
            self.0.push(process);
        }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for process in self.0.iter().rev() {
            let _ = kill(*process, Signal::SIGCONT);
        }
    }
}

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
