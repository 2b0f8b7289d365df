//! The layering of ARCHITECTURE.md: a module imports only from the rows above its own, or from its left
//! in its own row; pure rows name no runtime, no store, no file, no socket and no clock.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Rows from the base up: modules in order, and whether they are pure.
const ROWS: [(&[&str], bool); 15] = [
    (&["error", "severity", "time", "ids", "checksum", "media", "naming"], true),
    (&["clock"], false),
    (&["ts", "webm"], true),
    (&["playlist"], true),
    (&["slicer"], true),
    (&["store", "spool"], false),
    (&["continuity"], false),
    (&["upload", "salvage"], false),
    (&["input"], false),
    (&["recorder"], false),
    (&["stitch", "verify", "export"], false),
    (&["centre"], false),
    (&["cli"], false),
    (&["main"], false),
    (&["lib"], false),
];

/// What a pure module must not name.
const IMPURE: [&str; 8] =
    ["tokio", "object_store", "std::fs", "std::net", "std::io", "Instant::", "SystemTime", "crate::clock"];

/// In a folder with a pure core, the one file that does I/O.
const DRIVER: &str = "driver.rs";
/// Pure files in folders that also do I/O.
const PURE_FILES: &[&str] = &[
    "centre/api/access.rs",
    "centre/api/answer.rs",
    "centre/api/call.rs",
    "centre/api/files.rs",
    "centre/api/places.rs",
    "centre/api/rate.rs",
    "centre/api/resource.rs",
    "centre/document.rs",
    "centre/knowledge.rs",
    "centre/lease.rs",
    "centre/placement.rs",
    "centre/policy.rs",
    "centre/request.rs",
    "centre/watch.rs",
    "continuity/account.rs",
    "continuity/change.rs",
    "continuity/control.rs",
    "continuity/probe/verdict.rs",
    "continuity/salvage.rs",
    "continuity/seal.rs",
    "continuity/status.rs",
    "continuity/tail.rs",
    "continuity/transitions.rs",
    "continuity/uncommitted.rs",
    "export/part.rs",
    "export/ts.rs",
    "input/alignment.rs",
    "input/shown.rs",
    "salvage/find.rs",
    "salvage/outcome.rs",
    "stitch/cover.rs",
    "stitch/dialect.rs",
    "stitch/frames.rs",
    "stitch/live.rs",
    "stitch/location.rs",
    "stitch/multivariant.rs",
    "stitch/picture.rs",
    "stitch/piece.rs",
    "stitch/places.rs",
    "stitch/plan.rs",
    "stitch/render.rs",
    "stitch/report.rs",
    "stitch/span.rs",
    "stitch/timeline.rs",
    "stitch/trim.rs",
    "store/rate.rs",
    "store/retry.rs",
    "upload/budget.rs",
    "upload/names.rs",
    "upload/plan.rs",
    "verify/entries.rs",
    "verify/finding.rs",
    "verify/sample.rs",
    "verify/segment.rs",
];

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path.strip_prefix(&root).unwrap().to_owned(), code(&text))
    };
    paths.into_iter().map(read).collect()
}

/// The text without comments and without the tests at its end.
fn code(text: &str) -> String {
    let body = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    body.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn is_test(path: &Path) -> bool {
    let name = path.file_stem().unwrap().to_string_lossy();
    name.ends_with("_tests") || name.ends_with("_properties") || name == "sample_units"
}

fn module(path: &Path) -> String {
    let first = path.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.strip_suffix(".rs").map(str::to_owned).unwrap_or(first)
}

/// The top-level modules a text names by `crate::name`.
fn imports(text: &str) -> Vec<String> {
    let names = text.split("crate::").skip(1);
    names.map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()).collect()
}

/// Every module's place: its row, and its column in the row.
fn places() -> BTreeMap<&'static str, (usize, usize)> {
    let rows = ROWS.iter().enumerate();
    rows.flat_map(|(row, (modules, _))| {
        modules.iter().enumerate().map(move |(column, name)| (*name, (row, column)))
    })
    .collect()
}

#[test]
fn modules_import_only_from_above_or_from_their_left() {
    let places = places();
    let mut wrong = Vec::new();
    for (path, text) in sources().into_iter().filter(|(path, _)| !is_test(path)) {
        let own = module(&path);
        let Some(&place) = places.get(own.as_str()) else {
            wrong.push(format!("{}: the module {own} has no place in ROWS", path.display()));
            continue;
        };
        for name in imports(&text) {
            // `crate::Result` and the like are re-exports of the base.
            let Some(&other) = places.get(name.as_str()) else { continue };
            if name != own && other > place {
                wrong.push(format!("{}: {own} must not import {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_modules_do_no_io() {
    let places = places();
    let mut wrong = Vec::new();
    for (path, text) in sources().into_iter().filter(|(path, _)| !is_test(path)) {
        let pure_file = PURE_FILES.contains(&path.to_string_lossy().as_ref());
        let row = places.get(module(&path).as_str()).map_or(0, |place| place.0);
        let driver = path.file_name().is_some_and(|name| name == DRIVER);
        if !(pure_file || ROWS[row].1) || driver {
            continue;
        }
        for name in IMPURE.into_iter().filter(|name| text.contains(name)) {
            wrong.push(format!("{}: a pure module names {name}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_say_what_they_are_and_stay_short() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for (path, _) in sources() {
        let text = std::fs::read_to_string(root.join(&path)).unwrap();
        if !text.starts_with("//!") {
            wrong.push(format!("{}: does not open with //!", path.display()));
        }
        if !is_test(&path) && text.lines().count() > 550 {
            wrong.push(format!("{}: {} lines", path.display(), text.lines().count()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
