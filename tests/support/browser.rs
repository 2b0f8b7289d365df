//! hls.js in a real browser.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::tools::{skip, tool};

/// Plays a list to its end, after a visit to each of the positions, and gives what `play.mjs` tells. `None` where there is no
/// browser, and the test is to return.
pub fn play(list: &Path, seeks: &[f64]) -> Option<Value> {
    let (_, node) = (tool("chromium")?, tool("node")?);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let modules = root.join(".ci/cache/node_modules");
    if !modules.join("hls.js").exists() {
        skip("hls.js; .ci/install play installs it");
        return None;
    }
    let seeks: Vec<String> = seeks.iter().map(|at| format!("{at:.3}")).collect();
    let mut command = Command::new(node);
    command.arg(root.join("tests/tools/play.mjs")).arg(list).env("TAPELINE_NODE_MODULES", modules);
    command.args(["--seek", &seeks.join(",")]);
    let output = command.output().expect("node runs");
    let said = String::from_utf8_lossy(&output.stdout);
    Some(
        serde_json::from_str(&said)
            .unwrap_or_else(|_| panic!("{said}{}", String::from_utf8_lossy(&output.stderr))),
    )
}
