//! The login server: consent page, tokens, validate, revoke
//! (<https://dev.twitch.tv/docs/authentication/getting-tokens-oauth/>).

use std::collections::{BTreeSet, HashMap};

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::helix::{Refusal, error_answer};
use super::state::{State, Token};
use super::world::World;

/// Template of the page that asks for consent.
const CONSENT_PAGE: &str = include_str!("consent.html");

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/authorize", web::get().to(authorize))
        .route("/authorize", web::post().to(decide))
        .route("/token", web::post().to(token))
        .route("/validate", web::get().to(validate))
        .route("/revoke", web::post().to(revoke));
}

/// Parameters of an authorization request.
#[derive(Deserialize)]
pub(super) struct AuthorizationRequest {
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    redirect_uri: String,
    #[serde(default)]
    response_type: String,
    #[serde(default)]
    scope: String,
    state: Option<String>,
    #[serde(default)]
    force_verify: String,
}

impl AuthorizationRequest {
    fn scopes(&self) -> BTreeSet<String> {
        self.scope.split_whitespace().map(str::to_owned).collect()
    }

    /// The login of the bot, if these are scopes of one: a broadcaster who lets an application read the chat grants
    /// `channel:bot`, too.
    fn bot<'a>(&self, world: &'a World) -> Option<&'a String> {
        let scopes = self.scopes();
        world.config.bot.as_ref().filter(|_| scopes.contains("user:bot") && !scopes.contains("channel:bot"))
    }

    /// Returns the error to show on a page, when it is unsafe to redirect to the application.
    fn objection(&self, world: &World) -> Option<&'static str> {
        if self.client_id != world.config.client_id {
            return Some("client does not exist");
        }
        if !world.config.redirect_urls.contains(&self.redirect_uri) {
            return Some("redirect_mismatch: Parameter redirect_uri does not match registered URI");
        }
        (self.response_type != "code").then_some("Invalid response_type: only `code` is supported")
    }

    /// Redirects to the application with these parameters and the state.
    fn redirect(&self, parameters: &[(&str, &str)]) -> HttpResponse {
        let Ok(mut url) = Url::parse(&self.redirect_uri) else {
            return error_page("redirect_mismatch: the registered URL is not valid");
        };
        url.query_pairs_mut().extend_pairs(parameters).extend_pairs(self.state.iter().map(|state| ("state", state)));
        HttpResponse::Found().insert_header((LOCATION, url.as_str())).finish()
    }

    fn grant(&self, state: &mut State, user_id: &str, world: &World) -> HttpResponse {
        let now = world.config.clock.now();
        state.consents.entry(user_id.to_owned()).or_default().extend(self.scopes());
        state.signed_in = Some(user_id.to_owned());
        state.make_free(user_id);
        let code = state.new_code(user_id, self.scopes(), &self.redirect_uri, now);
        self.redirect(&[("code", &code), ("scope", &self.scope)])
    }
}

/// Redirects at once if the consent is already there, and else shows the page that asks for it.
pub(super) async fn authorize(world: web::Data<World>, request: web::Query<AuthorizationRequest>) -> HttpResponse {
    if let Some(objection) = request.objection(&world) {
        return error_page(objection);
    }
    let mut state = world.state();
    if let Some(name) = &world.config.auto_consent
        && let Ok(person) = state.account_or_new(request.bot(&world).unwrap_or(name))
    {
        return request.grant(&mut state, &person.id, &world);
    }
    if let Some(user_id) = state.signed_in.clone().filter(|_| request.force_verify != "true")
        && state.consents.get(&user_id).is_some_and(|scopes| scopes.is_superset(&request.scopes()))
    {
        return request.grant(&mut state, &user_id, &world);
    }
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(consent_page(&world, &state, &request))
}

/// Preselects the bot if it is asked, or else the user who consented last, or else the first channel.
fn consent_page(world: &World, state: &State, request: &AuthorizationRequest) -> String {
    let list = |items: Vec<String>| items.concat();
    let scopes =
        request.scopes().into_iter().map(|scope| format!("<li><code>{}</code></li>", escaped(&scope))).collect();
    let last = state.signed_in.as_ref().and_then(|id| state.accounts.get(id)).map(|account| account.login.clone());
    let bot = request.bot(world).map(|name| name.to_lowercase());
    let chosen = bot.or(last).or_else(|| world.config.channels.first().map(|name| name.to_lowercase()));
    let option = |login: &String| {
        let selected = if chosen.as_ref() == Some(login) { " selected" } else { "" };
        format!("<option{selected}>{}</option>", escaped(login))
    };
    let accounts = state.accounts.values().map(|account| option(&account.login)).collect();
    let fields = [
        ("client_id", request.client_id.as_str()),
        ("redirect_uri", &request.redirect_uri),
        ("response_type", &request.response_type),
        ("scope", &request.scope),
    ];
    let fields = fields.into_iter().chain(request.state.as_deref().map(|state| ("state", state)));
    let hidden = |(name, value)| format!(r#"<input type="hidden" name="{name}" value="{}">"#, escaped(value));
    CONSENT_PAGE
        .replace("{{scopes}}", &list(scopes))
        .replace("{{accounts}}", &list(accounts))
        .replace("{{fields}}", &list(fields.map(hidden).collect()))
}

#[derive(Deserialize)]
pub(super) struct Decision {
    login: String,
    decision: String,
    #[serde(flatten)]
    request: AuthorizationRequest,
}

/// Handles the consent page's form.
pub(super) async fn decide(world: web::Data<World>, form: web::Form<Decision>) -> HttpResponse {
    let Decision { login, decision, request } = form.into_inner();
    if let Some(objection) = request.objection(&world) {
        return error_page(objection);
    }
    if decision != "consent" {
        return request.redirect(&[("error", "access_denied"), ("error_description", "The user denied you access")]);
    }
    let mut state = world.state();
    match state.account(&login).map(|account| account.id.clone()) {
        Some(user_id) => request.grant(&mut state, &user_id, &world),
        None => error_page("there is no such user"),
    }
}

fn error_page(message: &str) -> HttpResponse {
    let text = format!("<!doctype html><title>mock-twitch</title><h1>Error</h1><p>{}</p>", escaped(message));
    HttpResponse::BadRequest().content_type("text/html; charset=utf-8").body(text)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

pub(super) type Fields = HashMap<String, String>;

/// The parameters of a call, from its query and its form.
pub(super) fn fields(request: &HttpRequest, form: &[u8]) -> Fields {
    let query = form_urlencoded::parse(request.query_string().as_bytes()).into_owned();
    query.chain(form_urlencoded::parse(form).into_owned()).collect()
}

pub(super) async fn token(world: web::Data<World>, request: HttpRequest, form: web::Bytes) -> HttpResponse {
    let form = fields(&request, &form);
    let mut state = world.state();
    if state.faults.draw_oauth_failure() {
        return error_answer(StatusCode::SERVICE_UNAVAILABLE, "the login server is unavailable");
    }
    match grant(&world, &mut state, &form) {
        Ok(answer) => HttpResponse::Ok().json(answer),
        Err((status, message)) => error_answer(status, &message),
    }
}

fn grant(world: &World, state: &mut State, form: &Fields) -> Result<Value, Refusal> {
    check_client(world, form)?;
    let get = |name: &str| form.get(name).map_or("", String::as_str);
    let bad = |message: &str| (StatusCode::BAD_REQUEST, message.to_owned());
    let now = world.config.clock.now();
    if let grant @ ("client_credentials" | "authorization_code" | "refresh_token") = get("grant_type") {
        state.count(format!("POST /oauth2/token {grant}"));
    }
    match get("grant_type") {
        "client_credentials" => {
            let expires_at = Some(now + world.config.app_token_lifetime);
            let token = Token { user_id: None, scopes: BTreeSet::new(), expires_at };
            let expires_in = world.config.app_token_lifetime.as_secs();
            let text = state.new_access_token(token, now);
            Ok(json!({ "access_token": text, "expires_in": expires_in, "token_type": "bearer" }))
        }
        "authorization_code" => {
            let code = state.codes.remove(get("code")).filter(|code| code.expires_at > now);
            let code = code.ok_or_else(|| bad("Invalid authorization code"))?;
            if code.redirect_url != get("redirect_uri") {
                return Err(bad("Parameter redirect_uri does not match registered URI"));
            }
            let token = Token { user_id: Some(code.user_id), scopes: code.scopes, expires_at: None };
            let refresh_token = state.new_refresh_token(token.clone());
            Ok(user_token(world, state, token, &refresh_token))
        }
        "refresh_token" => {
            let held = get("refresh_token");
            let token = state.refresh_tokens.get(held).cloned().ok_or_else(|| bad("Invalid refresh token"))?;
            let mut refresh_token = held.to_owned();
            if world.config.rotate_refresh_tokens {
                state.refresh_tokens.remove(held);
                refresh_token = state.new_refresh_token(token.clone());
            }
            Ok(user_token(world, state, token, &refresh_token))
        }
        _ => Err(bad("invalid grant type")),
    }
}

/// Checks the application's id and secret.
pub(super) fn check_client(world: &World, form: &Fields) -> Result<(), Refusal> {
    if form.get("client_id") != Some(&world.config.client_id) {
        return Err((StatusCode::BAD_REQUEST, "invalid client".to_owned()));
    }
    if form.get("client_secret") != Some(&world.config.client_secret) {
        return Err((StatusCode::FORBIDDEN, "invalid client secret".to_owned()));
    }
    Ok(())
}

pub(super) fn user_token(world: &World, state: &mut State, token: Token, refresh_token: &str) -> Value {
    let now = world.config.clock.now();
    let scopes = token.scopes.clone();
    let expires_at = Some(now + world.config.user_token_lifetime);
    let access_token = state.new_access_token(Token { expires_at, ..token }, now);
    json!({
        "access_token": access_token,
        "expires_in": world.config.user_token_lifetime.as_secs(),
        "refresh_token": refresh_token,
        "scope": scopes,
        "token_type": "bearer",
    })
}

pub(super) async fn validate(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    let mut state = world.state();
    if state.faults.draw_oauth_failure() {
        return error_answer(StatusCode::SERVICE_UNAVAILABLE, "the login server is unavailable");
    }
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let text = header.strip_prefix("OAuth ").or_else(|| header.strip_prefix("Bearer ")).unwrap_or_default();
    let now = world.config.clock.now();
    let Some(token) = state.access_tokens.get(text).filter(|token| token.is_alive(now)) else {
        return error_answer(StatusCode::UNAUTHORIZED, "invalid access token");
    };
    let account = token.user_id.as_ref().and_then(|id| state.accounts.get(id));
    HttpResponse::Ok().json(json!({
        "client_id": world.config.client_id,
        "login": account.map(|account| &account.login),
        "scopes": Some(&token.scopes).filter(|scopes| !scopes.is_empty()),
        "user_id": account.map(|account| &account.id),
        "expires_in": token.expires_at.map_or(0, |at| (at - now).whole_seconds()),
    }))
}

pub(super) async fn revoke(world: web::Data<World>, request: HttpRequest, form: web::Bytes) -> HttpResponse {
    let form = fields(&request, &form);
    if form.get("client_id") != Some(&world.config.client_id) {
        return error_answer(StatusCode::NOT_FOUND, "client does not exist");
    }
    let token = form.get("token").and_then(|text| world.state().access_tokens.remove(text));
    match token {
        Some(_) => HttpResponse::Ok().finish(),
        None => error_answer(StatusCode::BAD_REQUEST, "Invalid token"),
    }
}
