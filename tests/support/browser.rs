//! A real browser, with hls.js and without.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::tools::{skip, tool};

/// A script of `tests/tools` that drives a browser, not yet run. `None` where there is none, and the test is to return.
pub fn in_browser(script: &str) -> Option<Command> {
    let (_, node) = (tool("chromium")?, tool("node")?);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let modules = root.join(".ci/cache/node_modules");
    if !modules.join("hls.js").exists() {
        skip("hls.js; .ci/install play installs it");
        return None;
    }
    let mut command = Command::new(node);
    command.arg(root.join("tests/tools").join(script)).env("TAPELINE_NODE_MODULES", modules);
    Some(command)
}

/// Plays a list to its end, after a visit to each of the positions, and gives what `play.mjs` tells. `None` where there is no
/// browser, and the test is to return.
pub fn play(list: &Path, seeks: &[f64]) -> Option<Value> {
    let mut command = in_browser("play.mjs")?;
    let seeks: Vec<String> = seeks.iter().map(|at| format!("{at:.3}")).collect();
    command.arg(list).args(["--seek", &seeks.join(",")]);
    let output = command.output().expect("node runs");
    let said = String::from_utf8_lossy(&output.stdout);
    Some(
        serde_json::from_str(&said)
            .unwrap_or_else(|_| panic!("{said}{}", String::from_utf8_lossy(&output.stderr))),
    )
}
