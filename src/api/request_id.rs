//! Request ids: in `X-Request-Id` of each response, and in every log line of its request.

use actix_web::Error as ActixError;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use tracing::{Instrument as _, info_span};

use super::headers;

/// The header of requests and responses.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken from a request.
const MAX_LENGTH: usize = 64;

/// Gives a request its id: that of its header, which a proxy may have set, or else a random number. As the first to see a
/// request and the last to see its response, it also completes the headers.
pub(super) async fn identify<B: MessageBody>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, ActixError> {
    let id = given(req.headers()).cloned().unwrap_or_else(|| HeaderValue::from(rand::random::<u64>()));
    let span = info_span!("request", request.id = id.to_str().unwrap_or_default());
    let mut response = next.call(req).instrument(span).await?;
    headers::complete(response.status(), response.headers_mut());
    response.headers_mut().insert(X_REQUEST_ID, id);
    Ok(response)
}

/// The id of a request, if it has exactly one, of characters that can't forge a log line.
fn given(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut values = headers.get_all(X_REQUEST_ID);
    let value = values.next().filter(|value| is_well_formed(value.as_bytes()))?;
    values.next().is_none().then_some(value)
}

fn is_well_formed(id: &[u8]) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    (1..=MAX_LENGTH).contains(&id.len()) && id.iter().all(is_allowed)
}
