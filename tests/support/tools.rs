//! Programs that may be missing, and the judges of `tests/tools`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Says that a test did not run. Panics where `TAPELINE_REQUIRE_TOOLS=1`: nothing may be missing there.
pub fn skip(needs: &str) {
    let required = std::env::var_os("TAPELINE_REQUIRE_TOOLS").is_some_and(|value| value == "1");
    assert!(!required, "needs {needs}, and TAPELINE_REQUIRE_TOOLS=1");
    eprintln!("SKIPPED: needs {needs}");
}

/// A program on the `PATH`; without it, the test is to return.
pub fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    if found.is_none() {
        skip(name);
    }
    found
}

/// Has each segment judged alone by `tscheck.py`, which shares no code with the recorder.
pub fn judge_segments(segments: &[PathBuf], options: &[&str]) {
    let Some(python) = tool("python3") else { return };
    if segments.is_empty() {
        return;
    }
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/tscheck.py");
    let output = Command::new(python).arg(judge).args(options).args(segments).output().expect("python3 runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

/// Has ffmpeg decode each segment alone, without a complaint.
pub fn decode_segments(segments: &[PathBuf]) {
    let Some(ffmpeg) = tool("ffmpeg") else { return };
    for segment in segments {
        let mut command = Command::new(&ffmpeg);
        command.args(["-v", "error", "-xerror", "-i"]).arg(segment).args(["-f", "null", "-"]);
        let output = command.output().expect("ffmpeg runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{}: {said}", segment.display());
    }
}
