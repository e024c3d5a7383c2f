//! `/openapi.json`, and Swagger UI at `/docs/`.

use std::sync::{Arc, LazyLock};

use actix_web::http::header::{CONTENT_SECURITY_POLICY, ContentEncoding, LOCATION};
use actix_web::{HttpRequest, HttpResponse, Resource, get, web};
use utoipa_swagger_ui::{Config, serve};

use super::error::Error;
use super::fallback::only_get;
use super::query::{Nothing, Query};
use super::responses::BadRequest;

static SPEC: LazyLock<String> = LazyLock::new(|| super::spec().to_json().unwrap_or_default());

/// Everything from this server. Swagger UI writes styles into its elements, and draws with pictures in its style sheet.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Without `validator_url`, Swagger UI sends every specification that it shows to a validator on the internet. Schemas are
/// collapsed, and a token that was entered outlives a reload of the page.
static SWAGGER: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    let config = Config::from("/openapi.json").validator_url("none");
    Arc::new(config.default_models_expand_depth(0).persist_authorization(true))
});

/// Get the specification of this API
///
/// OpenAPI 3.1, the same as `openapi/showtime.yaml` in the source tree.
#[utoipa::path(
    tag = "health",
    responses(
        (status = OK, description = "The specification", body = Object, example = json!({"openapi": "3.1.0"})),
        BadRequest,
    ),
)]
#[get("/openapi.json")]
pub(super) async fn get_openapi(_query: Query<Nothing>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(SPEC.as_str())
}

/// Mounts Swagger UI, and a redirect to it.
pub(super) fn pages(cfg: &mut web::ServiceConfig) {
    let page = |path: &str| Resource::new(path).default_service(web::to(only_get));
    cfg.service(page("/docs").route(web::get().to(to_docs)))
        .service(page("/docs/{file:.*}").route(web::get().to(swagger_ui)));
}

async fn to_docs() -> HttpResponse {
    HttpResponse::TemporaryRedirect().insert_header((LOCATION, "/docs/")).finish()
}

async fn swagger_ui(req: HttpRequest, file: web::Path<String>) -> Result<HttpResponse, Error> {
    let Ok(Some(file)) = serve(&file, SWAGGER.clone()) else {
        return Err(Error::NoSuchPath(req.path().to_owned()));
    };
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_SECURITY_POLICY, POLICY));
    if file.gzpipped {
        response.insert_header(ContentEncoding::Gzip);
    }
    Ok(response.content_type(file.content_type).body(file.bytes.into_owned()))
}
