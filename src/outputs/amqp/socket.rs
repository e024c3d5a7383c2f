//! The TCP connection below an AMQP connection, which ends when it is dropped.
//!
//! lapin's thread waits for as long as a broker that hangs neither answers nor closes: also when the future that connects, or
//! the connection, was dropped. Each attempt to connect would leave a thread and a socket behind.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, PoisonError};

use lapin::tcp::{AsyncTcpStream, OwnedTLSConfig};
use lapin::uri::{AMQPAuthority, AMQPScheme, AMQPUri};
use lapin::{Connection, ConnectionProperties, Result, runtime};

/// The sockets of one connection: lapin may connect more than once. `None` once it is dropped.
#[derive(Debug)]
pub(super) struct Socket(Arc<Mutex<Option<Vec<TcpStream>>>>);

impl Socket {
    /// No socket yet.
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(Vec::new()))))
    }

    /// Connects to a broker.
    ///
    /// # Errors
    /// lapin's.
    pub(super) async fn connect(
        &self,
        uri: AMQPUri,
        tls: OwnedTLSConfig,
        properties: ConnectionProperties,
    ) -> Result<Connection> {
        let (sockets, runtime) = (self.0.clone(), runtime::default_runtime()?);
        let resolving = runtime.clone();
        let connect = async move |uri: AMQPUri, _| -> Result<AsyncTcpStream<_>> {
            let AMQPAuthority { host, port, .. } = uri.authority;
            let addresses = resolving.to_socket_addrs((host.clone(), port));
            let stream = AsyncTcpStream::connect(&resolving, addresses).await?;
            if let AsyncTcpStream::Plain(stream) = &stream {
                let socket = TcpStream::from(stream.get_ref().as_fd().try_clone_to_owned()?);
                match sockets.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                    Some(sockets) => sockets.push(socket),
                    None => return Err(io::Error::from(io::ErrorKind::ConnectionAborted).into()),
                }
            }
            Ok(match uri.scheme {
                AMQPScheme::AMQP => stream,
                AMQPScheme::AMQPS => stream.into_tls(&host, tls.as_ref()).await?,
            })
        };
        Connection::connector(uri, runtime, connect, properties).await
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let sockets = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        for socket in sockets.unwrap_or_default() {
            // It may have ended by itself.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}
