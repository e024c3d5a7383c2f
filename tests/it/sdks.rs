//! Clients that are generated from the specification and call the server: openapi-typescript with openapi-fetch and
//! @hey-api/openapi-ts (npm), and openapi-python-client (`PyPI`). They are made in `target/sdks`, without the network.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::messages::{at, cheer, follow, online};
use crate::support::server::{Server, TOKEN};
use crate::support::skip;

/// How long a generator, the compiler or a client may take.
const STEP: Duration = Duration::from_secs(120);

/// The login of the channel in the messages.
const LOGIN: &str = "user90210441";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// An empty directory of this name, with the specification that the server serves and a program.
async fn prepare(server: &Server, name: &str, files: &[&str]) -> PathBuf {
    let directory = root().join("target/sdks").join(name);
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("openapi.json"), server.get("/openapi.json").await.text).unwrap();
    for file in files {
        std::fs::copy(root().join("tests/clients/sdks").join(file), directory.join(file)).unwrap();
    }
    directory
}

/// Runs a program in this directory to its end, and returns what it prints.
async fn run(directory: &Path, program: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    let running = command.args(arguments).current_dir(directory).kill_on_drop(true).output();
    let output = timeout(STEP, running).await.expect("it ends").unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{program:?} {arguments:?}\n{printed}{}", String::from_utf8_lossy(&output.stderr));
    printed
}

/// Checks what a client printed, and returns it by name.
fn check(printed: &str, scope: &str) -> BTreeMap<String, Value> {
    let mut said = BTreeMap::new();
    for line in printed.lines() {
        let mut line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        said.insert(line["what"].as_str().unwrap().to_owned(), line["value"].take());
    }
    assert_eq!(said["events"], json!({ "ids": [1, 2, 3, 4, 5], "pages": 3 }));
    assert_eq!(said["channel"], json!({ "is_live": true, "stream": "4711", "title": null }));
    assert_eq!((&said["token"], &said["revoked"]), (&json!(scope), &json!(204)));
    assert_eq!(said["problem"], json!({ "kind": "urn:showtime:problem:not-found", "status": 404 }));
    assert_eq!(
        said["alerts"],
        json!([{ "type": "follow", "amount": null }, { "type": "cheer", "amount": 250 }]),
        "narrowed by their type"
    );
    said
}

/// A server with a live channel and five events, and the argument of a client.
async fn stage() -> (Server, String) {
    let server = Server::start().await;
    let events =
        [online("4711", at(0)), follow("5", at(1)), follow("6", at(2)), follow("7", at(3)), cheer("5", 250, at(4))];
    for event in events {
        assert_eq!(server.deliver(&event).await.status, 204);
    }
    let settings = json!({ "base": server.url(""), "token": TOKEN, "login": LOGIN }).to_string();
    (server, settings)
}

#[tokio::test]
async fn generated_typescript_is_strict_and_calls_the_server() {
    let modules = root().join("tests/clients/node_modules");
    if !modules.join("openapi-typescript").is_dir() {
        return skip("openapi-typescript and hey-api: run `npm ci` in tests/clients");
    }
    let (server, settings) = stage().await;
    let directory =
        prepare(&server, "typescript", &["openapi_fetch.ts", "hey_api.ts", "hey_api.config.js", "tsconfig.json"]).await;
    std::fs::write(directory.join("package.json"), r#"{ "type": "module" }"#).unwrap();
    std::os::unix::fs::symlink(&modules, directory.join("node_modules")).unwrap();
    let tool = |name: &str| modules.join(".bin").join(name);
    run(&directory, &tool("openapi-typescript"), &["openapi.json", "--output", "schema.ts"]).await;
    run(&directory, &tool("openapi-ts"), &["--file", "hey_api.config.js"]).await;
    run(&directory, &tool("tsc"), &["--project", "."]).await;

    let node = Path::new("node");
    check(&run(&directory, node, &["out/openapi_fetch.js", &settings]).await, "read");
    let said = check(&run(&directory, node, &["out/hey_api.js", &settings]).await, "overlay");
    let state = json!([{ "login": LOGIN, "is_live": true }]);
    assert_eq!(said["state"], state);
    server.stop().await;
}

#[tokio::test]
async fn generated_python_calls_the_server() {
    let tools = root().join("target/clients/bin");
    let generator = tools.join("openapi-python-client");
    if !generator.exists() {
        return skip(
            "openapi-python-client: run `python3 -m venv target/clients` and `target/clients/bin/pip install -r tests/clients/requirements.txt`",
        );
    }
    let (server, settings) = stage().await;
    let directory = prepare(&server, "python", &["python_client.py", "python_client.yaml"]).await;
    let arguments = ["generate", "--path", "openapi.json", "--meta", "none", "--output-path", "showtime_client"];
    // A part of the specification that it does not understand is left out with a warning.
    let strict = ["--config", "python_client.yaml", "--fail-on-warning"];
    run(&directory, &generator, &[&arguments[..], &strict].concat()).await;
    check(&run(&directory, &tools.join("python3"), &["python_client.py", &settings]).await, "read");
    server.stop().await;
}
