//! The media folder on the page of the settings, and in an overlay.

use serde_json::json;

use super::chromium::{Page, in_chromium};
use crate::media::PNG;
use crate::support::messages::{at, cheer};
use crate::support::server::{Server, TOKEN};

impl Page {
    /// Chooses a file to upload, as a person would.
    async fn choose(&self, name: &str, content: &[u8]) {
        let script = format!(
            "(() => {{
                const files = new DataTransfer();
                files.items.add(new File([new Uint8Array({content:?})], {name:?}));
                const field = document.getElementById('media-file');
                field.files = files.files;
                return field.dispatchEvent(new Event('change', {{ bubbles: true }}));
            }})()"
        );
        self.eval(&script).await;
    }
}

#[tokio::test]
async fn admin_uploads_chooses_and_deletes_images_and_is_told_what_is_wrong() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open(&server.page("/overlay/settings")).await;
        page.until("!document.getElementById('media').hidden").await;
        page.choose("Größe 1.png", PNG).await;
        page.until("document.querySelector('#media-list [data-file=\"Gro-e-1.png\"]')").await;
        let listed = server.json("/overlays/media").await;
        let path = listed["data"][0]["path"].as_str().unwrap();
        page.until(&format!("document.querySelector('#images option')?.value === {path:?}")).await;
        for field in ["image", "image_cheer"] {
            assert_eq!(page.eval(&format!("document.getElementById({field:?}).list.id")).await, "images");
        }
        page.choose("horn.mp3", PNG).await;
        page.until(
            "document.getElementById('toast').textContent === 'horn.mp3: the name says MP3, but the content is PNG'",
        )
        .await;

        page.click("#media-list li button").await;
        page.until("!document.querySelector('#media-list li') && !document.querySelector('#images option')").await;
        assert_eq!(server.json("/overlays/media").await["data"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn alert_shows_an_image_of_the_folder() {
    let server = Server::start().await;
    assert_eq!(server.upload(TOKEN, "one.png", PNG).await.status, 200);
    let variation = json!({ "when": { "bits": 100 }, "image": "/overlay/media/one.png" });
    let kinds = json!({ "cheer": { "variations": [variation] } });
    let saved =
        server.save_settings("main", &json!({ "max_age": 60, "alerts": { "duration": 60, "kinds": kinds } })).await;
    assert_eq!(saved.status, 200, "{saved:?}");
    in_chromium(async |page| {
        page.open_overlay(&server.page("/overlay/alerts/main")).await;
        server.deliver(&cheer("1", 100, at(0))).await;
        page.until("document.querySelector('.alert img.image')?.naturalWidth === 1").await;
    })
    .await;
}
