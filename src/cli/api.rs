//! The arguments of the REST API of `tapeline serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::terminal::tell;
use crate::centre::Desk;
use crate::centre::api::{Allowed, Credentials, Listening, Places, Service, Tls, listen};
use crate::error::{Error, ErrorKind, Result};
use crate::recorder::Options;

/// The REST API
#[derive(Debug, Args)]
#[command(next_help_heading = "REST API")]
pub struct Api {
    /// Answer calls there, such as 127.0.0.1:8090
    #[arg(long = "api", value_name = "ADDR:PORT", requires = "access")]
    address: Option<SocketAddr>,
    /// File of those who may call: name:secret in each line
    #[arg(long, value_name = "FILE", group = "access")]
    credentials: Option<PathBuf>,
    /// Let anybody on this machine call; only on loopback
    #[arg(long, group = "access")]
    no_auth: bool,
    /// Certificate for HTTPS, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// Its key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Where a channel's stream is, with {app}, {cname} and {uid} in it
    #[arg(long, value_name = "URL")]
    source: Option<String>,
    /// Clients may name such sources: SCHEME://HOST[:PORT] or SCHEME://ADDR/BITS; may be repeated
    #[arg(long, value_name = "PLACE")]
    allow_source: Vec<Allowed>,
    /// Clients may name this bucket as theirs: it stands for --store; may be repeated
    #[arg(long, value_name = "NAME")]
    accept_bucket: Vec<String>,
    /// Calls a second from one address
    #[arg(long, value_name = "N", default_value_t = 500)]
    api_rate: u32,
}

impl Api {
    /// Where calls are to be taken, if anywhere.
    ///
    /// # Errors
    /// `InvalidInput` for files that cannot be read, and for an open door that others than this machine can reach.
    pub fn listening(&self) -> Result<Option<Listening>> {
        let Some(address) = self.address else { return Ok(None) };
        let credentials = self.credentials.as_ref().map(|path| {
            let text = std::fs::read_to_string(path).map_err(|error| {
                let message = format!("the credentials {} cannot be read", path.display());
                Error::new(ErrorKind::InvalidInput, message).with_source(error)
            });
            text.and_then(|text| Credentials::parse(&text))
        });
        let tls = self.tls_certificate.as_ref().zip(self.tls_key.as_ref());
        let tls = tls.map(|(certificate, key)| Tls::read(certificate, key));
        Listening::new(address, credentials.transpose()?, tls.transpose()?, self.api_rate).map(Some)
    }

    /// Answers for `desk` as long as it is not dropped; for ever silent where no API is wanted.
    ///
    /// # Errors
    /// As [`listening`](Self::listening) and [`listen`].
    pub async fn serve(&self, desk: Arc<Desk>, recorder: Options) -> Result<()> {
        let Some(listening) = self.listening()? else { return std::future::pending().await };
        let service = Service {
            desk,
            places: Places { pattern: self.source.clone(), allowed: self.allow_source.clone() },
            buckets: self.accept_bucket.clone(),
            clock: recorder.clock,
            chance: recorder.chance,
        };
        let scheme = listening.scheme();
        listen(listening, service, |address| tell(format_args!("the API answers at {scheme}://{address}")))
            .await
    }
}
