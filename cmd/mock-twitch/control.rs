//! Calls to the control API of a running mock-twitch.

use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::{Client, Method};
use serde_json::Value;
use showtime::http::{self, root_cause};
use showtime::program::Program;
use url::Url;

/// Time limit of a call.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A client of the control API.
pub(crate) struct Control {
    client: Client,
    url: Url,
}

impl Control {
    /// A client for the mock-twitch at this address. With `--tls` it has a certificate that it made itself, which is taken.
    pub(crate) fn new(url: Url) -> anyhow::Result<Self> {
        let client = http::client(TIMEOUT).no_proxy().tls_danger_accept_invalid_certs(true).build()?;
        Ok(Self { client, url })
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(Method::PUT, path, Some(body)).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let mut request = self.client.request(method, self.url.join(path)?);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => bail!(
                "no mock-twitch answers at {} ({}): start one with `{}`, or name another with --url",
                self.url,
                root_cause(&error),
                Program::MockTwitch
            ),
        };
        let status = answer.status();
        let answer: Value = answer.json().await.with_context(|| format!("{} is no mock-twitch", self.url))?;
        match answer["error"].as_str() {
            Some(error) if !status.is_success() => bail!("{error}"),
            _ if !status.is_success() => bail!("{} is no mock-twitch: it answers {path} with {status}", self.url),
            _ => Ok(answer),
        }
    }
}
