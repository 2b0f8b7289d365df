//! `tapeline record` to a real S3 server: the same objects as in a folder, and errors that say what is
//! wrong.
//!
//! `TAPELINE_TEST_S3` names a bucket that may be written to, with the usual `AWS_*` beside it, as
//! `.ci/s3 start` sets them. Every test writes below a prefix of its own.
#![cfg(all(feature = "cli", feature = "aws"))]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use futures_util::TryStreamExt;
use object_store::{Attribute, ObjectStoreExt};
use support::{
    Record, Recording, START, committed_tail, files, fixture, fixture_bytes, judge_segments, skip,
};
use tapeline::clock::random_bytes;
use tapeline::ids::Cname;
use tapeline::store::{Lane, Store};

const KEY: &str = "s1_main.m3u8";
const LIMIT: u64 = 10_000_000;

/// A place of its own in the bucket; `None` without a server, and the test is to return.
fn place() -> Option<String> {
    match std::env::var("TAPELINE_TEST_S3") {
        Ok(bucket) => Some(format!("{bucket}/cli-{:032x}", u128::from_be_bytes(random_bytes().unwrap()))),
        Err(_) => {
            skip("an S3 server, named by TAPELINE_TEST_S3");
            None
        }
    }
}

fn record(input: impl AsRef<std::ffi::OsStr>, store: &str, spool: &Path) -> Record {
    Record::new(input, store).args(["--sid", "s1", "--start-time", START]).arg_pair("--spool", spool)
}

/// Every object of media and every playlist: its key, its bytes, its content type and cache control.
fn objects(url: &str) -> BTreeMap<String, (Vec<u8>, String, String)> {
    let store = Store::open(url).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let listed: Vec<_> = store.list("").try_collect().await.unwrap();
        let mut found = BTreeMap::new();
        for object in listed.into_iter().filter(|object| !object.key.starts_with(".tapeline/")) {
            let path = store.path(&object.key).unwrap();
            let answer = store.client(Lane::Control).get(&path).await.unwrap();
            let header = |name| answer.attributes.get(&name).expect("a header").to_string();
            let (kind, cache) = (header(Attribute::ContentType), header(Attribute::CacheControl));
            let body = store.get(&object.key, LIMIT).await.unwrap().to_vec();
            assert_eq!(body.len() as u64, object.size);
            found.insert(object.key, (body, kind, cache));
        }
        found
    })
}

/// Copies the bucket's part into a folder, so that it is judged as one.
fn fetch(url: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (key, (body, ..)) in objects(url) {
        let path = root.path().join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, body).unwrap();
    }
    root
}

#[test]
fn the_bucket_holds_what_the_folder_holds() {
    let Some(base) = place() else { return };
    let every = format!("a{}z", Cname::PUNCTUATION);
    let cases = [
        ("h264_aac", "main", ""),
        ("m2ts_192", &every, ""),
        ("clock_jump", &every, "a/b"),
        ("audio_aac", "%41", ""),
    ];
    for (number, (name, cname, prefix)) in cases.into_iter().enumerate() {
        println!("{name} {cname:?} {prefix:?}");
        let url = format!("{base}/{number}");
        let (root, spool) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let options = [format!("--cname={cname}"), format!("--prefix={prefix}"), "--segment=4s".to_owned()];
        record(fixture(name), &url, spool.path()).args(&options).succeed();
        record(fixture(name), root.path().to_str().unwrap(), spool.path()).args(&options).succeed();
        let (bucket, folder) = (objects(&url), files(root.path()));
        assert_eq!(bucket.keys().collect::<Vec<_>>(), folder.keys().collect::<Vec<_>>());
        for (key, (body, kind, cache)) in &bucket {
            assert!(*body == folder[key], "{key} differs");
            let wanted = if key.ends_with(".m3u8") {
                ("application/vnd.apple.mpegurl", "no-cache")
            } else {
                ("video/mp2t", "public, max-age=31536000, immutable")
            };
            assert_eq!((kind.as_str(), cache.as_str()), wanted, "{key}");
        }
        let folder = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Recording::read_whole(root.path(), &format!("{folder}s1_{cname}.m3u8"));
        assert!(!spool.path().exists() || files(spool.path()).is_empty());
    }
}

#[test]
fn a_second_recorder_is_refused_while_the_first_runs_and_after() {
    let Some(url) = place() else { return };
    let spool = tempfile::tempdir().unwrap();
    let spool = spool.path().join("spool");
    let bytes = fixture_bytes("h264_aac");
    let (begin, rest) = bytes.split_at(bytes.len() * 11 / 24);
    let mut first = record("-", &url, &spool).args(["--segment", "2s"]).stdin(Stdio::piped()).start();
    first.write(begin);
    first.wait_listed(5);
    let before = objects(&url);
    let refused = || {
        let ended = record(fixture("straddle"), &url, &spool).run();
        assert_eq!(ended.code, Some(6), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("s1 exists") && ended.stderr.contains("another --sid"),
            "{}",
            ended.stderr
        );
    };
    refused();
    assert!(objects(&url) == before);
    first.write(rest);
    first.wait().successful();
    let after = objects(&url);
    refused();
    assert!(objects(&url) == after);
    assert_eq!(Recording::read_whole(fetch(&url).path(), KEY).segments.len(), 12);
}

#[test]
fn sigterm_ends_it_whole() {
    let Some(url) = place() else { return };
    let spool = tempfile::tempdir().unwrap();
    let spool = spool.path().join("spool");
    let mut running = record("-", &url, &spool).args(["--segment", "2s"]).stdin(Stdio::piped()).start();
    let bytes = fixture_bytes("h264_aac");
    running.write(&bytes[..bytes.len() * 11 / 24]);
    running.wait_listed(5);
    let _open = running.take_stdin();
    running.signal(&["TERM", "TERM"], "0.002");
    running.wait().successful();
    let root = fetch(&url);
    let recording = Recording::read_whole(root.path(), KEY);
    assert_eq!(recording.segments.len(), 6);
    judge_segments(&recording.paths(), &["--allow-torn"]);
    assert!(!spool.exists(), "the spool is left");
}

#[test]
fn killed_what_is_listed_is_in_the_bucket_and_the_rest_in_the_spool() {
    let Some(base) = place() else { return };
    let (root, spool) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options = ["--segment", "2s"];
    record(fixture("h264_aac"), root.path().to_str().unwrap(), spool.path()).args(options).succeed();
    let wanted = Recording::read_whole(root.path(), KEY);
    let bytes = fixture_bytes("h264_aac");
    for number in 0..3_u64 {
        let url = format!("{base}/{number}");
        let spool = tempfile::tempdir().unwrap();
        let mut running = record("-", &url, spool.path()).args(options).stdin(Stdio::piped()).start();
        running.write(&bytes);
        running.wait_listed(1 + 4 * number);
        running.kill();
        assert_eq!(running.wait().code, None);
        let root = fetch(&url);
        let recording = Recording::read(root.path(), KEY);
        // Standard input was still open.
        assert!(!recording.playlist.ended);
        assert!(recording.segments.len() > 4 * number as usize);
        for name in &recording.segments {
            assert!(recording.files[name] == wanted.files[name], "{name}");
        }
        let mut kept = files(spool.path());
        kept.retain(|path, _| path.ends_with(".ts"));
        let committed = committed_tail(&url, KEY);
        let mut all: BTreeSet<&str> =
            recording.segments.iter().chain(&committed).map(String::as_str).collect();
        for (path, body) in &kept {
            let name = path.rsplit('/').next().unwrap();
            assert!(wanted.files[name].starts_with(body), "{path}");
            all.insert(name);
        }
        println!("{} listed, {} in the spool", recording.segments.len(), kept.len());
        assert!(
            all.iter().copied().eq(wanted.segments.iter().take(all.len()).map(String::as_str)),
            "{all:?}"
        );
    }
}

#[test]
fn what_is_wrong_with_the_store_is_said() {
    let Some(url) = place() else { return };
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed = format!("http://{closed}");
    let missing = "s3://tapeline-no-such-bucket/x".to_owned();
    // The store, a variable changed, the exit code, and what is said.
    let cases = [
        (&url, Some(("AWS_SECRET_ACCESS_KEY", "wrong-secret")), 2, "check AWS_SECRET_ACCESS_KEY"),
        (&url, Some(("AWS_ACCESS_KEY_ID", "wrong-key")), 2, "check AWS_ACCESS_KEY_ID"),
        (&missing, None, 2, "the bucket does not exist"),
        (&url, Some(("AWS_ENDPOINT_URL", closed.as_str())), 5, "refused"),
    ];
    for (url, variable, code, says) in cases {
        let spool = tempfile::tempdir().unwrap();
        let mut call = record(fixture("m2ts_192"), url, spool.path());
        if let Some((name, value)) = variable {
            call = call.env(name, Some(value));
        }
        let ended = call.run();
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        let store = url.split_inclusive('/').take(3).collect::<String>();
        assert!(ended.stderr.contains(says) && ended.stderr.contains(&store), "{}", ended.stderr);
        assert!(!ended.stderr.contains("wrong-secret"), "{}", ended.stderr);
        assert!(files(spool.path()).is_empty());
    }
}

#[test]
fn a_request_to_stop_is_heard_while_the_store_does_not_answer() {
    let Some(url) = place() else { return };
    // It takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let spool = tempfile::tempdir().unwrap();
    let running =
        record(fixture("m2ts_192"), &url, spool.path()).env("AWS_ENDPOINT_URL", Some(&address)).start();
    let connection = silent.accept().unwrap();
    running.signal(&["TERM"], "");
    // Whether the recording was begun nobody can say. By itself it would ask for 30 s.
    let ended = running.wait();
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    assert!(ended.stderr.contains("stopped while the recording was being begun"), "{}", ended.stderr);
    assert!(files(spool.path()).is_empty());
    drop(connection);
}
