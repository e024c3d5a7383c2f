//! Removes a person from a state.

use super::State;
use crate::twitch::id::UserId;

impl State {
    /// Removes everything about a user and their channel. What they gave to other channels counts as given anonymously, so
    /// that the sums of those channels stay. The same as if it were done to each message before they are added up.
    pub fn forget(&mut self, id: &UserId) {
        self.users.remove(id);
        let channel = id.channel();
        for ((to, _), viewer) in self.viewers.extract_if(.., |(to, user), _| user == id || *to == channel) {
            let to = self.channels.entry(to).or_default();
            to.anonymous_bits += viewer.bits.total;
            to.anonymous_gifts += viewer.gifts.total;
        }
        self.logins.retain(|(_, channel_id), _| *channel_id != channel);
        self.channels.remove(&channel);
        self.activity.retain(|(channel_id, _), _| *channel_id != channel);
        self.streams.retain(|_, stream| stream.channel_id != channel);
        self.stream_ends.retain(|(channel_id, _)| *channel_id != channel);
        self.segments.retain(|_, segment| segment.channel_id != channel);
        let quoted = format!("\"{}\"", id.as_str());
        self.subscriptions.retain(|_, subscription| !subscription.value.condition.contains(&quoted));
    }
}
