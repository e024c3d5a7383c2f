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

impl Server {
    /// The address of a page, with a token that may do everything.
    fn page(&self, path: &str) -> String {
        format!("{}#token={TOKEN}", self.url(path))
    }
}
