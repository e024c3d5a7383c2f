//! Helix: authorization, the rate limit, and users, streams, channels and videos (<https://dev.twitch.tv/docs/api/reference/>).

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use url::form_urlencoded;

use super::state::{Account, Points, State, Token, rfc3339};
use super::videos::Video;
use super::world::World;

/// Limit of ids and logins per call.
const MAX_IDS: usize = 100;

/// How long the rate limit's bucket takes to fill.
const REFILL: Duration = Duration::MINUTE;

/// Under which Helix requires no token, as in [`super::compat`].
const OPEN_PATHS: &str = "/mock/";

/// An error answer: status and message.
pub(super) type Refusal = (StatusCode, String);

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/users", web::get().to(users))
        .route("/streams", web::get().to(streams))
        .route("/channels", web::get().to(channels))
        .route("/channels/followers", web::get().to(followers))
        .route("/videos", web::get().to(videos));
}

/// An error in the form of Twitch's (<https://dev.twitch.tv/docs/api/guide/>).
pub(super) fn error_answer(status: StatusCode, message: &str) -> HttpResponse {
    let error = status.canonical_reason().unwrap_or("Error");
    HttpResponse::build(status).json(json!({ "error": error, "status": status.as_u16(), "message": message }))
}

pub(super) fn bad_request(message: impl Into<String>) -> Refusal {
    (StatusCode::BAD_REQUEST, message.into())
}

/// Query parameters of a call; the same one may occur several times.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn from_request(request: &HttpRequest) -> Self {
        Self::parse(request.query_string())
    }

    pub(super) fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn one<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// The length of a page: this one unless it is given, and not more than the limit.
    pub(super) fn first(&self, default: usize, limit: usize) -> Result<usize, Refusal> {
        let first = self.one("first").map_or(Ok(default), str::parse);
        let first = first.ok().filter(|first| (1..=limit).contains(first));
        first.ok_or_else(|| bad_request("The parameter \"first\" was malformed"))
    }

    /// Position at which a page begins, from its cursor. Callers should treat cursors as opaque.
    pub(super) fn position(&self) -> Result<usize, Refusal> {
        let Some(cursor) = self.one("after") else { return Ok(0) };
        let digits = cursor.strip_prefix("mock").and_then(|digits| digits.parse().ok());
        digits.ok_or_else(|| bad_request("The cursor specified in the after field is not valid."))
    }
}

/// `pagination` of a page that ends at `end` of `total`.
pub(super) fn pagination(end: usize, total: usize) -> Value {
    if end < total { json!({ "cursor": format!("mock{end}") }) } else { json!({}) }
}

/// The access token of a call.
pub(super) fn bearer(request: &HttpRequest) -> &str {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    header.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default()
}

/// Sets the headers of the rate limit.
pub(super) fn set_rate_limit(response: &mut HttpResponse, limit: usize, remaining: usize, full_at: OffsetDateTime) {
    for (name, value) in [
        ("ratelimit-limit", HeaderValue::from(limit)),
        ("ratelimit-remaining", remaining.into()),
        ("ratelimit-reset", full_at.unix_timestamp().into()),
    ] {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
}

impl World {
    /// Answers a call if its token allows it, with the rate limit's headers.
    pub(super) fn answer(
        &self,
        request: &HttpRequest,
        respond: impl FnOnce(&mut State, &Token) -> Result<HttpResponse, Refusal>,
    ) -> HttpResponse {
        let mut state = self.state();
        state.count(format!("{} {}", request.method(), request.path()));
        let result = self.authorize(&mut state, request).and_then(|token| respond(&mut state, &token));
        let mut response = result.unwrap_or_else(|(status, message)| error_answer(status, &message));
        let Points { remaining, full_at } = state.points;
        set_rate_limit(&mut response, self.config.rate_limit as usize, remaining as usize, full_at);
        response
    }

    fn authorize(&self, state: &mut State, request: &HttpRequest) -> Result<Token, Refusal> {
        let fault = state.faults.draw_helix_fault();
        if fault.is_failing {
            return Err((StatusCode::SERVICE_UNAVAILABLE, "Helix is unwell".to_owned()));
        }
        let text = bearer(request);
        if fault.revokes_token {
            state.access_tokens.remove(text);
        }
        let unauthorized = |message: &str| (StatusCode::UNAUTHORIZED, message.to_owned());
        let now = self.config.clock.now();
        let token = state.access_tokens.get(text).filter(|token| token.is_alive(now)).cloned();
        if request.path().starts_with(OPEN_PATHS) {
            self.take_point(state, fault.empties_bucket)?;
            return Ok(token.unwrap_or_else(Token::anonymous));
        }
        let token = token.ok_or_else(|| unauthorized("Invalid OAuth token"))?;
        if request.headers().get("client-id").is_none_or(|id| id.as_bytes() != self.config.client_id.as_bytes()) {
            return Err(unauthorized("Client ID and OAuth token do not match"));
        }
        self.take_point(state, fault.empties_bucket)?;
        Ok(token)
    }

    /// Takes a point of the rate limit. As at Twitch, the reset is in whole seconds.
    fn take_point(&self, state: &mut State, empties_bucket: bool) -> Result<(), Refusal> {
        let now = self.config.clock.now();
        let points = &mut state.points;
        if points.full_at <= now {
            points.remaining = self.config.rate_limit;
            points.full_at = (now + REFILL).replace_nanosecond(0).unwrap_or(now);
        }
        if empties_bucket {
            points.remaining = 0;
        }
        match points.remaining.checked_sub(1) {
            Some(rest) => points.remaining = rest,
            None => return Err((StatusCode::TOO_MANY_REQUESTS, "Too Many Requests".to_owned())),
        }
        Ok(())
    }
}

pub(super) async fn users(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    world.answer(&request, |state, token| {
        let query = Query::from_request(&request);
        let own = token.user_id.as_deref().filter(|_| query.one("id").or(query.one("login")).is_none());
        let ids: Vec<_> = query.all("id").chain(own).collect();
        let logins: Vec<_> = query.all("login").collect();
        if ids.is_empty() && logins.is_empty() {
            return Err(bad_request("Must provide an ID, Login or OAuth Token"));
        }
        check_count(ids.len() + logins.len())?;
        let is_wanted = |a: &&Account| ids.contains(&a.id.as_str()) || logins.contains(&a.login.as_str());
        let data: Vec<_> = state.accounts.values().filter(is_wanted).map(user).collect();
        Ok(HttpResponse::Ok().json(json!({ "data": data })))
    })
}

pub(super) async fn streams(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    world.answer(&request, |state, _| {
        let query = Query::from_request(&request);
        let ids: Vec<_> = query.all("user_id").collect();
        let logins: Vec<_> = query.all("user_login").collect();
        check_count(ids.len().max(logins.len()))?;
        let first = query.first(20, 100)?;
        let is_wanted = |a: &Account| {
            (ids.is_empty() && logins.is_empty()) || ids.contains(&a.id.as_str()) || logins.contains(&a.login.as_str())
        };
        let is_shown = !state.faults.draw_hidden_streams();
        let shown = state.accounts.values().filter(|a| is_shown && is_wanted(a));
        let live: Vec<_> = shown.filter_map(stream).collect();
        let from = query.position()?.min(live.len());
        let to = (from + first).min(live.len());
        Ok(HttpResponse::Ok().json(json!({ "data": live[from..to], "pagination": pagination(to, live.len()) })))
    })
}

pub(super) async fn channels(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    world.answer(&request, |state, _| {
        let query = Query::from_request(&request);
        let ids: Vec<_> = query.all("broadcaster_id").collect();
        if ids.is_empty() {
            return Err(bad_request("Missing required parameter \"broadcaster_id\""));
        }
        check_count(ids.len())?;
        let data: Vec<_> = ids.iter().filter_map(|id| state.accounts.get(*id)).map(channel).collect();
        Ok(HttpResponse::Ok().json(json!({ "data": data })))
    })
}

/// [Get Channel Followers](https://dev.twitch.tv/docs/api/reference/#get-channel-followers): only the broadcaster and moderators,
/// with the scope, see more than the number.
async fn followers(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    world.answer(&request, |state, token| {
        let query = Query::from_request(&request);
        let missing = || bad_request("Missing required parameter \"broadcaster_id\"");
        let channel = query.one("broadcaster_id").ok_or_else(missing)?;
        let Some(user) = &token.user_id else {
            return Err((StatusCode::UNAUTHORIZED, "Missing User OAUTH Token".to_owned()));
        };
        let followers = state.followers(channel);
        let total = followers.len();
        if !state.rooms.is_moderator(channel, user) || !token.scopes.contains("moderator:read:followers") {
            return Ok(HttpResponse::Ok().json(json!({ "total": total, "data": [], "pagination": {} })));
        }
        let wanted = query.one("user_id");
        let shown: Vec<_> = followers.into_iter().filter(|it| wanted.is_none_or(|id| it.user_id == id)).collect();
        let from = query.position()?.min(shown.len());
        let to = (from + query.first(20, 100)?).min(shown.len());
        let page = pagination(to, shown.len());
        Ok(HttpResponse::Ok().json(json!({ "total": total, "data": shown[from..to], "pagination": page })))
    })
}

/// [Get Videos](https://dev.twitch.tv/docs/api/reference/#get-videos).
async fn videos(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    world.answer(&request, |state, _| {
        let query = Query::from_request(&request);
        let given = ["id", "user_id", "game_id"].iter().filter(|name| query.one(name).is_some()).count();
        if given != 1 {
            return Err(bad_request("Exactly one of id, user_id and game_id must be given"));
        }
        let kind = query.one("type").unwrap_or("all");
        if !["all", "archive", "highlight", "upload"].contains(&kind) {
            return Err(bad_request("The parameter \"type\" was malformed"));
        }
        let is_shown = !state.faults.draw_hidden_videos() && matches!(kind, "all" | "archive");
        let is_wanted = |video: &&Video| {
            is_shown
                && (query.all("id").any(|id| id == video.id) || query.one("user_id") == Some(video.channel_id.as_str()))
        };
        let now = world.config.clock.now();
        let found = state.videos.iter().rev().filter(is_wanted);
        let found: Vec<_> = found.map(|video| self::video(state, video, now)).collect();
        if query.one("id").is_some() && found.is_empty() {
            return Err((StatusCode::NOT_FOUND, "The ID is not found".to_owned()));
        }
        let from = query.position()?.min(found.len());
        let to = (from + query.first(20, 100)?).min(found.len());
        Ok(HttpResponse::Ok().json(json!({ "data": found[from..to], "pagination": pagination(to, found.len()) })))
    })
}

fn check_count(count: usize) -> Result<(), Refusal> {
    if count > MAX_IDS {
        return Err(bad_request(format!("The number of ids and logins must not exceed {MAX_IDS}")));
    }
    Ok(())
}

fn user(account: &Account) -> Value {
    json!({
        "id": account.id,
        "login": account.login,
        "display_name": account.display_name,
        "type": "",
        "broadcaster_type": "affiliate",
        "description": "",
        "profile_image_url": format!("https://static-cdn.jtvnw.net/jtv_user_pictures/{}-profile_image-300x300.png", account.id),
        "offline_image_url": format!("https://static-cdn.jtvnw.net/jtv_user_pictures/{}-channel_offline_image-1920x1080.png", account.id),
        "view_count": 0,
        "created_at": "2019-04-02T11:30:00Z",
    })
}

fn stream(account: &Account) -> Option<Value> {
    let stream = account.stream.as_ref()?;
    Some(json!({
        "id": stream.id,
        "user_id": account.id,
        "user_login": account.login,
        "user_name": account.display_name,
        "game_id": account.game_id,
        "game_name": account.game_name,
        "type": "live",
        "title": account.title,
        "tags": account.tags,
        "viewer_count": stream.viewers,
        "started_at": rfc3339(stream.started_at),
        "language": account.language,
        "thumbnail_url": "",
        "tag_ids": [],
        "is_mature": false,
    }))
}

fn channel(account: &Account) -> Value {
    json!({
        "broadcaster_id": account.id,
        "broadcaster_login": account.login,
        "broadcaster_name": account.display_name,
        "broadcaster_language": account.language,
        "game_name": account.game_name,
        "game_id": account.game_id,
        "title": account.title,
        "delay": 0,
        "tags": account.tags,
        "content_classification_labels": account.labels,
        "is_branded_content": false,
    })
}

fn video(state: &State, video: &Video, now: OffsetDateTime) -> Value {
    let account = state.accounts.get(&video.channel_id);
    let seconds = (video.ended_at.unwrap_or(now) - video.created_at).whole_seconds().max(0);
    json!({
        "id": video.id,
        "stream_id": video.stream_id,
        "user_id": video.channel_id,
        "user_login": account.map(|account| &account.login),
        "user_name": account.map(|account| &account.display_name),
        "title": video.title,
        "description": "",
        "created_at": rfc3339(video.created_at),
        "published_at": rfc3339(video.created_at),
        "url": format!("https://www.twitch.tv/videos/{}", video.id),
        "thumbnail_url": video.thumbnail_url(),
        "viewable": "public",
        "view_count": 0,
        "language": account.map(|account| &account.language),
        "type": "archive",
        "duration": format!("{}h{}m{}s", seconds / 3_600, seconds / 60 % 60, seconds % 60),
        "muted_segments": null,
    })
}
