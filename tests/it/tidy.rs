//! The house's laws, checked on the source text: floors, file sizes.

use std::fs;
use std::path::{Path, PathBuf};

/// Longest source file the house allows, in lines.
const FILE_LINES_MAX: usize = 450;

/// Each floor and what it must not import.
const FORBIDDEN: [(&str, &[&str]); 7] = [
    ("model", &["decide", "edge", "work", "web", "sim", "cli"]),
    ("decide", &["edge", "work", "web", "sim", "cli"]),
    ("edge", &["decide", "work", "web", "sim", "cli"]),
    ("work", &["web", "sim", "cli"]),
    ("web", &["sim", "cli"]),
    ("sim", &["cli"]),
    ("cli", &[]),
];

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("the folder is there") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Floors named after `crate::` in a source text, in plain paths and at the head of `use crate::{…}` groups.
fn imports(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let line = text[..at].matches('\n').count() + 1;
        let rest = &text[at + "crate::".len()..];
        let heads: Vec<&str> = match rest.strip_prefix('{') {
            Some(group) => group.split(';').next().unwrap_or("").split([',', '{', '}', '\n']).collect(),
            None => vec![rest],
        };
        for head in heads {
            let name: String = head.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            found.push((line, name));
        }
    }
    found
}

#[test]
fn imports_go_downward_only() {
    let mut broken = Vec::new();
    for (floor, forbidden) in FORBIDDEN {
        for path in sources(&src().join(floor)) {
            let text = fs::read_to_string(&path).expect("source is text");
            for (line, name) in imports(&text) {
                if forbidden.contains(&name.as_str()) {
                    broken.push(format!("{}:{line}: {floor} must not see {name}", path.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// What `decide::checker` may name inside the crate: the nouns, and itself.
const CHECKER_MAY_NAME: [&str; 2] = ["crate::model::", "crate::decide::checker::"];

/// Paths into the crate in a source text that lead out of the checker: `crate::…` to anything but the nouns, and
/// `super::` chains that climb above `src/decide/checker`. `depth` is how many folders below it the module sits.
fn ways_out(text: &str, depth: usize) -> Vec<(usize, String)> {
    let line = |at: usize| text[..at].matches('\n').count() + 1;
    let rest = |at: usize| text[at..].lines().next().unwrap_or("").trim().to_owned();
    let named = |at: usize| CHECKER_MAY_NAME.iter().any(|path| text[at..].starts_with(path));
    let mut found: Vec<(usize, String)> =
        text.match_indices("crate::").filter(|(at, _)| !named(*at)).map(|(at, _)| (line(at), rest(at))).collect();
    let climb = "super::".repeat(depth + 1);
    found.extend(text.match_indices(&climb).map(|(at, _)| (line(at), rest(at))));
    found
}

#[test]
fn the_checker_shares_nothing_with_the_planner_but_the_nouns() {
    let home = src().join("decide/checker");
    let mut broken = Vec::new();
    let mut read = 0;
    for path in sources(&home) {
        let inside = path.strip_prefix(&home).expect("it was found there");
        // Its tests may ask the planner for plans to check.
        if inside.starts_with("tests") {
            continue;
        }
        read += 1;
        let text = fs::read_to_string(&path).expect("source is text");
        // `mod.rs` is the checker itself, a file beside it one below.
        let depth = inside.components().count() - usize::from(inside.ends_with("mod.rs"));
        for (line, way) in ways_out(&text, depth) {
            broken.push(format!("{}:{line}: the checker must not see {way}", path.display()));
        }
    }
    assert!(read > 10, "the checker is where this test looks");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_checkers_guard_sees_every_way_out() {
    let out = |text: &str, depth: usize| ways_out(text, depth).len();
    assert_eq!(out("use crate::model::slot::Slot;\nuse crate::decide::checker::Scene;\nuse super::hours;", 1), 0);
    for way in
        ["decide::planner::plan", "decide::window::CompiledWindow", "decide::{terms, calendar}", "{decide, model}"]
    {
        assert_eq!(out(&format!("use crate::{way};"), 1), 1, "{way}");
    }
    assert_eq!(out("use super::super::holidays::Region;", 1), 1);
    assert_eq!(out("use super::holidays::Region;", 0), 1);
}

#[test]
fn the_report_and_its_second_reckoning_share_no_code() {
    let recount = src().join("decide/recount");
    let allowed = ["crate::model::", "crate::decide::checker::"];
    let mut broken = Vec::new();
    let sources_of = |folder: &Path| sources(folder).into_iter().filter(|path| !path.ends_with("tests.rs"));
    for path in sources_of(&recount) {
        let text = fs::read_to_string(&path).expect("source is text");
        let named = text.match_indices("crate::").map(|(at, _)| &text[at..]);
        let outside = named.filter(|path| !allowed.iter().any(|allowed| path.starts_with(allowed)));
        broken.extend(outside.map(|way| format!("{}: {}", path.display(), way.lines().next().unwrap_or(""))));
        if text.contains("super::super") {
            broken.push(format!("{} climbs out", path.display()));
        }
    }
    for path in sources_of(&src().join("decide/report")) {
        let text = fs::read_to_string(&path).expect("source is text");
        // Its page says where the second reckoning is; no code of it may be named.
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        broken.extend(code.filter(|line| line.contains("recount")).map(|line| format!("{}: {line}", path.display())));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_import_reader_sees_groups_and_paths() {
    let names: Vec<String> =
        imports("use crate::{edge::x, model};\nfn f() { crate::work::g() }").into_iter().map(|i| i.1).collect();
    assert!(
        names.contains(&"edge".to_owned()) && names.contains(&"model".to_owned()) && names.contains(&"work".to_owned())
    );
}

/// `println!` and `eprintln!` panic once their reader is gone; `cli::output` does not.
#[test]
fn nothing_is_printed_past_the_output() {
    let prints = |path: &PathBuf| fs::read_to_string(path).expect("source is text").contains("println!(");
    let found: Vec<PathBuf> = sources(&src()).into_iter().filter(prints).collect();
    assert!(found.is_empty(), "print with `cli::output` in {found:?}");
}

#[test]
fn every_file_fits_in_the_head_and_says_what_it_is() {
    let mut broken = Vec::new();
    for path in sources(&src()) {
        let text = fs::read_to_string(&path).expect("source is text");
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            broken.push(format!("{}: {lines} lines, at most {FILE_LINES_MAX}", path.display()));
        }
        if !text.starts_with("//!") {
            broken.push(format!("{}: no module documentation", path.display()));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_thinking_does_no_io() {
    for floor in ["model", "decide"] {
        for path in sources(&src().join(floor)) {
            let text = fs::read_to_string(&path).expect("source is text");
            for word in ["std::fs", "std::net", "tokio::", "async fn", "Utc::now", "reqwest", "sea_orm"] {
                assert!(!text.contains(word), "{}: {word} has no place here", path.display());
            }
        }
    }
}
