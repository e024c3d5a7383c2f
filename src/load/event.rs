//! Events of a run, before they are written as messages.

/// Kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the subscription type of that name, or a variant of it")]
pub enum Kind {
    Chat,
    Follow,
    Cheer,
    AnonymousCheer,
    Subscribe,
    SubscriptionEnd,
    Resubscribe,
    Gift,
    AnonymousGift,
    Update,
    Online,
    Offline,
}

impl Kind {
    /// All kinds, in the order of their discriminants.
    pub const ALL: [Self; 12] = [
        Self::Chat,
        Self::Follow,
        Self::Cheer,
        Self::AnonymousCheer,
        Self::Subscribe,
        Self::SubscriptionEnd,
        Self::Resubscribe,
        Self::Gift,
        Self::AnonymousGift,
        Self::Update,
        Self::Online,
        Self::Offline,
    ];

    /// The subscription type, and the variant of its sample.
    #[must_use]
    pub fn sample(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Chat => ("channel.chat.message", None),
            Self::Follow => ("channel.follow", None),
            Self::Cheer => ("channel.cheer", None),
            Self::AnonymousCheer => ("channel.cheer", Some("anonymous")),
            Self::Subscribe => ("channel.subscribe", None),
            Self::SubscriptionEnd => ("channel.subscription.end", None),
            Self::Resubscribe => ("channel.subscription.message", None),
            Self::Gift => ("channel.subscription.gift", None),
            Self::AnonymousGift => ("channel.subscription.gift", Some("anonymous")),
            Self::Update => ("channel.update", None),
            Self::Online => ("stream.online", None),
            Self::Offline => ("stream.offline", None),
        }
    }

    /// Whether the event names a viewer.
    #[must_use]
    pub fn names_viewer(self) -> bool {
        !matches!(self, Self::AnonymousCheer | Self::AnonymousGift | Self::Update | Self::Online | Self::Offline)
    }
}

/// The content of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The kind of event.
    pub kind: Kind,
    /// Number of the channel within the run.
    pub channel: u32,
    /// Number of the viewer, if the event names one.
    pub viewer: u32,
    /// Bits, gifts or months.
    pub amount: u32,
    /// `1000`, `2000` or `3000`.
    pub tier: u32,
    /// Number of the stream that began or ended.
    pub stream: u64,
}
