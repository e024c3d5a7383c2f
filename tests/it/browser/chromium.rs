//! Drives Debian's Chromium by its chromedriver.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::Stdio;

use futures_util::FutureExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::{ChromeCapabilities, ChromiumLikeCapabilities as _, DesiredCapabilities, TypingData, WebDriver};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::PATIENCE;
use crate::support::skip;

/// As root, in a container, without a screen, and without calls home.
const ARGUMENTS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,720",
];

/// A page in a browser of its own, with a new profile.
pub(super) struct Page {
    driver: WebDriver,
}

/// Runs a test in a browser, and ends the browser, whatever comes of the test.
pub(super) async fn in_chromium(test: impl AsyncFnOnce(&Page)) {
    let (Some(chromium), Some(chromedriver)) = (find("chromium"), find("chromedriver")) else {
        return skip("Debian's packages chromium and chromium-driver");
    };
    let profile = tempfile::tempdir().unwrap();
    let (mut process, address) = start(&chromedriver).await;
    let page = Page { driver: WebDriver::new(address, capabilities(&chromium, &profile)).await.unwrap() };
    let outcome = AssertUnwindSafe(test(&page)).catch_unwind().await;
    let quit = page.driver.quit().await;
    process.kill().await.unwrap();
    match outcome {
        Ok(()) => quit.unwrap(),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn find(program: &str) -> Option<String> {
    let path = format!("/usr/bin/{program}");
    Path::new(&path).exists().then_some(path)
}

/// Starts chromedriver on a free port, which it tells.
async fn start(chromedriver: &str) -> (Child, String) {
    let mut command = Command::new(chromedriver);
    command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut process = command.spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let port = timeout(PATIENCE, async {
        loop {
            let line = lines.next_line().await.unwrap().expect("it tells its port before it ends");
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                return port.trim_end_matches('.').to_owned();
            }
        }
    });
    let port = port.await.expect("chromedriver starts");
    // Whatever else it says must have somewhere to go.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (process, format!("http://127.0.0.1:{port}"))
}

fn capabilities(chromium: &str, profile: &TempDir) -> ChromeCapabilities {
    let mut capabilities = DesiredCapabilities::chrome();
    capabilities.set_binary(chromium).unwrap();
    for argument in ARGUMENTS {
        capabilities.add_arg(argument).unwrap();
    }
    capabilities.add_arg(&format!("--user-data-dir={}", profile.path().display())).unwrap();
    capabilities
}

impl Page {
    pub(super) async fn open(&self, url: &str) {
        // From elsewhere: another fragment alone would not load the page anew.
        self.driver.goto("about:blank").await.unwrap();
        self.driver.goto(url).await.unwrap();
    }

    pub(super) async fn reload(&self) {
        self.driver.refresh().await.unwrap();
    }

    /// What a JavaScript expression is on the page.
    pub(super) async fn eval(&self, expression: &str) -> Value {
        let script = format!("return ({expression})");
        let result = self.driver.execute(script, vec![]).await;
        result.unwrap_or_else(|error| panic!("{expression}: {error}")).json().clone()
    }

    /// Waits until an expression is neither `null`, `false`, `0` nor empty, and returns it.
    pub(super) async fn until(&self, expression: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let value = self.eval(&format!("({expression}) || null")).await;
            if !value.is_null() {
                return value;
            }
            if Instant::now() > deadline {
                panic!("never on the page: {expression}; it says: {}", self.eval("document.body.innerText").await);
            }
            sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Clicks on what a selector finds, once it is there.
    pub(super) async fn click(&self, selector: &str) {
        self.until(&format!("document.querySelector({selector:?})")).await;
        self.eval(&format!("document.querySelector({selector:?}).click()")).await;
    }

    /// Presses keys, which go where the focus is.
    pub(super) async fn press(&self, keys: impl Into<TypingData>) {
        self.driver.action_chain().send_keys(keys).perform().await.unwrap();
    }

    /// Runs a script in each page that is opened from now on, before its own.
    pub(super) async fn prepare(&self, script: &str) {
        self.command("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script })).await;
    }

    /// Prefers `light` or `dark`, and pages on which nothing moves, as a person's system does.
    pub(super) async fn prefer_still(&self, scheme: &str) {
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.command("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// Makes the window as large as this, in CSS pixels.
    pub(super) async fn resize(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.command("Emulation.setDeviceMetricsOverride", size).await;
        self.command("Emulation.setScrollbarsHidden", json!({ "hidden": true })).await;
    }

    /// Puts a colour behind the page, where OBS has the stream.
    pub(super) async fn background(&self, color: Value) {
        self.command("Emulation.setDefaultBackgroundColorOverride", json!({ "color": color })).await;
    }

    pub(super) async fn screenshot(&self) -> Vec<u8> {
        self.driver.screenshot_as_png().await.unwrap()
    }

    async fn command(&self, method: &str, parameters: Value) {
        self.driver.cdp().send_raw(method, parameters).await.unwrap_or_else(|error| panic!("{method}: {error}"));
    }
}
