use std::ops::Deref;

use crate::twitch::tolerant::Items;

/// What an endpoint of Helix returned. Only [`Helix`](super::Helix) makes one, so it proves that Twitch said so.
#[derive(Debug)]
pub struct Answer<T> {
    endpoint: &'static str,
    data: Vec<T>,
    unreadable: usize,
}

impl<T> Answer<T> {
    pub(super) fn new(endpoint: &'static str, Items { read, unreadable }: Items<T>) -> Self {
        Self { endpoint, data: read, unreadable }
    }

    /// The endpoint's name in Twitch's reference, for example `Get Streams`.
    #[must_use]
    pub fn endpoint(&self) -> &'static str {
        self.endpoint
    }

    /// The number of its items that could not be read.
    #[must_use]
    pub fn unreadable(&self) -> usize {
        self.unreadable
    }
}

impl<T> Deref for Answer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.data
    }
}
