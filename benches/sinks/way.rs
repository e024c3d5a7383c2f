//! A way to the broker that can be closed, and is slow if that is wanted.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

/// Bytes that are carried at once.
const PIECE: usize = 64 << 10;

pub(crate) struct Way {
    port: u16,
    broker: u16,
    /// How much later each piece arrives.
    delay: Duration,
    /// While it is open.
    task: Option<AbortOnDropHandle<()>>,
}

impl Way {
    /// A way to this port, closed.
    pub(crate) fn new(broker: u16, delay: Duration) -> Self {
        Self { port: super::init::free_port(), broker, delay, task: None }
    }

    pub(crate) fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    pub(crate) async fn open(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.expect("the port");
        self.task = Some(AbortOnDropHandle::new(tokio::spawn(carry_all(listener, self.broker, self.delay))));
    }

    /// Ends all connections. New ones are refused.
    pub(crate) fn close(&mut self) {
        self.task = None;
    }
}

async fn carry_all(listener: TcpListener, broker: u16, delay: Duration) {
    let mut carried = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let Ok(broker) = TcpStream::connect(("127.0.0.1", broker)).await else { continue };
        let ((from_client, to_client), (from_broker, to_broker)) = (client.into_split(), broker.into_split());
        carried.spawn(carry(from_client, to_broker, delay));
        carried.spawn(carry(from_broker, to_client, delay));
        while carried.try_join_next().is_some() {}
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let read = from.read(&mut piece).await?;
        if read == 0 {
            return Ok(());
        }
        if !delay.is_zero() {
            sleep(delay).await;
        }
        to.write_all(&piece[..read]).await?;
    }
}
