//! Why a call failed, by what its error wraps.

use std::io;

use url::Url;

use crate::http::{causes, root_cause};

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Cause {
    /// No answer in time.
    TimedOut,
    /// What listens at this place does not speak TLS.
    NoTls(String),
    /// The handshake failed, usually because of the certificate.
    Tls(String),
    /// Nothing listens at this place.
    Refused(String),
    /// The proxy that this machine's environment names refuses to connect.
    Proxy(String),
    /// In words.
    Other(String),
}

impl Cause {
    /// The cause of this error of a call to this address.
    pub(super) fn of(error: &reqwest::Error, url: &Url) -> Self {
        let causes: Vec<_> = causes(error).collect();
        let place = || {
            let host = url.host_str().unwrap_or_default();
            format!("{host}:{}", url.port_or_known_default().unwrap_or(443))
        };
        let kinds: Vec<_> = causes.iter().filter_map(|cause| Some(cause.downcast_ref::<io::Error>()?.kind())).collect();
        let tunnel = causes.iter().map(ToString::to_string).find(|text| text.starts_with("tunnel error"));
        match (causes.iter().find_map(|cause| cause.downcast_ref()), tunnel) {
            _ if error.is_timeout() => Self::TimedOut,
            (Some(rustls::Error::InvalidMessage(_)), _) => Self::NoTls(place()),
            (Some(error), _) => Self::Tls(error.to_string()),
            (None, Some(text)) => Self::Proxy(text.trim_start_matches("tunnel error: ").to_owned()),
            (None, None) if kinds.contains(&io::ErrorKind::ConnectionRefused) => Self::Refused(place()),
            (None, None)
                if error.is_connect()
                    && matches!(url.scheme(), "https" | "wss")
                    && kinds.iter().any(|kind| is_hanging_up(*kind)) =>
            {
                Self::Tls("the connection was closed during the handshake".to_owned())
            }
            (None, None) => Self::Other(root_cause(error)),
        }
    }
}

fn is_hanging_up(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}
