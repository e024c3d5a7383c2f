//! Every integration test, in one binary: linking is what costs time.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests, outside of test functions, may fail the test as well"
)]

mod access;
mod actions;
mod api;
mod app_token;
mod architecture;
mod backfill;
mod body_budget;
mod browser;
mod callback;
mod cases;
mod chat;
mod chat_pictures;
mod clients;
mod crash;
mod demo;
mod discord_clients;
mod echo;
mod env_example;
mod epoch;
mod filters;
mod fold;
mod follow;
mod forget;
mod gaps;
mod health;
mod helix;
mod init;
mod lists;
mod live;
mod load;
mod local_db;
mod media;
mod metrics;
mod migrations;
mod missing_sources;
mod mock;
mod mock_actions;
mod mock_discord;
mod mock_irc;
mod mock_videos;
mod mock_websocket;
mod nginx;
mod nodelay;
mod oauth;
mod openapi;
mod openapi_schemas;
mod outage;
mod overlay_settings;
mod overlays;
mod pages;
mod process;
mod projection;
mod prune;
mod reconcile;
mod refusals;
mod repeats;
mod request_id;
mod sdks;
mod secret_drift;
mod segment_oracle;
mod segments;
mod session_reconcile;
mod signals;
mod simulate;
mod sinks;
mod socket_faults;
mod status_history;
mod support;
mod switch;
mod test_events;
mod tokens;
mod tolerance;
mod tracking;
mod twitch_api;
mod twitch_cli;
mod user_token;
mod viewer_samples;
mod webhooks;
mod websocket;
mod websocket_faults;
