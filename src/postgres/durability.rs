//! Durability of a cluster.

/// How durable the data of a cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Commits survive a power cut.
    Durable,
    /// For tests: nothing waits for the disk, and the data directory is removed when the process that started the cluster
    /// ends.
    Throwaway,
}
