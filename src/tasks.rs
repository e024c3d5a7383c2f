//! The tasks that go on for as long as the program runs.

use std::collections::HashMap;
use std::convert::Infallible;

use tokio::task::{Id, JoinSet};

/// Tasks of which none may end by itself.
#[derive(Debug, Default)]
pub struct Tasks {
    running: JoinSet<Infallible>,
    names: HashMap<Id, &'static str>,
}

impl Tasks {
    /// Runs this until [`stop`](Self::stop), by whichever await it has come to.
    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = Infallible> + Send + 'static) {
        self.names.insert(self.running.spawn(task).id(), name);
    }

    /// Ready with its name when one has ended all the same: it has panicked.
    pub async fn any_end(&mut self) -> &'static str {
        match self.running.join_next().await {
            Some(Ok(never)) => match never {},
            Some(Err(error)) => self.names.get(&error.id()).copied().unwrap_or("background task"),
            None => std::future::pending().await,
        }
    }

    /// Ends all of them, and waits until they have.
    pub async fn stop(&mut self) {
        self.running.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_named() {
        let mut tasks = Tasks::default();
        tasks.spawn("one that goes on", std::future::pending());
        tasks.spawn("one that breaks", async { panic!("on purpose") });
        assert_eq!(tasks.any_end().await, "one that breaks");
        tasks.stop().await;
    }
}
