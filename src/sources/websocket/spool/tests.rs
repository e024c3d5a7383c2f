use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;
use tempfile::TempDir;

use super::segment::{Contents, Locked, list};
use super::*;
use crate::config::EncryptionKey;
use crate::message::Incoming;
use crate::sources::websocket::progress::Lost;
use crate::twitch::eventsub::webhook::{Headers, Verified};
use crate::twitch::id::ChannelId;
use crate::twitch::signature::{Verifier, WebhookSecret};

const ROOMY: Limits = Limits { total: 1 << 20, segment: 1 << 16 };

fn message(number: u32) -> Box<Message> {
    let (secret, clock) = (WebhookSecret::generate(), Clock::default());
    let subscription = json!({ "id": "a", "status": "enabled", "type": "channel.cheer", "version": "1", "cost": 0,
        "condition": { "broadcaster_user_id": "7" }, "created_at": "2026-03-14T18:02:13Z" });
    let body = json!({ "subscription": subscription, "event": { "bits": number } }).to_string();
    let (id, timestamp, now) = (format!("message {number}"), "2026-03-14T18:02:13Z", clock.now());
    let headers = Headers {
        message_id: &id,
        message_type: "notification",
        timestamp,
        signature: &secret.sign(&id, timestamp, body.as_bytes()),
        subscription_type: None,
        subscription_version: None,
    };
    let verifier = Verifier::new([&secret]);
    let verified = Verified::new(headers, now, body.into_bytes().into(), &verifier, now).unwrap();
    let Incoming::Message(message) = Message::from_webhook(&verified).unwrap() else { panic!("no message") };
    message
}

struct Setup {
    dir: TempDir,
    key: EncryptionKey,
    channel: ChannelId,
    progress: Progress,
}

impl Setup {
    fn new() -> Self {
        let (dir, key) = (TempDir::new().unwrap(), EncryptionKey::generate());
        Self { dir, key, channel: "7".parse().unwrap(), progress: Progress::default() }
    }

    fn dir(&self) -> PathBuf {
        self.dir.path().join("spool")
    }

    /// A server writes these messages and ends.
    fn write(&self, limits: Limits, messages: impl IntoIterator<Item = u32>) -> Arc<State> {
        let state =
            State::new(self.dir(), Seal::new(&self.key), Clock::default(), Metrics::default(), self.progress.clone());
        let (spool, writer) = Spool::new(state.clone(), limits);
        for number in messages {
            let message = message(number);
            let ticket = self.progress.begin(&self.channel, message.at());
            spool.append(message, ticket);
        }
        drop(spool);
        writer.run();
        state
    }

    /// The ids of all messages, and whether one was cut off.
    fn read(&self) -> (Vec<String>, bool) {
        let (mut ids, mut is_any_torn) = (Vec::new(), false);
        for segment in list(&self.dir()).unwrap() {
            let mut locked = Locked::open(&segment.path).unwrap().unwrap();
            let Contents::Messages(messages, is_torn) = locked.read(&Seal::new(&self.key)).unwrap() else {
                panic!("another key")
            };
            ids.extend(messages.iter().map(|message| message.id().to_owned()));
            is_any_torn |= is_torn;
        }
        (ids, is_any_torn)
    }
}

#[test]
fn spooled_messages_are_read_in_order_over_segments() {
    let setup = Setup::new();
    let state = setup.write(Limits { segment: 1, ..ROOMY }, 0..600);
    assert!(list(&setup.dir()).unwrap().len() > 1);
    let ids: Vec<_> = (0..600).map(|number| format!("message {number}")).collect();
    assert_eq!(setup.read(), (ids, false));
    assert!(state.bytes.load(Ordering::Relaxed) > 100_000);
    assert!(setup.progress.kept_until(&setup.channel).is_some());
    let path = &list(&setup.dir()).unwrap()[0].path;
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    assert!(!text.contains("channel.cheer"), "{text}");
}

#[test]
fn record_that_a_crash_cut_off_costs_no_other() {
    let setup = Setup::new();
    setup.write(ROOMY, 0..3);
    let path = list(&setup.dir()).unwrap()[0].path.clone();
    let whole = fs::read(&path).unwrap();
    setup.write(ROOMY, 3..4);
    let last = (whole.len() - 32) / 3;
    fs::remove_file(&list(&setup.dir()).unwrap()[1].path).unwrap();
    for cut in 1..last {
        fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        assert_eq!(setup.read(), (vec!["message 0".to_owned(), "message 1".to_owned()], true), "{cut}");
    }
    // Blocks that were allocated and never written.
    fs::write(&path, [&whole[..], &[0; 512]].concat()).unwrap();
    assert_eq!((setup.read().0.len(), setup.read().1), (3, true));
    fs::write(&path, &whole[..20]).unwrap();
    assert_eq!(setup.read(), (vec![], false));
}

#[test]
fn segment_of_another_key_is_left_alone() {
    let setup = Setup::new();
    setup.write(ROOMY, 0..1);
    let mut locked = Locked::open(&list(&setup.dir()).unwrap()[0].path).unwrap().unwrap();
    let other = Seal::new(&EncryptionKey::generate());
    assert!(matches!(locked.read(&other).unwrap(), Contents::Foreign));
}

#[test]
fn segment_that_is_written_to_is_not_drained_by_another_server() {
    let setup = Setup::new();
    let seal = Seal::new(&setup.key);
    let segment = Segment::create(&setup.dir(), 1, &seal).unwrap();
    let path = list(&setup.dir()).unwrap()[0].path.clone();
    assert!(Locked::open(&path).unwrap().is_none());
    drop(segment);
    let locked = Locked::open(&path).unwrap().unwrap();
    assert!(Locked::open(&path).unwrap().is_none());
    locked.remove().unwrap();
    assert!(Locked::open(&path).unwrap().is_none());
}

#[test]
fn message_that_does_not_fit_is_counted_and_lies_within_a_gap() {
    let setup = Setup::new();
    let state = setup.write(Limits { total: 4_000, ..ROOMY }, 0..20);
    let (ids, _) = setup.read();
    assert!((2..19).contains(&ids.len()), "{ids:?}");
    assert_eq!(state.progress.lost_count(), 20 - ids.len() as u64);
    let [(channel, Lost { began_at, ended_at })] = &setup.progress.lost()[..] else { panic!("nothing was lost") };
    assert!(*channel == setup.channel && began_at < ended_at);
    assert_eq!(setup.progress.kept_until(&setup.channel), Some(*began_at));
    assert!(state.check().message.contains("were lost"), "{:?}", state.check());
}

#[test]
fn disk_that_takes_nothing_loses_messages_with_a_reason() {
    let setup = Setup::new();
    fs::write(setup.dir(), "a file, not a directory").unwrap();
    let state = setup.write(ROOMY, 0..2);
    assert_eq!((state.progress.lost_count(), setup.progress.lost().len()), (2, 1));
    assert!(state.check().message.contains("can't be written to"), "{:?}", state.check());
}
