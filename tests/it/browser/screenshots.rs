//! The pictures in README.md. They are taken each time, and kept with
//! `UPDATE_SCREENSHOTS=1 cargo test screenshots`.

use std::path::Path;

use serde_json::json;

use super::chromium::{Page, in_chromium};
use crate::support::messages::{at, notification};
use crate::support::server::Server;

async fn take(page: &Page, name: &str) {
    let png = page.screenshot().await;
    assert!(png.starts_with(b"\x89PNG"), "{name} is a picture");
    if std::env::var_os("UPDATE_SCREENSHOTS").is_some() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/screenshots");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join(name), png).unwrap();
    }
}
