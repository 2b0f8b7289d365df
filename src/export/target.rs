//! Where an export goes.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::front::Front;
use super::object::PartedObject;
use crate::error::{Error, ErrorKind, Result};
use crate::store::Store;

/// Where an export goes.
pub enum Target<'a> {
    /// Bytes in order, none of them twice: only for a transport stream.
    Stream(&'a mut (dyn Write + Send)),
    /// A file. It has its name once it is whole; until then `.part` is behind it.
    File(PathBuf),
    /// An object of a store that takes parts. It is there once it is whole; until then `.part.json` behind its key says how
    /// far it is, and the same export goes on from there.
    Object {
        /// The store, which need not be the recording's.
        store: Store,
        /// The key.
        key: String,
    },
    /// A folder of a store, of any kind, for the many objects of HLS. Its playlist comes last.
    Folder {
        /// The store.
        store: Store,
        /// The folder; empty for the whole store.
        folder: String,
    },
}

/// A target for one file, opened.
pub(super) enum Sink<'a> {
    Stream(&'a mut (dyn Write + Send)),
    File { file: File, part: PathBuf, path: PathBuf },
    Object(Box<PartedObject>),
}

impl Sink<'_> {
    /// A file that is being made.
    pub fn file(path: PathBuf) -> Result<Self> {
        let mut part = path.clone().into_os_string();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = File::create(&part).map_err(|error| unwritable(&part, error))?;
        Ok(Self::File { file, part, path })
    }

    /// Takes bytes. An object keeps them until [`settle`](Self::settle).
    pub fn write(&mut self, piece: &[u8]) -> Result<()> {
        match self {
            Self::Stream(to) => to.write_all(piece).map_err(|error| {
                Error::new(ErrorKind::Unavailable, "cannot write the export").with_source(error)
            }),
            Self::File { file, part, .. } => file.write_all(piece).map_err(|error| unwritable(part, error)),
            Self::Object(object) => {
                object.take(piece);
                Ok(())
            }
        }
    }

    /// Sends what is whole of an object, but not its first bytes, so many of which may still change.
    pub async fn settle(&mut self, changes: u64) -> Result<()> {
        match self {
            Self::Stream(_) | Self::File { .. } => Ok(()),
            Self::Object(object) => object.send_whole(changes).await,
        }
    }

    /// Nothing follows. `front` replaces the first bytes. Gives how many bytes were there from an earlier try.
    pub async fn finish(self, front: Option<&Front>) -> Result<u64> {
        match self {
            Self::Stream(to) => to.flush().map(|()| 0).map_err(|error| {
                Error::new(ErrorKind::Unavailable, "cannot write the export").with_source(error)
            }),
            Self::File { mut file, part, path } => {
                let written = front.map_or(Ok(()), |front| {
                    file.write_all(&front.tail)?;
                    file.seek(SeekFrom::Start(0))?;
                    file.write_all(&front.bytes)
                });
                let done = written.and_then(|()| file.sync_all()).and_then(|()| fs::rename(&part, &path));
                done.map(|()| 0).map_err(|error| {
                    // That it cannot be removed says nothing new.
                    let _ = fs::remove_file(&part);
                    unwritable(&path, error)
                })
            }
            Self::Object(object) => object.finish(front).await,
        }
    }

    /// Leaves nothing behind that nobody can use. What a store has of an object is kept where trying again may help.
    pub async fn give_up(self, why: &Error) {
        match self {
            Self::Stream(_) => {}
            // That it cannot be removed says nothing new.
            Self::File { part, .. } => _ = fs::remove_file(part),
            Self::Object(object) => object.give_up(why).await,
        }
    }
}

fn unwritable(path: &Path, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::StorageFull => ErrorKind::Unavailable,
        _ => ErrorKind::InvalidInput,
    };
    Error::new(kind, format!("cannot write {}", path.display())).with_source(error)
}
