//! The message about a broadcast.

use super::appearance::{CardField, Color, Picture, Poster};
use super::broadcast::Broadcast;
use super::settings::{TrackMentions, TrackSettings};
use super::template;
use crate::discord::markdown::{escape, shorten};
use crate::discord::message::{
    AllowedMentions, Author, Embed, Field, Image, MAX_CONTENT, MAX_FIELD, MAX_TITLE, Message, Row,
};
use crate::discord::name;

/// The colors of a live and of an ended stream.
const LIVE: Color = Color(0x91_46_ff);
const ENDED: u32 = 0x6e_6e_6e;

/// The longest name of a streamer that is shown, in characters; Twitch's are shorter.
const MAX_NAME: usize = 100;

/// The message that says what is to be said now, without mentions. A text that fails is left out, with what is said without one.
#[must_use]
pub fn message(broadcast: &Broadcast, settings: &TrackSettings) -> Message {
    let has_card = settings.embed != Some(false);
    let said = said(broadcast);
    let template = if broadcast.ended_at.is_some() { &settings.end_message } else { &settings.message };
    let text = template.as_deref().and_then(|template| template::render(template, broadcast).ok());
    let text = text.map(|text| shorten(text.trim(), MAX_CONTENT)).filter(|text| !text.is_empty());
    let video = broadcast.ended_at.and_then(|_| broadcast.video_url());
    let url = video.unwrap_or_else(|| broadcast.url());
    let usual = || if has_card { said.clone() } else { format!("{said}: {url}") };
    let (username, avatar_url) = poster(broadcast, settings);
    let button = settings.button.as_ref().map(|label| Row::link(label.trim().to_owned(), broadcast.url()));
    Message {
        content: text.unwrap_or_else(usual),
        embeds: has_card.then(|| embed(broadcast, settings, &said)).into_iter().collect(),
        components: button.into_iter().collect(),
        username,
        avatar_url,
        ..Message::default()
    }
}

/// What is said without a text.
fn said(broadcast: &Broadcast) -> String {
    let name = escape(broadcast.name(), MAX_NAME);
    match broadcast.duration() {
        None => format!("{name} is live"),
        Some(duration) => format!("{name} was live for {duration}"),
    }
}

fn embed(broadcast: &Broadcast, settings: &TrackSettings, said: &str) -> Embed {
    let title = escape(broadcast.title.as_deref().unwrap_or_default(), MAX_TITLE);
    let duration = broadcast.duration();
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
        description: duration.map(|duration| match broadcast.video_url() {
            Some(url) => format!("was live for {duration} · [VOD]({url})"),
            None => format!("was live for {duration}"),
        }),
        url: broadcast.url(),
        timestamp: broadcast.started_at,
        author: Author {
            name: plain(broadcast.name()),
            url: broadcast.url(),
            icon_url: broadcast.avatar_url.clone().filter(|_| settings.avatar == Some(true)),
        },
        fields: fields.iter().filter_map(|kind| field(broadcast, *kind)).collect(),
        image: image.map(|url| Image { url }),
        thumbnail: thumbnail.map(|url| Image { url }),
    }
}

/// A field, if its value is known.
fn field(broadcast: &Broadcast, kind: CardField) -> Option<Field> {
    let text = |text: &Option<String>| escape(text.as_deref().unwrap_or_default(), MAX_FIELD);
    let (name, value) = match kind {
        CardField::Category => ("Category", text(&broadcast.category_name)),
        CardField::Viewers => ("Viewers", broadcast.viewers?.to_string()),
        CardField::Language => ("Language", text(&broadcast.language)),
        CardField::Tags => ("Tags", escape(&broadcast.tags.join(", "), MAX_FIELD)),
    };
    (!value.is_empty()).then_some(Field { name, value, inline: true })
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

/// The message with these mentions, which notify those and no others.
#[must_use]
pub fn mention(message: Message, mentions: &TrackMentions) -> Message {
    let TrackMentions { roles, users, everyone, here } = mentions;
    let words = everyone.then(|| "@everyone".to_owned()).into_iter().chain(here.then(|| "@here".to_owned()));
    let words =
        words.chain(roles.iter().map(|id| format!("<@&{id}>"))).chain(users.iter().map(|id| format!("<@{id}>")));
    let content = words.chain([message.content]).collect::<Vec<_>>().join(" ");
    let parse = if *everyone || *here { vec!["everyone"] } else { Vec::new() };
    let allowed_mentions = AllowedMentions { parse, roles: roles.clone(), users: users.clone() };
    Message { content: shorten(&content, MAX_CONTENT), allowed_mentions, ..message }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

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
        let mentioned = mention(message, &TrackMentions { here: true, ..TrackMentions::default() }).content;
        assert_eq!((mentioned.chars().count(), mentioned.starts_with("@here é")), (2_000, true));
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
        assert_eq!(card["description"], "was live for 2 h · [VOD](https://www.twitch.tv/videos/2335921245)");
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
        let message = mention(message(&Broadcast::sample(false), &all), &all.mentions.clone().unwrap()).silent().edit();
        let payload = serde_json::to_value(message).unwrap();
        let fields: Vec<_> = payload.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["allowed_mentions", "components", "content", "embeds"]);
        assert_eq!(payload["allowed_mentions"], json!({ "parse": [] }));
    }
}
