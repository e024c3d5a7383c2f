//! Modes of a chat (<https://dev.twitch.tv/docs/api/reference/#update-chat-settings>).

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::caller::{channel, moderator, required};
use super::ledger::Effect;
use super::rooms::ChatSettings;
use super::{Performed, body};
use crate::mock::helix::{Query, Refusal, bad_request};
use crate::mock::world::World;

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/chat/settings", web::get().to(settings)).route("/chat/settings", web::patch().to(update));
}

/// What changes; `None` stays.
#[derive(Deserialize)]
struct Change {
    emote_mode: Option<bool>,
    follower_mode: Option<bool>,
    follower_mode_duration: Option<u32>,
    non_moderator_chat_delay: Option<bool>,
    non_moderator_chat_delay_duration: Option<u32>,
    slow_mode: Option<bool>,
    slow_mode_wait_time: Option<u32>,
    subscriber_mode: Option<bool>,
    unique_chat_mode: Option<bool>,
}

impl Change {
    fn check(&self) -> Result<(), Refusal> {
        let spans = [
            ("follower_mode_duration", self.follower_mode_duration.is_none_or(|span| span <= 129_600)),
            ("slow_mode_wait_time", self.slow_mode_wait_time.is_none_or(|span| (3..=120).contains(&span))),
            (
                "non_moderator_chat_delay_duration",
                self.non_moderator_chat_delay_duration.is_none_or(|span| [2, 4, 6].contains(&span)),
            ),
        ];
        match spans.into_iter().find(|(_, is_valid)| !is_valid) {
            Some((name, _)) => Err(bad_request(format!("The value in {name} is not valid."))),
            None => Ok(()),
        }
    }

    fn apply(&self, settings: &mut ChatSettings) {
        let modes = [
            (&mut settings.emote_mode, self.emote_mode),
            (&mut settings.subscriber_mode, self.subscriber_mode),
            (&mut settings.unique_chat_mode, self.unique_chat_mode),
        ];
        for (mode, new) in modes {
            *mode = new.unwrap_or(*mode);
        }
        let with_span = [
            (
                &mut settings.follower_mode,
                self.follower_mode,
                &mut settings.follower_mode_duration,
                self.follower_mode_duration,
                0,
            ),
            (&mut settings.slow_mode, self.slow_mode, &mut settings.slow_mode_wait_time, self.slow_mode_wait_time, 30),
            (
                &mut settings.non_moderator_chat_delay,
                self.non_moderator_chat_delay,
                &mut settings.non_moderator_chat_delay_duration,
                self.non_moderator_chat_delay_duration,
                2,
            ),
        ];
        for (mode, new_mode, span, new_span, default) in with_span {
            *mode = new_mode.unwrap_or(*mode || new_span.is_some());
            *span = mode.then(|| new_span.or(*span).unwrap_or(default));
        }
    }
}

fn shown(channel: &str, settings: &ChatSettings) -> Value {
    let mut shown = json!(settings);
    shown["broadcaster_id"] = channel.into();
    shown
}

async fn settings(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    world.answer(&request, |state, _| {
        let query = Query::from_request(&request);
        let channel = channel(state, required(&query, "broadcaster_id")?, "broadcaster_id")?;
        let data = shown(&channel, &state.rooms.entry(&channel).settings);
        Ok(HttpResponse::Ok().json(json!({ "data": [data] })))
    })
}

async fn update(world: web::Data<World>, request: HttpRequest, bytes: web::Bytes) -> HttpResponse {
    let query = Query::from_request(&request);
    world
        .into_inner()
        .perform(&request, "settings", |world, state, token| {
            let moderator = moderator(state, &query, token, "moderator:manage:chat_settings")?;
            let change: Change = body(&bytes)?;
            change.check()?;
            let settings = &mut state.rooms.entry(&moderator.channel).settings;
            change.apply(settings);
            let settings = settings.clone();
            let fields = [
                ("emote_mode", settings.emote_mode.into()),
                ("follower_mode", settings.follower_mode.into()),
                ("follower_mode_duration_minutes", settings.follower_mode_duration.into()),
                ("slow_mode", settings.slow_mode.into()),
                ("slow_mode_wait_time_seconds", settings.slow_mode_wait_time.into()),
                ("subscriber_mode", settings.subscriber_mode.into()),
                ("unique_chat_mode", settings.unique_chat_mode.into()),
            ];
            world.happen(state, ("channel.chat_settings.update", None), &moderator.channel, None, &fields);
            let data = shown(&moderator.channel, &settings);
            Performed::data(Effect::new(&moderator.channel, data.clone()), data)
        })
        .await
}
