//! Leases on a real NATS server: as good as those in a store, told at once, and silent about the living while the server is away.

mod serve_support;
mod support;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serve_support::{Centre, KILLED, Live, Node, held, sids, signal};
use support::{Place, block_on, tool, until};
use tapeline::centre::{Lease, Membership, NatsMembership, Standing, StoreMembership};
use tapeline::clock::{SharedClock, SystemClock};
use tapeline::error::ErrorKind;
use tapeline::store::Store;
use tempfile::TempDir;

/// A server that can be killed, and begun again with what it had.
struct Nats {
    program: PathBuf,
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

impl Nats {
    /// `None` where there is no such program.
    fn start() -> Option<Self> {
        let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/cache/venv/bin/nats-server");
        let program = if installed.is_file() { installed } else { tool("nats-server")? };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut nats = Self { program, folder: tempfile::tempdir().unwrap(), port, process: None };
        nats.begin();
        Some(nats)
    }

    fn begin(&mut self) {
        let mut command = Command::new(&self.program);
        command.args(["-js", "-a", "127.0.0.1", "-p", &self.port.to_string(), "-sd"]).arg(self.folder.path());
        self.process = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        until("the NATS server to listen", || std::net::TcpStream::connect(("127.0.0.1", self.port)).ok());
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    async fn connect(&self, bucket: &str) -> NatsMembership {
        // It listens a moment before it has its streams.
        for _ in 0..50 {
            if let Ok(connected) = NatsMembership::connect(&self.url(), bucket, &clock()).await {
                return connected;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        NatsMembership::connect(&self.url(), bucket, &clock()).await.unwrap()
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}

fn clock() -> SharedClock {
    SystemClock::shared()
}

fn lease(worker: &str, beat: u64, standing: Standing) -> Lease {
    Lease { beat, standing, ..Lease::new(worker, "host", 1, 10) }
}

/// What any membership must do, with two that look at the same place.
async fn conforms(one: &mut dyn Membership, other: &mut dyn Membership) {
    assert_eq!(one.read().await.unwrap(), []);
    one.renew(&lease("a", 1, Standing::Serving)).await.unwrap();
    other.renew(&lease("b", 1, Standing::Serving)).await.unwrap();
    let both = [lease("a", 1, Standing::Serving), lease("b", 1, Standing::Serving)];
    assert_eq!(one.read().await.unwrap(), both);
    assert_eq!(other.read().await.unwrap(), both);
    // Whoever watches over a worker writes its last lease.
    for beat in 2..5 {
        one.renew(&lease("b", beat, Standing::Gone)).await.unwrap();
        assert_eq!(other.read().await.unwrap(), [both[0].clone(), lease("b", beat, Standing::Gone)]);
    }
    other.remove("b").await.unwrap();
    assert_eq!(one.read().await.unwrap(), both[..1]);
    assert_eq!(other.read().await.unwrap(), both[..1]);
    other.remove("a").await.unwrap();
    assert_eq!(one.read().await.unwrap(), []);
    one.remove("a").await.unwrap();
}

#[test]
fn a_store_and_a_server_tell_the_same_of_workers() {
    block_on(async {
        let store = Store::open("memory:").unwrap();
        conforms(&mut StoreMembership::new(&store), &mut StoreMembership::new(&store)).await;
        let Some(nats) = Nats::start() else { return };
        let mut theirs = nats.connect("theirs").await;
        conforms(&mut nats.connect("ours").await, &mut nats.connect("ours").await).await;
        assert_eq!(theirs.read().await.unwrap(), [], "another bucket");
        let error = NatsMembership::connect(&nats.url(), "no bucket", &clock()).await.unwrap_err();
        assert!(error.to_string().contains("no bucket"), "{error}");
    });
}

#[test]
fn what_matters_is_told_at_once_and_a_mere_beat_is_not() {
    let Some(nats) = Nats::start() else { return };
    block_on(async {
        let (mut one, other) = (nats.connect("ours").await, nats.connect("ours").await);
        one.read().await.unwrap();
        let heard = |one: NatsMembership| async move {
            let mut one = one;
            let heard = tokio::time::timeout(Duration::from_secs(2), one.changed()).await.is_ok();
            (one, heard)
        };
        other.renew(&lease("a", 1, Standing::Serving)).await.unwrap();
        let (one, new) = heard(one).await;
        other.renew(&lease("a", 2, Standing::Serving)).await.unwrap();
        let (one, beat) = heard(one).await;
        other.renew(&lease("a", 3, Standing::Gone)).await.unwrap();
        let (one, gone) = heard(one).await;
        other.remove("a").await.unwrap();
        let (_, removed) = heard(one).await;
        assert_eq!([new, beat, gone, removed], [true, false, true, true]);
    });
}

#[test]
fn a_server_that_is_away_is_an_error_and_no_silence_and_what_was_missed_is_known_when_it_is_back() {
    let Some(mut nats) = Nats::start() else { return };
    block_on(async {
        let (mut one, other) = (nats.connect("ours").await, nats.connect("ours").await);
        other.renew(&lease("a", 1, Standing::Serving)).await.unwrap();
        assert_eq!(one.read().await.unwrap().len(), 1);
        nats.kill();
        for _ in 0..2 {
            let error = one.read().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        }
        nats.begin();
        let fresh = nats.connect("ours").await;
        fresh.renew(&lease("b", 1, Standing::Serving)).await.unwrap();
        let mut leases = one.read().await;
        for _ in 0..20 {
            if leases.is_ok() {
                break;
            }
            leases = one.read().await;
        }
        assert_eq!(leases.unwrap().len(), 2, "one from before, and one that it was not told of");
        fresh.renew(&lease("b", 2, Standing::Gone)).await.unwrap();
        tokio::time::timeout(Duration::from_secs(5), one.changed()).await.expect("it is told again");
    });
    drop(nats);
    let error =
        block_on(NatsMembership::connect("nats://user:hidden@127.0.0.1:1", "ours", &clock())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(
        !error.report().contains("hidden") && error.report().contains("127.0.0.1:1"),
        "{}",
        error.report()
    );
    let error = block_on(NatsMembership::connect("http://x:hidden@y", "ours", &clock())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(!error.report().contains("hidden"), "{}", error.report());
}

#[test]
fn nodes_move_what_a_killed_worker_had_and_nothing_for_a_server_that_is_away() {
    let Some(mut nats) = Nats::start() else { return };
    let url = nats.url();
    let arguments = ["--nats", &url];
    let (centre, first) = Centre::of(Live::start(), Place::folder(), &arguments);
    let second = Node::start(&centre.place, &arguments);
    let sids = sids(0, 4);
    centre.begin(&first, &sids);
    let leases = centre.place.objects().into_keys().filter(|key| key.contains("workers/")).count();
    assert_eq!(leases, 0, "none is in the store");
    // The server is away for longer than a silence: nobody is judged by that.
    let of = |node: &Node| held(&centre, &sids, &node.worker().0);
    let before = of(&first);
    nats.kill();
    std::thread::sleep(Duration::from_secs(20));
    nats.begin();
    std::thread::sleep(Duration::from_secs(20));
    assert_eq!(of(&first), before, "nobody was moved");
    // A server tells at once what a store would have to be asked for.
    let (node, [of_node, _]) =
        [&first, &second].map(|node| (node, of(node))).into_iter().max_by_key(|(_, of)| of[0].len()).unwrap();
    let clock = SystemClock::new();
    signal("KILL", node.worker().1);
    let times = centre.moved(&of_node, &clock, KILLED);
    println!("killed: {} recordings moved after {times:.1?}", times.len());
    centre.end(&second, &sids, KILLED);
    // A worker that dies while the server is away has a successor when it is back.
    let (before, pid) = first.worker();
    nats.kill();
    signal("KILL", pid);
    std::thread::sleep(Duration::from_secs(8));
    nats.begin();
    until("the node to serve again", || first.lease().filter(|lease| lease["worker"] != before));
}
