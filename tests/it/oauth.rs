//! Consent and tokens against the fake Twitch, the browser's part played over HTTP.

use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use showtime::clock::Clock;
use showtime::http::Http;
use showtime::mock::{Faults, MockConfig};
use showtime::twitch::oauth::{ConsentError, Credentials, OAuth, OAuthError};
use url::Url;

use crate::support::recorder::{Answer, Recorder};
use crate::support::twitch::{
    CHANNEL, CHANNEL_ID, Twitch, clients, credentials, quick_retries, redirect, redirect_url,
};

const SCOPES: [&str; 2] = ["bits:read", "moderator:read:followers"];

#[tokio::test]
async fn token_is_exchanged_refreshed_validated_and_revoked() {
    let twitch = Twitch::start().await;
    twitch.mock.world.add_channel("quietotter").unwrap();
    let request = twitch.oauth.request_consent(SCOPES, &redirect_url(), false);
    let page = twitch.browser.get(request.url.clone()).send().await.unwrap().text().await.unwrap();
    for part in [
        "<code>bits:read</code>",
        "<option>quietotter</option>",
        "<option selected>maplearcade</option>",
        r#"id="consent""#,
        r#"id="deny""#,
    ] {
        assert!(page.contains(part), "no {part} in {page}");
    }

    let location = twitch.press("consent", &request).await;
    assert_eq!(location.origin(), redirect_url().url().origin());
    let code = request.answer(location.query().unwrap()).unwrap();
    let token = twitch.oauth.exchange(&code, &redirect_url()).await.unwrap();
    assert_eq!(token.scopes, SCOPES);

    let validated = twitch.oauth.validate(&token.access_token).await.unwrap();
    let user = validated.user.unwrap();
    assert_eq!((user.id.as_str(), user.login.as_str()), (CHANNEL_ID, CHANNEL));
    assert_eq!(validated.scopes, SCOPES);

    let refreshed = twitch.oauth.refresh(&token.refresh_token).await.unwrap();
    assert_ne!(refreshed.refresh_token.expose_secret(), token.refresh_token.expose_secret());
    assert_eq!(refreshed.scopes, SCOPES);
    let error = twitch.oauth.refresh(&token.refresh_token).await.unwrap_err();
    assert!(error.needs_consent() && !error.is_transient());
    assert_eq!(error.to_string(), "Twitch refuses the refresh token: Invalid refresh token");

    twitch.oauth.revoke(&refreshed.access_token).await.unwrap();
    twitch.oauth.revoke(&refreshed.access_token).await.expect("ended is ended");
    let error = twitch.oauth.validate(&refreshed.access_token).await.unwrap_err();
    assert_eq!(error.to_string(), "Twitch refuses the access token: invalid access token");
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn token_ends_with_its_time_or_its_consent() {
    let twitch = Twitch::start().await;
    let token = twitch.consent(&SCOPES).await;
    assert!(token.expires_at.unwrap() - twitch.clock.now() > time::Duration::hours(3));
    twitch.clock.advance(time::Duration::hours(5));
    assert!(twitch.oauth.validate(&token.access_token).await.unwrap_err().needs_consent());
    let token = twitch.oauth.refresh(&token.refresh_token).await.unwrap();
    twitch.oauth.validate(&token.access_token).await.unwrap();

    twitch.mock.world.withdraw_consent(CHANNEL).unwrap();
    assert!(twitch.oauth.validate(&token.access_token).await.unwrap_err().needs_consent());
    assert!(twitch.oauth.refresh(&token.refresh_token).await.unwrap_err().needs_consent());
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn code_works_once_and_only_with_its_redirect_url() {
    let twitch = Twitch::start().await;
    let request = twitch.oauth.request_consent(SCOPES, &redirect_url(), false);
    let location = twitch.press("consent", &request).await;
    let code = request.answer(location.query().unwrap()).unwrap();
    twitch.oauth.exchange(&code, &redirect_url()).await.unwrap();
    let error = twitch.oauth.exchange(&code, &redirect_url()).await.unwrap_err();
    assert_eq!(error.to_string(), "Twitch refuses the authorization code: Invalid authorization code");
    assert!(error.needs_consent());

    let location = twitch.press("consent", &request).await;
    let code = request.answer(location.query().unwrap()).unwrap();
    let elsewhere = oauth2::RedirectUrl::new("http://localhost:3033/elsewhere".to_owned()).unwrap();
    let error = twitch.oauth.exchange(&code, &elsewhere).await.unwrap_err();
    assert!(matches!(error, OAuthError::Misconfigured { .. }), "{error}");
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn denial_is_returned_with_its_reason() {
    let twitch = Twitch::start().await;
    let request = twitch.oauth.request_consent(SCOPES, &redirect_url(), false);
    let location = twitch.press("deny", &request).await;
    let denied = ConsentError::Denied("The user denied you access".to_owned());
    assert_eq!(request.answer(location.query().unwrap()).unwrap_err(), denied);
    let another = twitch.oauth.request_consent(SCOPES, &redirect_url(), false);
    assert_eq!(another.answer(location.query().unwrap()).unwrap_err(), ConsentError::ForeignState);
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn unregistered_redirect_url_or_application_gets_an_error_page() {
    let twitch = Twitch::start().await;
    let elsewhere = oauth2::RedirectUrl::new("http://localhost:3033/auth/".to_owned()).unwrap();
    let request = twitch.oauth.request_consent(SCOPES, &elsewhere, false);
    let response = twitch.browser.get(request.url).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let page = response.text().await.unwrap();
    assert!(page.contains("Parameter redirect_uri does not match registered URI"), "{page}");

    let stranger = Credentials { client_id: "<b>".to_owned(), ..credentials(twitch.mock.world.config()) };
    let http = Http::new(quick_retries(), Clock::default()).unwrap();
    let stranger = OAuth::new(stranger, &twitch.mock.auth_url(), http);
    let request = stranger.request_consent(SCOPES, &redirect_url(), false);
    let page = twitch.browser.get(request.url).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("client does not exist"), "{page}");
    let error = stranger.app_token().await.unwrap_err();
    assert!(matches!(&error, OAuthError::Misconfigured { message } if message == "invalid client"), "{error}");
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn earlier_consent_redirects_at_once_unless_verification_is_forced() {
    let twitch = Twitch::start().await;
    twitch.consent(&SCOPES).await;
    let get = async |scopes: &[&str], force_verify| {
        let request = twitch.oauth.request_consent(scopes.iter().copied(), &redirect_url(), force_verify);
        (twitch.browser.get(request.url.clone()).send().await.unwrap(), request)
    };
    let (response, request) = get(&SCOPES[..1], false).await;
    let code = request.answer(redirect(&response).query().unwrap()).unwrap();
    assert_eq!(twitch.oauth.exchange(&code, &redirect_url()).await.unwrap().scopes, SCOPES[..1]);
    assert_eq!(get(&SCOPES, true).await.0.status(), StatusCode::OK, "asked again on demand");
    assert_eq!(get(&["channel:read:subscriptions"], false).await.0.status(), StatusCode::OK, "asked for something new");
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn auto_consent_needs_no_form() {
    let config = MockConfig { auto_consent: Some(CHANNEL.to_owned()), ..MockConfig::default() };
    let twitch = Twitch::with(config).await;
    let request = twitch.oauth.request_consent(SCOPES, &redirect_url(), false);
    let response = twitch.browser.get(request.url.clone()).send().await.unwrap();
    let code = request.answer(redirect(&response).query().unwrap()).unwrap();
    assert_eq!(twitch.oauth.exchange(&code, &redirect_url()).await.unwrap().scopes, SCOPES);
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn app_token_has_no_user() {
    let twitch = Twitch::start().await;
    let token = twitch.oauth.app_token().await.unwrap();
    let validated = twitch.oauth.validate(&token.access_token).await.unwrap();
    assert_eq!((validated.user, validated.scopes), (None, vec![]));
    let url = format!("{}/validate", twitch.mock.auth_url());
    let request = twitch.browser.get(url).bearer_auth(token.access_token.expose_secret());
    let answer: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer.get("scopes"), Some(&serde_json::Value::Null), "as at Twitch: {answer}");
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn outage_of_the_login_server_needs_no_consent() {
    let twitch = Twitch::start().await;
    let token = twitch.consent(&SCOPES).await;
    twitch.mock.world.set_faults(Faults { fail_next_oauth: 2, ..Faults::default() }).unwrap();
    let token = twitch.oauth.refresh(&token.refresh_token).await.expect("a short outage is waited out");
    twitch.mock.world.set_faults(Faults { fail_next_oauth: 100, ..Faults::default() }).unwrap();
    for error in [
        twitch.oauth.refresh(&token.refresh_token).await.unwrap_err(),
        twitch.oauth.validate(&token.access_token).await.unwrap_err(),
    ] {
        assert!(error.is_transient() && !error.needs_consent(), "{error}");
        assert!(error.to_string().ends_with("is in trouble: the login server is unavailable (503)"), "{error}");
    }
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn errors_are_sorted_by_remedy_and_show_no_token() {
    for (status, body, text) in [
        (429, r#"{"message":"slow down"}"#, "Twitch asks for a pause: slow down"),
        (401, r#"{"message":"Invalid refresh token"}"#, "Twitch refuses the refresh token: Invalid refresh token"),
        (200, "", "an answer of Twitch's login server can't be read: it is empty"),
        (
            200,
            r#"{"access_token":"canary","token_type":"bearer","scope":7}"#,
            "an answer of Twitch's login server can't be read: wrong at `scope`, column 57",
        ),
        (302, "", "an answer of Twitch's login server can't be read: Found (302)"),
    ] {
        let recorder = Recorder::start(move |_| Answer::new(status, "application/json", body));
        let url = Url::parse(&recorder.url("")).unwrap();
        let (oauth, _) = clients(url.clone(), &url, quick_retries(), &Clock::default());
        let error = oauth.refresh(&SecretString::from("canary+%")).await.unwrap_err();
        assert_eq!(error.to_string(), text);
        assert!(!format!("{error:?} {oauth:?}").contains("canary"), "{error:?}");
        let request = &recorder.requests()[0];
        let body = String::from_utf8(request.body.clone()).unwrap();
        assert!(body.contains("refresh_token=canary%2B%25"), "the token is encoded: {body}");
        assert!(body.contains("client_secret=mock-client-secret"), "the secret is in the body: {body}");
        assert!(!request.headers.contains_key("authorization"));
    }
}

#[tokio::test]
async fn token_of_another_application_is_refused() {
    let answer = r#"{"client_id":"another","login":"a","scopes":[],"user_id":"1","expires_in":5}"#;
    let recorder = Recorder::start(move |_| Answer::new(200, "application/json", answer));
    let url = Url::parse(&recorder.url("/oauth2/")).unwrap();
    let (oauth, _) = clients(url.clone(), &url, quick_retries(), &Clock::default());
    let error = oauth.validate(&SecretString::from("canary")).await.unwrap_err();
    assert_eq!(error.to_string(), "Twitch refuses the access token: it belongs to another application");
    assert_eq!(recorder.requests()[0].path, "/oauth2/validate", "a base URL may end in a slash");
    assert_eq!(recorder.requests()[0].headers["authorization"], "OAuth canary");
}
