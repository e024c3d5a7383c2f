//! Drives Debian's Chromium through chromedriver, with the W3C's `WebDriver` protocol: a few JSON requests. (The crates
//! for it change how the program under test serializes, or have licences that `deny.toml` does not allow.)

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::Stdio;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::FutureExt as _;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{PATIENCE, skip};

/// Keys, in the names of `WebDriver`.
pub(super) const TAB: &str = "\u{e004}";
pub(super) const ENTER: &str = "\u{e007}";

/// As root, in a container, without a screen, without calls home, and without other machines: pictures of Twitch are broken
/// wherever the tests run.
const ARGUMENTS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--window-size=1280,720",
];

/// A page in its own browser, with a new profile.
pub(super) struct Page {
    client: Client,
    /// The session's address at chromedriver.
    session: String,
}

/// Runs a test in a browser, and ends the browser whatever the outcome.
pub(super) async fn in_chromium(test: impl AsyncFnOnce(&Page)) {
    let (Some(chromium), Some(chromedriver)) = (find("chromium"), find("chromedriver")) else {
        return skip("Debian's packages chromium and chromium-driver");
    };
    let profile = tempfile::tempdir().unwrap();
    let (mut process, address) = start(&chromedriver).await;
    let page = Page::new(&address, &chromium, profile.path()).await;
    let outcome = AssertUnwindSafe(test(&page)).catch_unwind().await;
    page.ask(Method::DELETE, "", None).await;
    process.kill().await.unwrap();
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

fn find(program: &str) -> Option<String> {
    let path = format!("/usr/bin/{program}");
    Path::new(&path).exists().then_some(path)
}

/// Starts chromedriver on a free port, and returns its address. It ends at once if that port is free for IPv4 or IPv6 only.
async fn start(chromedriver: &str) -> (Child, String) {
    for _ in 0..5 {
        if let Some(started) = try_start(chromedriver).await {
            return started;
        }
    }
    panic!("chromedriver does not start");
}

/// `None` if it ends.
async fn try_start(chromedriver: &str) -> Option<(Child, String)> {
    let mut command = Command::new(chromedriver);
    command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut process = command.spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let port = timeout(PATIENCE, async {
        loop {
            let line = lines.next_line().await.unwrap()?;
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                return Some(port.trim_end_matches('.').to_owned());
            }
        }
    });
    let port = port.await.expect("chromedriver starts")?;
    // Drain the rest of its output.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Some((process, format!("http://127.0.0.1:{port}")))
}

impl Page {
    async fn new(chromedriver: &str, chromium: &str, profile: &Path) -> Self {
        let profile = format!("--user-data-dir={}", profile.display());
        let arguments: Vec<_> = ARGUMENTS.into_iter().chain([profile.as_str()]).collect();
        let patience = PATIENCE.as_millis();
        let wanted = json!({
            "browserName": "chrome",
            "goog:chromeOptions": { "binary": chromium, "args": arguments },
            "timeouts": { "script": patience, "pageLoad": patience },
        });
        let client = Client::builder().timeout(PATIENCE * 2).build().unwrap();
        let mut page = Self { client, session: format!("{chromedriver}/session") };
        let session = page.post("", json!({ "capabilities": { "alwaysMatch": wanted } })).await;
        page.session = format!("{}/{}", page.session, session["sessionId"].as_str().unwrap());
        page
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Sends a command and returns its result. Fails the test on an error.
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let request = self.client.request(method, format!("{}{path}", self.session));
        let request = body.iter().fold(request, |request, body| request.json(body));
        let answer = request.send().await.expect("chromedriver answers");
        let (status, mut answer) = (answer.status(), answer.json::<Value>().await.unwrap());
        assert!(status.is_success(), "{path} {}: {}", body.unwrap_or_default(), answer["value"]["message"]);
        answer["value"].take()
    }

    pub(super) async fn open(&self, url: &str) {
        // From another page: a change of the fragment alone would not reload it.
        self.post("/url", json!({ "url": "about:blank" })).await;
        self.post("/url", json!({ "url": url })).await;
    }

    /// Opens another tab of this browser, in which everything from now on happens. The tabs before it stay.
    pub(super) async fn new_tab(&self) {
        let tab = self.post("/window/new", json!({ "type": "tab" })).await;
        self.switch_to(&tab["handle"]).await;
    }

    /// The tabs, for [`Page::switch_to`].
    pub(super) async fn tabs(&self) -> Vec<Value> {
        self.ask(Method::GET, "/window/handles", None).await.as_array().unwrap().clone()
    }

    pub(super) async fn switch_to(&self, tab: &Value) {
        self.post("/window", json!({ "handle": tab })).await;
    }

    pub(super) async fn reload(&self) {
        self.post("/refresh", json!({})).await;
    }

    /// Evaluates a JavaScript expression on the page.
    pub(super) async fn eval(&self, expression: &str) -> Value {
        self.post("/execute/sync", json!({ "script": format!("return ({expression})"), "args": [] })).await
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
                panic!("never on the page: {expression}; its text: {}", self.eval("document.body.innerText").await);
            }
            sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Clicks on the element of a selector, once it is there.
    pub(super) async fn click(&self, selector: &str) {
        self.until(&format!("document.querySelector({selector:?})")).await;
        self.eval(&format!("document.querySelector({selector:?}).click()")).await;
    }

    /// Presses keys, which go to the focused element.
    pub(super) async fn press(&self, keys: &str) {
        let stroke = |key| [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })];
        let strokes: Vec<_> = keys.chars().flat_map(stroke).collect();
        self.post("/actions", json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] })).await;
    }

    /// Moves the pointer to the middle of an element.
    pub(super) async fn point_at(&self, selector: &str) {
        let middle = "(it => [it.x + it.width / 2, it.y + it.height / 2].map(Math.round))";
        let place = self
            .eval(&format!("{middle}((it => (it.scrollIntoView({{ block: 'nearest' }}), it.getBoundingClientRect()))(document.querySelector({selector:?})))"))
            .await;
        let go = json!({ "type": "pointerMove", "x": place[0], "y": place[1], "duration": 0 });
        self.post("/actions", json!({ "actions": [{ "type": "pointer", "id": "mouse", "actions": [go] }] })).await;
    }

    /// Runs a script in each page that is opened from now on, before its own scripts.
    pub(super) async fn prepare(&self, script: &str) {
        self.command("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script })).await;
    }

    /// Prefers `light` or `dark`, and reduced motion, as a system setting would.
    pub(super) async fn prefer_still(&self, scheme: &str) {
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.command("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// Resizes the window, in CSS pixels.
    pub(super) async fn resize(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.command("Emulation.setDeviceMetricsOverride", size).await;
        self.command("Emulation.setScrollbarsHidden", json!({ "hidden": true })).await;
    }

    /// Sets the colour behind the page, where OBS shows the stream.
    pub(super) async fn background(&self, color: Value) {
        self.command("Emulation.setDefaultBackgroundColorOverride", json!({ "color": color })).await;
    }

    pub(super) async fn screenshot(&self) -> Vec<u8> {
        let picture = self.ask(Method::GET, "/screenshot", None).await;
        BASE64_STANDARD.decode(picture.as_str().unwrap()).unwrap()
    }

    /// What is drawn above the element of a selector, as an encoded picture.
    pub(super) async fn picture_above(&self, selector: &str) -> Value {
        let clip = "(it => ({ x: 0, y: 0, width: innerWidth, height: Math.floor(it.top), scale: 1 }))";
        let clip = self.eval(&format!("{clip}(document.querySelector({selector:?}).getBoundingClientRect())")).await;
        self.command("Page.captureScreenshot", json!({ "clip": clip })).await["data"].take()
    }

    async fn command(&self, method: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", json!({ "cmd": method, "params": parameters })).await
    }
}
