//! Behind Debian's nginx, set up as docs/your-channel.md and docs/live.md say.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::init::free_port;
use crate::support::feeds::{Socket, Sse};
use crate::support::messages::{at, follow};
use crate::support::server::Server;
use crate::support::{skip, until};

const NGINX: &str = "/usr/sbin/nginx";

/// Ends when it is dropped.
struct Nginx {
    addr: SocketAddr,
    _process: Child,
    _dir: TempDir,
}

/// The blocks of the documents that belong into nginx's `server`.
fn locations() -> String {
    [include_str!("../../docs/your-channel.md"), include_str!("../../docs/live.md")]
        .into_iter()
        .flat_map(|document| document.split("```nginx\n").skip(1))
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

impl Nginx {
    async fn before(server: SocketAddr) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let addr = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let locations = locations().replace("127.0.0.1:5001", &server.to_string());
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {};\n", dir.path().join(name).display()))
            .concat();
        // As root, a worker process would run as another user, which can't read the directory.
        let config = format!(
            "daemon off; master_process off; pid {}; error_log stderr crit; events {{}}\n\
             http {{ access_log off; server_tokens off; {temporary} server {{ listen {addr};\n{locations} }} }}",
            dir.path().join("pid").display()
        );
        let path = dir.path().join("nginx.conf");
        fs::write(&path, config).unwrap();
        let mut command = Command::new(NGINX);
        command.arg("-c").arg(&path).arg("-p").arg(dir.path()).args(["-e", "stderr"]);
        let process = command.stdin(Stdio::null()).kill_on_drop(true).spawn().unwrap();
        until("nginx listens", async || TcpStream::connect(addr).await.is_ok()).await;
        Self { addr, _process: process, _dir: dir }
    }
}

#[tokio::test]
async fn messages_verify_and_feeds_flow_behind_nginx() {
    if !Path::new(NGINX).exists() {
        return skip("Debian's package nginx-light");
    }
    assert_eq!(locations().matches("location").count(), 2, "one for the callback, one for the feeds");
    let mut server = Server::start().await;
    let nginx = Nginx::before(server.addr).await;
    server.addr = nginx.addr;

    let (mut sse, mut socket) = (Sse::open(&server, "/live/alerts").await, Socket::open(&server, "/live/alerts").await);
    for user in ["1", "2", "3"] {
        // Waiting for each before the next is sent shows that nothing is held back.
        assert_eq!(server.deliver(&follow(user, at(0))).await.status, 204);
        for told in [sse.next().await.unwrap(), socket.next().await.unwrap()] {
            assert_eq!((told.event.as_str(), &told.data["user"]["id"]), ("alert", &user.into()));
        }
    }
    let mut forged = follow("4", at(0));
    let headers = forged.headers(Some(&forged.sign(&crate::support::server::secret())));
    forged.body.push(b' ');
    server.post(&headers, forged.body).await.problem(403, "bad-signature");
    // The proxy keeps other paths to itself.
    assert_eq!(server.get("/channels").await.status, 404);
}
