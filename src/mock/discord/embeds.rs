//! Embeds and their limits (<https://docs.discord.com/developers/resources/message#embed-object-embed-limits>).

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::form::{FormErrors, Object, join};

const MAX_EMBEDS: usize = 10;
const MAX_TITLE: usize = 256;
const MAX_DESCRIPTION: usize = 4_096;
const MAX_FIELDS: usize = 25;
const MAX_FIELD_NAME: usize = 256;
const MAX_FIELD_VALUE: usize = 1_024;
const MAX_FOOTER: usize = 2_048;
const MAX_AUTHOR: usize = 256;
const MAX_COLOR: u64 = 0xff_ffff;

/// Limit of the texts of all embeds of a message together.
const MAX_TOTAL: usize = 6_000;

const LINKS: [&str; 2] = ["http", "https"];
const IMAGES: [&str; 3] = ["http", "https", "attachment"];

/// The embeds of a body as Discord keeps them. `None` if the field is absent.
pub(super) fn embeds(body: &Object, errors: &mut FormErrors) -> Option<Vec<Value>> {
    if !body.contains_key("embeds") {
        return None;
    }
    let items = errors.list(body, "", "embeds", MAX_EMBEDS).map(Vec::as_slice).unwrap_or_default();
    let mut total = 0;
    let mut embeds = Vec::new();
    for (number, item) in items.iter().enumerate() {
        let path = format!("embeds.{number}");
        if let Some(object) = errors.as_object(item, &path) {
            let mut embed = Embed { path, total: 0, errors };
            embeds.push(embed.read(object));
            total += embed.total;
        }
    }
    if total > MAX_TOTAL {
        errors.add("embeds", "MAX_EMBED_SIZE_EXCEEDED", format!("Embed size exceeds maximum size of {MAX_TOTAL}"));
    }
    Some(embeds)
}

/// An embed that is being read.
struct Embed<'a> {
    path: String,
    /// Characters so far.
    total: usize,
    errors: &'a mut FormErrors,
}

impl Embed<'_> {
    fn read(&mut self, object: &Object) -> Value {
        let path = self.path.clone();
        let mut shown = json!({ "type": "rich" });
        self.put_text(&mut shown, object, &path, "title", MAX_TITLE);
        self.put_text(&mut shown, object, &path, "description", MAX_DESCRIPTION);
        put(&mut shown, "url", self.errors.url(object, &path, "url", &LINKS));
        put(&mut shown, "color", self.errors.integer(object, &path, "color", MAX_COLOR));
        put(&mut shown, "timestamp", self.timestamp(object));
        for name in ["image", "thumbnail"] {
            if let Some(image) = self.errors.object(object, &path, name) {
                let url = self.errors.url(image, &join(&path, name), "url", &IMAGES);
                put(&mut shown, name, url.map(|url| json!({ "url": url, "proxy_url": url })));
            }
        }
        self.put_part(&mut shown, object, ("footer", "text", MAX_FOOTER));
        self.put_part(&mut shown, object, ("author", "name", MAX_AUTHOR));
        self.put_fields(&mut shown, object);
        if shown.as_object().is_some_and(|shown| shown.len() == 1) {
            self.errors.required(&join(&path, "description"));
        }
        shown
    }

    fn put_text(&mut self, shown: &mut Value, object: &Object, path: &str, name: &str, max: usize) {
        let text = self.errors.text(object, path, name, max).filter(|text| !text.is_empty());
        self.total += text.as_ref().map_or(0, |text| text.chars().count());
        put(shown, name, text);
    }

    /// The footer or the author.
    fn put_part(&mut self, shown: &mut Value, object: &Object, (name, text, max): (&str, &str, usize)) {
        let path = self.path.clone();
        let Some(part) = self.errors.object(object, &path, name) else { return };
        let path = join(&path, name);
        let mut read = json!({});
        self.put_text(&mut read, part, &path, text, max);
        put(&mut read, "icon_url", self.errors.url(part, &path, "icon_url", &IMAGES));
        if name == "author" {
            put(&mut read, "url", self.errors.url(part, &path, "url", &LINKS));
        }
        if read.get(text).is_none() {
            self.errors.required(&join(&path, text));
        }
        shown[name] = read;
    }

    fn put_fields(&mut self, shown: &mut Value, object: &Object) {
        let path = self.path.clone();
        let items = self.errors.list(object, &path, "fields", MAX_FIELDS).map(Vec::as_slice).unwrap_or_default();
        let mut fields = Vec::new();
        for (number, item) in items.iter().enumerate() {
            let path = format!("{path}.fields.{number}");
            let Some(field) = self.errors.as_object(item, &path) else { continue };
            let name = self.errors.required_text(field, &path, "name", MAX_FIELD_NAME);
            let value = self.errors.required_text(field, &path, "value", MAX_FIELD_VALUE);
            let inline = self.errors.boolean(field, &path, "inline");
            self.total += name.chars().count() + value.chars().count();
            fields.push(json!({ "name": name, "value": value, "inline": inline }));
        }
        if !fields.is_empty() {
            shown["fields"] = fields.into();
        }
    }

    fn timestamp(&mut self, object: &Object) -> Option<String> {
        let path = self.path.clone();
        let text = self.errors.text(object, &path, "timestamp", 100)?;
        let at = OffsetDateTime::parse(&text, &Rfc3339);
        if at.is_err() {
            let message = format!("Could not parse {text}. Should be ISO8601.");
            self.errors.add(&join(&path, "timestamp"), "DATE_TIME_TYPE_PARSE", message);
        }
        at.ok()?.format(&Rfc3339).ok()
    }
}

/// Sets a field of an object, if there is a value.
fn put(shown: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        shown[name] = value.into();
    }
}
