//! The clients of the cloud stores, with their timeouts.
//!
//! A store gets two. *Bulk* carries segments and playlists. It has no time limit of its own: the handle
//! sets one for each request by the size of its body, which a limit of the client's could not. *Control*
//! carries the small objects that workers contend for, on connections of its own. The handle gives up on its
//! requests after 2 s, or 30 s where the store is examined.
//!
//! Neither repeats anything. The retry of a conditional write that had succeeded looks like a lost race, and a
//! 503 that a client repeats by itself is one that the store's [gate](super::gate) never hears of.

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "aws")]
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
#[cfg(feature = "azure")]
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
#[cfg(feature = "gcp")]
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::multipart::MultipartStore;
use object_store::signer::Signer;
use object_store::{ClientConfigKey, ObjectStore, RetryConfig};

use super::StoreOptions;
use super::gate::Gate;
use super::open::invalid;
use super::retry_after::Listening;
use crate::error::{Error, ErrorKind, Result};

/// The two clients of one store.
pub(super) struct Clients {
    pub bulk: Arc<dyn ObjectStore>,
    pub control: Arc<dyn ObjectStore>,
    pub signer: Arc<dyn Signer>,
    pub parts: Arc<dyn MultipartStore>,
}

/// One client, as all things that it can do.
struct Client {
    store: Arc<dyn ObjectStore>,
    signer: Arc<dyn Signer>,
    parts: Arc<dyn MultipartStore>,
}

impl Client {
    fn new(client: impl ObjectStore + Signer + MultipartStore) -> Self {
        let client = Arc::new(client);
        let signer = Arc::clone(&client) as Arc<dyn Signer>;
        Self { signer, parts: Arc::clone(&client) as Arc<dyn MultipartStore>, store: client }
    }
}

/// How one of the two clients behaves.
struct Manners {
    /// Limits of the HTTP client, in the notation of its configuration.
    limits: [(ClientConfigKey, &'static str); 2],
    retries: RetryConfig,
    connector: Listening,
}

impl Manners {
    fn bulk(gate: &Arc<Gate>) -> Self {
        let limits = [(ClientConfigKey::ConnectTimeout, "5 seconds"), (ClientConfigKey::Timeout, "1 day")];
        Self::new(limits, gate)
    }

    fn control(gate: &Arc<Gate>) -> Self {
        let limits = [(ClientConfigKey::ConnectTimeout, "2 seconds"), (ClientConfigKey::Timeout, "1 minute")];
        Self::new(limits, gate)
    }

    fn new(limits: [(ClientConfigKey, &'static str); 2], gate: &Arc<Gate>) -> Self {
        let retries = RetryConfig { max_retries: 0, retry_timeout: Duration::ZERO, ..RetryConfig::default() };
        Self { limits, retries, connector: Listening::new(Arc::clone(gate)) }
    }
}

/// The clients for a bucket; `None` if this build does not have that kind of store. What the server asks for by
/// headers is told to the gate.
pub(super) fn connect(
    scheme: &str,
    bucket: &str,
    options: &StoreOptions,
    gate: &Arc<Gate>,
) -> Option<Result<Clients>> {
    let both = |build: fn(&str, &StoreOptions, Manners) -> Result<Client>| {
        let bulk = build(bucket, options, Manners::bulk(gate))?;
        let control = build(bucket, options, Manners::control(gate))?;
        Ok(Clients { bulk: bulk.store, control: control.store, signer: bulk.signer, parts: bulk.parts })
    };
    match scheme {
        #[cfg(feature = "aws")]
        "s3" => Some(both(s3)),
        #[cfg(feature = "gcp")]
        "gs" => Some(both(google)),
        #[cfg(feature = "azure")]
        "az" => Some(both(azure)),
        _ => None,
    }
}

#[cfg(feature = "aws")]
fn s3(bucket: &str, options: &StoreOptions, manners: Manners) -> Result<Client> {
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_retry(manners.retries)
        .with_http_connector(manners.connector);
    for (key, value) in manners.limits {
        builder = builder.with_config(AmazonS3ConfigKey::Client(key), value);
    }
    let configured = builder
        .get_config_value(&AmazonS3ConfigKey::S3Endpoint)
        .or_else(|| builder.get_config_value(&AmazonS3ConfigKey::Endpoint));
    let mut encrypted = true;
    if let Some(endpoint) = options.endpoint.clone().or(configured) {
        encrypted = check_endpoint(&endpoint)?;
        // The key for S3 alone overrides the general one, so both are set.
        builder = builder
            .with_config(AmazonS3ConfigKey::S3Endpoint, &endpoint)
            .with_endpoint(&endpoint)
            .with_allow_http(!encrypted);
    }
    if options.unsigned_payload {
        builder = builder.with_unsigned_payload(true);
    }
    // AWS_UNSIGNED_PAYLOAD may have asked for it as well, in any of these spellings.
    let unsigned = builder.get_config_value(&AmazonS3ConfigKey::UnsignedPayload).unwrap_or_default();
    if !encrypted && matches!(unsigned.to_ascii_lowercase().as_str(), "true" | "1" | "on" | "yes" | "y") {
        return Err(invalid(
            "unsigned payloads need an https:// endpoint: nothing else would protect the bytes",
        ));
    }
    Ok(Client::new(builder.build().map_err(unusable)?))
}

#[cfg(feature = "gcp")]
fn google(bucket: &str, options: &StoreOptions, manners: Manners) -> Result<Client> {
    only_s3_has(options.unsigned_payload)?;
    let mut builder = GoogleCloudStorageBuilder::from_env()
        .with_bucket_name(bucket)
        .with_retry(manners.retries)
        .with_http_connector(manners.connector);
    for (key, value) in manners.limits {
        builder = builder.with_config(GoogleConfigKey::Client(key), value);
    }
    if options.endpoint.is_some() {
        return Err(invalid("gs:// takes no endpoint; its service account's key file can name one"));
    }
    Ok(Client::new(builder.build().map_err(unusable)?))
}

#[cfg(feature = "azure")]
fn azure(container: &str, options: &StoreOptions, manners: Manners) -> Result<Client> {
    only_s3_has(options.unsigned_payload)?;
    let mut builder = MicrosoftAzureBuilder::from_env()
        .with_container_name(container)
        .with_retry(manners.retries)
        .with_http_connector(manners.connector);
    for (key, value) in manners.limits {
        builder = builder.with_config(AzureConfigKey::Client(key), value);
    }
    if let Some(endpoint) = &options.endpoint {
        let encrypted = check_endpoint(endpoint)?;
        builder = builder.with_endpoint(endpoint.clone()).with_allow_http(!encrypted);
    }
    Ok(Client::new(builder.build().map_err(unusable)?))
}

#[cfg(any(feature = "gcp", feature = "azure"))]
fn only_s3_has(unsigned_payload: bool) -> Result<()> {
    if unsigned_payload { Err(invalid("only s3:// has unsigned payloads")) } else { Ok(()) }
}

/// Whether the endpoint's connections are encrypted.
#[cfg(any(feature = "aws", feature = "azure"))]
fn check_endpoint(endpoint: &str) -> Result<bool> {
    let url = url::Url::parse(endpoint).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    match url {
        Some(url) if !url.username().is_empty() || url.password().is_some() => {
            Err(invalid("an endpoint is an address alone; credentials go into environment variables"))
        }
        Some(url) => Ok(url.scheme() == "https"),
        None => Err(invalid(format!("the endpoint {endpoint:?} is not of the form https://host:port"))),
    }
}

/// A builder fails on its settings alone: it has not asked anybody yet.
fn unusable(error: object_store::Error) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "the store's settings are unusable; check the environment's variables",
    )
    .with_source(error)
}
