//! The media folder: pictures, videos and sounds for overlays, in the server's data directory. Files that are put there by
//! hand count as well, if their names are such as [`MediaName`] allows.

use std::fs::{self, Metadata};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::SystemTime;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use utoipa::ToSchema;

/// The largest file that is taken, in bytes.
pub const MAX_BYTES: usize = 10 << 20;

/// How many files there may be.
pub const MAX_FILES: usize = 500;

/// The longest name, in bytes.
const MAX_NAME: usize = 100;

/// How the names of files begin that are still being written.
const UNFINISHED: &str = ".upload-";

/// Where the end of a JPEG is looked for: cameras write more after it.
const JPEG_TAIL: usize = 32 << 10;

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MediaUse {
    /// It is shown.
    Picture,
    /// It is shown and moves, and may be heard.
    Video,
    /// It is heard.
    Sound,
}

/// A type of files that browsers show or play.
#[derive(Debug)]
pub struct MediaType {
    /// What it is called, such as `PNG`.
    pub title: &'static str,
    /// The media type, such as `image/png`.
    pub mime: &'static str,
    /// What it is for.
    pub usage: MediaUse,
    /// The endings of names.
    extensions: &'static [&'static str],
}

/// All types that are taken.
pub const TYPES: [MediaType; 9] = [
    new("PNG", "image/png", MediaUse::Picture, &["png"]),
    new("JPEG", "image/jpeg", MediaUse::Picture, &["jpg", "jpeg"]),
    new("GIF", "image/gif", MediaUse::Picture, &["gif"]),
    new("WebP", "image/webp", MediaUse::Picture, &["webp"]),
    new("WebM", "video/webm", MediaUse::Video, &["webm"]),
    new("MP4", "video/mp4", MediaUse::Video, &["mp4"]),
    new("MP3", "audio/mpeg", MediaUse::Sound, &["mp3"]),
    new("OGG", "audio/ogg", MediaUse::Sound, &["ogg", "opus"]),
    new("WAV", "audio/wav", MediaUse::Sound, &["wav"]),
];

const fn new(
    title: &'static str,
    mime: &'static str,
    usage: MediaUse,
    extensions: &'static [&'static str],
) -> MediaType {
    MediaType { title, mime, usage, extensions }
}

/// The type whose names end so.
fn by_extension(extension: &str) -> Option<&'static MediaType> {
    TYPES.iter().find(|it| it.extensions.contains(&extension))
}

/// The name of a file: letters, digits, `-`, `_` and `.`, a letter or digit first, and the ending of a type that is taken. So
/// it is no path, and no file that is still being written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct MediaName(String);

impl MediaName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The type that the ending says.
    #[must_use]
    pub fn media_type(&self) -> &'static MediaType {
        Self::type_of(&self.0).unwrap_or(&TYPES[0])
    }

    fn type_of(name: &str) -> Option<&'static MediaType> {
        by_extension(&name.rsplit_once('.')?.1.to_ascii_lowercase())
    }
}

impl TryFrom<String> for MediaName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if !begins || name.len() > MAX_NAME || !name.bytes().all(is_part) {
            return Err(format!(
                "must be 1 to {MAX_NAME} letters without accents, digits, `-`, `_` and `.`, a letter or digit first"
            ));
        }
        match Self::type_of(&name) {
            Some(_) => Ok(Self(name)),
            None => {
                let all: Vec<_> = TYPES.iter().flat_map(|it| it.extensions).map(|it| format!(".{it}")).collect();
                Err(format!("must end in {}", all.join(", ")))
            }
        }
    }
}

/// A file of the folder.
#[derive(Debug)]
pub struct MediaFile {
    /// The name.
    pub name: MediaName,
    /// The size in bytes.
    pub bytes: u64,
    /// When it was written.
    pub changed_at: SystemTime,
}

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// Over [`MAX_BYTES`].
    #[error("the file is larger than {} MiB", MAX_BYTES >> 20)]
    TooLarge,
    /// It did not arrive in time.
    #[error("the file did not arrive in time")]
    TooSlow,
    /// It holds nothing.
    #[error("the file is empty")]
    Empty,
    /// The content is of no type that is taken.
    #[error("the content is {}, and none of {}", found(*.0), titles())]
    Unknown(Option<&'static str>),
    /// The ending of the name says another type than the content.
    #[error("the name says {}, but the content is {}", .named, .found)]
    Misnamed {
        /// The type that the name says.
        named: &'static str,
        /// The type that the content is.
        found: &'static str,
    },
    /// The end is missing.
    #[error("the file can't be read as {0}: its end is missing")]
    CutOff(&'static str),
    /// There are [`MAX_FILES`] files.
    #[error("there are {MAX_FILES} files already: delete one first")]
    TooMany,
    /// The folder can't be read or written.
    #[error("the media folder can't be used: {0}")]
    Io(#[from] io::Error),
}

fn found(mime: Option<&'static str>) -> &'static str {
    mime.unwrap_or("of an unknown type")
}

fn titles() -> String {
    TYPES.map(|it| it.title).join(", ")
}

/// The folder. It is made when the first file is saved.
#[derive(Clone, Debug)]
pub struct MediaFolder(PathBuf);

impl MediaFolder {
    /// At this path.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// All files, by name.
    ///
    /// # Errors
    /// If the folder can't be read.
    pub async fn list(&self) -> io::Result<Vec<MediaFile>> {
        let folder = self.0.clone();
        spawn_blocking(move || list(&folder)).await.map_err(io::Error::other)?
    }

    /// Keeps a file under this name, in place of one that has it. Readers get the old one or the new one whole.
    ///
    /// # Errors
    /// [`MediaError`]
    pub async fn save(&self, name: MediaName, content: Bytes) -> Result<MediaFile, MediaError> {
        check(&name, &content)?;
        let folder = self.0.clone();
        spawn_blocking(move || save(&folder, name, &content)).await.map_err(io::Error::other)?
    }

    /// Deletes a file. Returns whether it was there.
    ///
    /// # Errors
    /// If the folder can't be written.
    pub async fn delete(&self, name: &MediaName) -> io::Result<bool> {
        found_at(tokio::fs::remove_file(self.0.join(name.as_str())).await).map(|it| it.is_some())
    }

    /// Opens a file to read, if it is there.
    ///
    /// # Errors
    /// If it can't be read.
    pub async fn open(&self, name: &MediaName) -> io::Result<Option<(MediaFile, tokio::fs::File)>> {
        let Some(file) = found_at(tokio::fs::File::open(self.0.join(name.as_str())).await)? else { return Ok(None) };
        let described = describe(name.clone(), &file.metadata().await?)?;
        Ok(described.map(|described| (described, file)))
    }
}

/// What is not there is `None`.
fn found_at<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// `None` if it is no file.
fn describe(name: MediaName, metadata: &Metadata) -> io::Result<Option<MediaFile>> {
    let changed_at = metadata.modified()?;
    Ok(metadata.is_file().then_some(MediaFile { name, bytes: metadata.len(), changed_at }))
}

fn list(folder: &PathBuf) -> io::Result<Vec<MediaFile>> {
    let Some(entries) = found_at(fs::read_dir(folder))? else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().into_string().ok().and_then(|name| MediaName::try_from(name).ok());
        let Some(name) = name else { continue };
        // It may be gone by now.
        if let Some(metadata) = found_at(fs::metadata(entry.path()))? {
            files.extend(describe(name, &metadata)?);
        }
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(files)
}

fn save(folder: &PathBuf, name: MediaName, content: &[u8]) -> Result<MediaFile, MediaError> {
    fs::create_dir_all(folder)?;
    let files = list(folder)?;
    if files.len() >= MAX_FILES && !files.iter().any(|file| file.name == name) {
        return Err(MediaError::TooMany);
    }
    let mut unfinished = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    unfinished.write_all(content)?;
    unfinished.as_file().sync_all()?;
    let file = unfinished.persist(folder.join(name.as_str())).map_err(|error| error.error)?;
    Ok(MediaFile { name, bytes: content.len() as u64, changed_at: file.metadata()?.modified()? })
}

/// Judges a file by its content.
fn check(name: &MediaName, content: &[u8]) -> Result<(), MediaError> {
    if content.is_empty() {
        return Err(MediaError::Empty);
    }
    if content.len() > MAX_BYTES {
        return Err(MediaError::TooLarge);
    }
    let inferred = infer::get(content);
    let found = inferred.and_then(|it| by_extension(it.extension()));
    let Some(found) = found else { return Err(MediaError::Unknown(inferred.map(|it| it.mime_type()))) };
    let named = name.media_type();
    if found.mime != named.mime {
        return Err(MediaError::Misnamed { named: named.title, found: found.title });
    }
    if is_whole(found, content) { Ok(()) } else { Err(MediaError::CutOff(found.title)) }
}

/// Whether the end is there, of types that have one that can be known.
fn is_whole(media_type: &MediaType, content: &[u8]) -> bool {
    let has = |part: &[u8], mark: &[u8]| part.windows(mark.len()).any(|window| window == mark);
    match media_type.title {
        "PNG" => has(content, b"IEND"),
        "JPEG" => has(&content[content.len().saturating_sub(JPEG_TAIL)..], &[0xff, 0xd9]),
        "GIF" => content.iter().rev().find(|byte| **byte != 0) == Some(&b';'),
        "WebP" | "WAV" => match content.get(4..8).and_then(|size| size.try_into().ok()).map(u32::from_le_bytes) {
            // A program that writes while it records does not know the size.
            Some(0 | u32::MAX) => true,
            Some(size) => content.len() as u64 >= u64::from(size) + 8,
            None => false,
        },
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_paths_and_end_as_a_type_does() {
        for name in ["a.png", "Horn_2.WAV", "air-horn.v2.mp3", "0.webm", &format!("{}.gif", "x".repeat(96))] {
            assert!(MediaName::try_from(name.to_owned()).is_ok(), "{name}");
        }
        for name in [
            "",
            "a",
            ".png",
            "..",
            "../a.png",
            "a/b.png",
            "a\\b.png",
            ".upload-a.png",
            "-a.png",
            "a b.png",
            "ä.png",
            "a.svg",
            "a.html",
            "a.png\0",
            "a.png.exe",
            "a.png/",
            "C:a.png",
        ] {
            assert!(MediaName::try_from(name.to_owned()).is_err(), "{name}");
        }
        assert!(MediaName::try_from(format!("{}.png", "x".repeat(97))).is_err());
        assert_eq!(MediaName::try_from("A.JPG".to_owned()).unwrap().media_type().mime, "image/jpeg");
    }

    #[test]
    fn every_type_is_one_that_is_inferred() {
        for media_type in &TYPES {
            assert!(infer::is_supported(media_type.extensions[0]), "{}", media_type.title);
        }
    }
}
