//! What a recording left in a folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tapeline::ErrorKind;
use tapeline::continuity::Recordings;
use tapeline::naming::{ObjectName, decode_uri};
use tapeline::playlist::{Playlist, check, parse};
use tapeline::store::Store;

/// What is known of recordings and of the store beside what is recorded: it differs from run to run. An
/// examination of the store that is cut off leaves its objects.
const STATE: [&str; 3] = [".tapeline/recordings/", ".tapeline/store.json", ".tapeline/probe/"];

/// Every file below a folder that holds media, in the store or in the spool, or a playlist: its path from
/// there, and its bytes.
pub fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = all_files(root);
    files.retain(|path, _| !STATE.iter().any(|state| path.starts_with(state)) && !is_of_the_spool(path));
    files
}

/// What the spool keeps beside media: whose it is, its lock, and what is known of segments.
fn is_of_the_spool(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name == "lock"
        || name.ends_with("worker.json")
        || name.ends_with("salvage.json")
        || name.ends_with(".facts")
}

/// Every file below a folder, but for those that go meanwhile.
pub fn all_files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        let gone = |error: &std::io::Error| folder != root && error.kind() == std::io::ErrorKind::NotFound;
        let entries = match std::fs::read_dir(folder) {
            Err(error) if gone(&error) => return,
            entries => entries.expect("a folder"),
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, found);
                continue;
            }
            let name = path.strip_prefix(root).unwrap().to_str().expect("a name in UTF-8");
            match std::fs::read(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                bytes => drop(found.insert(name.to_owned(), bytes.unwrap())),
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(root, root, &mut found);
    found
}

/// The keys of the segments that are committed and that the playlist `key` in a store may not list yet.
pub fn committed_tail(store: &str, key: &str) -> Vec<String> {
    let name: ObjectName = key.parse().expect("a playlist at the top");
    let store = Store::open(store).expect("a store");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let opened = runtime.block_on(Recordings::open(&store)).expect("a store that can be read");
    let Some(recordings) = opened else { return Vec::new() };
    let state = match runtime.block_on(recordings.read(&name.recording.sid)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
        state => state.expect("a control object"),
    };
    let output = state.outputs.iter().find(|output| output.playlist == key);
    let entries = output.map(|output| (&output.tail, output.container)).into_iter();
    let names = entries.flat_map(|(tail, container)| tail.iter().map(move |entry| (entry, container)));
    names.map(|(entry, container)| entry.name(&name, container).to_string()).collect()
}

/// A playlist without findings, all of whose segments are there.
#[derive(Debug)]
pub struct Recording {
    /// Every file of the folder.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The playlist's key.
    pub key: String,
    /// What it says.
    pub playlist: Playlist,
    /// The keys of its segments, in its order.
    pub segments: Vec<String>,
    root: PathBuf,
}

impl Recording {
    /// Reads the playlist `key` in the folder `root`, which has no gaps.
    pub fn read(root: &Path, key: &str) -> Self {
        let recording = Self::read_with_gaps(root, key);
        assert!(recording.playlist.segments.iter().all(|segment| !segment.gap), "{:?}", recording.playlist);
        recording
    }

    /// The same with a playlist that may have gaps; they are not among the segments.
    pub fn read_with_gaps(root: &Path, key: &str) -> Self {
        let files = files(root);
        let text = files.get(key).unwrap_or_else(|| panic!("no {key} among {:?}", files.keys()));
        let findings = check(text);
        assert!(findings.is_empty(), "{findings:?}\n{}", String::from_utf8_lossy(text));
        let playlist = parse(text).expect("a playlist");
        assert!(playlist.notes.is_empty(), "{:?}", playlist.notes);
        let folder = key.rsplit_once('/').map(|(folder, _)| format!("{folder}/")).unwrap_or_default();
        let name = |uri: &str| format!("{folder}{}", decode_uri(uri).expect("a name"));
        let stored = playlist.segments.iter().filter(|segment| !segment.gap);
        let segments: Vec<String> = stored.map(|segment| name(&segment.uri)).collect();
        for segment in &segments {
            let body = files.get(segment).unwrap_or_else(|| panic!("{segment} is listed but not there"));
            assert!(!body.is_empty() && body.len().is_multiple_of(188), "{segment} has {} bytes", body.len());
        }
        let distinct: BTreeSet<&String> = segments.iter().collect();
        assert_eq!(distinct.len(), segments.len(), "a segment is listed twice");
        Self { files, key: key.to_owned(), playlist, segments, root: root.to_owned() }
    }

    /// The same for a recording that ended well: it has its end, and nothing else lies in the folder.
    pub fn read_whole(root: &Path, key: &str) -> Self {
        let recording = Self::read(root, key);
        assert!(recording.playlist.ended, "no ENDLIST");
        assert!(!recording.segments.is_empty());
        let unlisted: Vec<&String> = recording.unlisted().collect();
        assert!(unlisted.is_empty(), "left over: {unlisted:?}");
        recording
    }

    /// Files that are neither the playlist nor listed in it.
    pub fn unlisted(&self) -> impl Iterator<Item = &String> {
        self.files.keys().filter(|name| **name != self.key && !self.segments.contains(name))
    }

    /// Files in the spool.
    pub fn spooled(&self) -> impl Iterator<Item = (&str, &Vec<u8>)> {
        self.files
            .iter()
            .filter(|(path, _)| path.starts_with(".tapeline/spool/"))
            .map(|(path, body)| (path.rsplit('/').next().unwrap_or_default(), body))
    }

    /// The segments' bytes, in order.
    pub fn bodies(&self) -> Vec<&Vec<u8>> {
        self.segments.iter().map(|name| &self.files[name]).collect()
    }

    /// Where the segments are.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.segments.iter().map(|name| self.root.join(name)).collect()
    }

    /// The sum of `EXTINF`.
    pub fn millis(&self) -> u64 {
        self.playlist.segments.iter().map(|segment| segment.duration_millis).sum()
    }

    /// How many segments do not continue the one before.
    pub fn discontinuities(&self) -> usize {
        self.playlist.segments.iter().filter(|segment| segment.discontinuity).count()
    }
}
