//! A client of the control API of a running mock, for the commands of the programs.

use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::Value;
use url::Url;

use crate::http::{self, root_cause};
use crate::program::Program;

/// Time limit of a call.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A client of the control API of a mock.
#[derive(Debug)]
pub struct ControlClient {
    client: Client,
    url: Url,
    program: Program,
    name: &'static str,
}

/// Why a mock did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlClientError {
    /// There is no client, or no such path.
    #[error("the request can't be made: {0}")]
    Request(String),
    /// Nothing answers at the address.
    #[error("no {name} answers at {url} ({cause}): start one with `{program}`, or name another with --url")]
    NoAnswer {
        /// The mock's name.
        name: &'static str,
        /// The address.
        url: String,
        /// Why the request failed.
        cause: String,
        /// What starts it.
        program: Program,
    },
    /// Another program answers.
    #[error("{url} is no {name}{detail}")]
    NotAMock {
        /// The address.
        url: String,
        /// The mock's name.
        name: &'static str,
        /// What it answered.
        detail: String,
    },
    /// The mock refused the call.
    #[error("{0}")]
    Refused(String),
}

impl ControlClient {
    /// A client for the mock at this address. With `--tls` it has a certificate that it made itself, which is accepted.
    ///
    /// # Errors
    /// If the HTTP client can't be set up.
    pub fn new(url: Url, program: Program) -> Result<Self, ControlClientError> {
        let client = http::client(TIMEOUT).no_proxy().tls_danger_accept_invalid_certs(true).build();
        let client = client.map_err(|error| ControlClientError::Request(error.to_string()))?;
        Ok(Self { client, url, program, name: program.name() })
    }

    /// The answer of a call without a body.
    ///
    /// # Errors
    /// If the mock did not answer, or refused it.
    pub async fn get(&self, path: &str) -> Result<Value, ControlClientError> {
        self.call(Method::GET, path, None).await
    }

    /// The answer of a `DELETE`.
    ///
    /// # Errors
    /// If the mock did not answer, or refused it.
    pub async fn delete(&self, path: &str) -> Result<Value, ControlClientError> {
        self.call(Method::DELETE, path, None).await
    }

    /// The answer of a `POST`.
    ///
    /// # Errors
    /// If the mock did not answer, or refused it.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, ControlClientError> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// The answer of a `PUT`.
    ///
    /// # Errors
    /// If the mock did not answer, or refused it.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, ControlClientError> {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// The answer of a `PATCH`.
    ///
    /// # Errors
    /// If the mock did not answer, or refused it.
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Value, ControlClientError> {
        self.call(Method::PATCH, path, Some(body)).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ControlClientError> {
        let url = self.url.join(path).map_err(|error| ControlClientError::Request(error.to_string()))?;
        let mut request = self.client.request(method, url);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|error| ControlClientError::NoAnswer {
            name: self.name,
            url: self.url.to_string(),
            cause: root_cause(&error),
            program: self.program,
        })?;
        let status = answer.status();
        let answer: Value = answer.json().await.map_err(|error| self.not_a_mock(&format!(": {error}")))?;
        match answer["error"].as_str() {
            Some(error) if !status.is_success() => Err(ControlClientError::Refused(error.to_owned())),
            _ if !status.is_success() => Err(self.not_a_mock(&format!(": it answers {path} with {status}"))),
            _ => Ok(answer),
        }
    }

    fn not_a_mock(&self, detail: &str) -> ControlClientError {
        ControlClientError::NotAMock { url: self.url.to_string(), name: self.name, detail: detail.to_owned() }
    }
}
