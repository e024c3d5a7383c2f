//! TLS in front of the mock: a certificate made at the start, and a proxy that takes the encryption off.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Time limit of a handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A certificate for the names of this machine, and what accepts connections with it.
pub(super) struct Identity {
    certificate: String,
    acceptor: TlsAcceptor,
}

impl Identity {
    pub(super) fn new() -> io::Result<Self> {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key))
            .map_err(io::Error::other)?;
        Ok(Self { certificate: made.cert.pem(), acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// Passes the connections of `public` to the server at `plain`, until `stop`. Returns the certificate, for clients
    /// that are to trust it.
    pub(super) fn start(
        self,
        public: std::net::TcpListener,
        plain: SocketAddr,
        stop: CancellationToken,
    ) -> io::Result<(String, JoinHandle<()>)> {
        public.set_nonblocking(true)?;
        let listener = TcpListener::from_std(public)?;
        Ok((self.certificate, tokio::spawn(accept(self.acceptor, listener, plain, stop))))
    }
}

async fn accept(acceptor: TlsAcceptor, listener: TcpListener, plain: SocketAddr, stop: CancellationToken) {
    let connections = TaskTracker::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let Ok((stream, _)) = accepted else { continue };
        let (acceptor, stop) = (acceptor.clone(), stop.clone());
        connections.spawn(async move {
            stop.run_until_cancelled(pass(acceptor, stream, plain)).await;
        });
    }
    connections.close();
    connections.wait().await;
}

/// Passes one connection. If the server resets its side, the client's is reset too.
async fn pass(acceptor: TlsAcceptor, stream: TcpStream, plain: SocketAddr) {
    let _ = stream.set_nodelay(true);
    let Ok(Ok(mut outer)) = timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await else { return };
    let Ok(mut inner) = TcpStream::connect(plain).await else { return };
    let _ = inner.set_nodelay(true);
    if tokio::io::copy_bidirectional(&mut outer, &mut inner).await.is_err() {
        let _ = outer.get_ref().0.set_zero_linger();
    }
}
