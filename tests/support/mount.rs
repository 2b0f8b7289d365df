//! A disk that is soon full: a small tmpfs, where this user may mount one.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::skip;

/// Gone when dropped.
pub struct SmallDisk {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl SmallDisk {
    /// Mounts one of so many KiB; `None` where that is not possible, and the test is to return.
    pub fn mount(kibibytes: u32) -> Option<Self> {
        Self::mount_with(&format!("size={kibibytes}k"))
    }

    /// The same with other options.
    pub fn mount_with(options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        std::fs::create_dir(&path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tapeline-test"]).arg(&path);
        match mount.output() {
            Ok(output) if output.status.success() => Some(Self { path, _folder: folder }),
            _ => {
                skip("the right to mount a tmpfs");
                None
            }
        }
    }

    /// Its top folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// From now on nothing can be written there.
    pub fn make_read_only(&self) {
        let mut remount = Command::new("mount");
        assert!(remount.args(["-o", "remount,ro"]).arg(&self.path).status().unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What is left of it is in memory only.
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}
