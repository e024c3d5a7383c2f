//! `/auth`: where the links lead by which people elsewhere consent, and where Twitch sends their browsers back to.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, LOCATION};
use actix_web::web::{self, Data, Path};
use actix_web::{HttpRequest, HttpResponse, Resource};
use time::format_description::well_known::Rfc2822;

use super::Context;
use crate::credentials::application::Application;
use crate::credentials::consent::ConsentFailure;
use crate::credentials::consent_page;
use crate::outputs::reactions::link_error::LinkError;
use crate::outputs::reactions::links::{Links, Request};

/// The links of this server; `None` without a public address.
pub(super) fn links<'a>(ctx: &'a Context, application: &'a Application) -> Option<Links<'a>> {
    let public_url = ctx.config.public_url.as_ref()?;
    Some(Links { pool: &ctx.pool, config: &ctx.config, application, public_url })
}

/// Mounts the pages for the person who consents. They are public: a link is a secret of its own.
pub(super) fn pages(cfg: &mut web::ServiceConfig) {
    cfg.service(Resource::new("/auth").route(web::get().to(come_back)));
    cfg.service(Resource::new("/auth/{id}").route(web::get().to(show)).route(web::post().to(begin)));
}

/// Says what is asked for. It changes nothing, since programs that preview links open it as well.
async fn show(ctx: Data<Context>, id: Path<String>) -> HttpResponse {
    let Some(links) = ctx.application.as_ref().and_then(|application| links(&ctx, application)) else {
        return fail(&LinkError::Unknown);
    };
    match links.request(&id, ctx.clock.now()).await {
        Ok(Request { account, scopes, expires_at }) => {
            let account = account.login().unwrap_or("the account of the bot").to_owned();
            let scopes: Vec<_> = scopes.into_iter().collect();
            let until = expires_at.format(&Rfc2822).unwrap_or_default();
            page(StatusCode::OK, consent_page::request(&account, &scopes, &until))
        }
        Err(error) => fail(&error),
    }
}

/// Sends the browser to Twitch.
async fn begin(ctx: Data<Context>, id: Path<String>) -> HttpResponse {
    let Some(links) = ctx.application.as_ref().and_then(|application| links(&ctx, application)) else {
        return fail(&LinkError::Unknown);
    };
    match links.begin(&id, ctx.clock.now()).await {
        Ok(url) => HttpResponse::SeeOther().insert_header((LOCATION, url.as_str())).finish(),
        Err(error) => fail(&error),
    }
}

/// Takes the browser back from Twitch.
async fn come_back(ctx: Data<Context>, request: HttpRequest) -> HttpResponse {
    let Some(links) = ctx.application.as_ref().and_then(|application| links(&ctx, application)) else {
        return fail(&LinkError::Unknown);
    };
    match links.answer(request.query_string(), &ctx.clock).await {
        Ok(()) => {
            page(StatusCode::OK, consent_page::outcome("Thank you", "Consent was given. This page can be closed."))
        }
        Err(error) => fail(&error),
    }
}

fn fail(error: &LinkError) -> HttpResponse {
    let (status, text) = match error {
        LinkError::Unknown => (StatusCode::NOT_FOUND, error.to_string()),
        LinkError::Used | LinkError::Expired => (StatusCode::GONE, error.to_string()),
        LinkError::ForeignState => (StatusCode::BAD_REQUEST, error.to_string()),
        LinkError::Denied(_) => (StatusCode::FORBIDDEN, error.to_string()),
        LinkError::Failed(failure @ ConsentFailure::OtherAccount { .. }) => {
            (StatusCode::FORBIDDEN, format!("Consent was not given: {failure}. Open the link again."))
        }
        LinkError::Failed(ConsentFailure::Served { login }) => {
            let text = format!(
                "{login} is a channel of this server, and can't be the bot. Open the link again with another account."
            );
            (StatusCode::FORBIDDEN, text)
        }
        LinkError::Failed(failure) => {
            tracing::warn!(error = %failure, "a consent by a link is not kept");
            let text = "Twitch's answer could not be turned into a consent. Open the link again later.";
            (StatusCode::BAD_GATEWAY, text.to_owned())
        }
        LinkError::Database(error) => {
            tracing::warn!(%error, "a link for a consent can't be looked up");
            (StatusCode::SERVICE_UNAVAILABLE, "This server can't look the link up now. Open it again later.".to_owned())
        }
    };
    page(status, consent_page::outcome("No consent", &text))
}

/// The form leads to Twitch, by redirects of its own.
fn page(status: StatusCode, html: String) -> HttpResponse {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self' https: http://localhost:* \
        http://127.0.0.1:*; frame-ancestors 'none'";
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, policy))
        .body(html)
}
