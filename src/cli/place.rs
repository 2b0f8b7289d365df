//! The store that a verb works on: the arguments that name it, and how it is opened.

use clap::Args;

use crate::continuity::Recordings;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Sid;
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
