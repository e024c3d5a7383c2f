//! Options of a bench: which of its parts run, how long, and of which build.

use std::path::PathBuf;

pub(crate) struct Options {
    /// The program to measure.
    pub(crate) program: PathBuf,
    /// Everything is divided by this.
    pub(crate) divisor: u32,
    /// All of them if empty.
    parts: Vec<String>,
}

impl Options {
    /// Reads the arguments; `--brief` divides everything by this.
    pub(crate) fn read(known: &[&str], brief: u32) -> Self {
        let mut options = Self { program: env!("CARGO_BIN_EXE_server").into(), divisor: 1, parts: Vec::new() };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--server" => options.program = arguments.next().expect("a path").into(),
                "--brief" => options.divisor = brief,
                part if known.contains(&part) => options.parts.push(argument),
                // cargo adds options of its own.
                _ => {}
            }
        }
        options
    }

    /// Whether this part runs.
    pub(crate) fn has(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|chosen| chosen == part)
    }
}
