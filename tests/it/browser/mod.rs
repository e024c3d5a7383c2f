//! The pages in a real, headless Chromium. Skipped, loudly, where it is not installed.

mod axe;
mod chromium;
mod dashboard;
mod kill;
mod modules;
mod overlay;
mod screenshots;

use crate::support::server::{Server, TOKEN};

impl Server {
    /// The address of a page, with a token that may do everything.
    fn page(&self, path: &str) -> String {
        format!("{}#token={TOKEN}", self.url(path))
    }
}
