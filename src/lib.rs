//! showtime: a self-hosted Twitch event backend. It proves that a message comes from Twitch, keeps
//! it in Postgres exactly once, and knows what the messages add up to: which stream is live, which
//! streams make one broadcast, what each viewer did.
//!
//! ```text
//!  Twitch ──POST /callback──► api ──► sources::webhook ──► twitch::eventsub    verify, then parse
//!                              │                               │ message::Message
//!                              │                               ▼
//!                              │                            ingest            gather a batch
//!                              │                               │ one transaction
//!                              │             store::log ◄──────┴──────► store::state
//!                              │             append what is new         load, projection::State, save
//!                              │                     │                      │
//!                              └──► store::read ◄── Postgres ◄──────────────┘
//!                                   GET /channels, /events, …
//! ```
//!
//! The modules in the order in which a message meets them, each importing only those it needs
//! from `twitch` and `projection` (which know nothing of the rest) upwards:
//!
//! - [`api`]: the HTTP routes, their OpenAPI description, and errors as problem documents.
//! - [`sources`]: where messages come from; each source ends in [`ingest::Ingest::submit`].
//! - [`twitch`]: what Twitch speaks: envelope, signature, typed payloads, the catalogue of types.
//! - [`message`]: what enters the log; each source has one constructor of a [`message::Message`],
//!   which takes a witness that only the verification of that source makes.
//! - [`ingest`]: the one door to the log; answers after the commit.
//! - [`store`]: every SQL statement, as functions on a connection; [`postgres`] is the private
//!   Postgres.
//! - [`projection`]: the fold from messages to state: pure, and indifferent to their order.
//! - [`outputs`]: the live feeds: the hub tails the log and hands it to readers.
//! - [`control`]: whether the server works, and what to do if not; who may use it
//!   ([`access`]).
//! - [`metrics`]: what is counted on the way, for Prometheus.
//!
//! Around them: [`app`] builds and runs the whole program, [`config`] reads every setting,
//! [`clock`] is time as a parameter, [`mock`] makes what Twitch would send, for `simulate` and for
//! the tests, and [`load`] makes very much of it, kills what takes it, and counts what is there.

pub mod access;
pub mod api;
pub mod app;
pub mod backoff;
pub mod clock;
pub mod config;
pub mod credentials;
pub mod http;
pub mod ingest;
pub mod load;
pub mod message;
pub mod metrics;
pub mod mock;
pub mod outputs;
pub mod postgres;
pub mod program;
pub mod projection;
pub mod services;
pub mod setup;
pub mod simulate;
pub mod sources;
pub mod status;
pub mod store;
pub mod subscriptions;
pub mod twitch;
pub mod view;
