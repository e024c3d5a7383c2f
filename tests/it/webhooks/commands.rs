//! The command line.

use super::receiver::{Receiver, Reply};
use crate::process::Place;
use crate::support::postgres::{fresh_database, url};

#[tokio::test]
async fn commands_add_test_rotate_and_resend_a_webhook() {
    let (place, database) = (Place::new(), url(&fresh_database().await, "none"));
    let settings = [("DATABASE_URL", database.as_str())];
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let hook = receiver.url();
    let refused = place.refused(&settings, &["sinks", "add", "hook", "--webhook", &hook]).await;
    assert!(refused.contains("must be https://") && !refused.contains("hunter2"), "{refused}");
    let add =
        ["sinks", "add", "hook", "--webhook", &hook, "--allow", "127.0.0.0/8", "--types", "channel.cheer,stream.*"];
    let added = place.done(&settings, &add).await;
    let key = added.split_whitespace().last().unwrap();
    assert!(added.starts_with("added hook\n") && key.starts_with("whsec_"), "{added}");
    let listed = place.done(&settings, &["sinks", "list"]).await;
    assert!(listed.contains("webhook") && !listed.contains("hunter2") && !listed.contains("whsec_"), "{listed}");
    assert_eq!(place.done(&settings, &["sinks", "test", "hook"]).await, "the receiver has the message\n");
    assert!(receiver.received()[0].is_signed_with(key));
    let rotated = place.done(&settings, &["sinks", "rotate", "hook"]).await;
    let newest = rotated.split_whitespace().last().unwrap();
    assert_ne!(newest, key);
    place.done(&settings, &["sinks", "test", "hook"]).await;
    let last = receiver.received().pop().unwrap();
    assert!(last.is_signed_with(key) && last.is_signed_with(newest));
    let deliveries = place.done(&settings, &["sinks", "deliveries", "hook"]).await;
    assert_eq!(deliveries.lines().count(), 1, "{deliveries}");
    assert_eq!(place.done(&settings, &["sinks", "resend", "hook"]).await, "hook sends 0 events again\n");
    assert_eq!(place.done(&settings, &["sinks", "dismiss", "hook", "--event", "1"]).await, "hook gives up 0 events\n");
    receiver.reply(|_| Reply::Status(404));
    let refused = place.refused(&settings, &["sinks", "test", "hook"]).await;
    assert!(refused.contains("answered 404") && !refused.contains("hunter2"), "{refused}");
}
