//! `server forget` and `server prune`, as a person runs them.

use super::Place;

#[tokio::test]
async fn person_is_forgotten_only_by_force() {
    let place = Place::new();
    let server = place.serve(&[]).await;
    for kind in ["stream.online", "channel.follow"] {
        assert_eq!(server.simulate(&[kind]).await.0, Some(0));
    }
    assert!(place.refused(&[], &["forget", "unknown_person"]).await.contains("knows unknown_person"));
    let refused = place.refused(&[], &["forget", "quietotter"]).await;
    assert!(refused.contains("--force removes quietotter (55120873) and empties 1 events"), "{refused}");
    assert_eq!(server.list("/channels/maplearcade/viewers").await.len(), 1);
    let done = place.done(&[], &["forget", "--force", "quietotter"]).await;
    assert_eq!(done, "forgot quietotter (55120873); 1 events were emptied\n");
    assert_eq!(server.list("/channels/maplearcade/viewers").await.len(), 0);
    server.stop().await;
}

#[tokio::test]
async fn restore_of_an_older_backup_forgets_again_and_begins_an_epoch() {
    let place = Place::new();
    let server = place.serve(&[]).await;
    for kind in ["stream.online", "channel.follow"] {
        assert_eq!(server.simulate(&[kind]).await.0, Some(0));
    }
    place.done(&[], &["backup", "a.backup"]).await;
    place.done(&[], &["forget", "--force", "quietotter"]).await;
    server.stop().await;
    place.done(&[], &["restore", "a.backup", "--force"]).await;
    let server = place.serve(&[]).await;
    assert_eq!(server.list("/channels").await.len(), 1);
    assert_eq!(server.list("/channels/maplearcade/viewers").await.len(), 0);
    assert_eq!(server.simulate(&["channel.cheer"]).await.0, Some(0));
    let ids: Vec<_> = server.list("/events").await.iter().map(|event| event["id"].as_i64().unwrap()).collect();
    assert!(ids.len() == 3 && ids[1] == 2 && ids[2] > 1 << 50, "{ids:?}");
    server.stop().await;
}

#[tokio::test]
async fn made_up_channel_is_removed_unless_it_is_served() {
    let place = Place::new();
    let server = place.serve(&[]).await;
    assert_eq!(server.simulate(&["stream.online"]).await.0, Some(0));
    assert!(place.refused(&[], &["forget", "maplearcade"]).await.contains("forget --channel 90210441"));
    let served = [("TWITCH_CHANNEL_NAME", "maplearcade")];
    let refused = place.refused(&served, &["forget", "--force", "--channel", "maplearcade"]).await;
    assert!(refused.contains("serves"), "{refused}");
    assert_eq!(server.list("/channels").await.len(), 1);
    place.done(&[], &["forget", "--force", "--channel", "maplearcade"]).await;
    assert_eq!(server.list("/channels").await.len(), 0);
    assert!(place.refused(&[], &["forget", "--channel", "maplearcade"]).await.contains("knows maplearcade"));
    server.stop().await;
}

#[tokio::test]
async fn events_of_less_than_a_day_are_not_pruned() {
    let place = Place::new();
    let server = place.serve(&[]).await;
    assert_eq!(server.simulate(&["stream.online"]).await.0, Some(0));
    let refused = place.refused(&[], &["prune", "--force", "--before", "2999-01-31"]).await;
    assert!(refused.contains("less than a day"), "{refused}");
    assert!(place.refused(&[], &["prune", "--before", "2026-01-31"]).await.contains("--force deletes 0 events"));
    assert_eq!(
        place.done(&[], &["prune", "--force", "--before", "1d"]).await,
        "pruned 0 events; the state stays as it is\n"
    );
    assert!(place.refused(&[], &["prune", "--before", "36500d"]).await.contains("--force deletes 0 events"));
    for (wrong, expected) in [
        ("yesterday", "must be a date, such as 2026-01-31, or a number of days"),
        ("0d", "must be 1d to 36500d"),
        ("36501d", "must be 1d to 36500d"),
        ("5000000d", "must be 1d to 36500d"),
    ] {
        let output = place.run(&[], &["prune", "--before", wrong]).await;
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(expected), "{wrong}: {said}");
    }
    server.stop().await;
}
