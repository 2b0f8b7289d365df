//! Running `tapeline record`, with its events as they come.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tapeline::clock::{Clock, SystemClock};

use super::wait::{PATIENCE, until};

/// A call of `tapeline record --json`, not yet made.
pub struct Record {
    command: Command,
}

impl Record {
    /// Records `input` to `store`.
    pub fn new(input: impl AsRef<OsStr>, store: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tapeline"));
        command.arg("record").arg(input).arg("--to").arg(store).arg("--json");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env_remove("TAPELINE_LOG");
        Self { command }
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Adds an option and a path.
    pub fn arg_pair(mut self, option: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.arg(option).arg(value);
        self
    }

    /// Sets or, with `None`, takes away an environment variable.
    pub fn env(mut self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.command.env(name, value),
            None => self.command.env_remove(name),
        };
        self
    }

    /// Gives it a standard input; without, it has `/dev/null`.
    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.command.stdin(stdin);
        self
    }

    /// Starts it.
    pub fn start(mut self) -> Running {
        let mut child = self.command.spawn().expect("the program starts");
        let (lines, events) = channel();
        let (stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                // Whoever waited has failed.
                let _ = lines.send(line.expect("text on standard output"));
            }
        });
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).expect("text on standard error");
            text
        });
        Running { child, lines: events, events: Vec::new(), stderr: Some(stderr) }
    }

    /// Runs it to its end.
    pub fn run(self) -> Ended {
        self.start().wait()
    }

    /// The same, and it must end well.
    pub fn succeed(self) -> Ended {
        self.run().successful()
    }
}

/// A recording under way. Killed when dropped.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    events: Vec<Value>,
    stderr: Option<JoinHandle<String>>,
}

impl Running {
    /// Its standard input, if that is a pipe.
    pub fn take_stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("a piped standard input")
    }

    /// Writes all of `bytes` to its standard input, which stays open.
    pub fn write(&mut self, bytes: &[u8]) {
        assert!(self.try_write(bytes), "the program does not read any more");
    }

    /// The same, if the program still reads; false if not.
    pub fn try_write(&mut self, bytes: &[u8]) -> bool {
        let stdin = self.child.stdin.as_mut().expect("a piped standard input");
        stdin.write_all(bytes).and_then(|()| stdin.flush()).is_ok()
    }

    /// Waits for an event that was not waited for yet.
    pub fn wait_for(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            match self.next_event() {
                Some(event) if wanted(&event) => return event,
                Some(_) => {}
                None => {
                    let said = self.join_stderr();
                    panic!("the program ended before {what}: {:?} {said}", self.events);
                }
            }
        }
    }

    /// The same, or until the program ends.
    pub fn wait_for_or_end(&mut self, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        std::iter::from_fn(|| self.next_event()).find(wanted)
    }

    /// Waits until the playlist lists so many segments.
    pub fn wait_listed(&mut self, segments: u64) {
        self.wait_for("the segments are listed", |event| {
            event["event"] == "segment_listed" && event["segments"].as_u64() >= Some(segments)
        });
    }

    /// Waits until so many segments are committed.
    pub fn wait_committed(&mut self, segments: u64) {
        self.wait_for("the segments are committed", |event| {
            event["event"] == "segment_committed" && event["segments"].as_u64() >= Some(segments)
        });
    }

    /// Takes events as they come, each with its time on `clock`, until `moment` or the program's end.
    pub fn events_until(&mut self, clock: &SystemClock, moment: Duration) -> Vec<(Duration, Value)> {
        let mut came = Vec::new();
        while let Some(rest) = moment.checked_sub(clock.monotonic()) {
            let Ok(line) = self.lines.recv_timeout(rest) else { break };
            let event: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
            self.events.push(event.clone());
            came.push((clock.monotonic(), event));
        }
        came
    }

    fn next_event(&mut self) -> Option<Value> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                let event: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
                self.events.push(event.clone());
                Some(event)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                self.kill();
                let said = self.join_stderr();
                panic!("the program says nothing more: {:?} {said}", self.events);
            }
        }
    }

    /// Sends signals by their names, with `pause` (an argument of `sleep`) between them.
    pub fn signal(&self, names: &[&str], pause: &str) {
        let id = self.child.id();
        let sent: Vec<String> = names.iter().map(|name| format!("kill -{name} {id}")).collect();
        let between = if pause.is_empty() { "; ".to_owned() } else { format!("; sleep {pause}; ") };
        // A later one may find the program gone; its id is free only after `wait`.
        let sender = Command::new("sh").arg("-c").arg(sent.join(&between)).stderr(Stdio::null()).status();
        sender.expect("sh runs");
    }

    /// Kills it with `SIGKILL`, if it still runs.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the program can be asked").is_none()
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end, and for what it says until then. Standard input is closed.
    pub fn wait(mut self) -> Ended {
        drop(self.child.stdin.take());
        while self.next_event().is_some() {}
        let child = &mut self.child;
        let status = until("the program's end", || child.try_wait().expect("the program can be asked"));
        let stderr = self.join_stderr();
        assert!(!stderr.contains("panicked"), "{stderr}");
        Ended { code: status.code(), events: std::mem::take(&mut self.events), stderr }
    }

    fn join_stderr(&mut self) -> String {
        self.stderr.take().map(|reader| reader.join().expect("standard error")).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        let _ = self.child.wait();
    }
}

/// A recording that has ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// All it said on standard output.
    pub events: Vec<Value>,
    /// All it said on standard error.
    pub stderr: String,
}

impl Ended {
    /// Panics if it did not end well.
    pub fn successful(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// The events of one kind.
    pub fn events_of(&self, kind: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["event"] == kind).collect()
    }

    /// The one output's part of the summary, behind which there is at most an error.
    pub fn summary(&self) -> &Value {
        let [.., before, last] = &self.events[..] else { panic!("no summary: {:?}", self.events) };
        let summary = if last["event"] == "error" { before } else { last };
        assert_eq!(summary["event"], "summary", "{summary}");
        &summary["outputs"][0]
    }
}
