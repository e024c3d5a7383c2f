//! Holds the structure that ARCHITECTURE.md and CONTRIBUTING.md describe: the order of imports, the place of SQL, sizes,
//! and that documents and comments name only what exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

/// The modules of `src/` from the bottom to the top. A module imports only from levels below its own.
const LEVELS: [&[&str]; 15] = [
    &["backoff", "clock", "program"],
    &["http"],
    &["twitch"],
    &["config", "metrics", "simulate"],
    &["message"],
    &["projection"],
    &["store"],
    &["postgres", "ingest", "view", "status", "mock"],
    // `load` kills the private Postgres.
    &["services", "load", "cli"],
    &["credentials"],
    &["subscriptions", "access", "sources"],
    &["outputs"],
    &["api"],
    &["setup"],
    &["app"],
];

/// A segment enters the log only with the grant of its broadcaster, which `access` alone can make; the scope of a grant
/// is a column of the store.
const EXCEPTIONS: [(&str, &str); 2] = [("message", "access::grant"), ("store", "access::grant")];

/// Words that hide who is meant. `nobody` stays where it is the name of a system user.
static VAGUE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)\b(some|no|any|every)body\b|\bwho(m|ever)\b").unwrap());

/// A path of a source file or document in prose.
static PATH: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:^|[^\w./:$<-])((?:\.{1,2}/)*[\w][\w./-]*\.(?:rs|md|sql|sh))\b").unwrap());

static IMPORT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\bcrate::((?:\w+::)*\w+)").unwrap());

const MAX_FILE_LINES: usize = 500;
const MAX_MEDIAN_FILE_LINES: usize = 130;
const MAX_FUNCTION_LINES: usize = 80;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below these directories or files, with its path from the root and its text.
fn files(places: &[&str], extensions: &[&str]) -> Vec<(String, String)> {
    fn walk(path: &Path, found: &mut Vec<PathBuf>) {
        if path.is_dir() {
            let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
            entries.filter(|path| !path.ends_with("node_modules")).for_each(|path| walk(&path, found));
        } else {
            found.push(path.to_owned());
        }
    }
    let mut found = Vec::new();
    places.iter().for_each(|place| walk(&root().join(place), &mut found));
    found.sort();
    let has_extension = |path: &PathBuf| path.extension().is_some_and(|it| extensions.iter().any(|known| it == *known));
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned(), text)
    };
    found.into_iter().filter(has_extension).map(read).collect()
}

fn documents() -> Vec<(String, String)> {
    let mut documents = files(&["docs"], &["md"]);
    documents
        .extend(files(&["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "BENCHMARKS.md", "CHANGELOG.md"], &["md"]));
    documents
}

/// The code of a file without its comments and unit tests.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//"))
}

/// `src/a/b.rs` → `a::b`, `src/a/mod.rs` → `a`.
fn module(path: &str) -> String {
    let path = path.strip_prefix("src/").unwrap().strip_suffix(".rs").unwrap();
    path.strip_suffix("/mod").unwrap_or(path).replace('/', "::")
}

/// What each module imports by `crate::` or `super::` paths, as paths from the crate's root.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let super_path = Regex::new(r"\b((?:super::)+)(\w+)").unwrap();
    files(&["src"], &["rs"])
        .into_iter()
        .map(|(path, text)| {
            let module = module(&path);
            let mut imports = BTreeSet::new();
            for line in code(&text) {
                imports.extend(IMPORT.captures_iter(line).map(|found| found[1].to_owned()));
                for found in super_path.captures_iter(line) {
                    let depth = found[1].matches("super").count();
                    let parts: Vec<_> = module.split("::").collect();
                    let parent = parts[..parts.len().saturating_sub(depth)].join("::");
                    imports.insert(format!("{parent}::{}", &found[2]).trim_start_matches("::").to_owned());
                }
            }
            (module, imports)
        })
        .collect()
}

fn level(module: &str) -> usize {
    let top = module.split("::").next().unwrap();
    LEVELS.iter().position(|names| names.contains(&top)).unwrap_or_else(|| panic!("LEVELS lacks src/{top}"))
}

#[test]
fn imports_point_downwards() {
    let mut wrong = Vec::new();
    for (module, imports) in imports().into_iter().filter(|(module, _)| module != "lib") {
        let top = module.split("::").next().unwrap();
        for import in imports {
            let is_own = import.split("::").next() == Some(top);
            let is_exception = EXCEPTIONS.iter().any(|(from, to)| *from == top && import.starts_with(to));
            if !is_own && !is_exception && level(&import) >= level(top) {
                wrong.push(format!("{module} imports {import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "imports against the order:\n{}", wrong.join("\n"));
}

#[test]
fn files_do_not_import_each_other_in_a_circle() {
    let imports = imports();
    // The longest known module that a path begins with is the file that it comes from.
    let file_of = |import: &str| {
        let parts: Vec<_> = import.split("::").collect();
        (1..=parts.len()).rev().map(|length| parts[..length].join("::")).find(|name| imports.contains_key(name))
    };
    let graph: BTreeMap<&str, BTreeSet<String>> = imports
        .iter()
        .map(|(module, paths)| {
            // A parent declares its children, and children use what it has beside them: that is no circle of ours.
            let is_family =
                |other: &String| other.starts_with(&format!("{module}::")) || module.starts_with(&format!("{other}::"));
            let others =
                paths.iter().filter_map(|path| file_of(path)).filter(|other| other != module && !is_family(other));
            (module.as_str(), others.collect())
        })
        .collect();
    fn reaches<'a>(
        graph: &'a BTreeMap<&str, BTreeSet<String>>,
        from: &'a str,
        goal: &str,
        seen: &mut BTreeSet<&'a str>,
    ) -> bool {
        graph
            .get(from)
            .into_iter()
            .flatten()
            .any(|next| next == goal || (seen.insert(next.as_str()) && reaches(graph, next, goal, seen)))
    }
    let circles: Vec<_> =
        graph.keys().filter(|module| reaches(&graph, module, module, &mut BTreeSet::new())).copied().collect();
    assert!(circles.is_empty(), "files that import each other in a circle: {}", circles.join(", "));
}

#[test]
fn sql_is_only_in_the_store() {
    let statement =
        Regex::new(r"\bquery(_as|_scalar|_file|_file_as|_file_scalar)?(_unchecked)?!|sqlx::(query|raw_sql)").unwrap();
    let elsewhere: Vec<_> = files(&["src", "cmd"], &["rs"])
        .into_iter()
        .filter(|(path, text)| !path.starts_with("src/store/") && code(text).any(|line| statement.is_match(line)))
        .map(|(path, _)| path)
        .collect();
    assert!(elsewhere.is_empty(), "SQL outside of src/store/: {}", elsewhere.join(", "));
}

#[test]
fn paths_in_comments_and_documents_exist() {
    let known: BTreeSet<String> =
        files(&["src", "cmd", "tests", "benches", "db", "docs", ".ci"], &["rs", "md", "sql", "sh"])
            .into_iter()
            .chain(files(
                &["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "BENCHMARKS.md", "CHANGELOG.md"],
                &["md"],
            ))
            .chain(files(&["local-db.sh", "db-migrate.sh", "build.rs"], &["sh", "rs"]))
            .map(|(path, _)| path)
            .collect();
    let exists = |path: &str| {
        let name = path.trim_start_matches("./").trim_start_matches("../");
        known.iter().any(|it| it == name || it.ends_with(&format!("/{name}")))
    };
    let comments = files(&["src", "cmd", "tests/it", "benches"], &["rs"]).into_iter().map(|(path, text)| {
        let comments: Vec<_> = text.lines().filter(|line| line.trim_start().starts_with("//")).collect();
        (path, comments.join("\n"))
    });
    let mut missing = Vec::new();
    for (file, text) in comments.chain(documents()) {
        let urls = Regex::new(r"https?://\S+").unwrap();
        let text = urls.replace_all(&text, " ");
        let names = PATH.captures_iter(&text).map(|found| found[1].to_owned());
        missing.extend(names.filter(|name| !exists(name)).map(|name| format!("{file} names {name}")));
    }
    assert!(missing.is_empty(), "files that do not exist:\n{}", missing.join("\n"));
}

#[test]
fn texts_name_who_is_meant() {
    let sources = files(&["src", "cmd", "tests", "benches", "db"], &["rs", "sql", "sh", "html", "css", "js", "py"]);
    let mut vague = Vec::new();
    for (file, text) in sources.into_iter().chain(documents()) {
        for (number, line) in text.lines().enumerate() {
            let is_system_user = line.contains("`nobody`") || line.contains("\"nobody\"");
            if VAGUE.is_match(line) && !is_system_user && !file.ends_with("architecture.rs") {
                vague.push(format!("{file}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(vague.is_empty(), "say who is meant:\n{}", vague.join("\n"));
}

#[test]
fn files_and_functions_stay_small() {
    let files = files(&["src", "cmd"], &["rs"]);
    let mut lines: Vec<_> = files.iter().map(|(_, text)| text.lines().count()).collect();
    lines.sort_unstable();
    assert!(lines[lines.len() / 2] <= MAX_MEDIAN_FILE_LINES, "the median file has {} lines", lines[lines.len() / 2]);
    let function = Regex::new(r"^(\s*)(?:pub(?:\([^)]*\))? )?(?:const )?(?:async )?fn (\w+)").unwrap();
    let mut large = Vec::new();
    for (file, text) in &files {
        if text.lines().count() > MAX_FILE_LINES {
            large.push(format!("{file} has more than {MAX_FILE_LINES} lines"));
        }
        let mut open: Option<(String, String, usize)> = None;
        for (number, line) in text.lines().enumerate() {
            if let Some((indent, name, begin)) = &open
                && line == format!("{indent}}}")
            {
                if number - begin >= MAX_FUNCTION_LINES {
                    large.push(format!("{file}: {name} has {} lines", number - begin + 1));
                }
                open = None;
            } else if open.is_none()
                && let Some(found) = function.captures(line)
                && !line.ends_with(['}', ';'])
            {
                open = Some((found[1].to_owned(), found[2].to_owned(), number));
            }
        }
    }
    assert!(large.is_empty(), "too large:\n{}", large.join("\n"));
}
