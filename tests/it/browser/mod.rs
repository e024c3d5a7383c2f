//! The pages in a real, headless Chromium. Skipped with a message where it is not installed.

mod accessibility;
mod chromium;
mod consent;
mod dashboard;
mod docs;
mod kill;
mod modules;
mod overlay;
mod screenshots;

use crate::support::server::{Server, TOKEN};

impl Server {
    /// The address of a page, with an admin token.
    fn page(&self, path: &str) -> String {
        format!("{}#token={TOKEN}", self.url(path))
    }
}
