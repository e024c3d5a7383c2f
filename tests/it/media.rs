//! The media folder: pictures and sounds of overlays.

use std::path::Path;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use showtime::media::{MAX_BYTES, MAX_FILES};

use crate::support::PATIENCE;
use crate::support::postgres::fresh_database;
use crate::support::server::{Answer, OVERLAY_TOKEN, Server, TOKEN, answer};

/// A PNG of one pixel.
#[rustfmt::skip]
pub(crate) const PNG: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01,
    0x08, 0x06, 0x00, 0x00, 0x00, 0x1f, 0x15, 0xc4, 0x89, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0xe8, 0x8e, 0xf9, 0xf6,
    0x1f, 0x00, 0x06, 0x30, 0x02, 0xdd, 0x56, 0x1f, 0x8e, 0x84, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

const GIF: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02D\x01\0;";
const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xd9";
const MP3: &[u8] = b"ID3\x04\0\0\0\0\0\0";
const MP4: &[u8] = b"\0\0\0\x18ftypisom\0\0\0\0isomiso2";
const OGG: &[u8] = b"OggS\0\x02\0\0\0\0\0\0\0\0";
const WAV: &[u8] = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x44\xac\0\0\x88\x58\x01\0\x02\0\x10\0data\0\0\0\0";
const WEBM: &[u8] =
    b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x84webm";
const WEBP: &[u8] = b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07\0";

impl Server {
    /// Uploads a file for overlays, as this token.
    pub(crate) async fn upload(&self, token: &str, name: &str, content: impl Into<Vec<u8>>) -> Answer {
        let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        let request = client.put(self.url(&format!("/overlays/media/{name}")));
        answer(request.bearer_auth(token).body(content.into())).await
    }
}

/// A server whose data is in this directory.
async fn server_in(directory: &Path) -> Server {
    Server::with(fresh_database().await, |config| config.data_dir = directory.to_owned()).await
}

/// The names of all entries of the folder.
fn entries(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory.join("media")).into_iter().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn every_type_is_kept_listed_served_as_what_it_is_and_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let server = server_in(directory.path()).await;
    assert_eq!(server.json("/overlays/media").await, json!({ "data": [], "next": null }));
    let (webm, opus) = ([WEBM, &[0; 300]].concat(), [OGG, &[0; 14], b"OpusHead"].concat());
    let files = [
        ("a.png", PNG, "image/png", "picture"),
        ("b.jpg", JPEG, "image/jpeg", "picture"),
        ("c.JPEG", JPEG, "image/jpeg", "picture"),
        ("d.gif", GIF, "image/gif", "picture"),
        ("e.webp", WEBP, "image/webp", "picture"),
        ("f.webm", &webm, "video/webm", "video"),
        ("g.mp4", MP4, "video/mp4", "video"),
        ("h.mp3", MP3, "audio/mpeg", "sound"),
        ("i.ogg", OGG, "audio/ogg", "sound"),
        ("i.opus", &opus, "audio/ogg", "sound"),
        ("j.wav", WAV, "audio/wav", "sound"),
    ];
    for (name, content, kind, usage) in files {
        let saved = server.upload(TOKEN, name, content).await;
        assert_eq!(saved.status, 200, "{saved:?}");
        let saved = saved.json();
        let path = format!("/overlay/media/{name}");
        assert_eq!((&saved["name"], &saved["path"]), (&json!(name), &json!(path)));
        assert_eq!(
            (&saved["type"], &saved["usage"], &saved["bytes"]),
            (&json!(kind), &json!(usage), &json!(content.len()))
        );
        let got = reqwest::get(server.url(&path)).await.unwrap();
        assert_eq!(
            (got.status().as_u16(), &got.headers()["content-type"]),
            (200, &kind.parse().unwrap()),
            "without a token"
        );
        assert_eq!(got.headers()["x-content-type-options"], "nosniff");
        assert_eq!(got.headers()["content-length"], content.len().to_string().as_str());
        assert!(got.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
        assert_eq!(got.bytes().await.unwrap(), content);
    }
    let listed = server.json("/overlays/media").await;
    let names: Vec<_> = listed["data"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, files.map(|(name, ..)| name));
    assert_eq!(entries(directory.path()), names);

    assert_eq!(server.send(Method::DELETE, "/overlays/media/a.png").await.status, 204);
    server.send(Method::DELETE, "/overlays/media/a.png").await.problem(404, "not-found");
    server.get("/overlay/media/a.png").await.problem(404, "not-found");
    assert_eq!(entries(directory.path()), names[1..]);
}

#[tokio::test]
async fn only_admins_upload_and_delete_and_overlays_do_not_list() {
    let directory = tempfile::tempdir().unwrap();
    let server = server_in(directory.path()).await;
    server.upload(OVERLAY_TOKEN, "a.png", PNG).await.problem(403, "scope-too-small");
    server.upload("", "a.png", PNG).await.problem(401, "token-invalid");
    server.send_as(OVERLAY_TOKEN, Method::DELETE, "/overlays/media/a.png").await.problem(403, "scope-too-small");
    server.send_as(OVERLAY_TOKEN, Method::GET, "/overlays/media").await.problem(403, "scope-too-small");
    assert_eq!(entries(directory.path()), [""; 0]);
}

#[tokio::test]
async fn what_is_no_such_file_is_refused_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let server = server_in(directory.path()).await;
    let svg: &[u8] = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    let html: &[u8] = b"<!doctype html><script>alert(1)</script>";
    let (half_png, half_gif, half_jpeg) = (&PNG[..PNG.len() - 8], &GIF[..GIF.len() - 1], &JPEG[..JPEG.len() - 2]);
    for (name, content, status, kind, words) in [
        ("a.png", b"".as_slice(), 400, "invalid-body", "is empty"),
        ("a.png", b"no picture", 415, "unsupported-media-type", "unknown type, and none of PNG, JPEG"),
        ("a.png", svg, 415, "unsupported-media-type", "none of PNG"),
        ("a.gif", html, 415, "unsupported-media-type", "none of PNG"),
        ("a.png", b"BM\0\0\0\0\0\0\0\0", 415, "unsupported-media-type", "image/bmp, and none of PNG"),
        ("a.png", b"\x7fELF\x02\x01\x01\0", 415, "unsupported-media-type", "none of PNG"),
        ("a.png", JPEG, 415, "unsupported-media-type", "the name says PNG, but the content is JPEG"),
        ("a.mp3", WAV, 415, "unsupported-media-type", "the name says MP3, but the content is WAV"),
        ("a.png", half_png, 400, "invalid-body", "read as PNG: its end is missing"),
        ("a.gif", half_gif, 400, "invalid-body", "read as GIF: its end is missing"),
        ("a.jpg", half_jpeg, 400, "invalid-body", "read as JPEG: its end is missing"),
        ("a.wav", &WAV[..20], 400, "invalid-body", "read as WAV: its end is missing"),
        ("a.webp", &WEBP[..20], 400, "invalid-body", "read as WebP: its end is missing"),
    ] {
        let problem = server.upload(TOKEN, name, content).await.problem(status, kind);
        assert!(problem["detail"].as_str().unwrap().contains(words), "{name}: {problem}");
    }
    assert_eq!(entries(directory.path()), [""; 0]);
}

#[tokio::test]
async fn file_that_is_too_large_is_refused_and_the_largest_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let server = server_in(directory.path()).await;
    let mut content = PNG.to_vec();
    content.resize(MAX_BYTES + 1, 0);
    let problem = server.upload(TOKEN, "a.png", content.clone()).await.problem(413, "body-too-large");
    assert!(problem["detail"].as_str().unwrap().contains("10 MiB"), "{problem}");
    assert_eq!(entries(directory.path()), [""; 0]);
    content.truncate(MAX_BYTES);
    assert_eq!(server.upload(TOKEN, "a.png", content.clone()).await.status, 200);
    assert_eq!(reqwest::get(server.url("/overlay/media/a.png")).await.unwrap().bytes().await.unwrap(), content);
}

#[tokio::test]
async fn names_lead_to_nothing_outside_of_the_folder() {
    let directory = tempfile::tempdir().unwrap();
    let server = server_in(directory.path()).await;
    assert_eq!(server.upload(TOKEN, "a.png", PNG).await.status, 200);
    std::fs::write(directory.path().join("outside.png"), PNG).unwrap();
    std::fs::write(directory.path().join("media/.upload-a.png"), PNG).unwrap();
    std::fs::write(directory.path().join("media/page.html"), "<script></script>").unwrap();
    std::fs::create_dir(directory.path().join("media/folder.png")).unwrap();
    for name in [
        "..%2Foutside.png",
        "%2e%2e%2foutside.png",
        "..%5Coutside.png",
        "a%00.png",
        ".upload-a.png",
        "page.html",
        "a",
        "%20.png",
        "%C3%A4.png",
    ] {
        for answer in [
            server.get(&format!("/overlay/media/{name}")).await,
            server.send(Method::DELETE, &format!("/overlays/media/{name}")).await,
            server.upload(TOKEN, name, PNG).await,
        ] {
            answer.problem(400, "invalid-path");
        }
    }
    for path in ["/overlay/media/../outside.png", "/overlay/media/", "/overlay/media/a.png/b", "/overlay/media"] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
    server.get("/overlay/media/folder.png").await.problem(404, "not-found");
    assert_eq!(server.json("/overlays/media").await["data"].as_array().unwrap().len(), 1);
    assert!(directory.path().join("outside.png").exists());
}

#[tokio::test]
async fn browser_gets_304_until_the_file_is_replaced() {
    let server = Server::start().await;
    server.upload(TOKEN, "a.png", PNG).await;
    let first = server.get_with("/overlay/media/a.png", "if-none-match", "\"other\"").await;
    assert_eq!((first.status.as_u16(), &first.headers["cache-control"]), (200, &"no-cache".parse().unwrap()));
    let tag = first.headers["etag"].to_str().unwrap().to_owned();
    let known = server.get_with("/overlay/media/a.png", "if-none-match", &tag).await;
    assert_eq!((known.status.as_u16(), known.text.as_str()), (304, ""));
    let mut other = PNG.to_vec();
    other.push(0);
    server.upload(TOKEN, "a.png", other).await;
    let changed = server.get_with("/overlay/media/a.png", "if-none-match", &tag).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.headers["etag"], tag.as_str());
}

#[tokio::test]
async fn files_that_are_replaced_while_they_are_read_are_one_or_the_other() {
    let directory = tempfile::tempdir().unwrap();
    let server = server_in(directory.path()).await;
    let sized = |length: usize| {
        let mut content = PNG.to_vec();
        content.resize(length, u8::try_from(length % 251).unwrap());
        content
    };
    let contents = [sized(300_000), sized(400_000)];
    server.upload(TOKEN, "a.png", contents[0].clone()).await;
    let write = async {
        for turn in 0..10 {
            assert_eq!(server.upload(TOKEN, "a.png", contents[turn % 2].clone()).await.status, 200);
        }
    };
    let read = join_all((0..4).map(|_| async {
        for _ in 0..10 {
            let got = reqwest::get(server.url("/overlay/media/a.png")).await.unwrap().bytes().await.unwrap();
            assert!(contents.iter().any(|content| *content == got), "{} bytes", got.len());
        }
    }));
    tokio::join!(write, read);
    assert_eq!(entries(directory.path()), ["a.png"]);
}

#[tokio::test]
async fn files_are_limited_in_number() {
    let directory = tempfile::tempdir().unwrap();
    let server = server_in(directory.path()).await;
    std::fs::create_dir(directory.path().join("media")).unwrap();
    for number in 0..MAX_FILES {
        std::fs::write(directory.path().join(format!("media/{number}.png")), PNG).unwrap();
    }
    let problem = server.upload(TOKEN, "one-more.png", PNG).await.problem(409, "wrong-state");
    assert!(problem["detail"].as_str().unwrap().contains("500"), "{problem}");
    assert_eq!(server.upload(TOKEN, "7.png", PNG).await.status, 200, "one that is there is replaced");
}

#[tokio::test]
async fn folder_that_can_not_be_written_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let server = server_in(directory.path()).await;
    std::fs::write(directory.path().join("media"), "a file is in its place").unwrap();
    let problem = server.upload(TOKEN, "a.png", PNG).await.problem(500, "internal");
    assert!(problem["detail"].as_str().unwrap().contains("the media folder can't be used"), "{problem}");
}
