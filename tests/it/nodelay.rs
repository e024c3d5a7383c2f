//! Small writes leave at once: every HTTP server sets `TCP_NODELAY` on the connections it accepts. Without it an event
//! of a live feed waits up to 40 ms for the acknowledgement of the one before.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use showtime::clock::Clock;
use showtime::mock::{Mock, MockConfig};
use showtime::setup::consent;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use url::Url;

use crate::support::PATIENCE;
use crate::support::server::Server;
use crate::support::twitch::{clients, quick_retries};

/// This process' end of the connection whose other end is `peer`: the servers run in the tests' process.
fn accepted_from(peer: SocketAddr) -> TcpStream {
    let process = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    let files = std::fs::read_dir("/proc/self/fd").unwrap();
    let numbers = files.filter_map(|file| file.ok()?.file_name().to_str()?.parse().ok());
    let sockets = numbers.filter(|number: &i32| {
        std::fs::read_link(format!("/proc/self/fd/{number}"))
            .is_ok_and(|to| to.to_string_lossy().starts_with("socket:"))
    });
    sockets
        .filter_map(|number| Some(TcpStream::from(pidfd_getfd(&process, number, PidfdGetfdFlags::empty()).ok()?)))
        .find(|stream| stream.peer_addr().is_ok_and(|addr| addr == peer))
        .expect("the accepted socket")
}

async fn assert_nodelay(server: SocketAddr) {
    let mut client = tokio::net::TcpStream::connect(server).await.unwrap();
    client.write_all(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    client.read_u8().await.unwrap();
    let accepted = accepted_from(client.local_addr().unwrap());
    assert!(accepted.nodelay().unwrap());
}

#[tokio::test]
async fn server_sets_nodelay() {
    let server = Server::start().await;
    assert_nodelay(server.addr).await;
    server.stop().await;
}

#[tokio::test]
async fn mock_twitch_sets_nodelay() {
    let mock = Mock::start(MockConfig::default()).await.unwrap();
    let addr = mock.base_url().strip_prefix("http://").unwrap().parse().unwrap();
    assert_nodelay(addr).await;
    mock.stop().await.unwrap();
}

#[tokio::test]
async fn consent_listener_sets_nodelay() {
    let listener = consent::Listener::bind(0).unwrap();
    let url = Url::parse("http://localhost/").unwrap();
    let (oauth, _) = clients(url.clone(), &url, quick_retries(), &Clock::default());
    let request = oauth.request_consent(["bits:read"], &listener.redirect_url(), false);
    let port = listener.redirect_url().url().port().unwrap();
    let waiting = tokio::spawn(listener.wait(request, PATIENCE));
    assert_nodelay((Ipv4Addr::LOCALHOST, port).into()).await;
    waiting.abort();
}
