//! The real `server` and `simulate`, as a person runs them: child processes in an empty directory,
//! with nothing in the environment but PATH and HOME.

mod access;
mod commands;
mod first_steps;
mod refusals;
mod shutdown;

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::PATIENCE;

pub(crate) const SERVER: &str = env!("CARGO_BIN_EXE_server");
pub(crate) const SIMULATE: &str = env!("CARGO_BIN_EXE_simulate");
const TOKEN: &str = env!("CARGO_BIN_EXE_token");

/// Settings, beside the port, which is always a free one unless they say otherwise.
pub(crate) type Settings<'a> = &'a [(&'a str, &'a str)];

/// An empty directory to run programs in.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        Self(dir)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn command(&self, program: &str, settings: Settings<'_>, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.path()).stdin(Stdio::null()).kill_on_drop(true);
        let kept = ["PATH", "HOME"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        command.env_clear().envs(kept).env("LISTEN_PORT", "0").envs(settings.iter().copied());
        command
    }

    /// Runs `server` to its end.
    async fn run(&self, settings: Settings<'_>, args: &[&str]) -> Output {
        timeout(PATIENCE, self.command(SERVER, settings, args).output()).await.expect("it ends").unwrap()
    }

    /// Runs a `server` command that must succeed, and returns what it prints.
    pub(crate) async fn done(&self, settings: Settings<'_>, args: &[&str]) -> String {
        let output = self.run(settings, args).await;
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a `server` that must fail, and returns its standard error.
    async fn refused(&self, settings: Settings<'_>, args: &[&str]) -> String {
        let output = self.run(settings, args).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Starts `server`, and returns when it has printed its address.
    pub(crate) async fn serve(&self, settings: Settings<'_>) -> Serving<'_> {
        let mut command = self.command(SERVER, settings, &[]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let log = tokio::spawn(async move {
            let mut log = String::new();
            stderr.read_to_string(&mut log).await.unwrap();
            log
        });
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut banner = String::new();
        while !banner.contains("health:")
            && timeout(PATIENCE, stdout.read_line(&mut banner)).await.unwrap().unwrap() > 0
        {}
        let Some((_, addr)) = banner.lines().next().and_then(|line| line.split_once("http://")) else {
            panic!("{banner:?} {}", log.await.unwrap());
        };
        let addr = addr.parse().unwrap();
        let token = banner.split_once("#token=").and_then(|(_, rest)| rest.lines().next()).map(str::to_owned);
        let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        Serving { place: self, child, addr, banner, token, client, log, _stdout: stdout }
    }

    /// The command lines of all processes that name this directory: a Postgres, its watchdog.
    fn processes(&self) -> Vec<String> {
        let output = std::process::Command::new("ps").args(["-A", "-ww", "-o", "args="]).output().unwrap();
        let name = self.path().file_name().unwrap().to_str().unwrap();
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        lines.lines().filter(|line| line.contains(name)).map(str::to_owned).collect()
    }
}

/// A running `server`. Killed at the end of the test; its watchdog then stops Postgres.
pub(crate) struct Serving<'a> {
    place: &'a Place,
    child: Child,
    pub(crate) addr: SocketAddr,
    /// What it printed at its start.
    banner: String,
    /// The address in the banner.
    pub(crate) token: Option<String>,
    client: reqwest::Client,
    log: JoinHandle<String>,
    _stdout: BufReader<ChildStdout>,
}

impl Serving<'_> {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        let token = self.token.as_deref().unwrap_or_default();
        self.client.get(self.url(path)).bearer_auth(token).send().await.unwrap()
    }

    async fn status(&self, path: &str) -> u16 {
        self.get(path).await.status().as_u16()
    }

    /// The document at a path that must exist.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    /// The entries of a list that fits one page.
    pub(crate) async fn list(&self, path: &str) -> Vec<Value> {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.json(&format!("{path}?limit=100{after}")).await;
            all.extend(page["data"].as_array().unwrap().iter().cloned());
            after = match &page["next"] {
                Value::Null => return all,
                Value::String(next) => format!("&after={next}"),
                next => format!("&after={next}"),
            };
        }
    }

    /// Runs `simulate` in the same directory, aimed at this server. Returns its exit status and its output.
    pub(crate) async fn simulate(&self, args: &[&str]) -> (Option<i32>, String) {
        let target = self.url("/callback");
        let mut command = self.place.command(SIMULATE, &[], &[args, &["--target", &target]].concat());
        let output = timeout(PATIENCE, command.output()).await.expect("it ends").unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.id().expect("it runs");
        kill(Pid::from_raw(pid.try_into().unwrap()), signal).unwrap();
    }

    /// Waits for its end. Returns its exit status and its log.
    pub(crate) async fn ended(mut self) -> (ExitStatus, String) {
        let status = timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap();
        (status, self.log.await.unwrap())
    }

    /// Stops it in order.
    pub(crate) async fn stop(self) -> String {
        let place = self.place;
        self.signal(Signal::SIGTERM);
        let (status, log) = self.ended().await;
        assert!(status.success(), "{status} {log}");
        assert_eq!(place.processes(), Vec::<String>::new());
        log
    }
}
