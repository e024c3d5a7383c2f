//! What went wrong, for a person.

/// The error and its causes, each once: those of the library tell their causes in their own text,
/// and what `anyhow` adds to them does not.
pub(crate) fn with_causes(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |text, cause| match cause.to_string() {
        cause if text.is_empty() => cause,
        cause if text.contains(&cause) => text,
        cause => format!("{text}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the port can't be used: {source}")]
    struct Told {
        source: std::io::Error,
    }

    #[test]
    fn each_cause_is_told_once() {
        let told = || Told { source: std::io::Error::other("it is taken") };
        assert_eq!(with_causes(&told().into()), "the port can't be used: it is taken");
        let wrapped = Err::<(), _>(told()).context("no consent").unwrap_err();
        assert_eq!(with_causes(&wrapped), "no consent: the port can't be used: it is taken");
    }
}
