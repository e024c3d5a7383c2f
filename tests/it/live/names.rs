//! Channels by name: logins that change, and logins that look like ids.

use serde_json::{Value, json};
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp};

use crate::support::feeds::{Socket, Sse};
use crate::support::messages::{at, subscription, text};
use crate::support::server::Server;

/// A message about the channel with this id and login.
fn about(kind: &str, [id, login]: [&str; 2], second: i64, mut event: Value) -> Outgoing {
    let prefix = if kind == "user.update" { "user_" } else { "broadcaster_user_" };
    for (field, value) in [("id", id), ("login", login), ("name", login)] {
        event[format!("{prefix}{field}")] = value.into();
    }
    Outgoing::notification(Stamp::new(text(at(second))), &subscription(kind, &event), &event)
}

async fn follow(server: &Server, channel: [&str; 2], second: i64) {
    let event = json!({ "user_id": format!("f{second}"), "user_login": "f", "user_name": "F", "followed_at": text(at(second)) });
    assert_eq!(server.deliver(&about("channel.follow", channel, second, event)).await.status, 204);
}

async fn rename(server: &Server, channel: [&str; 2], second: i64) {
    let event = json!({ "email": "", "email_verified": false, "description": "" });
    assert_eq!(server.deliver(&about("user.update", channel, second, event)).await.status, 204);
}

fn followers(told: &[Value]) -> Vec<&str> {
    told.iter().map(|alert| alert["user"]["id"].as_str().unwrap()).collect()
}

async fn next(feed: &mut Sse, count: usize) -> Vec<Value> {
    feed.take(count).await.into_iter().map(|told| told.data).collect()
}

const OLD: [&str; 2] = ["611090", "oldharbour"];
const NEW: [&str; 2] = ["611090", "newharbour"];

#[tokio::test]
async fn feed_follows_a_channel_through_a_rename() {
    let server = Server::start().await;
    // One was opened before the channel was known, the others after.
    let mut early = Sse::open(&server, "/live/alerts?channel=oldharbour").await;
    follow(&server, OLD, 0).await;
    assert_eq!(followers(&next(&mut early, 1).await), ["f0"]);
    let mut feed = Sse::open(&server, "/live/alerts?channel=OldHarbour").await;
    let mut state = Socket::open(&server, "/live/state?channel=oldharbour").await;
    assert_eq!(state.next().await.unwrap().data["channels"][0]["login"], "oldharbour");
    follow(&server, OLD, 1).await;
    rename(&server, NEW, 2).await;
    follow(&server, NEW, 3).await;
    assert_eq!(followers(&next(&mut early, 2).await), ["f1", "f3"]);
    assert_eq!(followers(&next(&mut feed, 2).await), ["f1", "f3"]);
    assert_eq!(state.next().await.unwrap().data["login"], "newharbour");

    // Another account takes the login: the open feeds stay with their channel.
    follow(&server, ["611093", "oldharbour"], 4).await;
    follow(&server, NEW, 5).await;
    assert_eq!(followers(&next(&mut early, 1).await), ["f5"]);
    let mut anew = Sse::open(&server, "/live/alerts?channel=oldharbour&after=0").await;
    assert_eq!(followers(&next(&mut anew, 1).await), ["f4"]);
    server.stop().await;
}

#[tokio::test]
async fn former_login_leads_to_the_channel_that_had_it_last() {
    let server = Server::start().await;
    follow(&server, OLD, 0).await;
    rename(&server, NEW, 1).await;
    follow(&server, NEW, 2).await;
    let check = async |server: &Server| {
        for name in ["oldharbour", "OLDHARBOUR", "newharbour", "611090"] {
            let channel = server.json(&format!("/channels/{name}")).await;
            assert_eq!((&channel["id"], &channel["login"]), (&json!("611090"), &json!("newharbour")), "{name}");
            let viewers = server.json(&format!("/channels/{name}/viewers")).await;
            assert_eq!(viewers["data"].as_array().unwrap().len(), 2, "{name}");
            let events = server.json(&format!("/events?channel={name}")).await;
            assert_eq!(events["data"].as_array().unwrap().len(), 3, "{name}");
            let mut feed = Sse::open(server, &format!("/live/alerts?channel={name}&last=2")).await;
            assert_eq!(followers(&next(&mut feed, 2).await), ["f0", "f2"], "{name}");
        }
    };
    check(&server).await;
    let mut connection = server.pool.acquire().await.unwrap();
    showtime::store::state::rebuild(&mut connection).await.unwrap();
    check(&server).await;
    // A channel that has the login now goes before those that had it.
    follow(&server, ["611094", "oldharbour"], 3).await;
    assert_eq!(server.json("/channels/oldharbour").await["id"], "611094");
    assert_eq!(server.json("/channels/newharbour").await["id"], "611090");
    server.stop().await;
}

/// `611096` is the login of one channel and the id of another.
#[tokio::test]
async fn name_that_is_an_id_and_a_login_means_the_id_everywhere() {
    let server = Server::start().await;
    let (by_login, by_id) = (["611095", "611096"], ["611096", "wordy"]);
    follow(&server, by_login, 0).await;
    assert_eq!(server.json("/channels/611096").await["id"], "611095", "no channel has this id yet");
    let mut early = Sse::open(&server, "/live/alerts?channel=611096").await;
    follow(&server, by_id, 1).await;
    assert_eq!(followers(&next(&mut early, 1).await), ["f1"]);
    let mut feed = Sse::open(&server, "/live/alerts?channel=611096").await;
    let mut state = Socket::open(&server, "/live/state?channel=611096").await;
    let snapshot = state.next().await.unwrap().data;
    assert_eq!((snapshot["channels"].as_array().unwrap().len(), &snapshot["channels"][0]["id"]), (1, &json!("611096")));
    follow(&server, by_login, 2).await;
    follow(&server, by_id, 3).await;
    for reader in [&mut early, &mut feed] {
        assert_eq!(followers(&next(reader, 1).await), ["f3"]);
    }
    let mut again = Sse::open(&server, "/live/alerts?channel=611096&after=0").await;
    assert_eq!(followers(&next(&mut again, 2).await), ["f1", "f3"]);
    assert_eq!(server.json("/channels/611096").await["id"], "611096");
    let events = server.json("/events?channel=611096").await;
    assert!(events["data"].as_array().unwrap().iter().all(|event| event["channel_id"] == "611096"), "{events}");
    server.stop().await;
}

/// A served channel has a name before it has an event.
#[tokio::test]
async fn feed_of_a_served_channel_knows_its_id_before_the_first_event() {
    let server = Server::start().await;
    server.sql("insert into served_channel values ('611090', 'oldharbour', 'OldHarbour', now())").await;
    let mut feed = Sse::open(&server, "/live/alerts?channel=oldharbour").await;
    follow(&server, NEW, 0).await;
    assert_eq!(followers(&next(&mut feed, 1).await), ["f0"]);
    server.stop().await;
}
