//! The pages in a real, headless Chromium. Skipped with a message where it is not installed.

mod accessibility;
mod actions;
mod chat;
mod chat_emotes;
mod chat_look;
mod chromium;
mod connection;
mod consent;
mod dashboard;
mod demo;
mod discord;
mod docs;
mod feed;
mod history;
mod kill;
mod media;
mod mock_page;
mod modules;
mod overlay;
mod overlay_control;
mod overlay_feed;
mod overlay_latency;
mod overlay_saved;
mod overlay_variations;
mod rules;
mod screenshots;
mod settings;
mod sinks;
mod sizes;
mod small;
mod text_order;

use crate::support::server::{OVERLAY_TOKEN, Server, TOKEN};

impl Server {
    /// The address of a page, with a token: an admin's, unless the page is shown in OBS.
    fn page(&self, path: &str) -> String {
        let is_on_air = path.starts_with("/overlay/") && !path.starts_with("/overlay/settings");
        format!("{}#token={}", self.url(path), if is_on_air { OVERLAY_TOKEN } else { TOKEN })
    }
}
