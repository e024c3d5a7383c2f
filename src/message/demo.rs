//! Messages of the demo show.

use serde_json::json;

use super::content::DEMO;
use super::{Message, MessageType};
use crate::clock::to_microseconds;
use crate::simulate::demo::{CHANNEL_ID, Scene};

impl Message {
    /// A message that holds a scene of the demo show, on the demo's own channel. Its id follows from the scene.
    ///
    /// # Errors
    /// Never, unless the scene can't be read back.
    pub fn demo(scene: &Scene) -> Result<Box<Self>, serde_json::Error> {
        let subject = json!({ "type": scene.kind(), "version": scene.version(), "channel_id": CHANNEL_ID });
        let body = json!({ DEMO: subject, "event": scene.event() });
        Self::own(MessageType::Demo, format!("demo:{}", scene.key()), to_microseconds(scene.at()), &body)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::simulate::demo::{is_demo, show};

    #[test]
    fn every_scene_is_understood_and_concerns_the_demo() {
        for scene in show(datetime!(2026-11-21 12:00 UTC)).unwrap() {
            let message = Message::demo(&scene).unwrap();
            let content = message.content();
            assert_eq!((content.kind(), content.payload_error.as_deref()), (Some(scene.kind()), None), "{scene:?}");
            assert!(content.channel_id.as_ref().is_some_and(is_demo) && !content.is_test, "{scene:?}");
            assert_eq!(message.message_type().as_str(), "demo");
        }
    }
}
