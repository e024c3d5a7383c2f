//! The settings in `.env.example` and the documentation.

use std::path::Path;

use showtime::config::env_example;

fn file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Each variable and its default.
fn settings(example: &str) -> impl Iterator<Item = (&str, &str)> {
    example.lines().filter_map(|line| line.strip_prefix('#')?.split_once('=')).filter(|(name, _)| !name.contains(' '))
}

#[test]
fn committed_env_example_is_current() {
    let file = file(".env.example");
    let current = env_example();
    #[expect(clippy::disallowed_methods, reason = "not a setting of the program")]
    if std::env::var("UPDATE_ENV_EXAMPLE").is_ok() {
        std::fs::write(&file, &current).expect("the file can be written");
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == current, ".env.example is stale; run: UPDATE_ENV_EXAMPLE=1 cargo test env_example");
}

#[test]
fn documentation_lists_every_setting_with_its_default() {
    let documented = std::fs::read_to_string(file("docs/configuration.md")).expect("docs/configuration.md");
    let listed: Vec<_> = documented
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|');
            let name = cells.next()?.trim().strip_suffix('`')?;
            Some((name, cells.next()?.trim().trim_matches('`')))
        })
        .collect();
    let example = env_example();
    assert_eq!(listed, settings(&example).collect::<Vec<_>>());
}
