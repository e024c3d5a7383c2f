//! The server that is killed: a child process in a directory of its own, with a Postgres of its own.

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

use super::CrashError;
use crate::load::connection::Connection;
use crate::postgres;
use crate::simulate::delivery;
use crate::twitch::signature::WebhookSecret;

/// How long a start may take, with a new cluster, and how long recovery.
const READY_LIMIT: Duration = Duration::from_secs(120);

/// How long an orderly end may take.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// What the server says when it serves, before its address.
const SERVES: &str = "serves on http://";

pub(super) struct Subject {
    program: PathBuf,
    dir: TempDir,
    data_dir: PathBuf,
    secret: WebhookSecret,
    child: Child,
    addr: SocketAddr,
    callback: Url,
    is_dead: bool,
}

impl Subject {
    /// Starts a new server with nothing in its database, and returns when it is ready.
    pub(super) async fn start(program: &Path) -> Result<Self, CrashError> {
        let dir = tempfile::Builder::new().prefix("showtime-crash-").tempdir();
        let dir = dir.map_err(CrashError::system("make a directory"))?;
        // Its Postgres may have to run as somebody else.
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755))
            .map_err(CrashError::system("open a directory"))?;
        let (secret, data_dir) = (WebhookSecret::generate(), dir.path().join("data"));
        let (child, addr) = launch(program, dir.path(), &secret).await?;
        let callback = delivery::own_callback(addr).map_err(|error| {
            CrashError::system("name the callback")(std::io::Error::new(std::io::ErrorKind::InvalidData, error))
        })?;
        let program = program.to_owned();
        let mut subject = Self { program, dir, data_dir, secret, child, addr, callback, is_dead: false };
        subject.until_ready().await?;
        Ok(subject)
    }

    /// Where all that it leaves behind is.
    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub(super) fn secret(&self) -> &WebhookSecret {
        &self.secret
    }

    /// Where it listens now; another port after each start.
    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What messages say of where they go; as at the first start.
    pub(super) fn callback(&self) -> &Url {
        &self.callback
    }

    /// As `kill -9` does.
    pub(super) async fn kill(&mut self) -> Result<(), CrashError> {
        self.is_dead = true;
        self.child.kill().await.map_err(CrashError::system("kill the server"))
    }

    pub(super) async fn relaunch_if_dead(&mut self) -> Result<(), CrashError> {
        if self.is_dead {
            (self.child, self.addr) = launch(&self.program, self.dir.path(), &self.secret).await?;
            self.is_dead = false;
        }
        Ok(())
    }

    /// Returns when Postgres runs anew. The processes of a killed one live on for a moment and may still say that all is
    /// well.
    pub(super) async fn until_postgres_is_another(&self, killed: Pid) -> Result<(), CrashError> {
        let deadline = Instant::now() + READY_LIMIT;
        while !postgres::postmaster(self.data_dir()).await.is_ok_and(|running| running != killed) {
            if Instant::now() > deadline {
                return Err(CrashError::NotReady(READY_LIMIT));
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Returns when it says that it may take traffic.
    pub(super) async fn until_ready(&mut self) -> Result<(), CrashError> {
        let deadline = Instant::now() + READY_LIMIT;
        let mut connection = Connection::to(self.addr);
        let request = format!("GET /readyz HTTP/1.1\r\nHost: {}\r\n\r\n", self.addr);
        while connection.exchange(request.as_bytes()).await != Ok(200) {
            let ended = self.child.try_wait().map_err(CrashError::system("look at the server"))?;
            if let Some(status) = ended {
                return Err(CrashError::ServerEnded(status));
            }
            if Instant::now() > deadline {
                return Err(CrashError::NotReady(READY_LIMIT));
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Stops it in order, if it still runs. Keeps its directory if that is wanted, and tells where.
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

/// Starts the server, and returns when it says where it serves.
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
        // A Ctrl-C at the terminal is for us, who then stop it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(CrashError::system("start the server"))?;
    let stdout = child.stdout.take();
    let said = async {
        match stdout {
            Some(stdout) => address(stdout).await,
            None => None,
        }
    };
    match timeout(READY_LIMIT, said).await {
        Ok(Some(addr)) => Ok((child, addr)),
        Ok(None) => {
            let ended = child.wait().await;
            Err(CrashError::ServerEnded(ended.map_err(CrashError::system("wait for the server"))?))
        }
        Err(_) => Err(CrashError::NotReady(READY_LIMIT)),
    }
}

/// Where it serves, as it says; `None` if it ends without a word of that.
async fn address(stdout: ChildStdout) -> Option<SocketAddr> {
    let mut lines = BufReader::new(stdout).lines();
    let addr = loop {
        let line = lines.next_line().await.ok()??;
        if let Some((_, addr)) = line.split_once(SERVES) {
            break addr.trim().parse().ok()?;
        }
    };
    // The rest has to be read, or it would wait for that some day. Ends with the server.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Some(addr)
}
