//! What messages say without a text of the track, in several languages.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};
use time::Duration;
use utoipa::ToSchema;

use super::appearance::CardField;

/// The language of the default texts of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, EnumString, IntoStaticStr, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Language {
    /// German.
    De,
    /// English.
    #[default]
    En,
    /// Spanish.
    Es,
    /// French.
    Fr,
    /// Portuguese.
    Pt,
}

impl Language {
    /// The text that says that a stream is live.
    pub(super) fn live_text(self, name: &str) -> String {
        let words = match self {
            Self::De => "ist live",
            Self::En => "is live",
            Self::Es => "está en directo",
            Self::Fr => "est en direct",
            Self::Pt => "está ao vivo",
        };
        format!("{name} {words}")
    }

    /// The text that says how long a stream was live. It follows the name of the streamer, or stands alone.
    pub(super) fn ended_text(self, duration: &str) -> String {
        match self {
            Self::De => format!("war {duration} live"),
            Self::En => format!("was live for {duration}"),
            Self::Es => format!("estuvo en directo {duration}"),
            Self::Fr => format!("a été en direct pendant {duration}"),
            Self::Pt => format!("ficou ao vivo por {duration}"),
        }
    }

    /// The name of a field.
    pub(super) const fn field(self, field: CardField) -> &'static str {
        let [category, viewers, language, tags] = match self {
            Self::De => ["Kategorie", "Zuschauer", "Sprache", "Tags"],
            Self::En => ["Category", "Viewers", "Language", "Tags"],
            Self::Es => ["Categoría", "Espectadores", "Idioma", "Etiquetas"],
            Self::Fr => ["Catégorie", "Spectateurs", "Langue", "Tags"],
            Self::Pt => ["Categoria", "Espectadores", "Idioma", "Tags"],
        };
        match field {
            CardField::Category => category,
            CardField::Viewers => viewers,
            CardField::Language => language,
            CardField::Tags => tags,
        }
    }

    /// A time, to the minute.
    pub(super) fn time(self, time: Duration) -> String {
        match (time.whole_hours(), time.whole_minutes() % 60) {
            (..=0, ..=0) => match self {
                Self::De => "weniger als eine Minute",
                Self::En => "less than a minute",
                Self::Es => "menos de un minuto",
                Self::Fr => "moins d’une minute",
                Self::Pt => "menos de um minuto",
            }
            .to_owned(),
            (..=0, minutes) => format!("{minutes} min"),
            (hours, 0) => format!("{hours} h"),
            (hours, minutes) => format!("{hours} h {minutes} min"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_told_to_the_minute() {
        let texts = [
            (-5, "less than a minute"),
            (59, "less than a minute"),
            (60, "1 min"),
            (3_600, "1 h"),
            (11_549, "3 h 12 min"),
        ];
        for (seconds, text) in texts {
            assert_eq!(Language::En.time(Duration::seconds(seconds)), text);
        }
        assert_eq!(Language::De.time(Duration::seconds(5)), "weniger als eine Minute");
        assert_eq!(Language::Fr.time(Duration::seconds(11_549)), "3 h 12 min");
    }
}
