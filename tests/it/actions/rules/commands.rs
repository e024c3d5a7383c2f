//! The command line.

use crate::process::Place;
use crate::support::postgres::{fresh_database, url};

#[tokio::test]
async fn commands_check_apply_export_and_test_rules() {
    let (place, database) = (Place::new(), url(&fresh_database().await, "none"));
    let settings = [("DATABASE_URL", database.as_str())];
    let write = |text: &str| std::fs::write(place.path().join("rules.toml"), text).unwrap();
    write(include_str!("../../../../docs/examples/rules.toml"));
    let checked = place.done(&settings, &["rules", "check", "rules.toml"]).await;
    assert!(checked.contains("nothing is wrong"), "{checked}");
    let applied = place.done(&settings, &["rules", "apply", "rules.toml"]).await;
    assert!(applied.starts_with("added hello\nadded bye\n"), "{applied}");
    let again = place.done(&settings, &["rules", "apply", "rules.toml"]).await;
    assert!(again.contains("all 24 rules are so already\n"), "{again}");
    assert!(
        again.contains("run `init --bot` for it\n") && again.contains("there is no webhook `rocketchat`"),
        "{again}"
    );
    let tested = place.done(&settings, &["rules", "test", "--chat", "!title Speedrun", "--as", "moderator"]).await;
    assert!(tested.contains("title: fired\n    title \"Speedrun\"\n"), "{tested}");
    let tested = place.done(&settings, &["rules", "test", "--chat", "!title Speedrun"]).await;
    assert!(tested.contains("title: only for broadcaster, moderator, mintcomet\n"), "{tested}");
    place.done(&settings, &["rules", "export", "exported.toml"]).await;
    let again = place.done(&settings, &["rules", "apply", "exported.toml"]).await;
    assert!(again.contains("all 24 rules are so already\n"), "{again}");

    write("[[rule]]\nname = \"a\"\ncommand = \"!a\"\ndo = [{ anounce = \"x\" }]\n");
    let refused = place.refused(&settings, &["rules", "apply", "rules.toml"]).await;
    assert!(
        refused.contains("line 4, column 9, rule `a`, do[0].anounce: ") && refused.contains("did you mean `announce`?"),
        "{refused}"
    );
    write("[[rule]]\nname = \"bye\"\ncommand = \"!bye\"\ndo = [{ say = \"Bye\" }]\n");
    let applied = place.done(&settings, &["rules", "apply", "rules.toml"]).await;
    assert!(
        applied.contains("removed hello\n") && applied.contains("changed bye: command, cooldown, do, message\n"),
        "{applied}"
    );
}
