//! The types of problems, for the specification.

use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// The URN of a type of problem.
macro_rules! urn {
    ($name:literal) => {
        concat!("urn:showtime:problem:", $name)
    };
}

pub(super) use urn;

/// All of them, over HTTP and gRPC. They never change.
const TYPES: [&str; 47] = [
    urn!("bad-signature"),
    urn!("body-incomplete"),
    urn!("body-too-large"),
    urn!("body-too-slow"),
    urn!("bot-exists"),
    urn!("discord-refuses"),
    urn!("discord-unavailable"),
    urn!("internal"),
    urn!("invalid-body"),
    urn!("invalid-field"),
    urn!("invalid-handshake"),
    urn!("invalid-header"),
    urn!("invalid-message"),
    urn!("invalid-parameter"),
    urn!("invalid-path"),
    urn!("key-reused"),
    urn!("method-not-allowed"),
    urn!("no-application"),
    urn!("no-such-path"),
    urn!("not-found"),
    urn!("not-ready"),
    urn!("rule-exists"),
    urn!("scope-too-small"),
    urn!("sink-exists"),
    urn!("sink-failed"),
    urn!("sink-without-key"),
    urn!("stale-message"),
    urn!("token-exists"),
    urn!("token-invalid"),
    urn!("token-missing"),
    urn!("too-many-failures"),
    urn!("too-many-readers"),
    urn!("too-many-tests"),
    urn!("too-many-tracks"),
    urn!("twitch-not-configured"),
    urn!("twitch-unavailable"),
    urn!("unavailable"),
    urn!("undelivered"),
    urn!("unknown-parameter"),
    urn!("unsupported-media-type"),
    urn!("webhook-elsewhere"),
    urn!("webhook-gone"),
    urn!("webhook-in-use"),
    urn!("webhook-mismatch"),
    urn!("webhook-unusable"),
    urn!("wrong-secret"),
    urn!("wrong-state"),
];

/// One of [`TYPES`].
pub(super) struct ProblemType;

impl PartialSchema for ProblemType {
    fn schema() -> RefOr<Schema> {
        let description = "The type of a problem. Later versions may have more.";
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(TYPES)).description(Some(description)).into()
    }
}

impl ToSchema for ProblemType {}
