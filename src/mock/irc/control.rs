//! The control API of IRC, under `/mock/irc`.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::connections::{Command, IrcEnd};
use super::events::mask;
use super::line::{Line, Need};
use crate::mock::control::{ControlError, parse};
use crate::mock::scenario::ScenarioError;
use crate::mock::world::World;

pub(in crate::mock) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/mock/irc", web::get().to(list))
        .route("/mock/irc/reconnect", web::post().to(reconnect))
        .route("/mock/irc/close", web::post().to(close))
        .route("/mock/irc/membership", web::post().to(change_membership));
}

async fn list(world: web::Data<World>) -> HttpResponse {
    let state = world.state();
    let shown = state.irc.iter().map(|(number, client)| {
        let login = client.user.as_ref().map(|user| &user.login);
        json!({ "number": number, "login": login, "channels": client.channels })
    });
    let data: Vec<Value> = shown.collect();
    HttpResponse::Ok().json(json!({ "data": data }))
}

async fn reconnect(world: web::Data<World>) -> HttpResponse {
    world.reconnect_irc();
    HttpResponse::Ok().json(json!({}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ending {
    #[serde(default)]
    how: IrcEnd,
}

async fn close(world: web::Data<World>, body: web::Bytes) -> Result<HttpResponse, ControlError> {
    let Ending { how } = parse(&body)?;
    world.end_irc(how);
    Ok(HttpResponse::Ok().json(json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Membership {
    channel: Option<String>,
    #[serde(default)]
    joined: Vec<String>,
    #[serde(default)]
    left: Vec<String>,
}

async fn change_membership(world: web::Data<World>, body: web::Bytes) -> Result<HttpResponse, ControlError> {
    let Membership { channel, joined, left } = parse(&body)?;
    let world = world.into_inner();
    let channel = channel.or_else(|| world.first_channel()).unwrap_or_default();
    world.change_membership(&channel, &joined, &left)?;
    Ok(HttpResponse::Ok().json(json!({})))
}

impl World {
    /// Asks all connections of IRC to reconnect.
    pub fn reconnect_irc(&self) {
        let line = Line::needing(Need::Commands, ":tmi.twitch.tv RECONNECT");
        self.state().irc.command(|client| line.for_client(client.capabilities).map(Command::Send));
    }

    /// Ends all connections of IRC.
    pub fn end_irc(&self, how: IrcEnd) {
        self.state().irc.command(|_| {
            Some(match how {
                IrcEnd::Close => Command::Close,
                IrcEnd::Reset => Command::Reset,
                IrcEnd::Silence => Command::Silence,
            })
        });
    }

    /// Viewers come into a chat and leave it: one batch, which faults may delay, repeat in part and lose in part.
    ///
    /// # Errors
    /// [`ScenarioError::UnknownChannel`]
    pub fn change_membership(
        self: &Arc<Self>,
        channel: &str,
        joined: &[String],
        left: &[String],
    ) -> Result<(), ScenarioError> {
        let mut state = self.state();
        let unknown = || ScenarioError::UnknownChannel(channel.to_owned());
        let (id, login) = state.account(channel).map(|it| (it.id.clone(), it.login.clone())).ok_or_else(unknown)?;
        let viewers = state.irc.viewers.entry(id.clone()).or_default();
        viewers.extend(joined.iter().cloned());
        for viewer in left {
            viewers.remove(viewer);
        }
        let mut lines = Vec::new();
        for (viewers, command) in [(joined, "JOIN"), (left, "PART")] {
            for viewer in viewers {
                let text = format!(":{} {command} #{login}", mask(viewer));
                let count = state.faults.draw_membership_copies();
                lines.extend(std::iter::repeat_n(Line::needing(Need::Membership, text), count));
            }
        }
        let delay = state.faults.draw_membership_delay();
        drop(state);
        let world = Arc::clone(self);
        self.spawn(async move {
            world.config.clock.sleep(delay).await;
            world.state().irc.broadcast_together(&id, &lines);
        });
        Ok(())
    }
}
