//! Whether the log can be written to, as the writer last saw it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::store::WriteError;

/// What the writer knows, shared with all that show it.
#[derive(Clone, Debug, Default)]
pub(super) struct Health(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    error: Option<WriteError>,
    recovered_at: Option<Instant>,
}

impl Health {
    /// Why nothing can be written now.
    pub(super) fn error(&self) -> Option<WriteError> {
        self.lock().error
    }

    /// Whether a connection of this age was opened after the last outage.
    pub(super) fn is_since_recovery(&self, age: Duration) -> bool {
        self.lock().recovered_at.is_none_or(|at| age < at.elapsed())
    }

    /// Records the outcome of a transaction, and returns the error before it.
    pub(super) fn record(&self, error: Option<WriteError>) -> Option<WriteError> {
        let mut state = self.lock();
        if error.is_none() && state.error.is_some() {
            state.recovered_at = Some(Instant::now());
        }
        std::mem::replace(&mut state.error, error)
    }

    /// No critical section can panic halfway.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
