//! The pages: the dashboard, the overlays for OBS, and the settings of overlays. They are static files, compiled in, and
//! hold no secrets, so they are public. They call this API with the token behind the `#` of their address.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use actix_web::http::header::{self, ContentType, ETag, EntityTag, Header, IfNoneMatch};
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use include_dir::{Dir, include_dir};
use sha2::{Digest as _, Sha256};
use url::form_urlencoded;

use super::Context;
use super::error::Error;
use super::fallback::only_get;
use super::overlays::settings;
use crate::emotes::service::Service;
use crate::store::overlays as store;

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/api/pages");

/// Entity tags by path in [`FILES`].
static TAGS: LazyLock<BTreeMap<&str, EntityTag>> = LazyLock::new(|| {
    let directories = [Some(&FILES), FILES.get_dir("assets")];
    let files = directories.into_iter().flatten().flat_map(Dir::files);
    let tag = |contents| EntityTag::new_strong(hex::encode(&Sha256::digest(contents)[..16]));
    files.filter_map(|file| Some((file.path().to_str()?, tag(file.contents())))).collect()
});

/// The pages: path, file, and what each may load beside scripts, styles and answers of this server.
///
/// The settings of an overlay name its images and sounds. Emotes and badges are at Twitch's first address, cheermotes at the second; the
/// chat may also load pictures of the services whose emotes it shows.
const PAGES: [(&str, &str, &str); 11] = [
    ("/", "dashboard.html", "img-src 'self'"),
    ("/history", "history.html", "img-src 'self'"),
    ("/overlay/alerts", "alerts.html", "img-src 'self' https:; media-src 'self' https:"),
    ("/overlay/chat", "chat.html", "img-src 'self' https://static-cdn.jtvnw.net https://d3aqoihi2n8ty8.cloudfront.net"),
    ("/overlay/goal", "small.html", "img-src 'self'"),
    ("/overlay/label", "small.html", "img-src 'self'"),
    ("/overlay/events", "small.html", "img-src 'self'"),
    ("/overlay/hype-train", "small.html", "img-src 'self'"),
    ("/overlay/poll", "small.html", "img-src 'self'"),
    ("/overlay/clock", "small.html", "img-src 'self'"),
    ("/overlay/settings", "settings.html", "img-src 'self' https:; media-src 'self' https:; frame-src 'self'"),
];

/// The path of the chat.
const CHAT: &str = "/overlay/chat";

/// Mounts the pages, and their assets below `/assets/`.
pub(super) fn pages(cfg: &mut web::ServiceConfig) {
    let mut mount = |path: &str, route| {
        cfg.service(Resource::new(path).route(route).default_service(web::to(only_get)));
    };
    for (path, file, sources) in PAGES {
        let ancestors = if is_overlay(path) { "'self'" } else { "'none'" };
        let page =
            move || web::get().to(async move |req: HttpRequest| page(&req, path, file, sources, ancestors).await);
        mount(path, page());
        if is_overlay(path) {
            // With the name of saved settings.
            mount(&format!("{path}/{{name:[a-z0-9-]{{1,40}}}}"), page());
        }
    }
    let asset = async |req: HttpRequest, name: web::Path<String>| {
        answer(&req, &format!("assets/{name}"), "img-src 'none'", "'none'")
    };
    mount("/assets/{name}", web::get().to(asset));
}

/// Whether it is a page for OBS, which its settings show as well, in a frame.
fn is_overlay(path: &str) -> bool {
    path.starts_with("/overlay/") && path != "/overlay/settings"
}

/// Answers with a page, which may load what is in `sources`, and the pictures of emotes that it shows.
async fn page(
    req: &HttpRequest,
    path: &str,
    file: &str,
    sources: &str,
    ancestors: &str,
) -> Result<HttpResponse, Error> {
    let services = if path == CHAT { emotes(req).await } else { Vec::new() };
    let images: String = services.into_iter().map(|service| format!(" {}", service.images())).collect();
    answer(req, file, &format!("{sources}{images}"), ancestors)
}

/// The services whose emotes an overlay of the chat shows: by its address, else by the saved settings that it names. While these can't
/// be read there are none, and the page loads itself again as soon as it has read them.
async fn emotes(req: &HttpRequest) -> Vec<Service> {
    let given = form_urlencoded::parse(req.query_string().as_bytes()).filter(|(name, _)| name == "emotes");
    if let Some((_, names)) = given.last() {
        return Service::ALL
            .into_iter()
            .filter(|service| names.split(',').any(|it| it.trim() == service.name()))
            .collect();
    }
    let name = req.match_info().get("name").map(str::to_owned);
    let Some((ctx, name)) = req.app_data::<web::Data<Context>>().zip(name) else { return Vec::new() };
    let row = ctx.query(async |db| store::settings(db, &name).await).await;
    row.ok().flatten().as_ref().map_or_else(Vec::new, settings::emotes)
}

/// Answers with the file, or with 304 if the browser has it. Browsers revalidate each time, so that an update of the
/// server never leaves them with parts of different versions.
fn answer(req: &HttpRequest, path: &str, sources: &str, ancestors: &str) -> Result<HttpResponse, Error> {
    let found = FILES.get_file(path).zip(TAGS.get(path)).zip(content_type(path));
    let ((file, tag), content_type) = found.ok_or_else(|| Error::NoSuchPath(req.path().to_owned()))?;
    let policy = policy(sources, ancestors);
    // A page with another policy is another page.
    let tag = EntityTag::new_strong(format!("{}-{}", tag.tag(), hex::encode(&Sha256::digest(&policy)[..4])));
    let is_known = is_known(req, &tag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header(ETag(tag))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_SECURITY_POLICY, policy));
    Ok(if is_known { response.finish() } else { response.insert_header(content_type).body(file.contents()) })
}

/// The Content-Security-Policy: everything from this server but `sources`, and no framing by pages of others.
fn policy(sources: &str, ancestors: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; {sources}; \
         base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
    )
}

/// Whether the client has what has this tag.
pub(super) fn is_known(req: &HttpRequest, tag: &EntityTag) -> bool {
    match IfNoneMatch::parse(req) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(known)) => known.iter().any(|known| known.weak_eq(tag)),
        Err(_) => false,
    }
}

fn content_type(path: &str) -> Option<ContentType> {
    let name = match path.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => return None,
    };
    name.parse().ok().map(ContentType)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_tag_and_a_type() {
        assert!(TAGS.len() > PAGES.len());
        for path in TAGS.keys() {
            assert!(content_type(path).is_some(), "{path}");
        }
        for (_, file, _) in PAGES {
            assert!(TAGS.contains_key(file), "{file}");
        }
    }
}
