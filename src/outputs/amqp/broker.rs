//! The connection to a broker, and what its refusals mean.

use std::io;
use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use lapin::options::{ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::tcp::OwnedTLSConfig;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties, Error, ErrorKind, ExchangeKind};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::timeout;

use super::settings::AmqpSettings;
use super::socket::Socket;

/// Time limit of connecting, and of what is declared.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time limit of closing.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Seconds between two heartbeats; the connection is given up after two that are missing.
const HEARTBEAT: u16 = 10;

/// A connection on which messages can be published and are confirmed.
#[derive(Debug)]
pub struct Broker {
    /// The connection.
    pub connection: Connection,
    /// Its channel, in confirm mode.
    pub channel: Channel,
    _socket: Socket,
}

/// Why messages can't be published, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BrokerError(pub String);

impl Broker {
    /// Connects, and declares the exchange and the queue.
    ///
    /// # Errors
    /// [`BrokerError`]
    pub async fn open(url: &SecretString, settings: &AmqpSettings) -> Result<Self, BrokerError> {
        // The parser's error may quote the URL.
        let mut uri = AMQPUri::from_str(url.expose_secret())
            .map_err(|_| BrokerError("the URL of the broker can't be read".to_owned()))?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        let place = Place { uri: &uri, settings };
        let opening = timeout(CONNECT_TIMEOUT, open(uri.clone(), settings)).await;
        match opening {
            Ok(Ok(broker)) => Ok(broker),
            Ok(Err(Failure::File(error))) => Err(place.file(&error)),
            Ok(Err(Failure::Connect(error))) => Err(place.connecting(&error)),
            Ok(Err(Failure::Declare(error))) => Err(place.publishing(&error)),
            Err(_) => Err(BrokerError(format!(
                "the broker at {} does not answer within {} s: check that it runs and is not overloaded",
                place.address(),
                CONNECT_TIMEOUT.as_secs()
            ))),
        }
    }

    /// Closes the connection, which ends without a word if it is dropped.
    pub async fn close(self) {
        let _ = timeout(CLOSE_TIMEOUT, self.connection.close(200, "OK".into())).await;
    }
}

/// What failed.
enum Failure {
    File(io::Error),
    Connect(Error),
    Declare(Error),
}

async fn open(uri: AMQPUri, settings: &AmqpSettings) -> Result<Broker, Failure> {
    let mut tls = OwnedTLSConfig::default();
    if let Some(file) = &settings.ca_file {
        tls.cert_chain = Some(certificates(file).await.map_err(Failure::File)?);
    }
    let properties = ConnectionProperties::default().with_connection_name("showtime".into());
    let socket = Socket::new();
    let connection = socket.connect(uri, tls, properties).await.map_err(Failure::Connect)?;
    let channel = declare(&connection, settings).await.map_err(Failure::Declare)?;
    Ok(Broker { connection, channel, _socket: socket })
}

/// The text of a file with certificates.
async fn certificates(file: &Path) -> io::Result<String> {
    let text = tokio::fs::read_to_string(file).await?;
    match CertificateDer::pem_slice_iter(text.as_bytes()).next() {
        Some(Ok(_)) => Ok(text),
        _ => Err(io::Error::other("it holds no certificate in PEM")),
    }
}

async fn declare(connection: &Connection, settings: &AmqpSettings) -> Result<Channel, Error> {
    let channel = connection.create_channel().await?;
    let exchange = || ShortString::from(settings.exchange.as_str());
    let options = ExchangeDeclareOptions { passive: !settings.declare, durable: true, ..Default::default() };
    channel.exchange_declare(exchange(), ExchangeKind::Topic, options, FieldTable::default()).await?;
    if let Some(queue) = &settings.queue {
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        channel.queue_declare(queue.as_str().into(), options, arguments).await?;
        let (all, options) = ("#".into(), QueueBindOptions::default());
        channel.queue_bind(queue.as_str().into(), exchange(), all, options, FieldTable::default()).await?;
    }
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

/// Explains the errors of a broker.
struct Place<'a> {
    uri: &'a AMQPUri,
    settings: &'a AmqpSettings,
}

/// Explains why a broker has ended the connection or the channel.
#[must_use]
pub fn explain(url: &SecretString, settings: &AmqpSettings, error: &Error) -> BrokerError {
    match AMQPUri::from_str(url.expose_secret()) {
        Ok(uri) => Place { uri: &uri, settings }.publishing(error),
        Err(_) => BrokerError("the URL of the broker can't be read".to_owned()),
    }
}

impl Place<'_> {
    fn address(&self) -> String {
        format!("{}:{}", self.uri.authority.host, self.uri.authority.port)
    }

    fn url_place(&self) -> &str {
        self.settings.url_env.as_deref().unwrap_or("the sink's URL")
    }

    fn file(&self, error: &io::Error) -> BrokerError {
        let file = self.settings.ca_file.as_deref().unwrap_or(Path::new("")).display();
        BrokerError(format!("the certificate of the CA, {file}, can't be read ({error}): correct `ca_file`"))
    }

    fn connecting(&self, error: &Error) -> BrokerError {
        let (address, url) = (self.address(), self.url_place());
        let (user, vhost) = (&self.uri.authority.userinfo.username, &self.uri.vhost);
        BrokerError(match reply_code(error) {
            Some((403, _)) => {
                format!("the broker at {address} refuses the user `{user}` or its password: correct them in {url}")
            }
            Some((530, message)) => format!(
                "the broker at {address} refuses the virtual host `{vhost}` ({message}): correct it in {url} (`/` is %2f), or \
                allow it with `rabbitmqctl set_permissions -p {vhost} {user} '.*' '.*' '.*'`"
            ),
            Some((_, message)) => format!("the broker at {address} refuses the connection: {message}"),
            None if is_untrusted(error) => format!(
                "the certificate of the broker at {address} is not trusted ({error}): name the file with the certificate of its CA \
                in `ca_file`, and a host in {url} for which the certificate was made"
            ),
            None => {
                format!("the broker at {address} can't be reached ({error}): start it, or correct the address in {url}")
            }
        })
    }

    fn publishing(&self, error: &Error) -> BrokerError {
        let (address, exchange) = (self.address(), &self.settings.exchange);
        let (user, vhost) = (&self.uri.authority.userinfo.username, &self.uri.vhost);
        BrokerError(match reply_code(error) {
            Some((403, message)) => format!(
                "the user `{user}` lacks a permission on the broker ({message}): allow it with `rabbitmqctl set_permissions -p {vhost} \
                {user} '.*' '.*' '.*'`, or let an administrator declare the exchange `{exchange}` and set `declare` to false"
            ),
            Some((404, message)) => {
                format!("the exchange `{exchange}` does not exist ({message}): declare it, or set `declare` to true")
            }
            Some((406, message)) => format!(
                "the exchange or the queue exists, but with another type or other arguments ({message}): the exchange \
                `{exchange}` must be a durable topic exchange and the queue a durable quorum queue; delete it, or choose another name"
            ),
            Some((_, message)) => format!("the broker at {address} ended the connection: {message}"),
            None => format!("the connection to the broker at {address} was lost: {error}"),
        })
    }
}

/// Whether the broker's certificate was refused.
fn is_untrusted(error: &Error) -> bool {
    let ErrorKind::IOError(error) = error.kind() else { return false };
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(cause, Some(rustls::Error::InvalidCertificate(_)))
}

/// The code and text with which a broker refuses something.
fn reply_code(error: &Error) -> Option<(u16, String)> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some((error.get_id(), error.get_message().to_string())),
        _ => None,
    }
}
