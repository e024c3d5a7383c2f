//! Ids and event types, each a type of its own, so that one is not taken for another.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::payload::Ident;

/// Declares an [`Ident`] of its own type.
macro_rules! id {
    ($name:ident, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(Ident);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = &'static str;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.to_owned().try_into()
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.try_into().map(Self)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.into()
            }
        }
    };
}

id!(UserId, "The id of a user.");
id!(ChannelId, "The id of a channel: that of the user whose channel it is.");
id!(StreamId, "The id of a stream.");
id!(EventType, "What an event is about, and what is subscribed to, for example `channel.follow`.");

impl ChannelId {
    /// The id of the user whose channel it is.
    #[must_use]
    pub fn user(&self) -> UserId {
        UserId(self.0.clone())
    }
}

impl UserId {
    /// The id of the user's channel.
    #[must_use]
    pub fn channel(&self) -> ChannelId {
        ChannelId(self.0.clone())
    }
}
