//! Nodes of a centre as processes, a live source that all of them can join, and what the centre makes of it.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tapeline::clock::{Clock, SystemClock};
use tapeline::continuity::{ControlObject, Phase, Recordings};
use tapeline::export::{Part, TsJoiner};
use tapeline::ids::Sid;
use tapeline::time::MediaSpan;
use tempfile::TempDir;

use crate::support::{Place, Said, block_on, fixture_bytes, until};

/// The fixture's length.
const FIXTURE: Duration = Duration::from_secs(24);
/// It is sent in pieces of about so long.
const PIECE: Duration = Duration::from_millis(40);

/// Sends the fixture over and over, as one stream whose times go on, to all who connect.
pub struct Live {
    address: SocketAddr,
    /// It sends nothing, and lets nobody in.
    silent: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
}

impl Live {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (silent, over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let clients: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        std::thread::spawn({
            let (clients, silent, over) = (Arc::clone(&clients), Arc::clone(&silent), Arc::clone(&over));
            move || {
                for client in listener.incoming().flatten() {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    if !silent.load(Ordering::Relaxed) {
                        client.set_nonblocking(true).unwrap();
                        clients.lock().unwrap().push(client);
                    }
                }
            }
        });
        std::thread::spawn({
            let (silent, over) = (Arc::clone(&silent), Arc::clone(&over));
            move || send(&clients, &silent, &over)
        });
        Self { address, silent, over }
    }

    pub fn url(&self) -> String {
        format!("tcp://{}", self.address)
    }

    /// Cuts all connections, and lets nobody in until it is told otherwise.
    pub fn set_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::Relaxed);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the one that waits for clients.
        drop(TcpStream::connect(self.address));
    }
}

fn send(clients: &Mutex<Vec<TcpStream>>, silent: &AtomicBool, over: &AtomicBool) {
    let fixture = Bytes::from(fixture_bytes("h264_aac"));
    let clock = SystemClock::new();
    let mut joiner = TsJoiner::default();
    for turn in 0.. {
        let mut bytes = Vec::new();
        let part = Part {
            key: String::new(),
            bytes: fixture.clone(),
            date: None,
            continues: false,
            length: MediaSpan::from(FIXTURE),
            gap: MediaSpan::ZERO,
        };
        let joined = joiner.part(part, |piece| {
            bytes.extend_from_slice(piece);
            Ok::<_, ()>(())
        });
        assert!(joined.is_ok(), "the fixture joins itself");
        let pieces = u32::try_from(FIXTURE.as_millis() / PIECE.as_millis()).unwrap();
        let packets = bytes.len() / 188;
        for number in 0..pieces as usize {
            let bounds = [number, number + 1].map(|n| packets * n / pieces as usize * 188);
            let due = FIXTURE * turn + PIECE * u32::try_from(number).unwrap();
            std::thread::sleep(due.saturating_sub(clock.monotonic()));
            if over.load(Ordering::Relaxed) {
                return;
            }
            let mut clients = clients.lock().unwrap();
            if silent.load(Ordering::Relaxed) {
                clients.clear();
            }
            clients.retain_mut(|client| client.write_all(&bytes[bounds[0]..bounds[1]]).is_ok());
        }
    }
}

/// A node: the process that watches, its worker's, and where it is asked.
pub struct Node {
    parent: Child,
    socket: PathBuf,
    folder: TempDir,
}

impl Node {
    /// One more on that store, that answers.
    pub fn start(place: &Place, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("node.sock");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tapeline"));
        command.args(["serve", "--store", place.url(), "--socket"]).arg(&socket).args(arguments);
        if !Path::new(place.url()).is_absolute() {
            command.arg("--spool").arg(folder.path().join("spool"));
        }
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        command.env("TAPELINE_LOG", "info").stdin(Stdio::null()).stderr(log);
        let parent = command.spawn().expect("the program starts");
        let node = Self { parent, socket, folder };
        until("the node to answer", || node.lease());
        node
    }

    pub fn ask(&self, arguments: &[&str]) -> Said {
        let socket = self.socket.to_str().unwrap();
        Said::of("ctl", arguments.iter().chain(&["--socket", socket, "--json"]))
    }

    /// What its worker says of itself.
    pub fn lease(&self) -> Option<Value> {
        let said = self.ask(&["nodes"]);
        if said.code != Some(0) {
            return None;
        }
        said.object()["nodes"].as_array()?.iter().find(|node| node["this"] == true).cloned()
    }

    /// Its worker's name, and process.
    pub fn worker(&self) -> (String, u32) {
        let lease = until("the worker's lease", || self.lease());
        (lease["worker"].as_str().unwrap().to_owned(), u32::try_from(lease["pid"].as_u64().unwrap()).unwrap())
    }

    pub fn parent(&self) -> u32 {
        self.parent.id()
    }

    /// What it and its worker said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Asks it to leave, and waits until it has.
    pub fn leave(mut self) {
        signal("TERM", self.parent.id());
        let status = self.parent.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.log());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(lease) = self.lease() {
            // It may be gone already.
            let _ = shell(&format!("kill -KILL {}", lease["pid"]));
        }
        let _ = self.parent.kill();
        let _ = self.parent.wait();
    }
}

/// Sends a signal to a process of this test.
pub fn signal(name: &str, pid: u32) {
    assert!(shell(&format!("kill -{name} {pid}")), "{pid} is there");
}

/// By the shell, which has it built in.
fn shell(command: &str) -> bool {
    Command::new("sh").args(["-c", command]).stderr(Stdio::null()).status().expect("sh runs").success()
}

/// A worker that is known to be dead is replaced within this, and a host of which nothing is heard.
pub const KILLED: Duration = Duration::from_secs(30);
pub const DISCONNECTED: Duration = Duration::from_secs(90);

pub struct Centre {
    pub place: Place,
    pub live: Live,
    recordings: Recordings,
}

impl Centre {
    /// With its first node.
    pub fn new(place: Place) -> (Self, Node) {
        Self::with(place, &[])
    }

    /// With a first node with those arguments.
    pub fn with(place: Place, arguments: &[&str]) -> (Self, Node) {
        Self::of(Live::start(), place, arguments)
    }

    /// The same with that source.
    pub fn of(live: Live, place: Place, arguments: &[&str]) -> (Self, Node) {
        let first = Node::start(&place, arguments);
        let recordings =
            block_on(Recordings::open(&place.store())).unwrap().expect("the node has prepared it");
        (Self { place, live, recordings }, first)
    }

    pub fn state(&self, sid: &str) -> Option<ControlObject> {
        block_on(self.recordings.read(&Sid::new(sid).unwrap())).ok()
    }

    /// Begins recordings, and waits until something of each is committed.
    pub fn begin(&self, node: &Node, sids: &[String]) {
        self.begin_with(node, sids, "2s");
    }

    /// The same with segments of that length.
    pub fn begin_with(&self, node: &Node, sids: &[String], segment: &str) {
        for sid in sids {
            // A worker that was killed has its successor answer a moment later.
            let said = until("the node to answer", || {
                let said = node.ask(&["start", &self.live.url(), "--sid", sid, "--segment", segment]);
                Some(said).filter(|said| said.code != Some(5))
            });
            assert_eq!(said.code, Some(0), "{}", said.stderr);
        }
        for sid in sids {
            until("a recording to begin", || {
                self.state(sid).filter(|state| state.outputs.iter().any(|output| output.segments > 0))
            });
        }
    }

    /// Waits until each of these has committed something in a later generation than it had; gives the times since `begin`.
    pub fn moved(
        &self,
        before: &BTreeMap<String, u8>,
        clock: &SystemClock,
        limit: Duration,
    ) -> Vec<Duration> {
        let mut times = BTreeMap::new();
        while times.len() < before.len() {
            assert!(
                clock.monotonic() < limit,
                "{} of {} moved in time: {times:?}",
                times.len(),
                before.len()
            );
            for (sid, generation) in before {
                let is_moved = |state: &ControlObject| {
                    state.generation.get() > *generation
                        && state.phase == Phase::Recording
                        && state.outputs.iter().any(|output| output.segments > 0)
                };
                if !times.contains_key(sid) && self.state(sid).as_ref().is_some_and(is_moved) {
                    times.insert(sid.clone(), clock.monotonic());
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        times.into_values().collect()
    }

    /// Ends them, and makes sure that each stitches into a list that lacks no more than was out of order for.
    pub fn end(&self, node: &Node, sids: &[String], longest_gap: Duration) {
        for sid in sids {
            assert_eq!(node.ask(&["stop", sid]).code, Some(0));
        }
        for sid in sids {
            until("a recording to end", || self.state(sid).filter(|state| state.phase == Phase::Stopped));
            let report = self.place.run("stitch", ["--sid", sid, "--json", "--out", "-"]);
            assert_eq!(report.code, Some(0), "{}", report.stderr);
            let absent = self.absent(sid);
            assert!(u128::from(absent) <= longest_gap.as_millis(), "{sid} lacks {absent} ms");
        }
    }

    /// Milliseconds of a recording's time that nothing in the store covers.
    pub fn absent(&self, sid: &str) -> u64 {
        let status = self.place.run("status", ["--sid", sid, "--json"]).object();
        let account = &status["accounts"][0];
        account["absent_millis"].as_object().unwrap().values().filter_map(Value::as_u64).sum()
    }
}

pub fn sids(round: usize, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("r{round}-{number}")).collect()
}

/// The generation of each that `worker` holds, and of each that others do.
pub fn held(centre: &Centre, sids: &[String], worker: &str) -> [BTreeMap<String, u8>; 2] {
    let mut found = [BTreeMap::new(), BTreeMap::new()];
    for sid in sids {
        let state = centre.state(sid).unwrap();
        let of_others = usize::from(state.holder.lease.as_deref() != Some(worker));
        found[of_others].insert(sid.clone(), state.generation.get());
    }
    found
}

pub fn from_env(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}
