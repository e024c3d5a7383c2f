use std::ops::Deref;

/// What an endpoint of Helix returned. Only [`Helix`](super::Helix) makes one, so it proves that Twitch said so.
#[derive(Debug)]
pub struct Answer<T> {
    endpoint: &'static str,
    data: Vec<T>,
}

impl<T> Answer<T> {
    pub(super) fn new(endpoint: &'static str, data: Vec<T>) -> Self {
        Self { endpoint, data }
    }

    /// The endpoint's name in Twitch's reference, for example `Get Streams`.
    #[must_use]
    pub fn endpoint(&self) -> &'static str {
        self.endpoint
    }
}

impl<T> Deref for Answer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.data
    }
}
