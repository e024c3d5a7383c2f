//! Faults before and after the effect.

use std::time::Duration;

use serde_json::json;
use showtime::mock::discord::{DiscordFault, DiscordFaults};
use tokio::time::{Instant, timeout};

use super::Fixture;
use crate::support::{PATIENCE, until};

#[tokio::test]
async fn faults_before_the_effect_post_nothing() {
    use DiscordFault as F;
    let fixture = Fixture::start().await;
    let codes = [
        (F::ErrorBefore, 500, Some(0)),
        (F::BadGateway, 502, None),
        (F::Overloaded, 503, Some(130_000)),
        (F::ChannelWriteLimit, 429, Some(20_028)),
        (F::ServerWriteLimit, 429, Some(20_029)),
        (F::ResourceRateLimit, 429, Some(40_062)),
        (F::RateLimited, 429, None),
        (F::RateLimitedGlobally, 429, None),
        (F::RateLimitedWithoutJson, 429, None),
        (F::Forbidden, 403, Some(50_013)),
        (F::BlockedByEdge, 403, Some(40_333)),
        (F::AutoModeration, 400, Some(200_000)),
        (F::HarmfulLink, 400, Some(240_000)),
        (F::TooManyThreads, 400, Some(160_006)),
        (F::NotFoundWithoutJson, 404, None),
    ];
    for (fault, status, code) in codes {
        fixture.next(fault, 1);
        let answer = fixture.post(json!({ "content": "a" })).await;
        assert_eq!((answer.0, answer.1["code"].as_u64()), (status, code), "{fault}");
        if matches!(fault, F::BadGateway | F::RateLimitedWithoutJson | F::NotFoundWithoutJson) {
            assert!(answer.1.is_null(), "{fault} has no JSON");
        } else if status == 429 {
            assert_eq!(answer.1["retry_after"], 1.0, "{fault}");
            assert_eq!(answer.1["global"], fault == F::RateLimitedGlobally);
        }
        assert_eq!(fixture.discord.world.calls().last().unwrap().fault, Some(fault));
    }
    for status in [500, 502, 503] {
        let faults = DiscordFaults { error_status: status, ..DiscordFaults::next(F::ErrorBefore, 1) };
        fixture.discord.world.set_faults(faults).unwrap();
        assert_eq!(fixture.post(json!({ "content": "a" })).await.0, status);
    }
    fixture.next(F::ResetBefore, 1);
    let request = fixture.client.post(fixture.url_of(&fixture.webhook, "")).json(&json!({ "content": "a" }));
    assert!(request.send().await.is_err());
    assert!(fixture.messages().is_empty());
    assert_eq!(fixture.post(json!({ "content": "a" })).await.0, 200, "the countdown has ended");
    fixture.stop().await;
}

#[tokio::test]
async fn faults_after_the_effect_lose_only_the_answer() {
    use DiscordFault as F;
    let fixture = Fixture::start().await;
    let send =
        || fixture.client.post(fixture.url_of(&fixture.webhook, "?wait=true")).json(&json!({ "content": "a" })).send();
    fixture.next(F::ErrorAfter, 1);
    assert_eq!(send().await.unwrap().status(), 500);
    assert_eq!(fixture.messages().len(), 1);
    fixture.next(F::ResetAfter, 1);
    assert!(send().await.unwrap_err().is_request());
    assert_eq!(fixture.messages().len(), 2);
    fixture.next(F::Truncated, 1);
    let answer = send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.bytes().await.is_err(), "it breaks off");
    assert_eq!(fixture.messages().len(), 3);
    fixture.next(F::HangAfter, 1);
    let hanging = tokio::spawn(send());
    until("the message is there", async || fixture.messages().len() == 4).await;
    assert!(!hanging.is_finished(), "no answer");
    hanging.abort();
    let calls = fixture.discord.world.calls();
    assert!(calls.iter().all(|call| call.status == 200 && call.fault.is_some()), "{calls:?}");
    fixture.stop().await;
}

#[tokio::test]
async fn late_call_has_its_effect_without_its_client() {
    let fixture = Fixture::start().await;
    let faults = DiscordFaults { delay_ms: 3_600_000, ..DiscordFaults::next(DiscordFault::Delay, 1) };
    fixture.discord.world.set_faults(faults).unwrap();
    let request = fixture.client.post(fixture.url_of(&fixture.webhook, "")).json(&json!({ "content": "late" }));
    let began = Instant::now();
    assert!(request.timeout(Duration::from_millis(300)).send().await.unwrap_err().is_timeout());
    assert!(began.elapsed() < PATIENCE && fixture.messages().is_empty());
    fixture.clock.advance(time::Duration::HOUR);
    until("the message is there", async || fixture.messages().len() == 1).await;

    let hang = DiscordFaults { hang_ms: 3_600_000, ..DiscordFaults::next(DiscordFault::HangBefore, 1) };
    fixture.discord.world.set_faults(hang).unwrap();
    let request = fixture.client.post(fixture.url_of(&fixture.webhook, "")).json(&json!({ "content": "never" }));
    assert!(request.timeout(Duration::from_millis(300)).send().await.unwrap_err().is_timeout());
    assert_eq!(fixture.messages().len(), 1);
    timeout(PATIENCE, fixture.stop()).await.expect("a hanging call does not hold up the end");
}
