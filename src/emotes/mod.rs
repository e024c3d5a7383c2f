//! Emotes of 7TV, BetterTTV and FrankerFaceZ, for overlays that show them. Nothing is asked of a service until an overlay wants its
//! emotes. Then the service learns the address of this server and Twitch's id of the channel.

pub mod read;
pub mod service;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use self::read::{Emote, Set, read};
use self::service::{Service, api_url};
use crate::cache::{Cache, TTL};
use crate::clock::Clock;
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
    clock: Clock,
    sets: Cache<SetKey, Vec<Emote>>,
    outcomes: Arc<Mutex<Outcomes>>,
}

/// Which set: the service's, for a channel, or else for all channels.
type SetKey = (Service, Option<ChannelId>);

/// Of the sets that an overlay asked for: when it did so last, and why the look-up failed, if it did.
type Outcomes = BTreeMap<SetKey, (Instant, Option<String>)>;

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
        let outcomes = Arc::<Mutex<Outcomes>>::default();
        let (shown, now) = (Arc::clone(&outcomes), clock.clone());
        services.checks.add(move || check(&shown.lock().unwrap_or_else(PoisonError::into_inner), now.instant()));
        Ok(Self {
            http: Http::new(policy, clock.clone())?,
            urls: services.config.emotes.clone(),
            incidents: incidents.clone(),
            clock: clock.clone(),
            sets: Cache::new(clock.clone(), MAX_SETS),
            outcomes,
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
        let mut unavailable = BTreeSet::new();
        let now = self.clock.instant();
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        for (set, known) in sets.into_iter().zip(known) {
            for emote in known.value.iter().flat_map(|emotes| emotes.iter()) {
                found.emotes.insert(emote.name.clone(), emote.clone());
            }
            if known.problem.is_some() {
                unavailable.insert(set.0);
            }
            outcomes.insert(set, (now, known.problem));
        }
        outcomes.retain(|_, (noted_at, _)| is_shown(*noted_at, now));
        found.unavailable = unavailable.into_iter().collect();
        found
    }

    async fn look_up(&self, (service, channel): &SetKey) -> Result<Vec<Emote>, LookUpError> {
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

/// Whether an outcome of then still counts: for as long as an answer does. Nothing is looked up for an overlay that is gone.
fn is_shown(noted_at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(noted_at) < TTL
}

/// The check `emotes`.
fn check(outcomes: &Outcomes, now: Instant) -> Check {
    let (mut titles, mut failed) = (BTreeMap::new(), BTreeMap::new());
    for ((service, _), (noted_at, problem)) in outcomes {
        if is_shown(*noted_at, now) {
            titles.insert(*service, service.title());
            if let Some(problem) = problem {
                failed.entry(*service).or_insert_with(|| format!("{}: {problem}", service.title()));
            }
        }
    }
    if titles.is_empty() {
        return Check::pass(NAME, "no overlay shows emotes of 7TV, BetterTTV or FrankerFaceZ");
    }
    if failed.is_empty() {
        let titles: Vec<_> = titles.into_values().collect();
        return Check::pass(NAME, format!("overlays show emotes of {}", titles.join(", ")));
    }
    let failed: Vec<_> = failed.into_values().collect();
    let message = format!(
        "emotes can't be looked up, so overlays show those that were known before, or words; looked up again when an overlay \
        asks, after a minute at the earliest ({})",
        failed.join("; ")
    );
    Check::warn(NAME, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_that_failed_is_shown_whatever_others_did_until_its_answer_would_be_old() {
        let clock = Clock::default();
        let own = Some("7".parse().unwrap());
        let of = |set: SetKey, problem: Option<&str>| (set, (clock.instant(), problem.map(ToOwned::to_owned)));
        let mut outcomes: Outcomes =
            [of((Service::SevenTv, own), Some("away")), of((Service::SevenTv, None), None)].into();
        let shown = check(&outcomes, clock.instant()).message;
        assert!(shown.ends_with("(7TV: away)"), "{shown}");
        clock.advance(TTL.try_into().unwrap());
        outcomes.extend([of((Service::BetterTtv, None), None)]);
        assert_eq!(check(&outcomes, clock.instant()), Check::pass(NAME, "overlays show emotes of BetterTTV"));
    }
}
