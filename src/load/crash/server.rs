//! The server under test: a child process with its own directory and its own Postgres.

use std::fs::{OpenOptions, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use secrecy::ExposeSecret as _;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use super::error::CrashError;
use crate::load::connection::Connection;
use crate::postgres;
use crate::simulate::delivery;
use crate::twitch::signature::WebhookSecret;

/// Time limit for a start with a new cluster, and for a recovery.
const READY_LIMIT: Duration = Duration::from_secs(120);

/// Time limit for a graceful stop.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// Interval of polling.
const POLL: Duration = Duration::from_millis(10);

/// The text before the address in the line that the server prints when it serves.
const SERVES: &str = "serves on http://";

/// A running server, or one that was killed.
pub(super) struct ServerUnderTest {
    program: PathBuf,
    dir: TempDir,
    data_dir: PathBuf,
    secret: WebhookSecret,
    child: Child,
    addr: SocketAddr,
    callback: Url,
    is_killed: bool,
}

impl ServerUnderTest {
    /// Starts a server with an empty database, and returns when it is ready.
    pub(super) async fn start(program: &Path) -> Result<Self, CrashError> {
        let dir = tempfile::Builder::new().prefix("showtime-crash-").tempdir();
        let dir = dir.map_err(CrashError::system("make a directory"))?;
        // Its Postgres may have to run as another user.
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755))
            .map_err(CrashError::system("open a directory"))?;
        let (secret, data_dir) = (WebhookSecret::generate(), dir.path().join("data"));
        let (child, addr) = launch(program, dir.path(), &secret).await?;
        let callback = delivery::own_callback(addr).map_err(|error| {
            CrashError::system("name the callback")(std::io::Error::new(std::io::ErrorKind::InvalidData, error))
        })?;
        let program = program.to_owned();
        let mut server = Self { program, dir, data_dir, secret, child, addr, callback, is_killed: false };
        server.wait_until_ready().await?;
        Ok(server)
    }

    /// The directory with all of the server's files.
    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub(super) fn secret(&self) -> &WebhookSecret {
        &self.secret
    }

    /// The address at present; the port differs after each start.
    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The callback that the messages name: that of the first start.
    pub(super) fn callback(&self) -> &Url {
        &self.callback
    }

    /// Kills the server as `kill -9` does.
    pub(super) async fn kill(&mut self) -> Result<(), CrashError> {
        self.is_killed = true;
        self.child.kill().await.map_err(CrashError::system("kill the server"))
    }

    pub(super) async fn restart_if_killed(&mut self) -> Result<(), CrashError> {
        if self.is_killed {
            (self.child, self.addr) = launch(&self.program, self.dir.path(), &self.secret).await?;
            self.is_killed = false;
        }
        Ok(())
    }

    /// Waits until a new postmaster runs. Until then the remaining processes of the killed one may still answer.
    pub(super) async fn wait_for_new_postmaster(&self, killed: Pid) -> Result<(), CrashError> {
        let deadline = Instant::now() + READY_LIMIT;
        while !postgres::postmaster(self.data_dir()).await.is_ok_and(|running| running != killed) {
            if Instant::now() > deadline {
                return Err(CrashError::NotReady(READY_LIMIT));
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    /// Waits until `/readyz` answers 200.
    pub(super) async fn wait_until_ready(&mut self) -> Result<(), CrashError> {
        let deadline = Instant::now() + READY_LIMIT;
        let mut connection = Connection::new(self.addr);
        let request = format!("GET /readyz HTTP/1.1\r\nHost: {}\r\n\r\n", self.addr);
        while connection.exchange(request.as_bytes()).await != Ok(200) {
            let ended = self.child.try_wait().map_err(CrashError::system("look at the server"))?;
            if let Some(status) = ended {
                return Err(CrashError::ServerEnded(status));
            }
            if Instant::now() > deadline {
                return Err(CrashError::NotReady(READY_LIMIT));
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    /// Stops the server gracefully, if it still runs. With `keep`, returns the directory; otherwise it is removed.
    pub(super) async fn stop(mut self, keep: bool) -> Result<Option<PathBuf>, CrashError> {
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM); // it may have ended by now
        }
        if timeout(STOP_LIMIT, self.child.wait()).await.is_err() {
            self.child.kill().await.map_err(CrashError::system("kill the server"))?;
        }
        Ok(keep.then(|| self.dir.keep()))
    }
}

/// Starts the server, and returns when it prints its address.
async fn launch(program: &Path, dir: &Path, secret: &WebhookSecret) -> Result<(Child, SocketAddr), CrashError> {
    let log = OpenOptions::new().create(true).append(true).open(dir.join("server.log"));
    let mut child = Command::new(program)
        .env_clear()
        .envs(["PATH", "HOME"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        .env("SHOWTIME_DATA_DIR", dir.join("data"))
        .env("TWITCH_WEBHOOK_SECRET", secret.expose_secret())
        .env("LISTEN_PORT", "0")
        .env("SHOWTIME_LOG", "warn")
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log.map_err(CrashError::system("make a log"))?)
        // A Ctrl-C at the terminal must only reach this process, which then stops the server.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(CrashError::system("start the server"))?;
    let stdout = child.stdout.take();
    let printed = async {
        match stdout {
            Some(stdout) => address(stdout).await,
            None => None,
        }
    };
    match timeout(READY_LIMIT, printed).await {
        Ok(Some(addr)) => Ok((child, addr)),
        Ok(None) => {
            let ended = child.wait().await;
            Err(CrashError::ServerEnded(ended.map_err(CrashError::system("wait for the server"))?))
        }
        Err(_) => Err(CrashError::NotReady(READY_LIMIT)),
    }
}

/// Reads the address that the server prints; `None` if it ends without.
async fn address(stdout: ChildStdout) -> Option<SocketAddr> {
    let mut lines = BufReader::new(stdout).lines();
    let addr = loop {
        let line = lines.next_line().await.ok()??;
        if let Some((_, addr)) = line.split_once(SERVES) {
            break addr.trim().parse().ok()?;
        }
    };
    // The rest must be read too, or the server would block when the pipe is full. Ends with the server.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Some(addr)
}
