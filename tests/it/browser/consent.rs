//! The whole set-up against mock-twitch, with consent in a real browser.

use std::process::Stdio;

use reqwest::Url;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::time::timeout;

use super::chromium::in_chromium;
use crate::init::{INIT, free_port};
use crate::process::{Place, Settings};
use crate::support::{PATIENCE, until};

const MOCK_TWITCH: &str = env!("CARGO_BIN_EXE_mock-twitch");

/// A running program, whose output is read line by line. Killed with the test.
struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// The output read so far.
    output: String,
}

impl Program {
    fn start(place: &Place, program: &str, settings: Settings<'_>, arguments: &[&str]) -> Self {
        let mut command = place.command(program, settings, arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, output: String::new() }
    }

    /// Reads on until a line contains this text, and returns that line; the whole output if it ends before.
    async fn line_with(&mut self, text: &str) -> String {
        while let Some(line) = timeout(PATIENCE, self.lines.next_line()).await.expect(text).unwrap() {
            self.output.push_str(&line);
            self.output.push('\n');
            if line.contains(text) {
                return line;
            }
        }
        self.output.clone()
    }
}

/// The word of a text that begins with this.
fn word<'a>(text: &'a str, beginning: &str) -> &'a str {
    text.split_whitespace().find(|word| word.starts_with(beginning)).unwrap_or_else(|| panic!("{beginning} in {text}"))
}

#[tokio::test]
async fn init_completes_after_consent_in_the_browser() {
    let place = Place::new();
    in_chromium(async |page| {
        let (port, consent_port) = (free_port().to_string(), free_port());
        let redirect = format!("http://localhost:{consent_port}/auth");
        let callback = format!("http://127.0.0.1:{port}/callback");
        let arguments =
            ["--port=0", "--offline", &format!("--callback={callback}"), &format!("--redirect-url={redirect}")];
        let mut mock = Program::start(&place, MOCK_TWITCH, &[], &arguments);
        mock.line_with("TWITCH_WEBHOOK_CALLBACK_URL=").await;
        let exports = mock.output.lines().filter_map(|line| line.trim().strip_prefix("export ")?.split_once('='));
        let settings: Vec<_> = exports.chain([("LISTEN_PORT", port.as_str())]).collect();
        let server = place.serve(&settings).await;

        let arguments = ["--no-browser", &format!("--port={consent_port}")];
        let mut init = Program::start(&place, INIT, &settings, &arguments);
        let line = init.line_with("/authorize?").await;
        page.open(word(&line, "http://")).await;
        page.until("document.body.innerText.includes('Grant access?')").await;
        page.click("#consent").await;
        page.until(&format!("location.href.startsWith({redirect:?})")).await;
        init.line_with("10 of 10 subscriptions are enabled").await;
        init.line_with("\0").await;
        assert!(init.child.wait().await.unwrap().success(), "{}", init.output);
        until("/status says pass", async || server.json("/status").await["verdict"] == "pass").await;

        // One button on the page of the fake Twitch, and the channel is live.
        let mock_page = mock.output.split_whitespace().find_map(|word| {
            let url = Url::parse(word).ok()?;
            (url.scheme() == "http" && url.path() == "/").then_some(url)
        });
        page.open(mock_page.expect("the address of the page").as_str()).await;
        page.until("document.querySelector('#channel').options.length").await;
        page.click("[data-do=live]").await;
        let login = settings.iter().find(|(name, _)| *name == "TWITCH_CHANNEL_NAME").unwrap().1;
        until("the channel is live", async || {
            server.list("/channels").await.iter().any(|it| it["login"] == login && it["is_live"] == true)
        })
        .await;
        server.stop().await;
    })
    .await;
}
