//! `/overlays/settings`: settings of overlays that have a name, so that an address in OBS need not change.

use std::collections::BTreeMap;

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, delete, get, put};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::openapi::{RefOr, Response};
use utoipa::{IntoParams, IntoResponses, ToSchema};

use super::fields::{
    Address, AlertType, Animation, AtMost, BlockedWord, Color, Direction, Font, Language, Login, Place, Sound, Theme,
    Tier, Visibility, Within,
};
use super::small::{ClockOverlay, EventsOverlay, GoalOverlay, LabelOverlay};
use crate::api::Context;
use crate::api::body::{Body, Line};
use crate::api::error::Error;
use crate::api::page::Page;
use crate::api::query::{Nothing, Query};
use crate::api::responses::{BadBody, BadRequest, NotFound, ServerErrors, described};
use crate::emotes::service::Service;
use crate::object::{object, objects};
use crate::store::overlays::{self as store, MAX_SETTINGS, SettingsRow};

/// How overlays look and what they show. What is `null` or missing has its default.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct OverlaySettings {
    /// Only these channels: ids or logins, separated by commas.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 500)]
    channel: Option<Line<1, 500>>,
    /// Minutes after which an event is too old to show.
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 1440)]
    max_age: Option<Within<0, 1_440>>,
    /// Words that are not for air, whole and in any case: chat messages with one are not shown, and in alerts it is stars.
    #[schema(value_type = Option<Vec<String>>, max_items = 500)]
    blocked_words: Option<AtMost<500, BlockedWord>>,
    /// How everything looks.
    #[serde(deserialize_with = "object")]
    look: Look,
    /// The alerts.
    #[serde(deserialize_with = "object")]
    alerts: AlertOverlay,
    /// The chat.
    #[serde(deserialize_with = "object")]
    chat: ChatOverlay,
    /// The bar of a goal.
    #[serde(deserialize_with = "object")]
    goal: GoalOverlay,
    /// The label.
    #[serde(deserialize_with = "object")]
    label: LabelOverlay,
    /// The list of events.
    #[serde(deserialize_with = "object")]
    events: EventsOverlay,
    /// The clock.
    #[serde(deserialize_with = "object")]
    clock: ClockOverlay,
}

/// How an overlay looks.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct Look {
    /// Where it stands.
    place: Option<Place>,
    /// How wide it may be, in percent of the source.
    #[schema(value_type = Option<f64>, minimum = 10, maximum = 100)]
    width: Option<Within<10, 100>>,
    /// The font. It must be installed where the overlay is shown.
    #[schema(value_type = Option<String>, max_length = 64)]
    font: Option<Font>,
    /// The colours and panels from which the other colours differ.
    theme: Option<Theme>,
    /// The colour of texts.
    #[schema(value_type = Option<String>, pattern = "^#[0-9a-fA-F]{6}$")]
    color: Option<Color>,
    /// The colour of panels.
    #[schema(value_type = Option<String>, pattern = "^#[0-9a-fA-F]{6}$")]
    panel: Option<Color>,
    /// The colour of lines and values.
    #[schema(value_type = Option<String>, pattern = "^#[0-9a-fA-F]{6}$")]
    accent: Option<Color>,
}

/// The overlay of alerts.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct AlertOverlay {
    /// The types that are shown.
    #[schema(value_type = Option<Vec<String>>)]
    types: Option<Vec<AlertType>>,
    /// Seconds that each is shown.
    #[schema(value_type = Option<f64>, minimum = 1, maximum = 60)]
    duration: Option<Within<1, 60>>,
    /// `none`, `chime`, or an address.
    #[schema(value_type = Option<String>, max_length = 2000)]
    sound: Option<Sound>,
    /// The volume of sounds in percent.
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 100)]
    volume: Option<Within<0, 100>>,
    /// The address of an image.
    #[schema(value_type = Option<String>, max_length = 2000)]
    image: Option<Address>,
    /// How each comes in.
    animation: Option<Animation>,
    /// The language of numbers and of the forms of words, `en` by default.
    #[schema(value_type = Option<String>, max_length = 35)]
    language: Option<Language>,
    /// The text when more than five followers wait, with the placeholder `{count}`.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    followers: Option<Line<1, 200>>,
    /// The least number of bits for which the message is read aloud; without it, none is.
    #[schema(value_type = Option<f64>, minimum = 1, maximum = 1_000_000)]
    speech: Option<Within<1, 1_000_000>>,
    /// What differs by type.
    #[serde(deserialize_with = "objects")]
    #[schema(value_type = BTreeMap<String, KindSettings>)]
    kinds: BTreeMap<AlertType, KindSettings>,
}

/// What differs for a type of alerts.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct KindSettings {
    /// The text, with placeholders such as `{user}`.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    text: Option<Line<1, 200>>,
    /// `none`, `chime`, or an address.
    #[schema(value_type = Option<String>, max_length = 2000)]
    sound: Option<Sound>,
    /// The address of an image.
    #[schema(value_type = Option<String>, max_length = 2000)]
    image: Option<Address>,
    /// Alerts of less are not shown: bits, viewers, months, or subscriptions of a gift.
    minimum: Option<u32>,
    /// What differs for some of them. The first that fits counts.
    #[schema(value_type = Vec<Variation>, max_items = 20)]
    variations: AtMost<20, Variation>,
}

/// What differs for alerts with an amount or of a tier.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Variation {
    /// For which alerts.
    when: When,
    /// The text.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    text: Option<Line<1, 200>>,
    /// Seconds that it is shown.
    #[serde(default)]
    #[schema(value_type = Option<f64>, minimum = 1, maximum = 60)]
    duration: Option<Within<1, 60>>,
    /// `none`, `chime`, or an address.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 2000)]
    sound: Option<Sound>,
    /// The address of an image.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 2000)]
    image: Option<Address>,
    /// How large it is, in percent of the usual size.
    #[serde(default)]
    #[schema(value_type = Option<f64>, minimum = 25, maximum = 400)]
    size: Option<Within<25, 400>>,
    /// How it comes in.
    #[serde(default)]
    animation: Option<Animation>,
}

/// What an alert must have.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum When {
    /// At least so many bits.
    Bits(u32),
    /// At least so many viewers.
    Viewers(u32),
    /// At least so many months.
    Months(u32),
    /// A gift of at least so many subscriptions.
    Total(u32),
    /// This tier.
    Tier(Tier),
}

/// The overlay of the chat.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct ChatOverlay {
    /// How many messages are shown at once.
    #[schema(value_type = Option<f64>, minimum = 1, maximum = 100)]
    max: Option<Within<1, 100>>,
    /// Seconds after which a message disappears; without it, it stays until others take its place.
    #[schema(value_type = Option<f64>, minimum = 1, maximum = 3600)]
    lifetime: Option<Within<1, 3_600>>,
    /// Which way the chat grows: `up` by default.
    direction: Option<Direction>,
    /// Messages of bots: those with Twitch's bot badge, and those of some well-known bots. Shown by default.
    bots: Option<Visibility>,
    /// Messages that begin with `!`. Shown by default.
    commands: Option<Visibility>,
    /// Users whose messages are not shown, by their logins.
    #[schema(value_type = Option<Vec<String>>, max_items = 100)]
    hidden: Option<AtMost<100, Login>>,
    /// The services whose emotes are shown beside Twitch's; none by default. Each learns the server's address and Twitch's id of
    /// the channel, and the address of the machine that shows the overlay.
    #[schema(value_type = Option<Vec<Service>>, max_items = 3)]
    emotes: Option<AtMost<3, Service>>,
}

/// Settings with their name.
#[derive(Serialize, ToSchema)]
struct NamedSettings {
    /// The name, as in `/overlay/alerts/NAME`.
    name: String,
    /// When they were last changed.
    #[serde(with = "time::serde::rfc3339")]
    changed_at: OffsetDateTime,
    /// The settings.
    #[schema(value_type = OverlaySettings)]
    settings: Box<RawValue>,
}

impl NamedSettings {
    fn example() -> Self {
        let settings = serde_json::value::to_raw_value(&OverlaySettings::default()).unwrap_or_default();
        Self { name: "main".into(), changed_at: datetime!(2026-07-01 18:00:00 UTC), settings }
    }
}

/// The services whose emotes the chat overlay of saved settings shows.
pub(in crate::api) fn emotes(row: &SettingsRow) -> Vec<Service> {
    let settings: OverlaySettings = serde_json::from_str(row.settings.get()).unwrap_or_default();
    settings.chat.emotes.map_or_else(Vec::new, AtMost::into_items)
}

impl From<SettingsRow> for NamedSettings {
    fn from(row: SettingsRow) -> Self {
        let SettingsRow { name, changed_at, settings } = row;
        Self { name, changed_at, settings: settings.0 }
    }
}

/// The name of settings: a part of an address that is read out on a show.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct SettingsName(String);

impl TryFrom<String> for SettingsName {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_name = (1..=40).contains(&name.len()) && name.bytes().all(is_part);
        is_name.then_some(Self(name)).ok_or("must be 1 to 40 lower-case letters, digits and hyphens")
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct SettingsPath {
    /// The name of the settings.
    #[param(value_type = String, pattern = "^[a-z0-9-]{1,40}$", example = "main")]
    name: SettingsName,
}

/// List overlay settings
///
/// By name.
#[utoipa::path(
    tag = "overlays",
    responses(
        (status = OK, description = "All settings", body = Page<NamedSettings>,
            example = json!(Page::whole(vec![NamedSettings::example()]))),
        BadRequest,
        ServerErrors,
    ),
)]
#[get("/overlays/settings")]
pub(in crate::api) async fn list_overlay_settings(
    ctx: Data<Context>,
    _query: Query<Nothing>,
) -> Result<Json<Page<NamedSettings>>, Error> {
    let rows = ctx.query(async |db| store::all_settings(db).await).await?;
    Ok(Json(Page::whole(rows.into_iter().map(NamedSettings::from).collect())))
}

/// Get overlay settings
///
/// `/overlay/alerts/NAME` and `/overlay/chat/NAME` read them.
#[utoipa::path(
    tag = "overlays",
    params(SettingsPath),
    responses(
        (status = OK, description = "The settings", body = NamedSettings, example = json!(NamedSettings::example())),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[get("/overlays/settings/{name}")]
pub(in crate::api) async fn get_overlay_settings(
    ctx: Data<Context>,
    path: Path<SettingsPath>,
    _query: Query<Nothing>,
) -> Result<Json<NamedSettings>, Error> {
    let SettingsName(name) = &path.name;
    let row = ctx.query(async |db| store::settings(db, name).await).await?;
    row.map(|row| Json(row.into())).ok_or_else(|| not_found(name))
}

/// Save overlay settings
///
/// Overlays with this name have them within a second. They replace the settings that were there.
#[utoipa::path(
    tag = "overlays",
    params(SettingsPath),
    request_body(content = OverlaySettings,
        example = json!({ "look": { "place": "bottom", "theme": "light" }, "alerts": { "duration": 8 } })),
    responses(
        (status = OK, description = "The settings now", body = NamedSettings, example = json!(NamedSettings::example())),
        BadBody,
        TooManyOverlays,
        ServerErrors,
    ),
)]
#[put("/overlays/settings/{name}")]
pub(in crate::api) async fn save_overlay_settings(
    ctx: Data<Context>,
    path: Path<SettingsPath>,
    _query: Query<Nothing>,
    body: Body<OverlaySettings>,
) -> Result<Json<NamedSettings>, Error> {
    let SettingsName(name) = &path.name;
    let settings = serde_json::value::to_raw_value(&body.0).map_err(|error| Error::Broken(error.to_string()))?;
    let now = ctx.clock.now();
    let row = ctx.query(async |db| store::save_settings(db, name, &settings, now).await).await?;
    row.map(|row| Json(row.into())).ok_or_else(too_many)
}

/// Delete overlay settings
///
/// Overlays with this name have the defaults then, and say that it is unknown.
#[utoipa::path(
    tag = "overlays",
    params(SettingsPath),
    responses((status = NO_CONTENT, description = "They are deleted"), BadRequest, NotFound, ServerErrors),
)]
#[delete("/overlays/settings/{name}")]
pub(in crate::api) async fn delete_overlay_settings(
    ctx: Data<Context>,
    path: Path<SettingsPath>,
    _query: Query<Nothing>,
) -> Result<HttpResponse, Error> {
    let SettingsName(name) = &path.name;
    if !ctx.query(async |db| store::delete_settings(db, name).await).await? {
        return Err(not_found(name));
    }
    Ok(HttpResponse::NoContent().finish())
}

fn not_found(name: &str) -> Error {
    Error::NotFound { what: "settings of overlays", name: name.to_owned() }
}

fn too_many() -> Error {
    Error::WrongState(format!("there are {MAX_SETTINGS} settings of overlays already: delete one first"))
}

/// The refusal of settings beyond their greatest number.
struct TooManyOverlays;

impl IntoResponses for TooManyOverlays {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        [described("There are too many settings already.", &too_many())].into()
    }
}
