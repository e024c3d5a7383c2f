//! A test message, to see whether a sink's settings work.

use std::time::Duration;

use lapin::Confirmation;
use lapin::options::BasicPublishOptions;
use secrecy::SecretString;
use tokio::time::timeout;

use super::broker::{Broker, BrokerError, explain};
use super::message::AmqpMessage;
use super::settings::AmqpSettings;
use crate::outputs::sink::example::example;
use crate::outputs::sink::template::Templates;

/// Time limit of the confirmation. A broker that is out of memory or disk space sends none.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(10);

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
    let confirmation = timeout(CONFIRM_TIMEOUT, publishing).await;
    broker.close().await;
    let Ok(confirmation) = confirmation else {
        return Err(BrokerError(format!(
            "the broker has confirmed nothing for {} s: free memory or disk space there (`rabbitmqctl status` shows its alarms)",
            CONFIRM_TIMEOUT.as_secs()
        )));
    };
    match confirmation {
        Ok(Confirmation::Ack(returned)) => Ok(returned.is_none()),
        Ok(_) => Err(BrokerError("the broker could not store the message (basic.nack): its log says why".to_owned())),
        Err(error) => Err(explain(url, settings, &error)),
    }
}
