//! The member `message` of errors below `/v1`.

use actix_web::Error as ActixError;
use actix_web::body::{BoxBody, EitherBody, MessageBody, to_bytes};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::CONTENT_TYPE;
use actix_web::middleware::Next;
use serde_json::Value;

/// Adds what went wrong to problem documents below `/v1`, under the name that older clients know.
pub(in crate::api) async fn with_message<B: MessageBody>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, ActixError> {
    let is_v1 = req.path().starts_with("/v1/");
    let response = next.call(req).await?;
    let kind = response.headers().get(CONTENT_TYPE);
    if !is_v1 || kind.is_none_or(|kind| kind != "application/problem+json") {
        return Ok(response.map_into_left_body());
    }
    let (request, response) = response.into_parts();
    let (response, body) = response.into_parts();
    let body = to_bytes(body).await.unwrap_or_default();
    let response = response.set_body(BoxBody::new(add_message(&body))).map_into_right_body();
    Ok(ServiceResponse::new(request, response))
}

fn add_message(problem: &[u8]) -> String {
    let mut problem: Value = serde_json::from_slice(problem).unwrap_or_default();
    problem["message"] = problem["detail"].clone();
    problem.to_string()
}
