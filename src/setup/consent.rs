//! Waits on this machine for the browser to come back from Twitch's consent page.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use oauth2::RedirectUrl;
use secrecy::SecretString;
use tokio::sync::mpsc;

use crate::credentials::consent_page;
use crate::twitch::oauth::{ConsentError, ConsentRequest};

/// The port of the redirect URL that is to be registered: `http://localhost:3033/auth`.
pub const DEFAULT_PORT: u16 = 3033;

/// Time limit for the user to consent.
pub const CONSENT_TIMEOUT: Duration = Duration::from_secs(300);

/// Why there is no consent.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// The port is in use, or not allowed.
    #[error(
        "port {port} can't be listened on: {source}. End the program that uses it, or choose another with --port and \
         register its URL (http://localhost:PORT/auth) at dev.twitch.tv/console"
    )]
    Listen {
        /// The port.
        port: u16,
        /// The system's error.
        source: io::Error,
    },
    /// The browser came back without consent.
    #[error(transparent)]
    Consent(ConsentError),
    /// The browser did not come back in time.
    #[error("no consent came within {} minutes", .0.as_secs() / 60)]
    TimedOut(Duration),
}

/// Listens at the redirect URL for one answer: `localhost` is 127.0.0.1 and `[::1]`, and browsers try either first.
#[derive(Debug)]
pub struct Listener {
    ipv4: TcpListener,
    ipv6: io::Result<TcpListener>,
    port: u16,
}

impl Listener {
    /// On this port of 127.0.0.1 and, if that can be had, of `[::1]`; 0 for any that is free.
    ///
    /// # Errors
    /// [`WaitError::Listen`]
    pub fn bind(port: u16) -> Result<Self, WaitError> {
        let bind = |ip: IpAddr, port| TcpListener::bind((ip, port));
        let failed = |source| WaitError::Listen { port, source };
        let ipv4 = bind(Ipv4Addr::LOCALHOST.into(), port).map_err(failed)?;
        let port = ipv4.local_addr().map_err(failed)?.port();
        Ok(Self { ipv4, ipv6: bind(Ipv6Addr::LOCALHOST.into(), port), port })
    }

    /// Why it does not listen on `[::1]`, and what that means.
    #[must_use]
    pub fn unavailable(&self) -> Option<String> {
        let (port, error) = (self.port, self.ipv6.as_ref().err()?);
        let consequence = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "another program may get the answer of your browser: if nothing happens here, end that program and try again"
            }
            _ => "the browser has to come back to 127.0.0.1",
        };
        Some(format!("[::1]:{port} can't be listened on ({error}), only 127.0.0.1:{port}: {consequence}"))
    }

    /// The URL that must be [registered](https://dev.twitch.tv/docs/authentication/register-app/) at Twitch, letter for
    /// letter.
    ///
    /// # Panics
    /// Never: a number makes a URL.
    #[must_use]
    pub fn redirect_url(&self) -> RedirectUrl {
        #[expect(clippy::expect_used, reason = "a number makes a URL")]
        RedirectUrl::new(format!("http://localhost:{}/auth", self.port)).expect("a URL")
    }

    /// Waits for the answer to this request, shows the outcome in the browser, and returns the authorization code. Answers
    /// to other requests are refused and ignored.
    ///
    /// # Errors
    /// [`WaitError`]
    pub async fn wait(self, request: ConsentRequest, limit: Duration) -> Result<SecretString, WaitError> {
        let (sender, mut outcomes) = mpsc::channel(1);
        let expected = web::Data::from(Arc::new(Expected { request, sender }));
        let listeners = [Some(self.ipv4), self.ipv6.ok()].into_iter().flatten();
        let server = serve(listeners, expected).map_err(|source| WaitError::Listen { port: self.port, source })?;
        let handle = server.handle();
        let serving = tokio::spawn(server);
        let outcome = tokio::time::timeout(limit, outcomes.recv()).await;
        // Gracefully, so that the page arrives.
        handle.stop(true).await;
        let _ = serving.await;
        match outcome {
            Ok(Some(outcome)) => outcome.map_err(WaitError::Consent),
            Ok(None) | Err(_) => Err(WaitError::TimedOut(limit)),
        }
    }
}

struct Expected {
    request: ConsentRequest,
    sender: mpsc::Sender<Result<SecretString, ConsentError>>,
}

fn serve(listeners: impl Iterator<Item = TcpListener>, expected: web::Data<Expected>) -> io::Result<Server> {
    let app = move || App::new().app_data(expected.clone()).route("/auth", web::get().to(answer));
    let server = HttpServer::new(app).workers(1).disable_signals().tcp_nodelay(true).shutdown_timeout(2);
    Ok(listeners.into_iter().try_fold(server, HttpServer::listen)?.run())
}

async fn answer(expected: web::Data<Expected>, request: HttpRequest) -> HttpResponse {
    let outcome = expected.request.answer(request.query_string());
    let page = match &outcome {
        Ok(_) => page(StatusCode::OK, "Thank you", "Consent was given. The terminal goes on; this page can be closed."),
        Err(error @ ConsentError::Denied(_)) => page(StatusCode::FORBIDDEN, "No consent", &format!("{error}.")),
        Err(error @ ConsentError::ForeignState) => {
            let advice = "Use the page that `init` opened last, or the address that it printed.";
            return page(StatusCode::BAD_REQUEST, "Not the expected answer", &format!("{error}. {advice}"));
        }
        Err(error @ ConsentError::Incomplete) => page(StatusCode::BAD_REQUEST, "No consent", &format!("{error}.")),
    };
    // Full only if the browser came back twice.
    let _ = expected.sender.try_send(outcome);
    page
}

fn page(status: StatusCode, title: &str, text: &str) -> HttpResponse {
    HttpResponse::build(status).content_type("text/html; charset=utf-8").body(consent_page::outcome(title, text))
}
