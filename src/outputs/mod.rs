//! What goes out as it happens. An output never slows the input: it reads the log at its own pace.

pub mod live;
