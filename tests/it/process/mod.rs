//! The real `server` and `simulate`, as a person runs them: child processes in an empty directory,
//! with nothing in the environment but PATH and HOME.

mod access;
mod backup;
mod colour;
mod commands;
mod first_steps;
mod listen;
mod pooler;
mod privacy;
mod refusals;
mod rights;
mod shutdown;
mod unwritable_log;
mod watchdog;

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};

use nix::pty::{OpenptyResult, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::PATIENCE;

pub(crate) const SERVER: &str = env!("CARGO_BIN_EXE_server");
pub(crate) const SIMULATE: &str = env!("CARGO_BIN_EXE_simulate");
const TOKEN: &str = env!("CARGO_BIN_EXE_token");

/// Settings, beside the port, which is always a free one unless they say otherwise.
pub(crate) type Settings<'a> = &'a [(&'a str, &'a str)];

/// A private Postgres whose processes are stopped. They continue when this is dropped.
pub(crate) struct Frozen(Vec<Pid>);

impl Frozen {
    /// Stops the postmaster, and then its children.
    pub(crate) fn new(place: &Place) -> Self {
        let postmaster = place.postmaster();
        let mut frozen = Self(Vec::new());
        frozen.stop(postmaster);
        let children = std::fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children")).unwrap();
        children.split_whitespace().for_each(|child| frozen.stop(Pid::from_raw(child.parse().unwrap())));
        frozen
    }

    fn stop(&mut self, process: Pid) {
        if kill(process, Signal::SIGSTOP).is_ok() {
            self.0.push(process);
        }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for process in self.0.iter().rev() {
            let _ = kill(*process, Signal::SIGCONT);
        }
    }
}

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

    /// The first process of the private Postgres.
    fn postmaster(&self) -> Pid {
        let file = std::fs::read_to_string(self.path().join(".showtime/postgres/postmaster.pid")).unwrap();
        Pid::from_raw(file.lines().next().unwrap().parse().unwrap())
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

    /// Runs a `server` command with this standard input, which must succeed, and returns what it prints.
    pub(crate) async fn done_with_input(&self, settings: Settings<'_>, args: &[&str], input: &str) -> String {
        let mut command = self.command(SERVER, settings, args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
        let output = timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a `server` that must fail, and returns its standard error.
    pub(crate) async fn refused(&self, settings: Settings<'_>, args: &[&str]) -> String {
        let output = self.run(settings, args).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Starts `server`, and returns when it has told its address.
    pub(crate) async fn serve(&self, settings: Settings<'_>) -> Serving<'_> {
        self.serve_program(SERVER, settings).await
    }

    /// Starts this build of `server`.
    pub(crate) async fn serve_program(&self, program: &str, settings: Settings<'_>) -> Serving<'_> {
        let mut child =
            self.command(program, settings, &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        self.serving(child, Box::new(stdout), settings).await
    }

    /// Starts `server` with a terminal as its stdout.
    async fn serve_on_terminal(&self, settings: Settings<'_>) -> Serving<'_> {
        let OpenptyResult { master, slave } = openpty(None, None).unwrap();
        let child = self.command(SERVER, settings, &[]).stdout(slave).stderr(Stdio::piped()).spawn().unwrap();
        self.serving(child, Box::new(tokio::fs::File::from_std(master.into())), settings).await
    }

    async fn serving(&self, mut child: Child, stdout: Stdout, settings: Settings<'_>) -> Serving<'_> {
        let mut stdout = BufReader::new(stdout);
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let (mut banner, mut log) = (String::new(), String::new());
        let is_json = settings.contains(&("SHOWTIME_LOG_FORMAT", "json"));
        if is_json {
            read_until(&mut stderr, "\"serving\"", &mut log).await;
            banner = log.lines().last().unwrap_or_default().to_owned();
        }
        // At the same time as the banner: a log of every detail does not fit into the pipe.
        let log = tokio::spawn(async move {
            stderr.read_to_string(&mut log).await.unwrap();
            log
        });
        if !is_json {
            read_until(&mut stdout, "health:", &mut banner).await;
        }
        let Some(addr) = address_in(&banner) else { panic!("{banner:?} {}", log.await.unwrap()) };
        let token = self.token_in(&banner);
        let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        Serving { place: self, child, addr, banner, token, client, log, stdout }
    }

    /// The token that a banner shows, or that is in the file that it names.
    fn token_in(&self, banner: &str) -> Option<String> {
        if let Some((_, shown)) = banner.split_once("#token=") {
            return shown.lines().next().map(|token| token.trim().to_owned());
        }
        let (_, file) = banner.split_once("token:     in ").or_else(|| banner.split_once("\"token_file\":\""))?;
        let file = file.split(['\n', '"']).next()?;
        Some(std::fs::read_to_string(self.path().join(file)).unwrap().trim().to_owned())
    }

    /// The command lines of all processes that name this directory: a Postgres, its watchdog.
    pub(crate) fn processes(&self) -> Vec<String> {
        let output = std::process::Command::new("ps").args(["-A", "-ww", "-o", "args="]).output().unwrap();
        let name = self.path().file_name().unwrap().to_str().unwrap();
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        lines.lines().filter(|line| line.contains(name)).map(str::to_owned).collect()
    }
}

/// The stdout of a program: a pipe or a terminal.
type Stdout = Box<dyn AsyncRead + Send + Unpin>;

/// Reads lines up to the one that contains `mark`, or to the end.
async fn read_until(input: &mut (impl AsyncBufRead + Unpin), mark: &str, text: &mut String) {
    while !text.contains(mark) && timeout(PATIENCE, input.read_line(text)).await.unwrap().unwrap_or(0) > 0 {}
}

/// The address of the first URL in a text.
fn address_in(text: &str) -> Option<SocketAddr> {
    let (_, url) = text.split_once("http://")?;
    url.split(|c: char| c.is_whitespace() || c == '"').next()?.parse().ok()
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
    pub(crate) client: reqwest::Client,
    log: JoinHandle<String>,
    stdout: BufReader<Stdout>,
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
