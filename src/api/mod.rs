//! The HTTP API: its routes, its description of itself, and what all handlers share. One file per
//! resource; each handler's answer is described right above it.

mod access;
mod actions;
mod asyncapi;
mod body;
mod bots;
mod broadcasts;
mod callback;
mod channels;
mod chat;
mod chat_emotes;
mod chat_pictures;
mod consent_pages;
mod consents;
mod counters;
mod deliveries;
mod demo;
mod docs;
mod error;
mod events;
mod fallback;
mod gaps;
mod headers;
mod health;
mod live;
mod media;
mod metrics;
mod overlays;
mod page;
mod pages;
mod problem;
mod problem_type;
mod query;
mod request_id;
mod responses;
mod rule_history;
mod rule_set;
mod rule_trials;
mod rules;
mod schemas;
mod segments;
mod series;
mod sinks;
mod status_history;
mod test_events;
mod tokens;
mod tracking;
mod viewers;

use std::sync::Arc;

use actix_web::middleware::from_fn;
use actix_web::web;
use sqlx::{PgConnection, PgPool};
use utoipa::OpenApi;
use utoipa_actix_web::AppExt as _;
use utoipa_actix_web::service_config::ServiceConfig;

pub use self::asyncapi::live_spec;
pub use self::bots::Bot;
pub use self::chat::ChatReading;
pub use self::deliveries::Delivery;
use self::error::Error;
use self::problem::Problem;
pub use self::rules::StoredRuleReport;
pub use self::tokens::AccessToken;
use crate::access::Access;
use crate::clock::Clock;
use crate::config::Config;
use crate::credentials::application::Application;
use crate::credentials::chat_pictures::ChatPictures;
use crate::emotes::Emotes;
use crate::incidents::Incidents;
use crate::ingest::Ingest;
use crate::media::MediaFolder;
use crate::metrics::Metrics;
use crate::outputs::live::control::{AlertControls, OverlayVersions};
use crate::outputs::live::hub::Hub;
use crate::outputs::live::reader::Resync;
use crate::services::Services;
use crate::simulate::test_event::TestEventSender;
use crate::sources::demo::Demo;
use crate::sources::webhook::Webhook;
use crate::status::Checks;
use crate::store::answered;
use crate::store::tracking::events::BotNews;
use crate::tracking::Tracking;
use crate::view::Alert;
use crate::view::chat::{ChatMessage, ChatMessageDeleted, ChatMessagesCleared};

/// What all handlers share.
#[derive(Debug)]
pub struct Context {
    /// The connections for reading.
    pub pool: PgPool,
    /// The time.
    pub clock: Clock,
    /// Receives Twitch's messages.
    pub webhook: Webhook,
    /// Appends messages to the log.
    pub ingest: Ingest,
    /// Authenticates tokens.
    pub access: Arc<Access>,
    /// The origins of web pages that may read; `*` alone for all.
    pub cors_origins: Vec<String>,
    /// What was refused, not stored or not understood.
    pub incidents: Incidents,
    /// What Discord bots track.
    pub tracking: Arc<Tracking>,
    /// The counters of `/metrics`.
    pub metrics: Metrics,
    /// Sends test events.
    pub tester: TestEventSender,
    /// Starts and removes demo shows.
    pub demo: Demo,
    /// The live feeds subscribe to it.
    pub hub: Arc<Hub>,
    /// The checks of `/status`.
    pub checks: Checks,
    /// The settings.
    pub config: Arc<Config>,
    /// The configured Twitch application.
    pub application: Option<Application>,
    /// Badges and cheermotes.
    pub chat_pictures: ChatPictures,
    /// Emotes of other services.
    pub emotes: Emotes,
    /// The pictures and sounds of overlays.
    pub media: MediaFolder,
}

/// The components that handlers call. See [`Context`], which has them too.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields of Context")]
pub struct Components {
    pub webhook: Webhook,
    pub access: Arc<Access>,
    pub tracking: Arc<Tracking>,
    pub tester: TestEventSender,
    pub demo: Demo,
    pub hub: Arc<Hub>,
    pub emotes: Emotes,
}

impl Context {
    /// Takes what the handlers need from the services, and the components that they call.
    #[must_use]
    pub fn new(services: Services, application: Option<Application>, components: Components) -> Self {
        let Components { webhook, access, tracking, tester, demo, hub, emotes } = components;
        Self {
            pool: services.pool,
            media: MediaFolder::new(services.config.data_dir.join("media")),
            chat_pictures: ChatPictures::new(services.clock.clone(), application.as_ref()),
            clock: services.clock,
            webhook,
            ingest: services.ingest,
            access,
            cors_origins: services.config.cors_origins.clone(),
            incidents: services.incidents,
            tracking,
            metrics: services.metrics,
            tester,
            demo,
            hub,
            emotes,
            checks: services.checks,
            config: services.config,
            application,
        }
    }

    /// Runs queries on a connection of the pool, within five seconds; then the client gets a 503.
    async fn query<T, E>(&self, query: impl AsyncFnOnce(&mut PgConnection) -> Result<T, E>) -> Result<T, Error>
    where
        Error: From<E>,
    {
        let answer = async { Ok(query(&mut *self.pool.acquire().await?).await) };
        Ok(answered(answer).await??)
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "showtime",
        description = "The state of your Twitch channels: which are live, their broadcasts and segments, who followed, \
            subscribed, cheered and raided, and every event as Twitch sent it.\n\nTimes are RFC 3339 in UTC. Twitch's ids are strings; \
            ids of the log are integers. A list answers `{data, next}`: pass `next` as `after` to get the next page, \
            until it is `null`; `order` chooses the end at which it begins. An answer has all its keys; an unknown value is `null`. \
            Errors are problem documents (RFC 9457) with a stable `type`. Unknown query parameters are \
            errors.\n\nEvery response has a header `X-Request-Id`; the server's log has the same id in each line about the \
            request. A request may set its own: 1 to 64 letters, digits, `-` and `_`.\n\nMost paths require an access token, as \
            `Authorization: Bearer TOKEN`.",
        license(name = "MIT", identifier = "MIT"),
    ),
    servers((url = "/", description = "The server that this document comes from")),
    // utoipa does not collect schemas that only `IntoResponses` or a stream uses.
    components(schemas(
        Problem,
        Alert,
        ChatMessage,
        ChatMessageDeleted,
        ChatMessagesCleared,
        live::data::Snapshot,
        live::data::HeartbeatData,
        AlertControls,
        OverlayVersions,
        Resync,
        BotNews,
    )),
    tags(
        (name = "channels", description = "The current state of each channel"),
        (name = "broadcasts", description = "Shows: streams with at most 15 minutes between them"),
        (name = "segments", description = "Parts of a broadcast that the broadcaster marked: a tape, a game, a guest"),
        (name = "viewers", description = "What each viewer did on a channel"),
        (name = "events", description = "The log: every message, as Twitch sent it"),
        (name = "live", description = "Events as they happen, over Server-Sent Events or a WebSocket"),
        (name = "overlays", description = "What is shown in OBS"),
        (name = "actions", description = "Actions on Twitch: chat, moderation, titles, clips"),
        (name = "consents", description = "The consents of Twitch users, and links that ask for them"),
        (name = "rules", description = "Rules that react to events: commands, thanks, spam filters, timers"),
        (name = "sinks", description = "Send every event to other programs, over RabbitMQ or signed webhooks"),
        (name = "tokens", description = "Access tokens"),
        (name = "bots", description = "Discord bots, and their secrets"),
        (name = "tracking", description = "For Discord bots: go-live messages of any Twitch channel"),
        (name = "health", description = "Whether the server works, and what to do if not"),
        (name = "callback", description = "Receives messages from Twitch"),
    ),
)]
struct Doc;

/// Every documented route, mounted once and described once.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(callback::receive_message)
        .service(channels::list_channels)
        .service(channels::get_channel)
        .service(chat::get_chat)
        .service(chat::change_chat)
        .service(chat_pictures::get_chat_pictures)
        .service(chat_emotes::get_chat_emotes)
        .service(gaps::list_gaps)
        .service(broadcasts::list_broadcasts)
        .service(broadcasts::get_broadcast)
        .service(series::get_series)
        .service(segments::list_segments)
        .service(segments::begin_segment)
        .service(segments::get_segment)
        .service(segments::change_segment)
        .service(segments::remove_segment)
        .service(segments::end_segment)
        .service(viewers::list_viewers)
        .service(viewers::get_viewer)
        .service(events::list_events)
        .service(events::get_event)
        .service(test_events::replay_event)
        .service(test_events::send_test_event)
        .service(demo::start_demo)
        .service(demo::remove_demo)
        .service(live::live_events)
        .service(live::live_alerts)
        .service(live::live_state)
        .service(live::live_chat)
        .service(actions::list_actions)
        .service(actions::get_action)
        .service(actions::request_action)
        .service(actions::retry_action)
        .service(actions::settle_action)
        .service(consents::request_consent)
        .service(consents::list_missing_consents)
        .service(rules::list_rules)
        .service(rules::add_rule)
        .service(rule_trials::try_rules)
        .service(rules::get_rule)
        .service(rules::replace_rule)
        .service(rules::switch_rule)
        .service(rules::remove_rule)
        .service(rule_history::list_rule_revisions)
        .service(rule_set::get_rule_set)
        .service(rule_set::change_rule_set)
        .service(counters::list_counters)
        .service(sinks::list_sinks)
        .service(sinks::add_sink)
        .service(sinks::get_sink)
        .service(sinks::change_sink)
        .service(sinks::remove_sink)
        .service(sinks::test_sink)
        .service(sinks::rewind_sink)
        .service(sinks::pause_sink)
        .service(sinks::resume_sink)
        .service(sinks::rotate_sink)
        .service(deliveries::list_deliveries)
        .service(deliveries::resend_deliveries)
        .service(deliveries::dismiss_deliveries)
        .service(tokens::list_tokens)
        .service(tokens::create_token)
        .service(tokens::current_token)
        .service(tokens::revoke_token)
        .service(health::livez)
        .service(health::readyz)
        .service(health::status)
        .service(status_history::get_status_history)
        .service(metrics::get_metrics)
        .service(docs::get_openapi);
    overlay_routes(cfg);
    tracking_routes(cfg);
}

/// What overlays use, and their settings page.
fn overlay_routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(overlays::get_alert_state)
        .service(overlays::control_alerts)
        .service(overlays::settings::list_overlay_settings)
        .service(overlays::settings::get_overlay_settings)
        .service(overlays::settings::save_overlay_settings)
        .service(overlays::settings::delete_overlay_settings)
        .service(overlays::missing::list_missing_sources)
        .service(media::list_media)
        .service(media::upload_media)
        .service(media::delete_media)
        .service(media::get_media);
}

/// What Discord bots use, and their owner.
fn tracking_routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(bots::list_bots)
        .service(bots::add_bot)
        .service(bots::rotate_bot)
        .service(bots::disable_bot)
        .service(bots::enable_bot)
        .service(bots::remove_bot)
        .service(tracking::token::issue_bot_token)
        .service(tracking::v1::check_bot_token)
        .service(tracking::v1::get_tracked_channels)
        .service(tracking::v1::track_channel)
        .service(tracking::v1::track_channel_over_webhook)
        .service(tracking::v1::untrack_channel)
        .service(tracking::v2::channels::list_bot_channels)
        .service(tracking::v2::channels::get_bot_channel)
        .service(tracking::v2::channels::remove_bot_channel)
        .service(tracking::v2::channels::remove_guild)
        .service(tracking::v2::webhooks::set_webhook)
        .service(tracking::v2::webhooks::report_webhook_gone)
        .service(tracking::v2::webhooks::check_webhook)
        .service(tracking::v2::tracks::put_track)
        .service(tracking::v2::tracks::change_track)
        .service(tracking::v2::tracks::remove_track)
        .service(tracking::v2::deliveries::list_bot_deliveries)
        .service(tracking::v2::deliveries::resolve_delivery)
        .service(tracking::v2::batch::add_tracks)
        .service(tracking::v2::settings::get_bot_settings)
        .service(tracking::v2::settings::set_bot_settings)
        .service(tracking::v2::settings::set_channel_settings)
        .service(tracking::v2::settings::change_channel_settings)
        .service(tracking::v2::previews::render_message)
        .service(tracking::v2::previews::test_track)
        .service(tracking::v2::events::list_bot_events);
}

/// The specification, made from the same [`routes`] that the server mounts.
#[must_use]
pub fn spec() -> utoipa::openapi::OpenApi {
    let mut spec =
        actix_web::App::new().into_utoipa_app().openapi(Doc::openapi()).configure(routes).split_for_parts().1;
    access::describe(&mut spec);
    actions::describe(&mut spec);
    schemas::complete(&mut spec);
    spec
}

/// Mounts everything that is served. Nothing can be mounted after it: it also answers for unknown paths.
pub fn configure(ctx: web::Data<Context>) -> impl FnOnce(&mut web::ServiceConfig) {
    move |cfg| {
        let cors = access::cors(&ctx.cors_origins);
        let api = web::scope("")
            .app_data(ctx)
            .app_data(web::PathConfig::default().error_handler(|error, _| Error::from(error).into()))
            .configure(|cfg| routes(&mut ServiceConfig::new(cfg)))
            .configure(docs::pages)
            .configure(pages::pages)
            .configure(consent_pages::pages)
            // The last to be wrapped is the first to see a request.
            .wrap(from_fn(problem::problems_only))
            .wrap(from_fn(fallback::head_as_get))
            .wrap(from_fn(access::guard))
            .wrap(from_fn(tracking::message::with_message))
            .wrap(cors)
            .wrap(from_fn(request_id::identify))
            .default_service(web::to(fallback::nothing_here));
        cfg.service(api);
    }
}
