//! Videos of streams on the fake Twitch.

use showtime::mock::{Faults, Notify};

use crate::support::twitch::{CHANNEL, CHANNEL_ID, Twitch};

#[tokio::test]
async fn each_stream_has_a_video() {
    let twitch = Twitch::start().await;
    let (world, channel) = (&twitch.mock.world, CHANNEL_ID.parse().unwrap());
    let find = async |stream: &str| twitch.helix.video_of(&channel, &stream.parse().unwrap()).await;
    let first = world.go_live(CHANNEL, Notify::No).unwrap();
    let video = find(&first).await.unwrap().unwrap();
    assert_eq!((video.stream_id.as_ref().map(AsRef::as_ref), video.picture_url()), (Some(first.as_str()), None));
    world.go_offline(CHANNEL, Notify::No).unwrap();
    let second = world.go_live(CHANNEL, Notify::No).unwrap();
    let other = find(&second).await.unwrap().unwrap();
    assert_ne!(video.id, other.id);
    let ended = find(&first).await.unwrap().unwrap();
    assert!(ended.id == video.id && ended.picture_url().unwrap().ends_with("-1280x720.jpg"), "{ended:?}");
    assert_eq!(find("7").await.unwrap(), None);
    world.set_faults(Faults { hide_videos: 1.0, ..Faults::default() }).unwrap();
    assert_eq!(find(&first).await.unwrap(), None);
    world.set_faults(Faults { fail_next_helix: 1, ..Faults::default() }).unwrap();
    assert!(find(&first).await.unwrap().is_some(), "it is asked again");
    twitch.mock.stop().await.unwrap();
}
