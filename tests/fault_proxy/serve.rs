//! The proxy: its handle, and the tasks behind it on a thread of their own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tapeline::clock::{Clock, SystemClock};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::exchange;
use super::record::{Entry, Record, Totals};
use super::script::{Asked, Course, Decision, Kind, Script, Way};

/// What the kernel may hold of what a client sends: so a client notices that nobody reads.
const RECEIVE_BUFFER: usize = 64 * 1024;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// How to start a proxy.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// The server.
    pub to: SocketAddr,
    /// On loopback; with port 0 any that is free.
    pub listen: SocketAddr,
    /// Decides what chance decides.
    pub seed: u64,
}

/// A proxy. Ends when dropped, and with it every connection.
#[derive(Debug)]
pub struct FaultProxy {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the tasks and the handle share.
#[derive(Debug)]
pub(super) struct Shared {
    pub to: SocketAddr,
    seed: u64,
    clock: SystemClock,
    state: Mutex<State>,
    /// Counts the scripts.
    script: watch::Sender<u64>,
    /// Rings when the newest script counts.
    obeyed: Condvar,
    /// Counts how often all connections were cut.
    pub cuts: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    course: Course,
    /// When the script was set.
    began: Duration,
    /// The newest script of which is known whether anybody is to listen.
    obeyed: u64,
    ended: bool,
    record: Record,
}

impl FaultProxy {
    /// Starts one in front of `server`, `host:port` or a URL of it, with seed 0 and no rules.
    pub fn start(server: &str) -> Self {
        let to = server.trim_start_matches("http://").trim_end_matches('/');
        let to = to.parse().unwrap_or_else(|error| panic!("no address: {server}: {error}"));
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self::start_with(Setup { to, listen, seed: 0 }).expect("a free port")
    }

    /// Starts one.
    pub fn start_with(Setup { to, listen, seed }: Setup) -> io::Result<Self> {
        if !listen.ip().is_loopback() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it listens on loopback only"));
        }
        // Bound and never listening: while nobody does, connections are refused and the port stays ours.
        let reserved = bound(listen)?;
        let address = reserved.local_addr()?.as_socket().expect("an internet address");
        let state = State {
            course: Course::new(Script::default(), seed),
            began: Duration::ZERO,
            obeyed: 0,
            ended: false,
            record: Record::default(),
        };
        let shared = Arc::new(Shared {
            to,
            seed,
            clock: SystemClock::new(),
            state: Mutex::new(state),
            script: watch::Sender::new(1),
            obeyed: Condvar::new(),
            cuts: watch::Sender::new(0),
        });
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let tasks = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    done = listen_as_told(&tasks, address) => done.expect("the port is reserved"),
                    _ = stopped => {}
                }
            });
            drop(reserved);
        });
        let proxy = Self { shared, address, stop: Some(stop), thread: Some(thread) };
        proxy.wait_obeyed(1);
        Ok(proxy)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on these rules, and no others; their times and numbers begin now. Requests under way go on as
    /// was decided, but for rates.
    ///
    /// Panics where that is no script.
    #[track_caller]
    pub fn set(&self, script: &str) {
        self.set_script(script.parse().unwrap_or_else(|error| panic!("{error}: {script}")));
    }

    /// The same, read already. When it returns, connections are taken or refused accordingly.
    pub fn set_script(&self, script: Script) {
        {
            let mut state = self.shared.lock();
            state.course = Course::new(script, self.shared.seed);
            state.began = self.shared.clock.monotonic();
        }
        self.shared.script.send_modify(|number| *number += 1);
        let number = *self.shared.script.borrow();
        self.wait_obeyed(number);
    }

    /// No rules from now on.
    pub fn clear(&self) {
        self.set_script(Script::default());
    }

    /// Every request so far.
    pub fn log(&self) -> Vec<Entry> {
        self.shared.lock().record.entries.clone()
    }

    /// Requests that a fault of this kind was decided for.
    pub fn count(&self, kind: Kind) -> usize {
        let state = self.shared.lock();
        state.record.entries.iter().filter(|entry| entry.faults.contains(&kind)).count()
    }

    /// What went through.
    pub fn totals(&self) -> Totals {
        self.shared.lock().record.totals
    }

    fn wait_obeyed(&self, number: u64) {
        let mut state = self.shared.lock();
        while state.obeyed < number && !state.ended {
            state = self.shared.obeyed.wait(state).unwrap();
        }
        assert!(!state.ended, "the proxy's thread has ended");
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            ended.expect("a thread").expect("the proxy's thread does not panic");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Decides about a request, and writes it down under a number.
    pub fn decide(&self, asked: &Asked) -> (usize, Decision) {
        let mut state = self.lock();
        let now = self.clock.monotonic();
        let since = now - state.began;
        let decision = state.course.decide(asked, since);
        (state.record.begin(now, asked, &decision), decision)
    }

    /// Writes down what happened.
    pub fn note(&self, change: impl FnOnce(&mut Record)) {
        change(&mut self.lock().record);
    }

    /// How much of this request may go at once, where that is limited.
    pub fn piece(&self, asked: &Asked, way: Way) -> Option<usize> {
        let mut state = self.lock();
        let since = self.clock.monotonic() - state.began;
        state.course.paces(asked, way, since).map(|pace| pace.piece()).min()
    }

    /// Waits for the turn of so many bytes of this request.
    pub async fn turn(&self, asked: &Asked, way: Way, bytes: usize) {
        let pause = {
            let mut state = self.lock();
            let now = self.clock.monotonic();
            let since = now - state.began;
            let turns = state.course.paces(asked, way, since).map(|pace| pace.turn(now, bytes));
            turns.max().map(|turn| turn.saturating_sub(now))
        };
        if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
            tokio::time::sleep(pause).await;
        }
    }
}

/// Says that nobody will obey any more, however the thread ends.
struct Ending<'a>(&'a Shared);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.obeyed.notify_all();
    }
}

/// Takes connections, or refuses them, as the script says.
async fn listen_as_told(shared: &Arc<Shared>, address: SocketAddr) -> io::Result<()> {
    let _ending = Ending(shared);
    let mut script = shared.script.subscribe();
    let mut connections = JoinSet::new();
    let mut listener = None;
    loop {
        let number = *script.borrow_and_update();
        let (away, pause) = {
            let state = shared.lock();
            let since = shared.clock.monotonic() - state.began;
            let (away, change) = state.course.away(since);
            (away, change.map(|change| change - since))
        };
        if !away && listener.is_none() {
            listener = Some(listening(address)?);
        } else if away && listener.take().is_some() {
            shared.note(|record| record.totals.absences += 1);
            shared.cuts.send_modify(|cuts| *cuts += 1);
        }
        shared.lock().obeyed = number;
        shared.obeyed.notify_all();
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        let changes = async {
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Ok((client, _)) = accepted => {
                connections.spawn(exchange::serve(Arc::clone(shared), client, shared.cuts.subscribe()));
            }
            () = changes => {}
            _ = script.changed() => {}
            Some(ended) = connections.join_next(), if !connections.is_empty() => {
                if let Err(died) = ended && died.is_panic() {
                    std::panic::resume_unwind(died.into_panic());
                }
            }
        }
    }
}

/// A socket that has this address, with others that do not listen.
fn bound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn listening(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = bound(address)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.set_nonblocking(true)?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
