//! File operations that don't block the runtime.

use std::path::Path;

use super::error::LocalError;

/// Runs blocking file operations on a thread for them.
pub(super) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LocalError> + Send + 'static,
) -> Result<T, LocalError> {
    tokio::task::spawn_blocking(work).await?
}

/// Whether `path` exists; true if that is unknown.
pub(super) async fn exists(path: &Path) -> bool {
    tokio::fs::try_exists(path).await.unwrap_or(true)
}

/// Removes a directory and its contents, if it exists.
pub(super) async fn remove_dir(path: &Path) -> Result<(), LocalError> {
    match tokio::fs::remove_dir_all(path).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(LocalError::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Removes a file, if it exists.
pub(super) async fn remove_file(path: &Path) -> Result<(), LocalError> {
    match tokio::fs::remove_file(path).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(LocalError::io("remove", path)(error)),
        _ => Ok(()),
    }
}
