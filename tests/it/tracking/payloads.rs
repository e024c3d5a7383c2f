//! What is sent to Discord, judged by [twilight](https://docs.rs/twilight-validate), an independent implementation of its limits.

use proptest::prelude::*;
use serde_json::{Value, json};
use showtime::discord::message::Message;
use showtime::mock::discord::DiscordMessage;
use showtime::tracking::broadcast::{Broadcast, Segment};
use showtime::tracking::settings::TrackSettings;
use showtime::tracking::{card, forum};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use twilight_model::channel::message::{AllowedMentions, Component, Embed};

/// Fails unless twilight takes a message as it is shown.
pub(super) fn accept(message: &DiscordMessage) {
    judge(&message.content, &message.embeds, &message.components);
    twilight_validate::request::webhook_username(&message.name).unwrap_or_else(|error| panic!("{error}: {message:?}"));
}

fn judge(content: &str, embeds: &[Value], components: &[Value]) {
    let typed = |embed: &Value| {
        let mut embed = embed.clone();
        // Discord's own answers have it, and times in a form of their own.
        embed["type"] = json!("rich");
        let at = embed.as_object_mut().unwrap().remove("timestamp").unwrap();
        OffsetDateTime::parse(at.as_str().unwrap(), &Rfc3339).unwrap();
        serde_json::from_value::<Embed>(embed).unwrap()
    };
    let embeds: Vec<_> = embeds.iter().map(typed).collect();
    let components: Vec<Component> = serde_json::from_value(components.into()).unwrap();
    let judged = twilight_validate::message::content(content)
        .and_then(|()| twilight_validate::message::embeds(&embeds))
        .and_then(|()| twilight_validate::message::components(&components, false));
    judged.unwrap_or_else(|error| panic!("{error}: {content} {embeds:?} {components:?}"));
}

/// A message as it is sent.
fn accept_payload(message: &Message) {
    let payload = json!(message);
    let list = |name: &str| payload[name].as_array().unwrap().clone();
    judge(payload["content"].as_str().unwrap(), &list("embeds"), &list("components"));
    serde_json::from_value::<AllowedMentions>(payload["allowed_mentions"].clone()).unwrap();
    if let Some(name) = payload["username"].as_str() {
        twilight_validate::request::webhook_username(name).unwrap();
    }
    if let Some(name) = payload["thread_name"].as_str() {
        twilight_validate::channel::name(name).unwrap();
    }
    assert!(!payload["content"].as_str().unwrap().is_empty(), "a message has a text: {payload}");
}

/// A broadcast with these texts wherever Twitch has some.
fn broadcast(texts: &[String], is_ended: bool) -> Broadcast {
    let sample = Broadcast::sample(is_ended);
    let text = |place: usize| Some(texts[place % texts.len()].clone());
    let segment = |place| Segment { title: text(place), category: text(place + 1), ..sample.segments[0].clone() };
    Broadcast {
        display_name: texts[0].clone(),
        title: text(1),
        category_name: text(2),
        language: text(3),
        tags: texts.to_vec(),
        labels: texts.to_vec(),
        segments: (0..20).map(segment).collect(),
        ..sample
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn payload_is_one_that_twilight_takes_whatever_twitch_says(
        texts in proptest::collection::vec(r"([*_`<>@#\[\]()\\:]|@everyone|discord|clyde|\u{202e}|\n| |\PC){0,300}", 1..6),
        is_ended: bool,
        has_card: bool,
    ) {
        let ids: Vec<_> = (0..20).map(|number| (146_404_426_746_167_296_u64 + number).to_string()).collect();
        let text = "{{ mentions }} {{ streamer.name }} {{ stream.title | raw }} {% for it in segments %}{{ it.category }}{% endfor %}";
        let settings = json!({
            "embed": has_card, "fields": ["category", "viewers", "language", "tags"], "picture": "preview", "avatar": true, "button": "Watch",
            "poster": "streamer", "message": text, "forum": { "title": "{{ stream.title }}" },
            "mentions": { "roles": ids, "users": ids, "everyone": true, "here": true },
        });
        let broadcast = broadcast(&texts, is_ended);
        for settings in [settings, json!({ "embed": has_card })] {
            let settings: TrackSettings = serde_json::from_value(settings).unwrap();
            for mentions in [None, settings.mentions.as_ref()] {
                let message = card::message(&broadcast, &settings, mentions);
                accept_payload(&forum::begin(message.clone(), &broadcast, &settings));
                accept_payload(&message.silent().edit());
            }
        }
    }
}
