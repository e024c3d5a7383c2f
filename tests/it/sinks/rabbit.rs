//! A RabbitMQ of a test's own, on ports of its own. Needs neither systemd nor a user.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicQosOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties, Consumer, ExchangeKind};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::time::timeout;

use crate::init::free_port;
use crate::support::{PATIENCE, skip, until};

/// Messages that a reader has and has not acknowledged, at most.
const PREFETCH: u16 = 256;

const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";

/// Ends when it is dropped, and the port mapper that it has started, too.
pub(crate) struct Rabbit {
    pub(crate) port: u16,
    distribution_port: u16,
    mapper_port: u16,
    dir: TempDir,
    process: Option<Child>,
}

impl Rabbit {
    /// Starts a broker; `None` if it is not installed, and the test is skipped.
    pub(crate) async fn start() -> Option<Self> {
        if !Path::new(PROGRAMS).exists() {
            skip("Debian's package rabbitmq-server");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("plugins"), "[].\n").unwrap();
        let (port, distribution_port, mapper_port) = (free_port(), free_port(), free_port());
        let mut rabbit = Self { port, distribution_port, mapper_port, dir, process: None };
        rabbit.restart().await;
        Some(rabbit)
    }

    /// Starts it again, so that it takes TLS connections, too, with this certificate. Returns their port.
    pub(crate) async fn restart_with_tls(&mut self, certificate: &str, key: &str) -> u16 {
        self.kill();
        let port = free_port();
        let path = |name: &str| self.dir.path().join(name);
        fs::write(path("certificate.pem"), certificate).unwrap();
        fs::write(path("key.pem"), key).unwrap();
        let lines = [
            format!("listeners.ssl.1 = 127.0.0.1:{port}"),
            format!("ssl_options.certfile = {}", path("certificate.pem").display()),
            format!("ssl_options.keyfile = {}", path("key.pem").display()),
            "ssl_options.verify = verify_none\n".to_owned(),
        ];
        fs::write(path("rabbitmq.conf"), lines.join("\n")).unwrap();
        self.restart().await;
        port
    }

    fn command(&self, program: &str) -> Command {
        let path = |name: &str| self.dir.path().join(name);
        let mut command = Command::new(Path::new(PROGRAMS).join(program));
        command
            .env("HOME", self.dir.path())
            .env("RABBITMQ_NODENAME", format!("showtime{}@localhost", self.port))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("ERL_EPMD_PORT", self.mapper_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_MNESIA_BASE", path("db"))
            .env("RABBITMQ_LOG_BASE", path("log"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", path("plugins"))
            .env("RABBITMQ_CONFIG_FILE", path("rabbitmq"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Starts it on its files, and waits until a login succeeds.
    pub(crate) async fn restart(&mut self) {
        assert!(self.process.is_none(), "it runs");
        self.process = Some(self.command("rabbitmq-server").process_group(0).spawn().unwrap());
        let url = self.url();
        let connect = async || Connection::connect(&url, ConnectionProperties::default()).await.is_ok();
        until("RabbitMQ lets a user in", connect).await;
    }

    /// Sends a signal to all of its processes.
    pub(crate) fn signal(&self, signal: Signal) {
        let process = self.process.as_ref().expect("it runs");
        killpg(Pid::from_raw(i32::try_from(process.id()).unwrap()), signal).unwrap();
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        self.process.take().unwrap().wait().unwrap();
    }

    /// Runs `rabbitmqctl`.
    pub(crate) fn control(&self, args: &[&str]) {
        let output = self.command("rabbitmqctl").args(args).stderr(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Its address for the user `guest`.
    pub(crate) fn url(&self) -> String {
        self.url_of("guest", "guest")
    }

    pub(crate) fn url_of(&self, user: &str, password: &str) -> String {
        format!("amqp://{user}:{password}@127.0.0.1:{}/%2f", self.port)
    }

    /// Declares an exchange as a sink does.
    pub(crate) async fn declare_exchange(&self, name: &str) {
        let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
        let (kind, arguments) = (ExchangeKind::Topic, FieldTable::default());
        self.channel().await.exchange_declare(name.into(), kind, options, arguments).await.unwrap();
    }

    pub(crate) async fn channel(&self) -> Channel {
        let connection = Connection::connect(&self.url(), ConnectionProperties::default()).await.unwrap();
        connection.create_channel().await.unwrap()
    }
}

impl Drop for Rabbit {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.kill();
        }
        // The port mapper refuses to end before it has noticed that the broker is gone.
        for _ in 0..50 {
            let port = self.mapper_port.to_string();
            let output = Command::new("epmd").arg("-kill").env("ERL_EPMD_PORT", port).output();
            if output.is_ok_and(|output| !String::from_utf8_lossy(&output.stdout).contains("not allowed")) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// A reader of a durable queue.
pub(crate) struct Reader(Consumer);

impl Reader {
    /// Reads a durable queue, which is declared, and bound to this exchange if there is one, with this pattern.
    pub(crate) async fn open(rabbit: &Rabbit, queue: &str, binding: Option<(&str, &str)>) -> Self {
        let channel = rabbit.channel().await;
        let options = QueueDeclareOptions { durable: true, passive: binding.is_none(), ..Default::default() };
        channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap();
        if let Some((exchange, pattern)) = binding {
            let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
            channel.queue_bind(queue.into(), exchange.into(), pattern.into(), options, arguments).await.unwrap();
        }
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await.unwrap();
        let (tag, options) = ("".into(), BasicConsumeOptions::default());
        Self(channel.basic_consume(queue.into(), tag, options, FieldTable::default()).await.unwrap())
    }

    /// The next message, which is acknowledged.
    pub(crate) async fn next(&mut self) -> Delivery {
        let delivery = self.receive().await;
        delivery.acker.ack(BasicAckOptions::default()).await.unwrap();
        delivery
    }

    /// The next message. Cancel safe.
    pub(crate) async fn receive(&mut self) -> Delivery {
        timeout(PATIENCE, self.0.next()).await.expect("a message comes").unwrap().unwrap()
    }
}

/// The id in the log of a message.
pub(crate) fn cursor(delivery: &Delivery) -> i64 {
    let headers = delivery.properties.headers().as_ref().unwrap();
    headers.inner()["showtime-cursor"].as_long_long_int().unwrap()
}
