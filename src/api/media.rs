//! `/overlays/media`: the pictures, videos and sounds of overlays, and `/overlay/media/{name}`, where overlays get them.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, SystemTime};

use actix_web::body::SizedStream;
use actix_web::http::header::{self, ETag, EntityTag};
use actix_web::web::{Bytes, BytesMut, Data, Json, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, delete, get, put};
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;
use utoipa::openapi::{RefOr, Response};
use utoipa::{IntoParams, IntoResponses, ToSchema};

use super::Context;
use super::error::Error;
use super::page::Page;
use super::pages::is_known;
use super::query::{Nothing, Query};
use super::responses::{BadRequest, NotFound, ServerErrors, described};
use crate::media::{MAX_BYTES, MediaError, MediaFile, MediaName, MediaUse};
use crate::sources::body::BodyError;

/// Time limit for a file to arrive.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(120);

/// How much of a file that is too large is read before the refusal, which a client that still sends would not see.
const MAX_IGNORED: usize = 4 * MAX_BYTES;

/// How much of a file is read at once, in bytes.
const CHUNK: usize = 64 << 10;

/// A file for overlays.
#[derive(Debug, Serialize, ToSchema)]
struct MediaItem {
    /// The name.
    name: String,
    /// Where overlays get it: to be set as `image` or `sound`.
    path: String,
    /// Its media type.
    #[serde(rename = "type")]
    kind: &'static str,
    /// What it is for.
    usage: MediaUse,
    /// The size in bytes.
    bytes: u64,
    /// When it was uploaded.
    #[serde(with = "time::serde::rfc3339")]
    changed_at: OffsetDateTime,
}

impl From<MediaFile> for MediaItem {
    fn from(MediaFile { name, bytes, changed_at }: MediaFile) -> Self {
        let media_type = name.media_type();
        Self {
            path: format!("/overlay/media/{}", name.as_str()),
            name: name.as_str().to_owned(),
            kind: media_type.mime,
            usage: media_type.usage,
            bytes,
            changed_at: changed_at.into(),
        }
    }
}

impl MediaItem {
    fn example() -> Self {
        Self {
            name: "horn.mp3".into(),
            path: "/overlay/media/horn.mp3".into(),
            kind: "audio/mpeg",
            usage: MediaUse::Sound,
            bytes: 48_213,
            changed_at: datetime!(2026-07-01 18:00:00 UTC),
        }
    }
}

/// The content of a file.
#[derive(ToSchema)]
#[schema(format = Binary)]
struct FileContent(#[expect(dead_code, reason = "it is described alone")] String);

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct MediaPath {
    /// The name of the file: letters, digits, `-`, `_` and `.`, with the ending of its type.
    #[param(value_type = String, example = "horn.mp3",
        pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,90}\.(png|jpg|jpeg|gif|webp|webm|mp4|mp3|ogg|opus|wav)$")]
    name: MediaName,
}

fn not_found(name: &MediaName) -> Error {
    Error::NotFound { what: "file", name: name.as_str().to_owned() }
}

/// The refusals of a file.
struct BadFile;

impl IntoResponses for BadFile {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let misnamed = MediaError::Misnamed { named: "PNG", found: "JPEG" };
        [
            described("The name is not allowed, or the end of the file is missing.", &MediaError::CutOff("PNG").into()),
            described("The file did not arrive in time.", &MediaError::TooSlow.into()),
            described("There are too many files.", &MediaError::TooMany.into()),
            described("The file is larger than 10 MiB.", &MediaError::TooLarge.into()),
            described(
                "The content is of no type that is taken, or of another one than its name says.",
                &misnamed.into(),
            ),
        ]
        .into()
    }
}

/// List media
///
/// The images, videos and sounds for overlays, by name.
#[utoipa::path(
    tag = "overlays",
    responses(
        (status = OK, description = "All files", body = Page<MediaItem>, example = json!(Page::whole(vec![MediaItem::example()]))),
        BadRequest,
        ServerErrors,
    ),
)]
#[get("/overlays/media")]
pub(super) async fn list_media(ctx: Data<Context>, _query: Query<Nothing>) -> Result<Json<Page<MediaItem>>, Error> {
    let files = ctx.media.list().await.map_err(MediaError::from)?;
    Ok(Json(Page::whole(files.into_iter().map(MediaItem::from).collect())))
}

/// Upload a media file
///
/// An image (PNG, JPEG, GIF, WebP), a video (`WebM`, MP4) or a sound (MP3, OGG, WAV) of at most 10 MiB, as the body, whatever its
/// `Content-Type`. It replaces a file with this name.
#[utoipa::path(
    tag = "overlays",
    params(MediaPath),
    request_body(content = FileContent, content_type = "application/octet-stream"),
    responses(
        (status = OK, description = "The file", body = MediaItem, example = json!(MediaItem::example())),
        BadRequest,
        BadFile,
        ServerErrors,
    ),
)]
#[put("/overlays/media/{name}")]
pub(super) async fn upload_media(
    ctx: Data<Context>,
    _query: Query<Nothing>,
    path: Path<MediaPath>,
    body: Payload,
) -> Result<Json<MediaItem>, Error> {
    let content = timeout(UPLOAD_TIMEOUT, read(body)).await.map_err(|_| MediaError::TooSlow)??;
    let file = ctx.media.save(path.into_inner().name, content).await?;
    Ok(Json(file.into()))
}

async fn read(mut body: Payload) -> Result<Bytes, Error> {
    let (mut content, mut length) = (BytesMut::new(), 0);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| BodyError::Incomplete(error.into()))?;
        length += chunk.len();
        if length <= MAX_BYTES {
            content.extend_from_slice(&chunk);
        } else if length > MAX_IGNORED {
            break;
        }
    }
    if length > MAX_BYTES { Err(MediaError::TooLarge.into()) } else { Ok(content.freeze()) }
}

/// Delete a media file
///
/// Alerts that use it then have no image or sound.
#[utoipa::path(
    tag = "overlays",
    params(MediaPath),
    responses((status = NO_CONTENT, description = "It is deleted"), BadRequest, NotFound, ServerErrors),
)]
#[delete("/overlays/media/{name}")]
pub(super) async fn delete_media(
    ctx: Data<Context>,
    _query: Query<Nothing>,
    path: Path<MediaPath>,
) -> Result<HttpResponse, Error> {
    if !ctx.media.delete(&path.name).await.map_err(MediaError::from)? {
        return Err(not_found(&path.name));
    }
    Ok(HttpResponse::NoContent().finish())
}

/// Get a media file
///
/// As overlays show and play it. No token is needed, since a browser sends none for images and sounds: everyone who knows the
/// name can read the file.
#[utoipa::path(
    tag = "overlays",
    params(MediaPath),
    responses(
        (status = OK, description = "The file, with the media type of its name", body = FileContent,
            content_type = "application/octet-stream", example = json!("the content")),
        (status = NOT_MODIFIED, description = "The client has it: `If-None-Match` is its `ETag`"),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[get("/overlay/media/{name}")]
pub(super) async fn get_media(
    ctx: Data<Context>,
    req: HttpRequest,
    _query: Query<Nothing>,
    path: Path<MediaPath>,
) -> Result<HttpResponse, Error> {
    let opened = ctx.media.open(&path.name).await.map_err(MediaError::from)?;
    let (file, content) = opened.ok_or_else(|| not_found(&path.name))?;
    let tag = tag(&file);
    let is_known = is_known(&req, &tag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header(ETag(tag)).insert_header((header::CACHE_CONTROL, "no-cache"));
    if is_known {
        return Ok(response.finish());
    }
    // One that is replaced stays as it is for those who have opened it.
    let chunks = stream::try_unfold(content.take(file.bytes), async |mut content| {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        let length = content.read_buf(&mut chunk).await?;
        Ok::<_, io::Error>((length > 0).then(|| (chunk.freeze(), content)))
    });
    Ok(response.content_type(file.name.media_type().mime).body(SizedStream::new(file.bytes, Box::pin(chunks))))
}

/// Another file of the same name was written at another time.
fn tag(file: &MediaFile) -> EntityTag {
    let written = file.changed_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    EntityTag::new_strong(format!("{:x}-{:x}", file.bytes, written.as_nanos()))
}
