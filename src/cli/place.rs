//! The store that a verb works on: the arguments that name it, what is in it and beside it, and how it is opened.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::clock::random_bytes;
use crate::continuity::Recordings;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Cname, Sid};
use crate::naming::Prefix;
use crate::recorder::Spool;
use crate::spool::SpoolBase;
use crate::stitch::MissingMode;
use crate::store::{Store, StoreOptions};

/// Where a store's server is.
#[derive(Debug, Args)]
pub struct Server {
    /// The store's server, https://host:port, if not where its maker's is
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
}

impl Server {
    /// Opens a store as it is: a folder that is missing is not made.
    ///
    /// # Errors
    /// As [`Store::open_with`].
    pub fn open(&self, store: &str) -> Result<Store> {
        let endpoint = self.endpoint.clone();
        Store::open_with(store, &StoreOptions { endpoint, create_folder: false, ..StoreOptions::default() })
    }
}

/// A store that holds recordings.
#[derive(Debug, Args)]
pub struct Place {
    /// A folder, or a URL: file:///path, s3://bucket/prefix, gs://, az:// (credentials from the environment)
    store: String,
    #[command(flatten)]
    server: Server,
    /// JSON on standard output, one object a line
    #[arg(long)]
    pub json: bool,
}

/// One recording of a store.
#[derive(Debug, Args)]
pub struct RecordingPlace {
    #[command(flatten)]
    pub place: Place,
    /// Recording id
    #[arg(long)]
    sid: String,
}

impl Place {
    /// Where the store's server is, if that was said.
    pub fn endpoint(&self) -> Option<String> {
        self.server.endpoint.clone()
    }

    /// Opens the store as it is: a folder that is missing is not made.
    ///
    /// # Errors
    /// As [`Store::open_with`].
    pub fn store(&self) -> Result<Store> {
        self.server.open(&self.store)
    }

    /// The same, and what it holds.
    ///
    /// # Errors
    /// As [`Store::open_with`] and [`Recordings::open`].
    pub async fn open(&self) -> Result<(Store, Option<Recordings>)> {
        let store = self.store()?;
        let recordings = Recordings::open(&store).await?;
        Ok((store, recordings))
    }
}

impl RecordingPlace {
    /// Opens the store, which is to hold recordings.
    ///
    /// # Errors
    /// As [`Place::open`]; `NotFound` where there are none.
    pub async fn open(&self) -> Result<(Store, Recordings, Sid)> {
        let sid = Sid::new(&self.sid)?;
        let (store, recordings) = self.place.open().await?;
        let recordings = recordings.ok_or_else(|| {
            let message = format!("there is no recording {sid} in {store}: there are none at all");
            Error::new(ErrorKind::NotFound, message)
        })?;
        Ok((store, recordings, sid))
    }
}

/// A recording of a store, or playlists that are taken for one.
#[derive(Debug, Args)]
pub struct Subject {
    #[command(flatten)]
    pub place: Place,
    /// Recording id
    #[arg(long, conflicts_with = "playlist")]
    pub sid: Option<String>,
    /// Channel name, where several have a recording of that id
    #[arg(long, requires = "sid")]
    cname: Option<String>,
    /// A playlist in the store; several are joined, and later ones win where two cover the same time
    #[arg(long, value_name = "KEY")]
    pub playlist: Vec<String>,
}

/// What is named.
pub enum Named<'a> {
    /// A recording.
    Recording(Sid),
    /// Playlists, by their keys.
    Playlists(&'a [String]),
}

impl Subject {
    /// What is named; `None` where nothing is.
    ///
    /// # Errors
    /// `InvalidInput` for an id that cannot be.
    pub fn named(&self) -> Result<Option<Named<'_>>> {
        match &self.sid {
            Some(sid) => Ok(Some(Named::Recording(Sid::new(sid)?))),
            None if self.playlist.is_empty() => Ok(None),
            None => Ok(Some(Named::Playlists(&self.playlist))),
        }
    }

    /// The same where something must be.
    ///
    /// # Errors
    /// `InvalidInput` too where nothing is.
    pub fn required(&self) -> Result<Named<'_>> {
        self.named()?.ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                "name a recording with --sid, or its playlists with --playlist",
            )
        })
    }

    /// The channel.
    ///
    /// # Errors
    /// `InvalidInput` for a name that cannot be.
    pub fn cname(&self) -> Result<Option<Cname>> {
        Ok(self.cname.as_deref().map(Cname::new).transpose()?)
    }
}

/// What to do about segments that are listed, and not in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Missing {
    /// Take them for gaps.
    Gap,
    /// Fail.
    Fail,
}

impl From<Missing> for MissingMode {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::Gap => Self::Gap,
            Missing::Fail => Self::Fail,
        }
    }
}

/// The recording id that was given, or a random one.
pub fn sid(given: Option<&str>) -> Result<Sid> {
    match given {
        Some(sid) => Ok(Sid::new(sid)?),
        None => Ok(Sid::from_random(random_bytes()?)),
    }
}

/// Folders before every name.
pub fn prefix(text: &str) -> Result<Prefix> {
    Prefix::new(text).map_err(|error| Error::new(ErrorKind::InvalidInput, error.to_string()))
}

/// Where segments wait, as `--spool` has it.
pub fn spool(argument: Option<&PathBuf>) -> Spool {
    match argument {
        None => Spool::Usual,
        Some(folder) if folder.as_os_str() == "memory:" => Spool::In(SpoolBase::memory()),
        Some(folder) => Spool::In(SpoolBase::folder(folder)),
    }
}
