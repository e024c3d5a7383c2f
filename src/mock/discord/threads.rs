//! Where a message goes: to a channel, to a thread, or in a forum to a new thread
//! (<https://docs.discord.com/developers/resources/webhook#execute-webhook>).

use super::answer::Refusal;
use super::guild::{ChannelKind, Webhook};
use super::payload::Payload;
use super::snowflake::Snowflake;
use super::state::State;

impl State {
    /// Where a message goes: a channel or thread, or `None` for a new thread of a forum.
    pub(super) fn place(
        &self,
        webhook: &Webhook,
        thread: Option<Snowflake>,
        payload: &Payload,
    ) -> Result<Option<Snowflake>, Refusal> {
        let channel = self.channels.get(&webhook.channel_id).ok_or_else(Refusal::unknown_channel)?;
        let names_thread = payload.thread_name.is_some();
        match (channel.kind.is_forum(), thread) {
            (_, Some(_)) if names_thread => {
                let message = "Webhooks posted to forum channels cannot have both a thread_name and a thread_id";
                Err(Refusal::new(400, 220_002, message))
            }
            (true, None) if !names_thread => Err(Refusal::new(
                400,
                220_001,
                "Webhooks posted to forum channels must have a thread_name or thread_id",
            )),
            (false, _) if names_thread => {
                Err(Refusal::new(400, 220_003, "Webhooks can only create threads in forum channels"))
            }
            (true, None) => self.check_tags(channel.id, payload).map(|()| None),
            (false, None) => Ok(Some(channel.id)),
            (_, Some(id)) => {
                let thread = self.channels.get(&id).filter(|it| it.parent_id == Some(channel.id));
                match thread.ok_or_else(Refusal::unknown_channel)?.is_locked {
                    true => Err(Refusal::new(400, 160_005, "Thread is locked")),
                    false => Ok(Some(id)),
                }
            }
        }
    }

    fn check_tags(&self, forum: Snowflake, payload: &Payload) -> Result<(), Refusal> {
        let forum = self.channels.get(&forum).ok_or_else(Refusal::unknown_channel)?;
        let is_known = |id: &Snowflake| forum.tags.iter().any(|tag| tag.id == *id);
        if !payload.applied_tags.iter().all(is_known) {
            return Err(Refusal::new(400, 10_087, "Unknown tag"));
        }
        if forum.requires_tag && payload.applied_tags.is_empty() {
            return Err(Refusal::new(400, 40_067, "A tag is required to create a forum post in this channel"));
        }
        Ok(())
    }

    /// Opens the thread that a message in a forum begins. It has the message's id.
    pub(super) fn open_thread(&mut self, id: Snowflake, forum: Snowflake, payload: &Payload) -> Result<(), Refusal> {
        let name = payload.thread_name.as_deref().unwrap_or_default();
        let thread = self.insert_channel(id, name, ChannelKind::Thread, Some(forum));
        let full = |_| Refusal::new(400, 160_006, "Maximum number of active threads reached");
        thread.map_err(full)?.applied_tags.clone_from(&payload.applied_tags);
        Ok(())
    }
}
