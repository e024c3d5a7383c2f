//! Sends a server messages as Twitch does, and shows its answers.

mod args;
mod crash;
mod kind;
mod load;
mod report;
mod session;
mod target;

use std::process::ExitCode;

use anyhow::Result;
use showtime::cli::{self, AsJson, note_error, print_json};
use showtime::simulate::answer::ExpectedAnswer;
use showtime::simulate::edit::Edit;
use showtime::simulate::people::Person;
use showtime::simulate::template::EventTemplate;
use showtime::twitch::eventsub::outgoing::{Outgoing, Subscription, new_challenge};

use crate::args::{Cli, Command, EventArgs, NotifyArgs, SendArgs};
use crate::session::Session;

/// Conduit and shard of `challenge --conduit-shard`.
const CONDUIT: (&str, &str) = ("3d6a2b1c-2222-4333-8444-555566667777", "0");

#[tokio::main]
async fn main() -> ExitCode {
    match run(cli::parse::<Cli>()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            note_error(error.as_ref());
            ExitCode::from(2)
        }
    }
}

/// Returns whether every answer was as expected; an error if nothing could be sent.
async fn run(cli: Cli) -> Result<bool> {
    match cli.command {
        None => notify(&cli.notify).await,
        Some(Command::List { filter, format: AsJson { json: true } }) => {
            print_json(&kind::reports(filter.as_deref())?)?;
            Ok(true)
        }
        Some(Command::List { filter, .. }) => {
            report::print(&kind::table(filter.as_deref())?)?;
            Ok(true)
        }
        Some(Command::Challenge { conduit_shard: true, send, .. }) => challenge_shard(&send).await,
        Some(Command::Challenge { kind, event, send, .. }) => challenge(&kind, &event, &send).await,
        Some(Command::Crash(args)) => crash::crash(&args).await,
        Some(Command::Load(args)) => load::load(&args).await,
        Some(Command::Revoke { kind, status, event, send }) => revoke(&kind, &status, &event, &send).await,
    }
}

async fn notify(args: &NotifyArgs) -> Result<bool> {
    let mut template = template(args.kind.as_deref().unwrap_or_default(), &args.event)?;
    let mut session = Session::open(&args.send, args.count).await?;
    set_channel(&mut template, &session).await?;
    if let Some(id) = session.stream_to_end(&template).await? {
        template.edits.insert(0, Edit::field("id", id));
    }
    for _ in 0..args.count {
        let (stamp, at) = session.stamp()?;
        let event = template.event(at)?;
        let subscription = Subscription::new(template.kind, &event, session.callback());
        let message = session.mark(Outgoing::notification(stamp, &subscription, &event), args.test);
        if !session.send(message, Some(&event), ExpectedAnswer::Success).await? {
            return Ok(false);
        }
    }
    session.finish()
}

async fn challenge(kind: &str, event: &EventArgs, send: &SendArgs) -> Result<bool> {
    let mut template = template(kind, event)?;
    let mut session = Session::open(send, 1).await?;
    set_channel(&mut template, &session).await?;
    let (stamp, at) = session.stamp()?;
    let event = template.event(at)?;
    let pending = "webhook_callback_verification_pending";
    let subscription = Subscription::new(template.kind, &event, session.callback()).with_status(pending);
    let challenge = new_challenge();
    let message = Outgoing::challenge(stamp, &subscription, &challenge);
    Ok(session.send(message, None, ExpectedAnswer::Challenge(challenge)).await? && session.finish()?)
}

async fn challenge_shard(send: &SendArgs) -> Result<bool> {
    let mut session = Session::open(send, 1).await?;
    let (stamp, _) = session.stamp()?;
    let challenge = new_challenge();
    let message = Outgoing::shard_challenge(stamp, CONDUIT.0, CONDUIT.1, &challenge);
    Ok(session.send(message, None, ExpectedAnswer::Challenge(challenge)).await? && session.finish()?)
}

async fn revoke(kind: &str, status: &str, event: &EventArgs, send: &SendArgs) -> Result<bool> {
    let mut template = template(kind, event)?;
    let mut session = Session::open(send, 1).await?;
    set_channel(&mut template, &session).await?;
    let (stamp, at) = session.stamp()?;
    let event = template.event(at)?;
    let subscription = Subscription::new(template.kind, &event, session.callback()).with_status(status);
    let message = session.mark(Outgoing::revocation(stamp, &subscription), false);
    Ok(session.send(message, None, ExpectedAnswer::Success).await? && session.finish()?)
}

/// The event is about the configured channel, unless another is given or it is about none.
async fn set_channel(template: &mut EventTemplate, session: &Session<'_>) -> Result<()> {
    if template.broadcaster.is_none() && template.names_broadcaster() {
        template.broadcaster = session.configured_channel().await?;
    }
    Ok(())
}

fn template(kind: &str, args: &EventArgs) -> Result<EventTemplate> {
    let person = |name: &Option<String>, login: &Option<String>, id: &Option<String>| {
        Person::described(name.as_deref(), login.as_deref(), id.as_deref())
    };
    Ok(EventTemplate {
        kind: kind::find(kind, args.type_version.as_deref())?,
        variant: args.variant.clone(),
        broadcaster: person(&args.broadcaster, &args.broadcaster_login, &args.broadcaster_id)?,
        user: person(&args.user, &args.user_login, &args.user_id)?,
        edits: args.set.clone(),
    })
}
