//! The pages in a real, headless Chromium. Skipped, loudly, where it is not installed.

mod axe;
mod chromium;
mod dashboard;
mod kill;
mod modules;
mod overlay;
mod screenshots;

use std::time::Duration;

use crate::support::server::{Server, TOKEN};

/// For everything that a test waits for: a browser on a loaded machine is slow.
const PATIENCE: Duration = Duration::from_secs(90);

/// Says that a test did not run, and what it wants. Past the harness, which keeps what a test that
/// passes prints to itself. With `NO_SKIP` in the environment, the test fails.
fn skip(wanted: &str) {
    use std::io::Write as _;
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    assert!(std::env::var_os("NO_SKIP").is_none(), "{name} wants {wanted}");
    let _ = writeln!(std::io::stderr(), "SKIPPED {name}: it wants {wanted}");
}

impl Server {
    /// The address of a page, with a token that may do everything.
    fn page(&self, path: &str) -> String {
        format!("{}#token={TOKEN}", self.url(path))
    }
}
