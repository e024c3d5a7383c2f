//! Emotes of 7TV, BetterTTV and FrankerFaceZ, for overlays that show them. Nothing is asked of a service until an overlay wants its
//! emotes. Then the service learns the address of this server and Twitch's id of the channel.

pub mod read;
pub mod service;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;

use self::read::{Emote, Set, read};
use self::service::{Service, api_url};
use crate::cache::Cache;
use crate::config::EmoteUrls;
use crate::http::{Http, RetryPolicy, TransportError};
use crate::incidents::{Incidents, Kind};
use crate::services::Services;
use crate::status::Check;
use crate::twitch::id::ChannelId;

/// The name of the check, and of what is looked up.
const NAME: &str = "emotes";

/// Sets that are kept, at most: one of each service for all channels, and one for each channel.
const MAX_SETS: usize = 300;

/// Time limit of a call, which is made twice within the time limit of a look-up.
const TIMEOUT: Duration = Duration::from_secs(4);

/// The emotes of all services, as far as an overlay asked for them.
#[derive(Debug)]
pub struct Emotes {
    http: Http,
    urls: EmoteUrls,
    incidents: Incidents,
    sets: Cache<(Service, Option<ChannelId>), Vec<Emote>>,
    problems: Problems,
}

/// Of the services that were asked, why the last look-up failed, if it did.
type Problems = Arc<Mutex<BTreeMap<Service, Option<String>>>>;

/// The emotes of a channel.
#[derive(Debug, Default)]
pub struct Found {
    /// By name. Those of the channel go before those of all channels, then those of the service that was named first.
    pub emotes: BTreeMap<String, Emote>,
    /// The services of which a look-up failed, so that some of theirs may be missing or old.
    pub unavailable: Vec<Service>,
}

/// Why the emotes of a service are not known.
#[derive(Debug, thiserror::Error)]
enum LookUpError {
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error("the address can't be called: {0}")]
    Request(reqwest::Error),
    #[error("the service answered {0}")]
    Refused(u16),
    #[error("the answer can't be read: {0}")]
    Answer(#[from] serde_json::Error),
}

impl Emotes {
    /// Registers the check `emotes`.
    ///
    /// # Errors
    /// If this machine's certificates can't be used.
    pub fn new(services: &Services) -> Result<Self, TransportError> {
        let Services { clock, incidents, .. } = services;
        // A client of its own: that of the services knows Twitch's time by the last answer.
        let policy = RetryPolicy { timeout: TIMEOUT, retries: 1, ..RetryPolicy::default() };
        let problems = Problems::default();
        let shown = problems.clone();
        services.checks.add(move || check(&shown.lock().unwrap_or_else(PoisonError::into_inner)));
        Ok(Self {
            http: Http::new(policy, clock.clone())?,
            urls: services.config.emotes.clone(),
            incidents: incidents.clone(),
            sets: Cache::new(clock.clone(), MAX_SETS),
            problems,
        })
    }

    /// The emotes of these services on a channel.
    pub async fn for_channel(&self, channel: &ChannelId, services: &[Service]) -> Found {
        // That of a demo is known to no service.
        let own = Some(channel).filter(|id| id.as_str().bytes().all(|byte| byte.is_ascii_digit()));
        let places = [None].into_iter().chain(own.map(Some));
        let sets = places.flat_map(|place| services.iter().rev().map(move |service| (*service, place.cloned())));
        let sets: Vec<_> = sets.collect();
        let known = join_all(sets.iter().map(|set| self.sets.get(set, NAME, self.look_up(set)))).await;
        let mut found = Found::default();
        let mut problems = BTreeMap::new();
        for ((service, _), known) in sets.iter().zip(known) {
            for emote in known.value.iter().flat_map(|emotes| emotes.iter()) {
                found.emotes.insert(emote.name.clone(), emote.clone());
            }
            let problem: &mut Option<String> = problems.entry(*service).or_default();
            *problem = problem.take().or(known.problem);
        }
        found.unavailable =
            problems.iter().filter(|(_, problem)| problem.is_some()).map(|(service, _)| *service).collect();
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).extend(problems);
        found
    }

    async fn look_up(&self, (service, channel): &(Service, Option<ChannelId>)) -> Result<Vec<Emote>, LookUpError> {
        let url = api_url(&self.urls, *service, channel.as_ref().map(ChannelId::as_str));
        let request = self.http.client().get(url).build().map_err(|error| LookUpError::Request(error.without_url()))?;
        let answer = self.http.send(request).await?;
        let Set { emotes, unreadable } = match answer.status.as_u16() {
            200 => read(*service, channel.is_some(), &answer.body)?,
            // The channel has none there.
            404 if channel.is_some() => Set::default(),
            status => return Err(LookUpError::Refused(status)),
        };
        let detail = "its name or picture is missing or odd";
        self.incidents.record_many(Kind::UnreadEmote, Some(service.name()), unreadable, detail);
        Ok(emotes)
    }
}

/// The check `emotes`.
fn check(problems: &BTreeMap<Service, Option<String>>) -> Check {
    if problems.is_empty() {
        return Check::pass(NAME, "no overlay shows emotes of 7TV, BetterTTV or FrankerFaceZ");
    }
    let failed =
        problems.iter().filter_map(|(service, problem)| Some(format!("{}: {}", service.title(), problem.as_ref()?)));
    let failed: Vec<_> = failed.collect();
    if failed.is_empty() {
        let titles: Vec<_> = problems.keys().map(|service| service.title()).collect();
        return Check::pass(NAME, format!("overlays show emotes of {}", titles.join(", ")));
    }
    let message = format!(
        "emotes can't be looked up, so overlays show those that were known before, or words; trying again in a minute ({})",
        failed.join("; ")
    );
    Check::warn(NAME, message)
}
