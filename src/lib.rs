//! showtime: a self-hosted Twitch event backend. It verifies that a message comes from Twitch, stores it in Postgres exactly
//! once, and derives the state from the messages: which stream is live, which streams make one broadcast, what each viewer
//! did. Overlays, dashboards and programs get events at once.
//!
//! ```text
//!  Twitch ──POST /callback──► api ──► sources::webhook                verify, then parse
//!  Twitch ◄──────Helix─────────────── sources::backfill               find what was missed
//!                                           │ message
//!                                           ▼
//!                                         ingest                      gather a batch
//!                                           │ one transaction: store::log appends what is new,
//!                                           │ store::state folds it by the rules of projection
//!                                           ▼
//!                                        Postgres ──store::signals──► outputs::live: tail ► hub ► readers
//!                                           │ store::read                 │ view: Event, Alert, Chat
//!                                           ▼                             ▼
//!                        api ◄── view ◄── rows                            api ──► SSE, WebSocket
//!                         └──► GET /channels, /events, …
//! ```
//!
//! The modules in the order in which data flows through them:
//!
//! - [`twitch`]: Twitch's protocols and nothing of ours: signature and envelope of webhooks, payloads, the catalogue of
//!   subscription types, Helix, OAuth.
//! - [`discord`]: Discord's webhooks and nothing of ours.
//! - [`sources`]: where messages come from. Each source ends in [`ingest::Ingest::submit`].
//! - [`message`]: what enters the log. Each source has one constructor, which takes a witness that only
//!   the verification of that source makes.
//! - [`ingest`]: the one way into the log. Answers after the commit.
//! - [`store`]: every SQL statement, as functions on a connection; signals and locks of the database.
//! - [`projection`]: the fold from messages to state: pure, and indifferent to their order.
//! - [`view`]: what clients see, made from rows: events, alerts, chat. Pure.
//! - [`outputs`]: what is sent to others. The live feeds: a tail copies the log into a hub, which readers follow.
//!   Followers ([`outputs::follow`]) handle each event of the log exactly once. [`outputs::reactions`] acts on Twitch, [`outputs::announcements`]
//!   posts to Discord.
//! - [`tracking`]: Twitch channels that Discord bots track, for [`api`] and [`grpc`].
//! - [`api`]: the HTTP routes, their OpenAPI description, errors as problem documents, the pages. [`grpc`]: tracking over gRPC.
//!
//! Beside that flow:
//!
//! - [`access`]: who may use the API. [`credentials`]: Twitch's tokens.
//! - [`subscriptions`]: which EventSub subscriptions should exist, and the reconciler that creates them.
//! - [`retention`]: deletes events that are old enough, if the settings say so.
//! - [`status`]: the verdict of `/status`, from the checks that components register. [`incidents`]: what was refused, not
//!   stored or not understood, and when a part did not work, which [`outages`] stores. [`metrics`]: the counters of `/metrics`.
//! - [`services`]: what all components share. [`app`] starts, runs and stops the server; each component's `spawn` is
//!   beside the component.
//! - [`emotes`]: emotes of 7TV, BetterTTV and FrankerFaceZ, for overlays that show them.
//! - [`config`]: every setting. [`clock`]: the time as a parameter. [`http`], [`backoff`], [`cache`]: calls to other servers.
//! - [`postgres`]: the private Postgres of a server without a configured one. [`media`]: the folder of pictures and sounds for overlays.
//! - [`cli`], [`program`], [`setup`]: what the programs share, and what `init` needs.
//! - [`simulate`]: messages made from samples. [`mock`]: a fake Twitch and a fake Discord. [`load`]: load and crash tests.

pub mod access;
pub mod api;
pub mod app;
pub mod backoff;
pub mod cache;
pub mod cli;
pub mod clock;
pub mod config;
pub mod credentials;
pub mod discord;
pub mod emotes;
pub mod grpc;
pub mod http;
pub mod incidents;
pub mod ingest;
mod jinja;
pub mod load;
pub mod media;
pub mod message;
pub mod metrics;
pub mod mock;
mod object;
pub mod outages;
pub mod outputs;
pub mod postgres;
pub mod program;
pub mod projection;
pub mod retention;
pub mod services;
pub mod setup;
pub mod simulate;
pub mod sources;
pub mod status;
pub mod store;
pub mod subscriptions;
pub mod tracking;
pub mod twitch;
pub mod view;
