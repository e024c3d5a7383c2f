//! The programs of showtime, each shown as the command that starts it, for texts that tell a person to run one.
//!
//! Texts for callers of the API, and the pages, name the program alone: they are read on other machines, which have
//! other paths, and need not know those of this one. `/status` is for the operator and shows the command.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::{Serialize, Serializer};

/// How this process was started. Found from paths alone: cargo's variables are inherited by programs that cargo did
/// not build, such as an installed server that a build script starts.
static START: LazyLock<Start> = LazyLock::new(|| {
    let executable = std::env::current_exe().unwrap_or_default();
    Start::new(&executable, Path::new(&std::env::args_os().next().unwrap_or_default()))
});

/// A program. Its `Display` is the command that starts it here: `cargo run --bin init` in a source tree,
/// `/usr/local/bin/init` or `./init` where it is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Receives and serves events.
    Server,
    /// Sets showtime up at Twitch.
    Init,
    /// Sends events that did not happen.
    Simulate,
    /// Makes and revokes access tokens.
    Token,
    /// Stands in for Twitch.
    MockTwitch,
    /// Stands in for Discord.
    MockDiscord,
}

impl Program {
    /// The name of its file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Init => "init",
            Self::Simulate => "simulate",
            Self::Token => "token",
            Self::MockTwitch => "mock-twitch",
            Self::MockDiscord => "mock-discord",
        }
    }

    /// The command that starts it here with these arguments.
    #[must_use]
    pub fn with(self, arguments: &str) -> String {
        let separator = if *START == Start::Cargo { " --" } else { "" };
        format!("{self}{separator} {arguments}")
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        START.fmt(*self, f)
    }
}

impl Serialize for Program {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Start {
    /// From the directory that cargo builds in.
    Cargo,
    /// From this directory, which holds the other programs too.
    Installed(PathBuf),
}

impl Start {
    /// `executable` is the file that runs, `typed` the word that it was started with. A word without a directory was
    /// found in `PATH`; then the directory is given in full, since the shell may find another `init` (systemd's).
    fn new(executable: &Path, typed: &Path) -> Self {
        // Two levels, since the programs of tests are in `deps` below it.
        if executable.ancestors().skip(1).take(2).any(|dir| dir.join(".fingerprint").is_dir()) {
            return Self::Cargo;
        }
        let has_directory = |path: &&Path| path.parent().is_some_and(|dir| dir != Path::new(""));
        let path = Some(typed).filter(has_directory).unwrap_or(executable);
        Self::Installed(path.parent().unwrap_or(Path::new("")).to_owned())
    }

    fn fmt(&self, program: Program, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cargo if program == Program::Server => f.write_str("cargo run"),
            Self::Cargo => write!(f, "cargo run --bin {}", program.name()),
            Self::Installed(dir) => write!(f, "{}", dir.join(program.name()).display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(executable: &Path, typed: &str) -> String {
        struct Shown(Start, Program);
        impl fmt::Display for Shown {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(self.1, f)
            }
        }
        let start = || Start::new(executable, Path::new(typed));
        format!("{}, {}", Shown(start(), Program::Server), Shown(start(), Program::Init))
    }

    #[test]
    fn installed_program_names_its_neighbours_by_the_path_it_was_started_with() {
        let executable = Path::new("/opt/showtime/bin/server");
        assert_eq!(shown(executable, "./server"), "./server, ./init");
        assert_eq!(shown(executable, "bin/server"), "bin/server, bin/init");
        assert_eq!(shown(executable, "/opt/showtime/bin/server"), "/opt/showtime/bin/server, /opt/showtime/bin/init");
        assert_eq!(shown(executable, "server"), "/opt/showtime/bin/server, /opt/showtime/bin/init");
    }

    #[test]
    fn program_in_cargos_directory_is_run_by_cargo() {
        let target = tempfile::tempdir().unwrap();
        std::fs::create_dir(target.path().join(".fingerprint")).unwrap();
        for executable in [target.path().join("server"), target.path().join("deps/it-0123")] {
            assert_eq!(shown(&executable, "target/debug/server"), "cargo run, cargo run --bin init");
        }
        assert_eq!(Program::Token.to_string(), "cargo run --bin token", "as this test is");
    }
}
