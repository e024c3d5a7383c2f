//! `mock-discord faults`: shows or sets what goes wrong on a running mock-discord.

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};
use showtime::cli;
use showtime::mock::ControlClient;

/// The faults that are to be set. Without any, those of the present are shown.
#[derive(Args, Debug)]
pub(crate) struct FaultsArgs {
    /// Chances from 0 to 1, such as `reset_after=0.1`, and settings, such as `delay_ms=500`
    #[arg(value_name = "FAULT=CHANCE")]
    set: Vec<String>,
    /// How many of the next calls meet a fault, such as `error_before=2`; may be given many times
    #[arg(long, value_name = "FAULT=COUNT")]
    next: Vec<String>,
    /// End all faults
    #[arg(long, conflicts_with_all = ["set", "next"])]
    off: bool,
}

pub(crate) async fn run(control: &ControlClient, args: FaultsArgs) -> anyhow::Result<()> {
    let settings = if args.off || !args.set.is_empty() || !args.next.is_empty() {
        control.put("/mock/faults", &body(&args)?).await?
    } else {
        control.get("/mock/faults").await?
    };
    cli::print(serde_json::to_string_pretty(&settings)?);
    Ok(())
}

/// The body of `PUT /mock/faults`.
fn body(args: &FaultsArgs) -> anyhow::Result<Value> {
    let mut body = json!({ "chances": {}, "next": {} });
    for text in &args.set {
        let (name, value) = split(text)?;
        let is_setting = name.ends_with("_ms") || name == "error_status";
        let place = if is_setting { &mut body[name] } else { &mut body["chances"][name] };
        *place = serde_json::from_str(value).with_context(|| format!("`{text}` requires a number"))?;
    }
    for text in &args.next {
        let (name, count) = split(text)?;
        body["next"][name] = count.parse::<u32>().with_context(|| format!("`{text}` requires a number"))?.into();
    }
    Ok(body)
}

fn split(text: &str) -> anyhow::Result<(&str, &str)> {
    text.split_once('=').with_context(|| format!("`{text}` is not of the form NAME=NUMBER"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_and_settings_are_told_apart() {
        let args = |set: &[&str], next: &[&str]| FaultsArgs {
            set: set.iter().map(ToString::to_string).collect(),
            next: next.iter().map(ToString::to_string).collect(),
            off: false,
        };
        let body_of = |set, next| body(&args(set, next)).unwrap();
        let expected = json!({ "chances": { "reset_after": 0.1 }, "next": { "delay": 2 }, "delay_ms": 500 });
        assert_eq!(body_of(&["reset_after=0.1", "delay_ms=500"], &["delay=2"]), expected);
        assert!(body(&args(&["reset_after"], &[])).is_err());
    }
}
