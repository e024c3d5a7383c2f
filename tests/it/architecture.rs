//! Checks the structure that ARCHITECTURE.md and CONTRIBUTING.md describe: the order of imports, the place of SQL, the
//! sizes of files and functions, that documents and comments name only files that exist, and that the pages know the API's
//! kinds of alerts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;
use showtime::view::Alert;

/// The modules of `src/` from the bottom to the top. A module imports only from levels below its own.
const LEVELS: [&[&str]; 16] = [
    &["backoff", "clock", "jinja", "media", "object", "program"],
    &["cache", "http"],
    &["discord", "twitch"],
    &["config", "incidents", "metrics", "simulate"],
    &["message"],
    &["projection"],
    &["store"],
    &["postgres", "ingest", "view", "status", "mock"],
    // `load` kills the private Postgres.
    &["services", "load", "cli"],
    &["credentials", "emotes"],
    &["subscriptions", "access", "sources", "retention", "outages"],
    &["tracking"],
    &["outputs"],
    &["api", "grpc"],
    &["setup"],
    &["app"],
];

/// A segment enters the log only with the grant of its broadcaster, which `access` alone can make; the scope of a grant
/// is a column of the store.
const EXCEPTIONS: [(&str, &str); 2] = [("message", "access::grant"), ("store", "access::grant")];

/// Pronouns that hide who is meant. `nobody` stays where it is the name of a system user.
static VAGUE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)\b(some|no|any|every)body\b|\bwho(m|ever)\b").unwrap());

/// A path of a source file or document in prose.
static PATH: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:^|[^\w./:$<-])((?:\.{1,2}/)*[\w][\w./-]*\.(?:rs|md|sql|sh))\b").unwrap());

/// A path into the crate, one name or a group of names after its modules.
static IMPORT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b(crate|super)((?:::\w+)*)::(?:\{([^{}]*)\}|(\w+))").unwrap());

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

/// `src/view/chat.rs` is `view::chat`, `src/view/mod.rs` is `view`.
fn module(path: &str) -> String {
    let path = path.strip_prefix("src/").unwrap().strip_suffix(".rs").unwrap();
    path.strip_suffix("/mod").unwrap_or(path).replace('/', "::")
}

/// What each module imports by `crate::` or `super::` paths, as paths from the crate's root.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let imports = |(path, text): (String, String)| {
        let (module, code) = (module(&path), code(&text).collect::<Vec<_>>().join("\n"));
        let mut imports = BTreeSet::new();
        for found in IMPORT.captures_iter(&code) {
            let within: Vec<_> = found[2].split("::").filter(|part| !part.is_empty()).collect();
            let supers = within.iter().take_while(|part| **part == "super").count();
            let mut base: Vec<_> = if &found[1] == "super" { module.split("::").collect() } else { Vec::new() };
            base.truncate(base.len().saturating_sub(supers + 1));
            base.extend(&within[supers..]);
            let names = found.get(3).or(found.get(4)).unwrap().as_str().split(',').map(str::trim);
            for name in names.filter(|name| !name.is_empty()) {
                let name = name.split(|it: char| !it.is_alphanumeric() && it != '_').next().unwrap();
                imports.insert([&base[..], &[name]].concat().join("::"));
            }
        }
        (module, imports)
    };
    files(&["src"], &["rs"]).into_iter().map(imports).collect()
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

/// The fake Discord knows nothing of showtime, and of the fake Twitch only the tools that both use.
#[test]
fn fake_discord_stands_alone() {
    const TOOLS: [&str; 4] = ["clock::", "mock::chances::", "mock::control::parse", "mock::cut::"];
    let imports = imports();
    let of_discord = imports.iter().filter(|(module, _)| module.starts_with("mock::discord"));
    let foreign = of_discord
        .flat_map(|(_, imports)| imports)
        .filter(|import| !import.starts_with("mock::discord") && !TOOLS.iter().any(|tool| import.starts_with(tool)));
    assert_eq!(foreign.collect::<Vec<_>>(), Vec::<&String>::new());
    let others =
        imports.iter().filter(|(module, _)| module.starts_with("mock") && !module.starts_with("mock::discord"));
    assert!(others.flat_map(|(_, imports)| imports).all(|import| !import.starts_with("mock::discord")));
}

#[test]
fn files_import_each_other_without_circles() {
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
    let places = ["src", "cmd", "tests", "benches", "db", "docs", ".ci", "local-db.sh", "db-migrate.sh", "build.rs"];
    let mut known = files(&places, &["rs", "md", "sql", "sh"]);
    known.extend(documents());
    let known: BTreeSet<PathBuf> = known.into_iter().map(|(path, _)| path.into()).collect();
    // A path from the root, a path from the file that names it, or the bare name of a file.
    let exists = |file: &str, path: &str| {
        let path = path.trim_start_matches("./");
        let mut from_file = Path::new(file).parent().unwrap().to_owned();
        for part in Path::new(path).components() {
            match part {
                Component::ParentDir => drop(from_file.pop()),
                part => from_file.push(part),
            }
        }
        let is_bare = !path.contains('/');
        known.contains(Path::new(path))
            || known.contains(&from_file)
            || is_bare && known.iter().any(|known| known.ends_with(path))
    };
    let comments = files(&["src", "cmd", "tests/it", "benches"], &["rs"]).into_iter().map(|(path, text)| {
        let comments: Vec<_> = text.lines().filter(|line| line.trim_start().starts_with("//")).collect();
        (path, comments.join("\n"))
    });
    let url = Regex::new(r"https?://\S+").unwrap();
    // In instructions, NAME and NNNN stand for a name and a number to choose.
    let placeholder = Regex::new(r"\bNAME\b|NNNN").unwrap();
    let mut missing = Vec::new();
    for (file, text) in comments.chain(documents()) {
        let text = url.replace_all(&text, " ");
        let paths = PATH.captures_iter(&text).map(|found| found[1].to_owned());
        let wrong = paths.filter(|path| !placeholder.is_match(path) && !exists(&file, path));
        missing.extend(wrong.map(|path| format!("{file} names {path}")));
    }
    assert!(missing.is_empty(), "files that do not exist:\n{}", missing.join("\n"));
}

/// The overlay drops alerts of kinds that it does not know.
#[test]
fn pages_know_exactly_the_kinds_of_alerts_of_the_api() {
    let [(_, text)] = &files(&["src/api/pages/assets/kinds.js"], &["js"])[..] else { panic!("kinds.js is missing") };
    let (group, kind) =
        (Regex::new(r"types: \{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}").unwrap(), Regex::new(r"(\w+): '").unwrap());
    let groups: Vec<_> = group.captures_iter(text).map(|found| found[1].to_owned()).collect();
    let known: BTreeSet<_> =
        groups.iter().flat_map(|group| kind.captures_iter(group)).map(|it| it.extract::<1>().1[0]).collect();
    assert_eq!(known, Alert::kinds().iter().copied().collect());
}

#[test]
fn texts_avoid_vague_pronouns() {
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
