//! A recorder's folder on a disk: made, locked, described and removed. Blocking; callers run it on the blocking
//! pool.
//!
//! The lock is one on a file in the folder (`flock`), which the kernel gives back when its process is gone,
//! however it went. The folder gets its name only once it is locked, so that nobody finds it between the two.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Weak};

use super::lock;
use super::writer::Writer;
use super::{facts, worker};
use crate::naming::ObjectName;

/// The file that is locked.
const LOCK: &str = "lock";
/// Begins the names of folders in the making.
const HIDDEN: char = '.';

/// A folder that this process holds.
#[derive(Debug)]
pub(super) struct DiskFolder {
    pub path: PathBuf,
    /// The folders above it that were missing, from the inside out.
    made: Vec<PathBuf>,
    lock: Mutex<File>,
    /// The description of its worker, to be written again where somebody removed the folder.
    worker: Mutex<Option<Vec<u8>>>,
    /// Those for whose bytes the disk had no room.
    pub stuck: Mutex<Vec<Weak<Writer>>>,
}

/// The names of the folders in a base.
pub(super) fn folders(base: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(base) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        let entry = entry?;
        if let Some(name) = entry.file_name().to_str().filter(|name| !name.starts_with(HIDDEN))
            && entry.file_type()?.is_dir()
        {
            names.insert(name.to_owned());
        }
    }
    Ok(names.into_iter().collect())
}

/// Bytes of the files that count in the folders of a base. What vanishes meanwhile counts for nothing.
pub(super) fn used(base: &Path) -> u64 {
    let folders = folders(base).unwrap_or_default();
    let entries = folders.iter().filter_map(|name| fs::read_dir(base.join(name)).ok()).flatten().flatten();
    let counts = |entry: &fs::DirEntry| entry.file_name().to_str().is_none_or(super::counts);
    entries
        .filter(counts)
        .filter_map(|entry| entry.metadata().ok())
        .filter(fs::Metadata::is_file)
        .map(|meta| meta.len())
        .sum()
}

/// Locks the file of a folder; `None` where somebody holds it.
fn hold(path: &Path) -> io::Result<Option<File>> {
    hold_file(File::options().create(true).truncate(false).write(true).open(path.join(LOCK))?)
}

/// The same for a folder that is there, and may be one to read only. `NotFound` where somebody has removed it.
fn hold_left(path: &Path) -> io::Result<Option<File>> {
    use io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem};
    let wanted = path.join(LOCK);
    let held = match hold(path) {
        Err(error) if matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem) => {
            match File::open(&wanted) {
                Ok(file) => hold_file(file)?,
                // Nobody can have locked what is not there and cannot be made.
                Err(missing) if missing.kind() == NotFound => return hold_file(File::open(path)?),
                Err(error) => return Err(error),
            }
        }
        held => held?,
    };
    // Who held it before may have removed the folder in between: then this is a lock on nothing.
    if let Some(held) = &held {
        let (ours, there) = (held.metadata()?, fs::metadata(&wanted)?);
        if (ours.dev(), ours.ino()) != (there.dev(), there.ino()) {
            return Err(NotFound.into());
        }
    }
    Ok(held)
}

fn hold_file(file: File) -> io::Result<Option<File>> {
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

impl DiskFolder {
    /// Makes a folder of that name, and holds it.
    pub fn create(base: &Path, name: &str) -> io::Result<Self> {
        let path = base.join(name);
        let made = base.ancestors().take_while(|folder| !folder.exists()).map(Path::to_owned).collect();
        let hidden = base.join(format!("{HIDDEN}{name}"));
        fs::create_dir_all(&hidden)?;
        let held = hold(&hidden)?.ok_or(io::ErrorKind::ResourceBusy)?;
        // Fails where there is one with something in it.
        fs::rename(&hidden, &path).inspect_err(|_| remove_hidden(&hidden))?;
        Ok(Self { path, made, ..Self::of(held) })
    }

    /// Holds a folder that is there; `None` where somebody does. `NotFound` too where no recorder made it.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        // Somebody else's folder is not to get a lock from us.
        if !is_recorders(path)? {
            return Err(io::ErrorKind::NotFound.into());
        }
        let held = hold_left(path)?;
        let path = path.to_owned();
        Ok(held.map(|held| Self { path, ..Self::of(held) }))
    }

    fn of(held: File) -> Self {
        Self {
            path: PathBuf::new(),
            made: Vec::new(),
            lock: Mutex::new(held),
            worker: Mutex::default(),
            stuck: Mutex::default(),
        }
    }

    /// Says whose the folder is.
    pub fn introduce(&self, text: Vec<u8>) -> io::Result<()> {
        self.write_whole(worker::NAME, &text)?;
        *lock(&self.worker) = Some(text);
        Ok(())
    }

    /// Creates a file, of which there is none yet; the folder too, where somebody has removed it.
    pub fn create_file(&self, name: &str) -> io::Result<File> {
        let create = || File::options().read(true).write(true).create_new(true).open(self.path.join(name));
        match create() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.restore()?;
                create()
            }
            created => created,
        }
    }

    /// Adds a line to the facts of a segment.
    pub fn add_fact(&self, segment: &str, line: &str) -> io::Result<()> {
        let path = self.path.join(format!("{segment}{}", facts::EXTENSION));
        let open = || File::options().append(true).create(true).open(&path);
        let mut file = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.restore()?;
                open()?
            }
            opened => opened?,
        };
        // In one write, so that nothing stands between what belongs together.
        file.write_all(line.as_bytes())
    }

    /// Makes the folder anew that somebody has removed.
    fn restore(&self) -> io::Result<()> {
        let mut held = lock(&self.lock);
        fs::create_dir_all(&self.path)?;
        if self.path.join(LOCK).exists() {
            return Ok(());
        }
        *held = hold(&self.path)?.ok_or(io::ErrorKind::ResourceBusy)?;
        match &*lock(&self.worker) {
            Some(text) => self.write_whole(worker::NAME, text),
            None => Ok(()),
        }
    }

    /// Whether a file of that name belongs to the folder itself.
    pub fn is_own(name: &str) -> bool {
        name == LOCK || name == worker::NAME || name.starts_with(HIDDEN)
    }

    /// Every file's name and size.
    pub fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            // A name that is no text is nobody's here.
            if let Ok(name) = entry.file_name().into_string()
                && entry.file_type()?.is_file()
            {
                found.push((name, entry.metadata()?.len()));
            }
        }
        found.sort();
        Ok(found)
    }

    /// Reads a file, and of a longer one no more than a byte past `limit`.
    pub fn read_file(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.path.join(name))?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Writes a file that is there whole or not at all.
    pub fn write_whole(&self, name: &str, text: &[u8]) -> io::Result<()> {
        let (part, whole) = (self.path.join(format!("{HIDDEN}{name}")), self.path.join(name));
        let mut file = File::create(&part)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(part, whole)
    }

    /// Removes the folder where no segment is left in it, and those above it that were made for it.
    pub fn remove_if_empty(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if !Self::is_own(&entry.file_name().to_string_lossy()) {
                return Ok(());
            }
        }
        // Under another name first: nobody is to find a folder without its description.
        let hidden = self.path.with_file_name(format!(
            "{HIDDEN}{}",
            self.path.file_name().unwrap_or_default().to_string_lossy()
        ));
        fs::rename(&self.path, &hidden)?;
        remove_hidden(&hidden);
        // A folder that another recorder uses by now is no fault.
        self.made.iter().try_for_each(fs::remove_dir)
    }
}

/// Whether a recorder made the folder.
pub(super) fn is_recorders(path: &Path) -> io::Result<bool> {
    let tells = |name: &str| {
        let recorded = || name.strip_suffix(facts::EXTENSION).unwrap_or(name).parse::<ObjectName>().is_ok();
        name == LOCK || name == worker::NAME || recorded()
    };
    let mut names = fs::read_dir(path)?.flatten().map(|entry| entry.file_name());
    Ok(names.any(|name| name.to_str().is_some_and(tells)))
}

/// What cannot be removed is only in the way.
fn remove_hidden(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder) {
        tracing::debug!(folder = %folder.display(), %error, "left behind");
    }
}
