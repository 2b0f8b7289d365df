//! Local stores: folders made durably, and finished files linked into place.
//!
//! Blocking; callers run it on the blocking pool. `object_store` writes and syncs what is handed to it
//! as bytes (`with_fsync`); here is what it cannot do: take over a file that already lies on the same
//! file system, without copying it. `link` is atomic and fails if the name exists, which makes it a
//! create-if-absent. The file's bytes are synced before the link, the folder after it, so that an
//! answered object survives a power cut, whole.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use super::Created;

/// Size of the pieces in which files are compared.
const PIECE: usize = 1024 * 1024;

/// How often a name may vanish between a refused link and the comparison.
const ATTEMPTS: usize = 4;

/// Links the finished `file` to `target`. `None` if this file system cannot (another file system, or one
/// without hard links), and the bytes must be copied.
pub(super) fn link_new(file: &Path, target: &Path) -> io::Result<Option<Created>> {
    File::open(file)?.sync_all()?;
    for _ in 0..ATTEMPTS {
        let Err(error) = fs::hard_link(file, target) else {
            sync_folder_of(target)?;
            return Ok(Some(Created::Stored));
        };
        match error.kind() {
            io::ErrorKind::AlreadyExists => match same_bytes(file, target) {
                Ok(true) => {
                    settle(target)?;
                    return Ok(Some(Created::Stored));
                }
                Ok(false) => return Ok(Some(Created::AlreadyThere)),
                // Deleted meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            },
            io::ErrorKind::NotFound => create_folder(target.parent().unwrap_or(target))?,
            // EPERM is what Linux says where a file system has no hard links. Where it is a real lack
            // of permission, copying will fail as well and say so.
            io::ErrorKind::CrossesDevices
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::Unsupported
            | io::ErrorKind::TooManyLinks => return Ok(None),
            _ => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "the name keeps coming and going"))
}

/// Makes an object that is there already durable: its writer may have died before it was.
pub(super) fn settle(target: &Path) -> io::Result<()> {
    File::open(target)?.sync_all()?;
    sync_folder_of(target)
}

/// Creates a folder and what is missing above it, durably.
pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|path| !path.exists()).collect();
    fs::create_dir_all(folder)?;
    for made in missing {
        sync_folder_of(made)?;
    }
    Ok(())
}

/// Syncs the folder that lists `path`.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    // Only Unix can open a folder in order to sync it.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn same_bytes(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut left, mut right) = (vec![0; PIECE], vec![0; PIECE]);
    loop {
        let (here, there) = (fill(&mut one, &mut left)?, fill(&mut other, &mut right)?);
        if left.get(..here) != right.get(..there) {
            return Ok(false);
        }
        if here < PIECE {
            return Ok(true);
        }
    }
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
