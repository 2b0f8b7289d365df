//! Leases in a bucket of keys and values on a NATS server (JetStream), for fleets that want milliseconds: a server tells of a
//! change when it happens, where a store has to be asked.
//!
//! Control objects and requests stay in the store: this server cannot make two workers hold one recording.
//!
//! A watch of the whole bucket keeps what is known of all leases. That it is complete is not taken on trust: each reading asks the
//! server how far the bucket is, and waits until the watch is there. So a reading fails while the server is away, which is
//! nobody's silence, and what had been missed meanwhile is known after the first that succeeds.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::kv::{Config, Entry, Operation, Store, Watch};
use async_nats::{ConnectOptions, ServerAddr, jetstream};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;

use super::board::Membership;
use super::lease::Lease;
use crate::clock::SharedClock;
use crate::error::{Error, ErrorKind, Result};

/// A server that does not answer for so long is away.
const PATIENCE: Duration = Duration::from_secs(4);

/// Leases on a NATS server.
#[derive(Debug)]
pub struct NatsMembership {
    server: Server,
    /// Never shared; a watch could not be.
    watched: Mutex<Watched>,
}

#[derive(Debug)]
struct Server {
    /// Who the servers are, for people.
    names: String,
    bucket: Store,
    clock: SharedClock,
}

/// What the watch has told.
#[derive(Default)]
struct Watched {
    /// `None`: it is to be begun.
    watch: Option<Watch>,
    /// As far as this.
    revision: u64,
    leases: BTreeMap<String, Lease>,
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} leases at {}", self.leases.len(), self.revision)
    }
}

impl NatsMembership {
    /// Connects to one of some servers, `nats://[user:password@]host:port`, separated by commas; makes the bucket where it is
    /// missing. Nodes on different stores need different buckets.
    ///
    /// # Errors
    /// `InvalidInput` for what is no server, or no name of a bucket; `Unavailable` where none answers.
    pub async fn connect(servers: &str, bucket: &str, clock: &SharedClock) -> Result<Self> {
        let invalid = |message: String| Error::new(ErrorKind::InvalidInput, message);
        // What cannot be read may have a password in it: it is not shown.
        let addresses: std::result::Result<Vec<ServerAddr>, _> =
            servers.split(',').map(|server| server.trim().parse()).collect();
        let addresses =
            addresses.map_err(|_| invalid("--nats is no server: write nats://HOST:4222".to_owned()))?;
        let names: Vec<String> =
            addresses.iter().map(|address| format!("{}:{}", address.host(), address.port())).collect();
        let servers = names.join(", ");
        let unavailable = |what: &str, error: &dyn std::fmt::Display| {
            let message = format!(
                "the NATS server at {servers} {what}: {error}; check it, and that it runs with JetStream (-js)"
            );
            Error::new(ErrorKind::Unavailable, message)
        };
        let options = ConnectOptions::new()
            .name("tapeline")
            .connection_timeout(PATIENCE)
            .request_timeout(Some(PATIENCE));
        let connected = options.connect(addresses).await;
        let client = connected.map_err(|error| unavailable("cannot be reached", &error))?;
        let context = jetstream::new(client);
        let config = Config { bucket: bucket.to_owned(), history: 1, ..Config::default() };
        let opened = match context.get_key_value(bucket).await {
            Ok(store) => Ok(store),
            // Two nodes may make it at the same time: with the same configuration both are right.
            Err(_) => context.create_key_value(config).await,
        };
        let bucket =
            opened.map_err(|error| unavailable(&format!("does not open the bucket {bucket}"), &error))?;
        let server = Server { names: servers, bucket, clock: clock.clone() };
        Ok(Self { server, watched: Mutex::default() })
    }
}

impl Server {
    fn failed(&self, what: &str, error: &dyn std::fmt::Display) -> Error {
        let message = format!("the NATS server at {} {what}: {error}", self.names);
        Error::new(ErrorKind::Unavailable, message)
    }

    /// Waits for some work, but not for ever.
    async fn in_time<T: Send>(&self, what: &str, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        tokio::select! {
            done = work => done,
            () = self.clock.sleep(PATIENCE) => Err(self.failed(what, &"it does not answer")),
        }
    }

    /// Reads on until the watch has told everything up to now. May be dropped while it waits.
    async fn catch_up(&self, watched: &mut Watched) -> Result<()> {
        let info =
            self.bucket.stream.get_info().await.map_err(|error| self.failed("cannot be asked", &error))?;
        if watched.watch.is_none() {
            let begun = self.bucket.watch_with_history(">").await;
            let watch = begun.map_err(|error| self.failed("lets nobody watch", &error))?;
            *watched = Watched { watch: Some(watch), ..Watched::default() };
        }
        while watched.revision < info.state.last_sequence {
            if watched.next().await.is_none() {
                return Err(self.failed("broke off", &"the watch has ended"));
            }
        }
        Ok(())
    }
}

impl Watched {
    /// Whether the next change of a lease is one to act on; `None` where there is no watch any more. May be dropped while it
    /// waits.
    async fn next(&mut self) -> Option<bool> {
        match self.watch.as_mut()?.next().await {
            Some(Ok(entry)) => Some(self.learn(&entry)),
            Some(Err(_)) | None => {
                self.watch = None;
                None
            }
        }
    }

    fn learn(&mut self, entry: &Entry) -> bool {
        self.revision = entry.revision;
        if entry.operation != Operation::Put {
            return self.leases.remove(&entry.key).is_some();
        }
        match Lease::decode(&entry.value) {
            Ok(lease) => {
                let before = self.leases.insert(entry.key.clone(), lease.clone());
                // That it has changed at all is for the next reading.
                before.is_none_or(|before| {
                    (before.standing, before.handed.len()) != (lease.standing, lease.handed.len())
                })
            }
            Err(error) => {
                tracing::warn!(key = entry.key, error = %error.report(), "left out");
                false
            }
        }
    }
}

impl Membership for NatsMembership {
    fn renew<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<()>> {
        let Server { bucket, .. } = &self.server;
        Box::pin(self.server.in_time("takes no lease", async move {
            let put = bucket.put(&lease.worker, lease.encode()).await;
            put.map(drop).map_err(|error| self.server.failed("takes no lease", &error))
        }))
    }

    fn read(&mut self) -> BoxFuture<'_, Result<Vec<Lease>>> {
        Box::pin(async move {
            let known = self.watched.get_mut().unwrap_or_else(PoisonError::into_inner);
            // Who knows what a watch has missed while its server was away: where a reading fails, or is given up, another is begun.
            let mut watched = std::mem::take(known);
            self.server.in_time("cannot be read", self.server.catch_up(&mut watched)).await?;
            let leases = watched.leases.values().cloned().collect();
            *known = watched;
            Ok(leases)
        })
    }

    fn remove<'a>(&'a self, worker: &'a str) -> BoxFuture<'a, Result<()>> {
        let Server { bucket, .. } = &self.server;
        Box::pin(self.server.in_time("removes no lease", async move {
            let purged = bucket.purge(worker).await;
            purged.map_err(|error| self.server.failed("removes no lease", &error))
        }))
    }

    fn changed(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let watched = self.watched.get_mut().unwrap_or_else(PoisonError::into_inner);
            loop {
                match watched.next().await {
                    Some(true) => return,
                    Some(false) => {}
                    // The next reading begins another.
                    None => std::future::pending().await,
                }
            }
        })
    }
}
