//! The command line.

use crate::process::Place;
use crate::support::postgres::{fresh_database, url};

#[tokio::test]
async fn commands_add_list_rewind_and_remove_a_sink() {
    let (place, database) = (Place::new(), url(&fresh_database().await, "none"));
    let settings = [("DATABASE_URL", database.as_str())];
    let broker = "amqp://me:hunter2@127.0.0.1:1/%2f";
    let add = ["sinks", "add", "audit", "--amqp", broker, "--types", "channel.cheer,stream.*"];
    assert_eq!(place.done(&settings, &add).await, "added audit\n");
    let refused = place.refused(&settings, &add).await;
    assert!(refused.contains("there is a sink named `audit` already"), "{refused}");
    assert!(!refused.contains("hunter2"), "{refused}");
    let listed = place.done(&settings, &["sinks", "list"]).await;
    assert!(listed.contains("audit") && listed.contains("amqp     off"), "{listed}");
    assert!(listed.contains("it runs on no server") && !listed.contains("hunter2"), "{listed}");
    let refused = place.refused(&settings, &["sinks", "test", "audit"]).await;
    assert!(refused.contains("can't be reached") && !refused.contains("hunter2"), "{refused}");
    let rewound = place.done(&settings, &["sinks", "rewind", "audit", "--after", "0"]).await;
    assert_eq!(rewound, "audit goes on after event 0\n");
    assert_eq!(place.done(&settings, &["sinks", "remove", "audit"]).await, "removed audit\n");
    let refused = place.refused(&settings, &["sinks", "remove", "audit"]).await;
    assert!(refused.contains("there is no sink `audit`"), "{refused}");
}
