//! Connections that end without an answer.

use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd as _;

/// The connection of a call, by which it can be ended.
pub(super) struct Cut(TcpStream);

impl Cut {
    /// `None` if the process has no file descriptor left for it.
    pub(super) fn of(stream: &tokio::net::TcpStream) -> Option<Self> {
        let descriptor = stream.as_fd().try_clone_to_owned().ok()?;
        Some(Self(descriptor.into()))
    }

    /// Ends the connection: the client gets no answer, not even the head of one.
    pub(super) fn end(&self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}
