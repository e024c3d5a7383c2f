//! A test message, to see whether a sink's settings work.

use lapin::Confirmation;
use lapin::options::BasicPublishOptions;
use secrecy::SecretString;

use super::broker::{Broker, BrokerError, explain};
use super::message::AmqpMessage;
use super::settings::AmqpSettings;
use crate::outputs::sink::example::example;
use crate::outputs::sink::template::Templates;

/// Publishes a made-up follow, with the header `showtime-test`, and returns whether a queue got it.
///
/// # Errors
/// Why the broker has not got it, and what to do.
pub async fn test(url: &SecretString, settings: &AmqpSettings, templates: &Templates) -> Result<bool, BrokerError> {
    let message = AmqpMessage::new(templates, &example()).map_err(BrokerError)?;
    let broker = Broker::open(url, settings).await?;
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let AmqpMessage { key, body, properties } = message;
    let publishing = async {
        let exchange = settings.exchange.as_str().into();
        broker.channel.basic_publish(exchange, key, options, &body, properties).await?.await
    };
    let confirmation = publishing.await;
    // The broker closes the connection with the process if this fails.
    let _ = broker.connection.close(200, "tested".into()).await;
    match confirmation {
        Ok(Confirmation::Ack(returned)) => Ok(returned.is_none()),
        Ok(_) => Err(BrokerError("the broker could not store the message (basic.nack): its log says why".to_owned())),
        Err(error) => Err(explain(url, settings, &error)),
    }
}
