//! Requests that no route matches, and HEAD.

use std::sync::LazyLock;

use actix_web::body::MessageBody;
use actix_web::dev::{ResourceDef, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::{Error as ActixError, HttpMessage as _, HttpRequest, HttpResponse};
use utoipa::openapi::PathItem;

use super::error::Error;

/// The documented paths and their methods.
static KNOWN: LazyLock<Vec<(ResourceDef, Vec<Method>)>> = LazyLock::new(|| {
    let known = |(path, item): (String, PathItem)| (ResourceDef::new(path), methods(&item));
    super::spec().paths.paths.into_iter().map(known).collect()
});

fn methods(item: &PathItem) -> Vec<Method> {
    let defined = [
        (item.get.is_some(), Method::GET),
        (item.get.is_some(), Method::HEAD),
        (item.post.is_some(), Method::POST),
        (item.put.is_some(), Method::PUT),
        (item.patch.is_some(), Method::PATCH),
        (item.delete.is_some(), Method::DELETE),
    ];
    defined.into_iter().filter_map(|(is_defined, method)| is_defined.then_some(method)).collect()
}

/// Answers 405 if the path has other methods, else 404.
pub(super) async fn nothing_here(req: HttpRequest) -> Result<HttpResponse, Error> {
    let path = req.path();
    if path == "/callback" {
        return Err(Error::CallbackTakesPost(req.method().clone()));
    }
    Err(match KNOWN.iter().find(|(known, _)| known.is_match(path)) {
        Some((_, allowed)) => Error::MethodNotAllowed { method: req.method().clone(), allowed: allowed.clone() },
        None => Error::NoSuchPath(path.to_owned()),
    })
}

/// Answers 405 for a resource that allows GET alone.
pub(super) async fn only_get(req: HttpRequest) -> Result<HttpResponse, Error> {
    Err(Error::MethodNotAllowed { method: req.method().clone(), allowed: vec![Method::GET, Method::HEAD] })
}

/// Marks a HEAD request that is handled as a GET.
pub(super) struct WasHead;

/// Handles a HEAD as a GET; actix leaves the body out when it writes the response.
pub(super) async fn head_as_get(
    mut req: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, ActixError> {
    if req.method() == Method::HEAD {
        req.head_mut().method = Method::GET;
        req.extensions_mut().insert(WasHead);
    }
    next.call(req).await
}
