//! Request ids: in every response, and in the log lines of its request.

use reqwest::Method;
use showtime::http::client;

use crate::process::Place;
use crate::support::PATIENCE;
use crate::support::messages::{at, follow};
use crate::support::postgres::fresh_database;
use crate::support::server::Server;

const HEADER: &str = "x-request-id";

/// The origin of a page that may read.
const PAGE: &str = "https://overlay.example";

#[tokio::test]
async fn every_response_has_an_id_of_its_own() {
    let server = Server::with(fresh_database().await, |config| config.cors_origins = vec![PAGE.to_owned()]).await;
    let mut ids = Vec::new();
    for (method, path) in
        [(Method::GET, "/livez"), (Method::GET, "/nothing"), (Method::POST, "/livez"), (Method::HEAD, "/channels")]
    {
        ids.push(server.send(method, path).await.headers[HEADER].to_str().unwrap().to_owned());
    }
    ids.push(server.deliver(&follow("1", at(0))).await.headers[HEADER].to_str().unwrap().to_owned());
    ids.push(server.open("/live/events", &[]).await.headers()[HEADER].to_str().unwrap().to_owned());
    let preflight = client(PATIENCE).build().unwrap().request(Method::OPTIONS, server.url("/channels"));
    let preflight = preflight.header("origin", PAGE).header("access-control-request-method", "GET");
    ids.push(preflight.send().await.unwrap().headers()[HEADER].to_str().unwrap().to_owned());
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "{ids:?}");
}

#[tokio::test]
async fn well_formed_id_of_the_request_is_kept_and_others_are_replaced() {
    let server = Server::start().await;
    for id in ["a", "0123456789abcdef0123456789ABCDEF", "6f1d9f0e-7c52-4d56_9a55", &"x".repeat(64)] {
        assert_eq!(server.get_with("/livez", HEADER, id).await.headers[HEADER], *id);
    }
    for id in ["", "a b", "a\"b", "{}", "é", &"x".repeat(65)] {
        let kept = server.get_with("/livez", HEADER, id).await.headers[HEADER].clone();
        assert!(kept != *id && !kept.is_empty(), "{id}: {kept:?}");
    }
    let twice = client(PATIENCE).build().unwrap().get(server.url("/livez")).header(HEADER, "a").header(HEADER, "b");
    let kept = twice.send().await.unwrap().headers()[HEADER].clone();
    assert!(kept != "a" && kept != "b", "{kept:?}");
}

#[tokio::test]
async fn log_lines_of_a_request_have_its_id() {
    let place = Place::new();
    let server = place.serve(&[("DATABASE_URL", "postgres://nothing@127.0.0.1:1/listens")]).await;
    let request = client(PATIENCE).build().unwrap().get(server.url("/readyz")).header(HEADER, "an-id-of-this-test");
    assert_eq!(request.send().await.unwrap().status(), 503);
    let log = server.stop().await;
    // It depends on who asks for a connection first.
    let is_about = |line: &&str| line.contains("the database is away") || line.contains("does not answer in time");
    let line = log.lines().filter(is_about).find(|line| line.contains("request"));
    assert!(line.is_some_and(|line| line.contains("an-id-of-this-test")), "{log}");
}
