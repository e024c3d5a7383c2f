//! Bodies of calls: JSON, or `multipart/form-data` with `payload_json` and files
//! (<https://docs.discord.com/developers/reference#uploading-files>).

use serde_json::Value;

use super::answer::Refusal;
use super::form::{FormErrors, Object};

/// Limit of a file.
const MAX_FILE: usize = 10 << 20;

/// Limit of a body.
pub(super) const MAX_BODY: usize = 25 << 20;

/// A body that was not read yet.
#[derive(Clone, Debug, Default)]
pub(super) struct RawBody {
    pub(super) content_type: String,
    pub(super) bytes: bytes::Bytes,
}

/// An uploaded file.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) content_type: Option<String>,
    pub(super) size: usize,
}

impl RawBody {
    /// The JSON object, and the files.
    pub(super) fn read(&self) -> Result<(Object, Vec<File>), Refusal> {
        if let Some((_, boundary)) = self.content_type.split_once("multipart/form-data; boundary=") {
            return self.multipart(boundary.trim_matches('"'));
        }
        if !self.content_type.starts_with("application/json") {
            let message = "Expected \"Content-Type\" header to be one of {'application/json', 'multipart/form-data'}.";
            return Err(FormErrors::refusal("", "CONTENT_TYPE_INVALID", message));
        }
        Ok((object(&self.bytes)?, Vec::new()))
    }

    fn multipart(&self, boundary: &str) -> Result<(Object, Vec<File>), Refusal> {
        let (mut payload, mut files) = (Object::new(), Vec::new());
        for part in parts(&self.bytes, boundary) {
            let Some((head, content)) = split_once(part, b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(head);
            let Some(name) = parameter(&head, "name") else { continue };
            if name == "payload_json" {
                payload = object(content)?;
            } else if let Some(file) = parameter(&head, "filename") {
                let content_type = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(':')?;
                    name.eq_ignore_ascii_case("content-type").then(|| value.trim().to_owned())
                });
                files.push(File { name: file, content_type, size: content.len() });
            } else {
                payload.insert(name, String::from_utf8_lossy(content).into_owned().into());
            }
        }
        if files.iter().any(|file| file.size > MAX_FILE) {
            return Err(Refusal::too_large());
        }
        Ok((payload, files))
    }
}

fn object(bytes: &[u8]) -> Result<Object, Refusal> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(FormErrors::refusal("", "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")),
        Err(_) => Err(Refusal::invalid_json()),
    }
}

/// The parts of a multipart body, with their headers.
fn parts<'a>(bytes: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    let mut rest = split_once(bytes, delimiter.as_bytes()).map(|(_, rest)| rest);
    while let Some((part, next)) = rest.and_then(|rest| split_once(rest, delimiter.as_bytes())) {
        let part = part.strip_prefix(b"\r\n").unwrap_or(part);
        parts.push(part.strip_suffix(b"\r\n").unwrap_or(part));
        rest = Some(next);
    }
    parts
}

fn split_once<'a>(bytes: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(separator.len()).position(|window| window == separator)?;
    Some((&bytes[..at], &bytes[at + separator.len()..]))
}

/// A parameter of `Content-Disposition`.
fn parameter(head: &str, name: &str) -> Option<String> {
    let (_, rest) = head.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multipart_has_the_payload_and_the_files() {
        let bytes = "--x\r\nContent-Disposition: form-data; name=\"payload_json\"\r\n\r\n{\"content\":\"a\"}\r\n--x\r\n\
                     Content-Disposition: form-data; name=\"files[0]\"; filename=\"a.png\"\r\ncontent-type: image/png\r\n\r\n\
                     12\r\n34\r\n--x--\r\n";
        let body = RawBody { content_type: "multipart/form-data; boundary=x".to_owned(), bytes: bytes.into() };
        let (payload, files) = body.read().unwrap();
        assert_eq!(payload["content"], "a");
        assert_eq!((files[0].name.as_str(), files[0].size), ("a.png", 6));
        assert_eq!(files[0].content_type.as_deref(), Some("image/png"));
    }
}
