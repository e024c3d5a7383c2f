//! The addresses of [twitch-cli](https://dev.twitch.tv/docs/cli/)'s mock servers, for clients that are set up for it:
//! `/mock/…` is Helix without a token, `/auth/…` the login server.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;

use super::helix::{self, Refusal, bad_request, error_answer};
use super::oauth;
use super::state::{State, Token};
use super::world::World;

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/mock/users", web::get().to(helix::users))
        .route("/mock/streams", web::get().to(helix::streams))
        .route("/mock/channels", web::get().to(helix::channels))
        .route("/auth/authorize", web::get().to(oauth::authorize))
        .route("/auth/authorize", web::post().to(authorize))
        .route("/auth/token", web::post().to(oauth::token))
        .route("/auth/validate", web::get().to(oauth::validate))
        .route("/auth/revoke", web::post().to(oauth::revoke));
}

/// Grants a user's token at once (`grant_type=user_token`, with `user_id` and `scope`).
async fn authorize(world: web::Data<World>, request: HttpRequest, form: web::Bytes) -> HttpResponse {
    let fields = oauth::fields(&request, &form);
    let mut state = world.state();
    match grant(&world, &mut state, &fields) {
        Ok(answer) => HttpResponse::Ok().json(answer),
        Err((status, message)) => error_answer(status, &message),
    }
}

fn grant(world: &World, state: &mut State, fields: &oauth::Fields) -> Result<Value, Refusal> {
    oauth::check_client(world, fields)?;
    let get = |name: &str| fields.get(name).map_or("", String::as_str);
    if get("grant_type") != "user_token" {
        return Err(bad_request("invalid grant type"));
    }
    let user_id = get("user_id").to_owned();
    if !state.accounts.contains_key(&user_id) {
        return Err((StatusCode::BAD_REQUEST, format!("there is no user {user_id}")));
    }
    let scopes: BTreeSet<_> = get("scope").split_whitespace().map(str::to_owned).collect();
    state.consents.entry(user_id.clone()).or_default().extend(scopes.iter().cloned());
    state.make_free(&user_id);
    let token = Token { user_id: Some(user_id), scopes, expires_at: None };
    let refresh_token = state.new_refresh_token(token.clone());
    Ok(oauth::user_token(world, state, token, &refresh_token))
}
