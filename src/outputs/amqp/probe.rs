//! A test message, to see whether a sink's settings work.

use lapin::Confirmation;
use lapin::options::BasicPublishOptions;
use secrecy::SecretString;
use sqlx::types::Json;
use uuid::Uuid;

use super::broker::{Broker, BrokerError, explain};
use super::message::AmqpMessage;
use super::settings::AmqpSettings;
use crate::outputs::sink::template::Templates;
use crate::store::LogId;
use crate::store::read::events::LoggedEvent;
use crate::view::Event;

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

fn example() -> LoggedEvent {
    let event = Event::example();
    LoggedEvent {
        id: LogId::START,
        message_id: Uuid::new_v4().to_string(),
        message_type: event.message_type,
        kind: event.kind,
        version: event.version,
        channel_id: event.channel_id.and_then(|id| id.try_into().ok()),
        subscription_id: event.subscription_id,
        occurred_at: event.occurred_at,
        received_at: event.received_at,
        is_test: true,
        payload: Json(event.payload),
        channel_login: Some("twitchdev".to_owned()),
        channel_name: Some("TwitchDev".to_owned()),
        repeats: None,
        repeated_on: None,
    }
}
