//! Nodes of a centre as processes, and a live source that all of them can join.

#![allow(dead_code, reason = "each test binary uses its own part")]

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
use tapeline::export::{Part, TsJoiner};
use tapeline::time::MediaSpan;
use tempfile::TempDir;

use crate::support::{Place, Said, fixture_bytes, until};

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
            let _ = Command::new("kill").args(["-9", &lease["pid"].to_string()]).output();
        }
        let _ = self.parent.kill();
        let _ = self.parent.wait();
    }
}

/// Sends a signal to a process of this test.
pub fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).output().unwrap();
    assert!(sent.status.success(), "kill -{name} {pid}: {}", String::from_utf8_lossy(&sent.stderr));
}
