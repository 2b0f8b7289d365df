//! `tapeline serve`: a node of the fault processing centre. This process watches over another, which records.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::guard::guard;
use super::place::{Server, spool};
use super::signals::StopSignals;
use super::terminal::print;
#[cfg(feature = "nats")]
use crate::centre::NatsMembership;
use crate::centre::{Desk, Membership, NodeOptions, Policy, StoreMembership, View, listen, serve, worker_id};
use crate::clock::{SharedClock, SystemClock, random_bytes};
use crate::continuity::{Recordings, probe};
use crate::error::Result;
#[cfg(not(feature = "nats"))]
use crate::error::{Error, ErrorKind};
use crate::input::{Inputs, Sources};
use crate::recorder::Options;
use crate::store::{Store, StoreOptions};

/// Keep recordings running, and take over those of nodes that are gone
///
/// Any number of nodes share a store and nothing else. What is to be recorded is asked for with tapeline ctl, at any of them.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A folder, or a URL: file:///path, s3://bucket/prefix, gs://, az:// (credentials from the environment)
    #[arg(long, value_name = "STORE")]
    store: String,
    #[command(flatten)]
    server: Server,
    /// Recordings that this node holds at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    capacity: u32,
    /// Take a silent host for dead at once, without a minute in which it may come back
    #[arg(long)]
    fast: bool,
    /// Where tapeline ctl finds this node
    #[arg(long, value_name = "PATH", default_value_os_t = default_socket())]
    socket: PathBuf,
    /// Where segments wait until they are committed; by default as tapeline record has it
    #[arg(long, value_name = "DIR")]
    spool: Option<PathBuf>,
    /// Keep leases on a NATS server with JetStream, nats://HOST:4222, where changes are heard in milliseconds; several are
    /// separated by commas
    #[arg(long, value_name = "URL", env = "TAPELINE_NATS", hide_env_values = true)]
    nats: Option<String>,
    /// The bucket of keys there: another one for each store
    #[arg(long, value_name = "NAME", default_value = "tapeline")]
    nats_bucket: String,
    #[cfg(feature = "api")]
    #[command(flatten)]
    api: super::api::Api,
    /// The process that records
    #[arg(long, hide = true)]
    worker: bool,
}

/// In the user's runtime folder, or that for all temporary files.
pub fn default_socket() -> PathBuf {
    let folder = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    folder.join("tapeline").join("serve.sock")
}

impl Arguments {
    /// How workers hear of each other.
    #[cfg(feature = "nats")]
    async fn membership(&self, store: &Store, clock: &SharedClock) -> Result<Box<dyn Membership>> {
        Ok(match &self.nats {
            Some(servers) => Box::new(NatsMembership::connect(servers, &self.nats_bucket, clock).await?),
            None => Box::new(StoreMembership::new(store)),
        })
    }

    #[cfg(not(feature = "nats"))]
    async fn membership(&self, store: &Store, _: &SharedClock) -> Result<Box<dyn Membership>> {
        match &self.nats {
            Some(_) => {
                let message = "this program was built without --nats; build it with --features nats";
                Err(Error::new(ErrorKind::InvalidInput, message))
            }
            None => Ok(Box::new(StoreMembership::new(store))),
        }
    }

    fn open(&self) -> Result<Store> {
        let options = StoreOptions { endpoint: self.server.endpoint.clone(), ..StoreOptions::default() };
        Store::open_with(&self.store, &options)
    }
}

/// Serves until it is asked to stop; then its recordings are left to others.
pub async fn run(arguments: Arguments) -> Result<()> {
    if arguments.worker {
        return work(&arguments).await;
    }
    #[cfg(feature = "api")]
    arguments.api.listening()?;
    let store = arguments.open()?;
    let clock = SystemClock::shared();
    // What is wrong with the store is said here, and once.
    probe::prepare(&store, &clock, random_bytes()?).await?;
    guard(&*arguments.membership(&store, &clock).await?, &clock).await
}

async fn work(arguments: &Arguments) -> Result<()> {
    let mut signals = StopSignals::listen()?;
    let store = arguments.open()?;
    let clock = SystemClock::shared();
    let form = probe::prepare(&store, &clock, random_bytes()?).await?;
    let recordings = Recordings::new(&store, form);
    let spool = spool(arguments.spool.as_ref());
    let recorder = Options { spool, clock: clock.clone(), ..Options::default() };
    let worker = worker_id(&recorder)?;
    print(&worker);
    let view = View::default();
    let sources: Arc<dyn Sources> = Arc::new(Inputs::new(clock.clone()));
    let desk = Arc::new(Desk::new(&store, recordings.clone(), Arc::clone(&sources), view.clone()));
    #[cfg(feature = "api")]
    let api = arguments.api.serve(Arc::clone(&desk), recorder.clone());
    #[cfg(not(feature = "api"))]
    let api = std::future::pending();
    let options = NodeOptions {
        membership: arguments.membership(&store, &clock).await?,
        policy: Policy { fast: arguments.fast },
        capacity: arguments.capacity,
        store,
        recordings,
        sources,
        recorder,
        view,
    };
    let socket = listen(&arguments.socket, desk, clock);
    let node = serve(worker, options, async move { signals.requested().await }, || print("."));
    tokio::select! {
        served = node => served,
        failed = socket => failed,
        failed = api => failed,
    }
}
