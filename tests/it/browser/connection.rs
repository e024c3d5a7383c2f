//! The dashboard while the database hangs.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::chromium::in_chromium;
use crate::process::Place;

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
        // Not by a heartbeat that fails: three of them may be missed.
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
        page.until("document.getElementById('verdict').textContent === 'fail'").await;

        drop(frozen);
        page.until("document.querySelector('#connection.pass')").await;
        page.until("document.getElementById('verdict').textContent === 'warn'").await;
        server.stop().await;
    })
    .await;
}
