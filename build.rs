//! Makes the types of the gRPC interface from `proto/`, without `protoc`.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use prost::Message as _;

/// The files that describe services.
const FILES: [&str; 2] = ["twitch.proto", "showtime/tracking/v1/tracking.proto"];

/// Messages that carry a secret, which their debug output must not show.
const SECRET: [&str; 4] = [
    "showtime.tracking.v1.IssueTokenRequest",
    "showtime.tracking.v1.IssueTokenResponse",
    "showtime.tracking.v1.Webhook",
    "twitch.NewWebhookRequest",
];

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo does not notice a new migration by itself: `migrate!` tracks the files it has seen.
    println!("cargo:rerun-if-changed=db/migrations");
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().skip_debug(SECRET).compile_fds(descriptors)?;
    Ok(())
}
