//! The pages as files, and their headers.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::server::Server;

const PAGES: [&str; 11] = [
    "/",
    "/history",
    "/overlay/alerts",
    "/overlay/chat",
    "/overlay/goal",
    "/overlay/label",
    "/overlay/events",
    "/overlay/hype-train",
    "/overlay/poll",
    "/overlay/clock",
    "/overlay/settings",
];

fn assets() -> BTreeSet<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/pages/assets");
    let names = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.map(|name| format!("/assets/{name}")).collect()
}

#[tokio::test]
async fn pages_and_what_they_load_are_served_with_their_types_and_a_strict_policy() {
    let server = Server::start().await;
    for path in PAGES.into_iter().map(str::to_owned).chain(assets()) {
        let answer = server.get(&path).await;
        assert_eq!(answer.status, 200, "{path}");
        let content_type = match path.rsplit_once('.') {
            None => "text/html; charset=utf-8",
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            Some(_) => panic!("{path}"),
        };
        assert_eq!(answer.headers["content-type"], content_type, "{path}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(answer.headers["referrer-policy"], "no-referrer", "{path}");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"));
        assert!(!policy.contains("unsafe"), "{policy}");
    }
}

#[tokio::test]
async fn browser_revalidates_each_time_and_gets_304_for_what_it_has() {
    let server = Server::start().await;
    let first = server.get("/assets/queue.js").await;
    assert_eq!(first.headers["cache-control"], "no-cache");
    let tag = first.headers["etag"].to_str().unwrap().to_owned();
    for (known, status) in
        [(tag.clone(), 304), (format!("\"other\", W/{tag}"), 304), ("*".to_owned(), 304), ("\"other\"".to_owned(), 200)]
    {
        let answer = server.get_with("/assets/queue.js", "if-none-match", &known).await;
        assert_eq!(answer.status, status, "{known}");
        assert_eq!(answer.headers["etag"], tag.as_str());
        assert_eq!(answer.text.is_empty(), status == 304);
    }
    assert_ne!(server.get("/assets/feed.js").await.headers["etag"], tag.as_str());
}

#[tokio::test]
async fn assets_are_exactly_the_files_that_pages_and_modules_name() {
    let server = Server::start().await;
    let mut named = BTreeSet::new();
    for path in PAGES.into_iter().map(str::to_owned).chain(assets()) {
        let text = server.get(&path).await.text;
        let absolute = text.split('"').filter(|part| part.starts_with("/assets/")).map(str::to_owned);
        let imported = text.split("from './").skip(1).filter_map(|rest| rest.split_once('\''));
        named.extend(absolute.chain(imported.map(|(name, _)| format!("/assets/{name}"))));
    }
    assert_eq!(named, assets());
}

#[tokio::test]
async fn unknown_page_is_a_problem_document() {
    let server = Server::start().await;
    for path in
        ["/assets/", "/assets/nothing.js", "/assets/..%2Fdashboard.html", "/assets/../dashboard.html", "/overlay"]
    {
        server.get(path).await.problem(404, "no-such-path");
    }
    server.send(reqwest::Method::POST, "/overlay/alerts").await.problem(405, "method-not-allowed");
    assert_eq!(server.send(reqwest::Method::HEAD, "/").await.status, 200);
}

#[tokio::test]
async fn every_answer_forbids_framing_and_guessing_its_type() {
    let server = Server::start().await;
    for path in [
        "/",
        "/docs",
        "/docs/",
        "/docs/swagger-ui-bundle.js",
        "/openapi.json",
        "/channels",
        "/events?color=red",
        "/status",
        "/livez",
        "/metrics",
        "/nothing",
        "/assets/nothing.js",
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(answer.headers["referrer-policy"], "no-referrer", "{path}");
        assert_eq!(answer.headers["cache-control"], if path == "/" { "no-cache" } else { "no-store" }, "{path}");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'") && policy.ends_with("frame-ancestors 'none'"),
            "{path} {policy}"
        );
        assert!(!policy.contains("script-src 'unsafe"), "{path} {policy}");
    }
    let feed = server.open("/live/events", &[]).await;
    assert_eq!(feed.headers()["x-content-type-options"], "nosniff");
    assert_eq!(feed.headers()["cache-control"], "no-store");
    let refused = server.post(&[], Vec::new()).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.headers["x-content-type-options"]),
        (403, &"nosniff".parse().unwrap())
    );
}

#[tokio::test]
async fn overlays_are_framed_by_the_page_of_their_settings_alone() {
    let server = Server::start().await;
    let policy = async |path: &str| {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        answer.headers["content-security-policy"].to_str().unwrap().to_owned()
    };
    for path in ["/overlay/alerts", "/overlay/chat", "/overlay/alerts/main", "/overlay/chat/main-2"] {
        assert!(policy(path).await.ends_with("frame-ancestors 'self'"), "{path}");
    }
    let settings = policy("/overlay/settings").await;
    assert!(settings.contains("frame-src 'self';") && settings.ends_with("frame-ancestors 'none'"), "{settings}");
    for path in ["/overlay/alerts/Main", "/overlay/alerts/", "/overlay/settings/main", "/overlay/alerts/a/b"] {
        server.get(path).await.problem(404, "no-such-path");
    }
}
