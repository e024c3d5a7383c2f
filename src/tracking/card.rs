//! The message about a broadcast.

use time::OffsetDateTime;

use super::appearance::{CardField, Color, Picture, Poster};
use super::broadcast::{Broadcast, Segment};
use super::language::Language;
use super::mentions::TrackMentions;
use super::settings::TrackSettings;
use super::template::{Template, TextOptions};
use crate::discord::markdown::{escape, shorten};
use crate::discord::message::{
    AllowedMentions, Author, Embed, Field, Image, MAX_CONTENT, MAX_FIELD, MAX_TITLE, Message, Row,
};
use crate::discord::name;

/// The colors of a live and of an ended stream.
const LIVE: Color = Color(0x91_46_ff);
const ENDED: u32 = 0x6e_6e_6e;

/// The longest name of a category in the list of chapters, in characters.
const MAX_CHAPTER: usize = 60;

/// The longest name of a streamer that is shown, in characters; Twitch's are shorter.
const MAX_NAME: usize = 100;

/// The message that says what is to be said now, and mentions these and no others. A text that fails is left out, with what is said
/// without one. Mentions are before the text, unless it says itself where they are.
#[must_use]
pub fn message(broadcast: &Broadcast, settings: &TrackSettings, mentions: Option<&TrackMentions>) -> Message {
    let has_card = settings.embed != Some(false);
    let (language, mentions) = (settings.language.unwrap_or_default(), mentions.cloned().unwrap_or_default());
    let said = said(broadcast, language);
    let template = if broadcast.ended_at.is_some() { &settings.end_message } else { &settings.message };
    let text = template.as_deref().and_then(|template| {
        let template = Template::compile(template).ok()?;
        let text = template.render(broadcast, TextOptions { mentions: &mentions, language }).ok()?;
        let text = shorten(text.trim(), MAX_CONTENT);
        (!text.is_empty()).then(|| (text, template.places_mentions()))
    });
    let video = broadcast.ended_at.and_then(|_| broadcast.video_url());
    let url = video.unwrap_or_else(|| broadcast.url());
    let usual = || if has_card { said.clone() } else { format!("{said}: {url}") };
    let (text, is_placed) = text.unwrap_or_else(|| (usual(), false));
    let (username, avatar_url) = poster(broadcast, settings);
    let button = settings.button.as_ref().map(|label| Row::link(label.trim().to_owned(), broadcast.url()));
    Message {
        content: if is_placed { text } else { mentioning(&mentions, text) },
        embeds: has_card.then(|| embed(broadcast, settings, &said)).into_iter().collect(),
        components: button.into_iter().collect(),
        username,
        avatar_url,
        allowed_mentions: allowed(mentions),
        ..Message::default()
    }
}

/// A text behind these mentions.
fn mentioning(mentions: &TrackMentions, text: String) -> String {
    shorten(&mentions.words().into_iter().chain([text]).collect::<Vec<_>>().join(" "), MAX_CONTENT)
}

/// What lets these be notified, and no others.
fn allowed(mentions: TrackMentions) -> AllowedMentions {
    let TrackMentions { roles, users, everyone, here } = mentions;
    let parse = if everyone || here { vec!["everyone"] } else { Vec::new() };
    AllowedMentions { parse, roles, users }
}

/// What is said without a text.
fn said(broadcast: &Broadcast, language: Language) -> String {
    let name = escape(broadcast.name(), MAX_NAME);
    match broadcast.duration(language) {
        None => language.live_text(&name),
        Some(duration) => format!("{name} {}", language.ended_text(&duration)),
    }
}

fn embed(broadcast: &Broadcast, settings: &TrackSettings, said: &str) -> Embed {
    let title = escape(broadcast.title.as_deref().unwrap_or_default(), MAX_TITLE);
    let language = settings.language.unwrap_or_default();
    let duration = broadcast.duration(language);
    let fields = settings.fields.as_deref().unwrap_or(&[CardField::Category]);
    let (image, thumbnail) = match settings.picture.unwrap_or_default() {
        Picture::Off => (None, None),
        Picture::Preview => (broadcast.thumbnail_url(), None),
        Picture::Boxart => (None, broadcast.boxart_url()),
    };
    Embed {
        title: if title.is_empty() { said.to_owned() } else { title },
        color: match (&duration, settings.color) {
            (Some(_), _) => ENDED,
            (None, color) => color.unwrap_or(LIVE).0,
        },
        description: duration.map(|duration| summary(broadcast, &language.ended_text(&duration))),
        url: broadcast.url(),
        timestamp: broadcast.started_at,
        author: Author {
            name: plain(broadcast.name()),
            url: broadcast.url(),
            icon_url: broadcast.avatar_url.clone().filter(|_| settings.avatar == Some(true)),
        },
        fields: fields.iter().filter_map(|kind| field(broadcast, language, *kind)).collect(),
        image: image.map(|url| Image { url }),
        thumbnail: thumbnail.map(|url| Image { url }),
    }
}

/// How long a broadcast was, where its video is, and if it had several categories, from when on each.
fn summary(broadcast: &Broadcast, length: &str) -> String {
    let video = broadcast.video_url();
    let length = match &video {
        Some(url) => format!("{length} · [VOD]({url})"),
        None => length.to_owned(),
    };
    let mut chapters: Vec<(&str, OffsetDateTime)> = Vec::new();
    for Segment { category, at, .. } in &broadcast.segments {
        let name = category.as_deref().unwrap_or_default().trim();
        if !name.is_empty() && chapters.last().is_none_or(|(last, _)| *last != name) {
            chapters.push((name, *at));
        }
    }
    let is_several = chapters.len() > 1;
    let lines = chapters.into_iter().filter(|_| is_several).map(|(name, at)| {
        let (into, name) = (at - broadcast.started_at, escape(name, MAX_CHAPTER));
        let (hours, minutes) = (into.whole_hours().max(0), into.whole_minutes().max(0) % 60);
        match &video {
            // The video begins with the stream, and the broadcast maybe with an earlier one.
            Some(url) => {
                let place = (at - broadcast.stream_started_at).whole_seconds().max(0);
                format!("[{hours}:{minutes:02}]({url}?t={place}s) {name}")
            }
            None => format!("{hours}:{minutes:02} {name}"),
        }
    });
    [length].into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}

/// A field, if its value is known.
fn field(broadcast: &Broadcast, language: Language, kind: CardField) -> Option<Field> {
    let text = |text: &Option<String>| escape(text.as_deref().unwrap_or_default(), MAX_FIELD);
    let value = match kind {
        CardField::Category => text(&broadcast.category_name),
        CardField::Viewers => broadcast.viewers?.to_string(),
        CardField::Language => text(&broadcast.language),
        CardField::Tags => escape(&broadcast.tags.join(", "), MAX_FIELD),
    };
    (!value.is_empty()).then_some(Field { name: language.field(kind), value, inline: true })
}

/// The name and the picture that the message has in place of those of the webhook.
fn poster(broadcast: &Broadcast, settings: &TrackSettings) -> (Option<String>, Option<String>) {
    let (name, avatar_url) = match settings.poster.unwrap_or_default() {
        Poster::Webhook => (None, None),
        Poster::Streamer => (Some(broadcast.name()), broadcast.avatar_url.clone()),
    };
    let name = settings.poster_name.as_deref().or(name).and_then(name::name);
    (name, settings.poster_avatar_url.clone().or(avatar_url))
}

/// A name where Discord shows text as it is, without formatting.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The message without mentions.
    fn message(broadcast: &Broadcast, settings: &TrackSettings) -> Message {
        super::message(broadcast, settings, None)
    }

    fn settings(json: Value) -> TrackSettings {
        serde_json::from_value(json).unwrap()
    }

    fn payload(broadcast: &Broadcast, json: Value) -> Value {
        serde_json::to_value(message(broadcast, &settings(json))).unwrap()
    }

    #[test]
    fn text_of_the_track_has_at_most_two_thousand_characters() {
        let message = message(&Broadcast::sample(false), &settings(json!({ "message": "é".repeat(2_000) })));
        assert_eq!(message.content.chars().count(), 2_000);
        let (broadcast, here) = (Broadcast::sample(false), TrackMentions { here: true, ..TrackMentions::default() });
        let long = settings(json!({ "message": "é".repeat(2_000) }));
        let mentioned = super::message(&broadcast, &long, Some(&here)).content;
        assert_eq!((mentioned.chars().count(), mentioned.starts_with("@here é")), (2_000, true));
    }

    #[test]
    fn mentions_are_where_the_text_has_them() {
        let (broadcast, role) = (Broadcast::sample(false), "<@&146404426746167296>");
        let list: TrackMentions =
            serde_json::from_value(json!({ "roles": ["146404426746167296"], "everyone": true })).unwrap();
        for (text, content) in [
            ("{{ streamer.name }}!", format!("@everyone {role} MapleArcade!")),
            ("{{ streamer.name }}! {{ mentions }}", format!("MapleArcade! @everyone {role}")),
            ("{{ role('146404426746167296') }} {{ streamer.name }}", format!("{role} MapleArcade")),
            ("{% if stream.category == 'Chess' %}{{ everyone }} {% endif %}live", "live".to_owned()),
            ("{{ here }}", format!("@everyone {role} MapleArcade is live")),
        ] {
            let shown = super::message(&broadcast, &settings(json!({ "message": text })), Some(&list));
            assert_eq!(shown.content, content, "{text}");
            let allowed = json!({ "parse": ["everyone"], "roles": ["146404426746167296"] });
            assert_eq!(json!(shown.allowed_mentions), allowed, "{text}");
        }
    }

    #[test]
    fn message_is_in_the_language_of_the_track() {
        let said = |language: &str, is_ended: bool| {
            let shown = payload(&Broadcast::sample(is_ended), json!({ "language": language, "fields": ["viewers"] }));
            let card = &shown["embeds"][0];
            let description = card["description"].as_str().unwrap_or_default().lines().next().unwrap_or_default();
            let length = description.split(" · ").next().unwrap_or_default().to_owned();
            (
                shown["content"].as_str().unwrap().to_owned(),
                length,
                card["fields"][0]["name"].as_str().unwrap().to_owned(),
            )
        };
        let own = |content: &str, length: &str, field: &str| (content.to_owned(), length.to_owned(), field.to_owned());
        assert_eq!(said("de", false), own("MapleArcade ist live", "", "Zuschauer"));
        assert_eq!(said("de", true), own("MapleArcade war 2 h live", "war 2 h live", "Zuschauer"));
        assert_eq!(said("pt", true), own("MapleArcade ficou ao vivo por 2 h", "ficou ao vivo por 2 h", "Espectadores"));
        assert!(serde_json::from_value::<TrackSettings>(json!({ "language": "xx" })).is_err());
    }

    #[test]
    fn chapters_are_the_categories_if_there_are_several() {
        let said = |broadcast: &Broadcast| payload(broadcast, json!({}))["embeds"][0]["description"].clone();
        let ended = Broadcast::sample(true);
        let silent = Broadcast { video_id: None, ..ended.clone() };
        assert_eq!(said(&silent), "was live for 2 h\n0:00 Just Chatting\n0:20 Minecraft");
        // A title changes within a chapter, and the broadcast began with an earlier stream.
        let mut later = silent.clone();
        later.segments.insert(1, Segment { title: Some("Second".to_owned()), ..later.segments[0].clone() });
        later.started_at -= time::Duration::HOUR;
        assert_eq!(said(&later), "was live for 3 h\n1:00 Just Chatting\n1:20 Minecraft");
        later.segments.truncate(2);
        assert_eq!(said(&later), "was live for 3 h");
        let hostile = Segment { category: Some("[x](https://evil.example)\n".repeat(9)), ..ended.segments[0].clone() };
        let hostile = Broadcast {
            segments: std::iter::repeat_n([hostile, ended.segments[1].clone()], 10).flatten().collect(),
            ..silent
        };
        let shown = said(&hostile);
        assert!(shown.as_str().unwrap().lines().count() == 21 && !shown.as_str().unwrap().contains("]("), "{shown}");
        assert!(shown.as_str().unwrap().chars().count() < 4_096);
    }

    #[test]
    fn text_that_fails_or_is_empty_is_the_usual_one() {
        for (text, said) in [("{{ nothing }}", "MapleArcade is live"), (" ", "MapleArcade is live"), ("a ", "a")] {
            let settings = settings(json!({ "message": text }));
            assert_eq!(message(&Broadcast::sample(false), &settings).content, said, "{text}");
        }
    }

    #[test]
    fn card_is_the_usual_one_without_settings() {
        insta::assert_json_snapshot!(payload(&Broadcast::sample(false), json!({})), @r#"
        {
          "allowed_mentions": {
            "parse": []
          },
          "components": [],
          "content": "MapleArcade is live",
          "embeds": [
            {
              "author": {
                "name": "MapleArcade",
                "url": "https://www.twitch.tv/maplearcade"
              },
              "color": 9520895,
              "fields": [
                {
                  "inline": true,
                  "name": "Category",
                  "value": "Minecraft"
                }
              ],
              "timestamp": "2026-07-01T18:00:00Z",
              "title": "Speedrun practice, then co\\-op",
              "url": "https://www.twitch.tv/maplearcade"
            }
          ]
        }
        "#);
    }

    #[test]
    fn card_looks_as_it_is_set() {
        let all = json!({
            "color": "#00ff00", "fields": ["viewers", "language", "category", "tags"], "picture": "preview", "avatar": true,
            "button": " Watch ", "poster": "streamer",
        });
        let shown = payload(&Broadcast::sample(false), all.clone());
        let (card, avatar) =
            (&shown["embeds"][0], "https://static-cdn.jtvnw.net/jtv_user_pictures/maplearcade-300x300.png");
        let fields: Vec<_> =
            card["fields"].as_array().unwrap().iter().map(|it| it["value"].as_str().unwrap()).collect();
        assert_eq!((fields, &card["color"]), (vec!["128", "en", "Minecraft", "English, Speedrun"], &json!(0xff00)));
        let picture = "https://static-cdn.jtvnw.net/previews-ttv/live_user_maplearcade-1280x720.jpg?v=317209849981-1-0";
        assert_eq!((&card["image"]["url"], &card["author"]["icon_url"]), (&json!(picture), &json!(avatar)));
        assert_eq!((&shown["username"], &shown["avatar_url"]), (&json!("MapleArcade"), &json!(avatar)));
        let button = json!({ "type": 2, "style": 5, "label": "Watch", "url": "https://www.twitch.tv/maplearcade" });
        assert_eq!(shown["components"], json!([{ "type": 1, "components": [button] }]));
        let ended = payload(&Broadcast::sample(true), all.clone());
        let picture = "https://static-cdn.jtvnw.net/cf_vods/maplearcade/thumb/thumb0-1280x720.jpg";
        let card = &ended["embeds"][0];
        assert_eq!((&card["color"], &card["image"]["url"]), (&json!(ENDED), &json!(picture)));
        let video = "https://www.twitch.tv/videos/2335921245";
        let summary = format!(
            "was live for 2 h · [VOD]({video})\n[0:00]({video}?t=0s) Just Chatting\n[0:20]({video}?t=1200s) Minecraft"
        );
        assert_eq!(card["description"], summary);
        let bare = payload(&Broadcast::sample(true).sparse(), all.clone());
        assert_eq!(
            (&bare["embeds"][0]["image"], &bare["embeds"][0]["description"]),
            (&Value::Null, &json!("was live for 2 h"))
        );
        let offline = Broadcast {
            offline_picture_url: Some("https://x/offline.png".to_owned()),
            ..Broadcast::sample(true).sparse()
        };
        assert_eq!(payload(&offline, all.clone())["embeds"][0]["image"]["url"], "https://x/offline.png");
        let sparse = payload(&Broadcast::sample(false).sparse(), all);
        assert_eq!((&sparse["embeds"][0]["fields"], &sparse["avatar_url"]), (&Value::Null, &Value::Null));
        assert_eq!(sparse["embeds"][0]["author"]["icon_url"], Value::Null);
    }

    #[test]
    fn picture_of_the_category_is_small() {
        let shown = payload(&Broadcast::sample(true), json!({ "picture": "boxart" }));
        let url = "https://static-cdn.jtvnw.net/ttv-boxart/27471-285x380.jpg";
        assert_eq!(shown["embeds"][0]["thumbnail"], json!({ "url": url }));
        let hostile = Broadcast { category_id: Some("../x".to_owned()), ..Broadcast::sample(true) };
        assert_eq!(payload(&hostile, json!({ "picture": "boxart" }))["embeds"][0]["thumbnail"], Value::Null);
    }

    #[test]
    fn message_without_a_card_has_the_address() {
        let shown = payload(&Broadcast::sample(false), json!({ "embed": false }));
        assert_eq!(
            (&shown["embeds"], &shown["content"]),
            (&json!([]), &json!("MapleArcade is live: https://www.twitch.tv/maplearcade"))
        );
        let ended = payload(&Broadcast::sample(true), json!({ "embed": false }));
        assert_eq!(ended["content"], "MapleArcade was live for 2 h: https://www.twitch.tv/videos/2335921245");
        let hostile = Broadcast { video_id: Some("../x".to_owned()), ..Broadcast::sample(true) };
        let ended = payload(&hostile, json!({ "embed": false }));
        assert_eq!(ended["content"], "MapleArcade was live for 2 h: https://www.twitch.tv/maplearcade");
    }

    #[test]
    fn name_that_discord_refuses_is_left_to_the_webhook() {
        let named = |name: &str, json| {
            let broadcast = Broadcast { display_name: name.to_owned(), ..Broadcast::sample(false) };
            payload(&broadcast, json)["username"].clone()
        };
        assert_eq!(named("Maple", json!({ "poster": "streamer" })), "Maple");
        assert_eq!(named("DiscordFan", json!({ "poster": "streamer" })), Value::Null);
        assert_eq!(named("Maple", json!({ "poster": "streamer", "poster_name": "Alerts" })), "Alerts");
        assert_eq!(named("Maple", json!({})), Value::Null);
    }

    #[test]
    fn edit_changes_neither_name_nor_picture() {
        let all = settings(json!({ "poster": "streamer", "mentions": { "everyone": true } }));
        let message = super::message(&Broadcast::sample(false), &all, all.mentions.as_ref()).silent().edit();
        let payload = serde_json::to_value(message).unwrap();
        let fields: Vec<_> = payload.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["allowed_mentions", "components", "content", "embeds"]);
        assert_eq!(payload["allowed_mentions"], json!({ "parse": [] }));
    }
}
