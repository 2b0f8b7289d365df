//! From a URL to a [`Store`].
//!
//! | URL | store |
//! |---|---|
//! | `recordings`, `./x`, `/abs`, `file:///abs` | a local folder, created if missing |
//! | `memory:` | objects in memory, gone with the last clone of the handle |
//! | `s3://bucket/prefix` | S3 and its alikes; `AWS_*` variables (feature `aws`) |
//! | `gs://bucket/prefix` | Google Cloud Storage; `GOOGLE_*` variables (feature `gcp`) |
//! | `az://container/prefix` | Azure Blob Storage; `AZURE_*` variables (feature `azure`) |
//!
//! A bucket's prefix is taken literally, `%20` included; a `file:` URL is decoded as URLs are.
//! Credentials never stand in a URL: it is shown in logs and in `ps`.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;

use super::handle::{Inner, Store};
use super::{fault, local};
use crate::error::{Error, ErrorKind, Result};

/// How to open a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreOptions {
    /// Where the store's server listens, `https://host:port`, if not where its maker's does. Takes
    /// precedence over `AWS_ENDPOINT_URL`.
    pub endpoint: Option<String>,
    /// Leaves it to TLS to protect the bodies sent to S3, instead of hashing each one for the
    /// signature: half the processor time. Refused without TLS.
    pub unsigned_payload: bool,
    /// How long a request may take, beside what its body needs at 64 KiB a second.
    pub request_timeout: Duration,
    /// Creates a local folder that is missing; else that is an error. Readers should not create.
    pub create_folder: bool,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            endpoint: None,
            unsigned_payload: false,
            request_timeout: Duration::from_secs(30),
            create_folder: true,
        }
    }
}

impl Store {
    /// Opens the store that a URL or a local path names. Asks no server anything: see
    /// [`check_access`](Self::check_access).
    ///
    /// # Errors
    /// `InvalidInput` for a URL or a setting that cannot be right; whatever making a folder gives.
    pub fn open(url: &str) -> Result<Self> {
        Self::open_with(url, &StoreOptions::default())
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(url: &str, options: &StoreOptions) -> Result<Self> {
        let Some((scheme, rest)) = split_scheme(url) else {
            return open_folder(FilePath::new(url), options);
        };
        match scheme.to_ascii_lowercase().as_str() {
            "file" => open_folder(&file_url_path(url)?, options),
            "memory" if rest.trim_matches('/').is_empty() => {
                let memory = Arc::new(InMemory::new());
                Ok(Self::from_object_store("memory:", Arc::<InMemory>::clone(&memory)).with_parts(memory))
            }
            "memory" => Err(invalid("a store in memory has no path: write memory:")),
            scheme @ ("s3" | "s3a") => open_bucket("s3", "aws", &bucket(scheme, rest)?, options),
            scheme @ ("gs" | "gcs") => open_bucket("gs", "gcp", &bucket(scheme, rest)?, options),
            scheme @ ("az" | "azure") => open_bucket("az", "azure", &bucket(scheme, rest)?, options),
            other => Err(invalid(format!(
                "{other}: is no kind of store; there are file: memory: s3: gs: az:, and for a folder of \
                 such a name write ./ before it"
            ))),
        }
    }
}

/// A bucket or container, and what follows it in the URL.
struct Bucket<'a> {
    name: &'a str,
    prefix: Path,
}

/// The scheme of a URL and what follows its colon; `None` for a path.
pub(crate) fn split_scheme(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once(':')?;
    let plain = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    let letter = scheme.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    (plain && letter).then_some((scheme, rest))
}

fn file_url_path(url: &str) -> Result<PathBuf> {
    let refuse = || invalid(format!("{url} is no file URL: write file:///path, or the path alone"));
    let parsed = url::Url::parse(url).map_err(|error| refuse().with_source(error))?;
    // `file:x` would quietly mean /x, and `file:///x#1` would lose its end.
    let absolute = url.get("file:".len()..).is_some_and(|rest| rest.starts_with('/'));
    if !absolute || parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(refuse());
    }
    parsed.to_file_path().map_err(|()| refuse())
}

fn bucket<'a>(scheme: &str, rest: &'a str) -> Result<Bucket<'a>> {
    let rest = rest
        .strip_prefix("//")
        .ok_or_else(|| invalid(format!("write the store's URL as {scheme}://BUCKET/PREFIX")))?;
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if name.contains(['@', ':']) {
        // The URL is not repeated: it may hold a secret.
        let message = format!(
            "a store's URL is {scheme}://BUCKET/PREFIX without credentials or port; credentials go into \
             environment variables, a server's address into the endpoint"
        );
        return Err(invalid(message));
    }
    if name.is_empty() || name.contains(['?', '#', '%', '\\', ' ']) {
        return Err(invalid(format!("{name:?} is no bucket: write {scheme}://BUCKET/PREFIX")));
    }
    let prefix = Path::parse(prefix)
        .map_err(|error| invalid(format!("the prefix {prefix:?} cannot be used")).with_source(error))?;
    Ok(Bucket { name, prefix })
}

fn open_folder(folder: &FilePath, options: &StoreOptions) -> Result<Store> {
    let fail = |error| fault::classify_io(error, format_args!("open the folder {}", folder.display()));
    if folder.as_os_str().is_empty() {
        return Err(invalid("the store's name is empty: write a folder or a URL"));
    }
    if options.create_folder {
        local::create_folder(folder).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => fail(std::io::ErrorKind::NotADirectory.into()),
            // Not a folder that is missing, but one that cannot be made, as in /proc.
            std::io::ErrorKind::NotFound => {
                invalid(format!("cannot make the folder {}; choose another", folder.display()))
                    .with_source(error)
            }
            _ => fail(error),
        })?;
    }
    let root = folder.canonicalize().map_err(fail)?;
    if !root.is_dir() {
        return Err(fail(std::io::ErrorKind::NotADirectory.into()));
    }
    let local = LocalFileSystem::new_with_prefix(&root)
        .map_err(|error| super::classify(error, format_args!("open the folder {}", root.display())))?
        .with_fsync(true);
    let client = Arc::new(local);
    Ok(Store::new(Inner {
        name: format!("file://{}", root.display()),
        prefix: Path::ROOT,
        bulk: Arc::<LocalFileSystem>::clone(&client),
        control: client,
        gate: Arc::default(),
        root: Some(root),
        #[cfg(any(feature = "aws", feature = "gcp", feature = "azure"))]
        signer: None,
        parts: None,
        patience: None,
    }))
}

fn open_bucket(scheme: &str, feature: &str, bucket: &Bucket<'_>, options: &StoreOptions) -> Result<Store> {
    let name = match bucket.prefix.as_ref() {
        "" => format!("{scheme}://{}", bucket.name),
        prefix => format!("{scheme}://{}/{prefix}", bucket.name),
    };
    #[cfg(any(feature = "aws", feature = "gcp", feature = "azure"))]
    {
        let gate = Arc::default();
        if let Some(clients) = super::cloud::connect(scheme, bucket.name, options, &gate) {
            let clients = clients.map_err(|error| error.context(format_args!("cannot open {name}")))?;
            return Ok(Store::new(Inner {
                name,
                prefix: bucket.prefix.clone(),
                bulk: clients.bulk,
                control: clients.control,
                gate,
                root: None,
                signer: Some(clients.signer),
                parts: Some(clients.parts),
                patience: Some(options.request_timeout),
            }));
        }
    }
    let _ = options;
    Err(invalid(format!(
        "cannot open {name}: this program was built without {scheme}://; build it with --features {feature}"
    )))
}

pub(super) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;
