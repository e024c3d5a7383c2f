//! Consent and tokens: [Twitch's OAuth](https://dev.twitch.tv/docs/authentication/getting-tokens-oauth/).
//!
//! The `oauth2` crate speaks the protocol. What only Twitch does is here: scopes in a JSON array, errors in Helix's
//! shape, and the validate and revoke endpoints (the crate's own revocation insists on https, so no test server could
//! stand in for Twitch).

mod token;

use std::pin::Pin;

use oauth2::basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    HttpRequest, HttpResponse, RedirectUrl, RefreshToken, RequestTokenError, Scope, StandardRevocableToken, TokenUrl,
};
use reqwest::header::AUTHORIZATION;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

pub use self::token::{BearerToken, TokenUser, UserToken, Validated};
use self::token::{TokenAnswer, ValidateAnswer};
use crate::http::{Answer, Http, TransportError};

type Protocol = Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// The application, as registered at dev.twitch.tv/console.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The client id, which is public.
    pub client_id: String,
    /// The client secret.
    pub client_secret: SecretString,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum OAuthError {
    /// Refused for good, unless the user consents again.
    #[error("Twitch refuses the {grant}: {message}")]
    Refused {
        /// What was refused: `refresh token`, `authorization code`, `access token`.
        grant: &'static str,
        /// Twitch's message.
        message: String,
    },
    /// The application isn't what was registered. Neither a retry nor a consent can help.
    #[error(
        "Twitch does not accept this application: {message}. Its client id, client secret and redirect URL must be \
         those shown at dev.twitch.tv/console"
    )]
    Misconfigured {
        /// Twitch's message.
        message: String,
    },
    /// The login server's rate limit.
    #[error("Twitch asks for a pause: {message}")]
    RateLimited {
        /// Twitch's message.
        message: String,
    },
    /// No usable answer.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The tokens are kept in a place that can't be used now. Says why.
    #[error("{0}")]
    NotShared(String),
    /// The user has to consent (again), as is known without asking Twitch. Says why.
    #[error("{0}")]
    NeedsConsent(String),
    /// An answer that can't be parsed. Says where, and nothing of what it held.
    #[error("an answer of Twitch's login server can't be read: {0}")]
    Malformed(String),
}

impl OAuthError {
    /// Whether only a new consent of the user can help.
    #[must_use]
    pub fn needs_consent(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::NeedsConsent(_))
    }

    /// Whether the same call may work later by itself.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Transport(_) | Self::RateLimited { .. } | Self::NotShared(_))
    }
}

/// A request for consent: the page to send the user to, and the check of the answer.
#[derive(Debug)]
pub struct ConsentRequest {
    /// To be opened in the user's browser.
    pub url: Url,
    state: CsrfToken,
}

/// Why a redirect carries no code.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConsentError {
    /// The user refused, or Twitch did.
    #[error("consent was not given: {0}")]
    Denied(String),
    /// The answer to another request, or a forged one: to be ignored.
    #[error("this answer belongs to another request: its `state` is not the one that was sent")]
    ForeignState,
    /// Neither a code nor an error.
    #[error("the answer holds neither a `code` nor an `error`")]
    Incomplete,
}

/// The query string that a browser came back with, before the state is checked.
#[derive(Debug)]
pub struct ConsentAnswer {
    /// The state; `None` if there is none.
    pub state: Option<SecretString>,
    /// The [authorization code](https://dev.twitch.tv/docs/authentication/getting-tokens-oauth/#authorization-code-grant-flow),
    /// to be believed if the state is the one that was sent.
    pub code: Result<SecretString, ConsentError>,
}

impl ConsentAnswer {
    /// Reads a query string.
    #[must_use]
    pub fn parse(query: &str) -> Self {
        let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
        let get = |name| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref());
        let code = match get("error") {
            Some(error) => Err(ConsentError::Denied(get("error_description").unwrap_or(error).to_owned())),
            None => get("code").filter(|code| !code.is_empty()).map(SecretString::from).ok_or(ConsentError::Incomplete),
        };
        Self { state: get("state").map(SecretString::from), code }
    }
}

impl ConsentRequest {
    /// The state, which the answer has to hold.
    #[must_use]
    pub fn state(&self) -> &str {
        self.state.secret()
    }

    /// Takes the query string that the browser came back with, and returns the
    /// [authorization code](https://dev.twitch.tv/docs/authentication/getting-tokens-oauth/#authorization-code-grant-flow).
    ///
    /// # Errors
    /// [`ConsentError`]. The state is checked before anything else is believed.
    pub fn answer(&self, query: &str) -> Result<SecretString, ConsentError> {
        let ConsentAnswer { state, code } = ConsentAnswer::parse(query);
        match state.is_some_and(|state| state.expose_secret() == self.state()) {
            true => code,
            false => Err(ConsentError::ForeignState),
        }
    }
}

/// A client of Twitch's login server, for one application.
#[derive(Clone, Debug)]
pub struct OAuth {
    protocol: Protocol,
    client_id: String,
    http: Http,
    validate_url: Url,
    revoke_url: Url,
}

impl OAuth {
    /// `auth_url` is the base, `https://id.twitch.tv/oauth2` for the real Twitch.
    #[must_use]
    pub fn new(credentials: Credentials, auth_url: &Url, http: Http) -> Self {
        let endpoint = |name| super::endpoint(auth_url, name);
        let protocol = Client::new(ClientId::new(credentials.client_id.clone()))
            .set_client_secret(ClientSecret::new(credentials.client_secret.expose_secret().to_owned()))
            .set_auth_uri(AuthUrl::from_url(endpoint("authorize")))
            .set_token_uri(TokenUrl::from_url(endpoint("token")))
            .set_auth_type(AuthType::RequestBody);
        Self {
            protocol,
            client_id: credentials.client_id,
            http,
            validate_url: endpoint("validate"),
            revoke_url: endpoint("revoke"),
        }
    }

    /// The application's id, which Helix requires beside every token.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    pub(super) fn http(&self) -> &Http {
        &self.http
    }

    /// Requests consent to these scopes. With `force_verify` Twitch shows its page even to a user who consented before.
    #[must_use]
    pub fn request_consent<'a>(
        &self,
        scopes: impl IntoIterator<Item = &'a str>,
        redirect_url: &RedirectUrl,
        force_verify: bool,
    ) -> ConsentRequest {
        let mut request = self
            .protocol
            .authorize_url(CsrfToken::new_random)
            .add_scopes(scopes.into_iter().map(|scope| Scope::new(scope.to_owned())))
            .set_redirect_uri(std::borrow::Cow::Borrowed(redirect_url));
        if force_verify {
            request = request.add_extra_param("force_verify", "true");
        }
        let (url, state) = request.url();
        ConsentRequest { url, state }
    }

    /// Turns the code of a redirect into a token. A code works once.
    ///
    /// # Errors
    /// [`OAuthError`]
    pub async fn exchange(&self, code: &SecretString, redirect_url: &RedirectUrl) -> Result<UserToken, OAuthError> {
        let bridge = self.bridge("authorization code");
        let code = AuthorizationCode::new(code.expose_secret().to_owned());
        let request = self.protocol.exchange_code(code).set_redirect_uri(std::borrow::Cow::Borrowed(redirect_url));
        let answer = request.request_async(&bridge).await.map_err(flatten)?;
        answer.into_user_token(None, self.http.clock().now())
    }

    /// Gets a new access token, and a refresh token that takes the place of this one: keep it
    /// before using either.
    ///
    /// # Errors
    /// [`OAuthError`]; if [`needs_consent`](OAuthError::needs_consent), don't try again.
    pub async fn refresh(&self, refresh_token: &SecretString) -> Result<UserToken, OAuthError> {
        let bridge = self.bridge("refresh token");
        let held = RefreshToken::new(refresh_token.expose_secret().to_owned());
        let answer = self.protocol.exchange_refresh_token(&held).request_async(&bridge).await.map_err(flatten)?;
        answer.into_user_token(Some(refresh_token), self.http.clock().now())
    }

    /// A token of the application itself
    /// ([client credentials](https://dev.twitch.tv/docs/authentication/getting-tokens-oauth/#client-credentials-grant-flow)).
    ///
    /// # Errors
    /// [`OAuthError`]
    pub async fn app_token(&self) -> Result<BearerToken, OAuthError> {
        let bridge = self.bridge("client credentials");
        let answer = self.protocol.exchange_client_credentials().request_async(&bridge).await.map_err(flatten)?;
        Ok(answer.into_app_token(self.http.clock().now()))
    }

    /// Asks Twitch whether a token is valid, and for what. Twitch requires
    /// [this](https://dev.twitch.tv/docs/authentication/validate-tokens/) at start and every hour for each token kept.
    ///
    /// # Errors
    /// [`OAuthError::Refused`] if the token is invalid or belongs to another application.
    pub async fn validate(&self, access_token: &SecretString) -> Result<Validated, OAuthError> {
        let authorization = format!("OAuth {}", access_token.expose_secret());
        let request = self.http.client().get(self.validate_url.clone()).header(AUTHORIZATION, authorization);
        let answer = self.send("access token", request).await?;
        let validated: ValidateAnswer = read(&answer.body)?;
        if validated.client_id != self.client_id {
            let message = "it belongs to another application".to_owned();
            return Err(OAuthError::Refused { grant: "access token", message });
        }
        Ok(validated.dated(self.http.clock().now()))
    }

    /// Revokes a token. That it is invalid already is no error.
    ///
    /// # Errors
    /// [`OAuthError`]
    pub async fn revoke(&self, access_token: &SecretString) -> Result<(), OAuthError> {
        let form = [("client_id", self.client_id.as_str()), ("token", access_token.expose_secret())];
        match self.send("access token", self.http.client().post(self.revoke_url.clone()).form(&form)).await {
            Ok(_) | Err(OAuthError::Refused { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn bridge(&self, grant: &'static str) -> Bridge<'_> {
        Bridge { http: &self.http, grant }
    }

    async fn send(&self, grant: &'static str, request: reqwest::RequestBuilder) -> Result<Answer, OAuthError> {
        let request = request.build().map_err(|error| OAuthError::Malformed(error.without_url().to_string()))?;
        accept(grant, self.http.send(request).await?)
    }
}

/// Sends the requests of the `oauth2` crate through our HTTP client, whose version of reqwest the crate does not
/// support. (A closure would do, but its futures could not be spawned.)
struct Bridge<'a> {
    http: &'a Http,
    grant: &'static str,
}

impl<'c> oauth2::AsyncHttpClient<'c> for Bridge<'_> {
    type Error = OAuthError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, OAuthError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let request = reqwest::Request::try_from(request);
            let request = request.map_err(|error| OAuthError::Malformed(error.without_url().to_string()))?;
            let answer = accept(self.grant, self.http.send(request).await?)?;
            Ok(HttpResponse::new(answer.body))
        })
    }
}

/// Sorts refusals by what can help. On `id.twitch.tv` only the message tells an invalid grant from a wrong client id: both
/// are a 400.
fn accept(grant: &'static str, answer: Answer) -> Result<Answer, OAuthError> {
    let message = answer.message();
    let is_about_the_application = message.contains("client") || message.contains("redirect_uri");
    match answer.status.as_u16() {
        200..300 => Ok(answer),
        403 | 404 => Err(OAuthError::Misconfigured { message }),
        400 | 401 if is_about_the_application => Err(OAuthError::Misconfigured { message }),
        400 | 401 => Err(OAuthError::Refused { grant, message }),
        429 => Err(OAuthError::RateLimited { message }),
        status => Err(OAuthError::Malformed(format!("{message} ({status})"))),
    }
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, OAuthError> {
    let deserializer = &mut serde_json::Deserializer::from_slice(body);
    serde_path_to_error::deserialize(deserializer).map_err(|error| malformed(&error))
}

/// Names the place only: the text around it may be a token.
fn malformed(error: &serde_path_to_error::Error<serde_json::Error>) -> OAuthError {
    let inner = error.inner();
    OAuthError::Malformed(format!("wrong at `{}`, column {}", error.path(), inner.column()))
}

/// The [`Bridge`] turns every error of Twitch's into ours, so only two kinds are left.
fn flatten(error: RequestTokenError<OAuthError, BasicErrorResponse>) -> OAuthError {
    match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::Parse(error, _) => malformed(&error),
        RequestTokenError::ServerResponse(_) | RequestTokenError::Other(_) => {
            OAuthError::Malformed("it is empty".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> ConsentRequest {
        let state = CsrfToken::new("right".to_owned());
        ConsentRequest { url: Url::parse("https://id.twitch.tv/oauth2/authorize").unwrap(), state }
    }

    #[test]
    fn answer_with_another_state_is_ignored() {
        let code = request().answer("code=abc%2B1&scope=a%3Ab+c%3Ad&state=right").unwrap();
        assert_eq!(code.expose_secret(), "abc+1");
        for foreign in ["code=abc", "code=abc&state=wrong", "error=access_denied&state=", ""] {
            assert_eq!(request().answer(foreign).unwrap_err(), ConsentError::ForeignState, "{foreign}");
        }
        assert_eq!(request().answer("state=right").unwrap_err(), ConsentError::Incomplete);
        assert_eq!(request().answer("code=&state=right").unwrap_err(), ConsentError::Incomplete);
    }

    #[test]
    fn denial_has_twitchs_reason() {
        let query = "error=access_denied&error_description=The+user+denied+you+access&state=right";
        let error = request().answer(query).unwrap_err();
        assert_eq!(error.to_string(), "consent was not given: The user denied you access");
    }
}
