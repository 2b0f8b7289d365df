//! Where the tests of continuity record: a folder, or a part of its own of the bucket of a real S3 server.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use futures_util::TryStreamExt;
use serde_json::Value;
use tapeline::clock::random_bytes;
use tapeline::store::Store;
use tempfile::TempDir;

use super::program::Record;
use super::recording::{all_files, files};
use super::tools::skip;
use super::wait::until;

/// No object of these tests is larger.
const LIMIT: u64 = 10_000_000;
const SPOOL: &str = ".tapeline/spool/";

/// Every object of a store: its bytes by its key.
pub type Objects = BTreeMap<String, Vec<u8>>;

/// An empty store, gone at the end where it is a folder.
pub struct Place {
    url: String,
    /// The folder that is the store.
    folder: Option<TempDir>,
    /// The spools of a bucket.
    spools: TempDir,
}

impl Place {
    /// A folder.
    pub fn folder() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = folder.path().to_str().expect("a path in UTF-8").to_owned();
        Self { url, folder: Some(folder), spools: tempfile::tempdir().unwrap() }
    }

    /// A part of the bucket that `TAPELINE_TEST_S3` names; `None` without a server, and the test is to
    /// return.
    pub fn bucket() -> Option<Self> {
        // A program built without S3 is told from one whose server is missing.
        if !cfg!(feature = "aws") {
            eprintln!("SKIPPED: built without the feature aws");
            return None;
        }
        let Ok(bucket) = std::env::var("TAPELINE_TEST_S3") else {
            skip("an S3 server, named by TAPELINE_TEST_S3");
            return None;
        };
        let url = format!("{bucket}/continuity-{:032x}", u128::from_be_bytes(random_bytes().unwrap()));
        Some(Self { url, folder: None, spools: tempfile::tempdir().unwrap() })
    }

    /// The same kind of place, empty.
    pub fn another(&self) -> Self {
        if self.folder.is_some() { Self::folder() } else { Self::bucket().expect("the server") }
    }

    /// What names it on the command line.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `tapeline record --sid s1` into it, not yet made.
    pub fn record(&self, input: impl AsRef<OsStr>) -> Record {
        let record = Record::new(input, &self.url).args(["--sid", "s1"]);
        if self.folder.is_some() { record } else { record.arg_pair("--spool", self.spools.path()) }
    }

    /// Runs another verb on it.
    pub fn run<S: AsRef<OsStr>>(&self, verb: &str, arguments: impl IntoIterator<Item = S>) -> Said {
        Said::by(verb, &self.url, arguments)
    }

    /// What `tapeline status --json` says of the recording `s1`.
    pub fn status(&self) -> Value {
        let said = self.run("status", ["--sid", "s1", "--json"]);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        said.object()
    }

    /// A handle on it.
    pub fn store(&self) -> Store {
        Store::open(&self.url).expect("the store")
    }

    /// Every object, those in the making aside, and without the spools of a folder.
    pub fn objects(&self) -> Objects {
        if let Some(folder) = &self.folder {
            let found = all_files(folder.path()).into_iter();
            return found.filter(|(key, _)| !key.starts_with(SPOOL) && !in_the_making(key)).collect();
        }
        let store = self.store();
        block_on(async {
            let listed: Vec<_> = store.list("").try_collect().await.unwrap();
            let mut found = Objects::new();
            for object in listed {
                let body = store.get(&object.key, LIMIT).await.unwrap();
                found.insert(object.key, body.to_vec());
            }
            found
        })
    }

    /// The same, once the server has carried out what a process that is gone had asked for: two looks in a
    /// row see the same.
    pub fn objects_at_rest(&self) -> Objects {
        let mut before = self.objects();
        if self.folder.is_some() {
            return before;
        }
        until("a server at rest", || {
            let now = self.objects();
            let same = now == before;
            before = now;
            same.then(|| before.clone())
        })
    }

    /// Where its workers' spools are.
    pub fn spool(&self) -> PathBuf {
        match &self.folder {
            Some(folder) => folder.path().join(SPOOL),
            None => self.spools.path().to_owned(),
        }
    }

    /// What lies in the spools: bytes by the file's name.
    pub fn spooled(&self) -> Objects {
        let found = match &self.folder {
            Some(folder) => files(folder.path()),
            None => files(self.spools.path()),
        };
        let spooled = found.into_iter().filter(|(path, _)| self.folder.is_none() || path.starts_with(SPOOL));
        spooled.map(|(path, body)| (path.rsplit('/').next().unwrap().to_owned(), body)).collect()
    }
}

/// Writes objects into a folder, for tools that read files.
pub fn lay_out(objects: &Objects) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (key, body) in objects {
        let path = root.path().join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, body).unwrap();
    }
    root
}

/// Runs what has to be awaited.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

/// A local store's half-written file.
fn in_the_making(key: &str) -> bool {
    key.rsplit_once('#').is_some_and(|(_, end)| end.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What a verb said, at its end.
#[derive(Debug)]
pub struct Said {
    /// The exit code.
    pub code: Option<i32>,
    /// All of standard output.
    pub stdout: String,
    /// All of standard error.
    pub stderr: String,
}

impl Said {
    /// Runs `tapeline VERB STORE ARGUMENTS`.
    pub fn by<S: AsRef<OsStr>>(
        verb: &str,
        store: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = S>,
    ) -> Self {
        let arguments = arguments.into_iter().map(|argument| argument.as_ref().to_owned());
        Self::of(verb, [store.as_ref().to_owned()].into_iter().chain(arguments))
    }

    /// Runs `tapeline VERB ARGUMENTS`.
    pub fn of<S: AsRef<OsStr>>(verb: &str, arguments: impl IntoIterator<Item = S>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tapeline"));
        command.arg(verb).args(arguments).stdin(Stdio::null()).env_remove("TAPELINE_LOG");
        let output = command.output().expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        let said =
            Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
        assert!(!said.stderr.contains("panicked"), "{}", said.stderr);
        said
    }

    /// Standard output as JSON, one object a line.
    pub fn json(&self) -> Vec<Value> {
        let read = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        self.stdout.lines().map(read).collect()
    }

    /// The one object on standard output.
    pub fn object(&self) -> Value {
        let [object] = &self.json()[..] else { panic!("not one object: {}", self.stdout) };
        object.clone()
    }

    /// Panics unless it ended with that code and said `parts` on standard error.
    #[track_caller]
    pub fn assert_error(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "no {part:?} in {}", self.stderr);
        }
    }
}
