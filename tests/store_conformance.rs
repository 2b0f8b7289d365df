//! What must hold on every store: each test below runs one list of checks on one kind of store.
//!
//! S3 is tested when `TAPELINE_TEST_S3` names a bucket and prefix to write to (`s3://rec/some/prefix`)
//! and the `AWS_*` variables say how to reach it; else that test says so and passes.

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::GetOptions;
use tapeline::ErrorKind;
use tapeline::clock::random_bytes;
use tapeline::ids::Cname;
use tapeline::store::{Created, Lane, ObjectKind, Store};

/// Keys as a recorder makes them, with every character that a channel name may have.
fn odd_keys() -> Vec<String> {
    let mut keys: Vec<String> = Cname::PUNCTUATION
        .chars()
        .flat_map(|c| [format!("sid_{c}.m3u8"), format!("bak0_sid_{c}{c}x_20260102030405006.ts")])
        .collect();
    keys.push(format!("sid_{}_20260102030405006.webm", Cname::PUNCTUATION));
    keys.push("sid_%20%2F%23.m3u8".to_owned());
    keys.push("sid_a#1_20260102030405006.ts".to_owned());
    keys.push("sid_azAZ09.m3u8".to_owned());
    keys
}

fn body(text: &str) -> Vec<Bytes> {
    vec![Bytes::copy_from_slice(text.as_bytes())]
}

async fn listed(store: &Store, folder: &str) -> Vec<(String, u64)> {
    let mut found: Vec<_> =
        store.list(folder).map_ok(|meta| (meta.key, meta.size)).try_collect().await.unwrap();
    found.sort();
    found
}

async fn every_key_round_trips(store: &Store) {
    let mut expected = Vec::new();
    for key in odd_keys() {
        let key = format!("keys/{key}");
        store.put(&key, body(&key), ObjectKind::Playlist).await.unwrap();
        assert_eq!(store.get(&key, 1000).await.unwrap(), key, "{key}");
        let meta = store.head(&key).await.unwrap().expect(&key);
        assert_eq!((&meta.key, meta.size), (&key, key.len() as u64));
        if let Some(root) = store.local_root() {
            assert_eq!(std::fs::read_to_string(root.join(&key)).unwrap(), key, "the name on disk");
        }
        expected.push((key.clone(), key.len() as u64));
    }
    expected.sort();
    assert_eq!(listed(store, "keys").await, expected);
    let folder = store.list_folder("keys").await.unwrap();
    let shallow: Vec<_> = folder.objects.into_iter().map(|meta| (meta.key, meta.size)).collect();
    assert_eq!(shallow, expected);
    for (key, _) in expected {
        store.delete(&key).await.unwrap();
        assert_eq!(store.head(&key).await.unwrap(), None, "{key}");
    }
    assert_eq!(listed(store, "keys").await, []);
}

async fn keys_that_are_not_one_to_one_are_refused(store: &Store) {
    for key in ["", "/a", "a/", "a//b", "a/../b", "./a", "a\nb", "a#1", "x/a#b#12"] {
        let error = store.put(key, body("x"), ObjectKind::Control).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{key:?}");
        assert_eq!(store.get(key, 1).await.unwrap_err().kind(), ErrorKind::InvalidInput, "{key:?}");
    }
}

async fn a_key_is_created_once(store: &Store) {
    let create = |text: &'static str| store.put_new("new/a.ts", body(text), ObjectKind::TsSegment);
    assert_eq!(create("one").await.unwrap(), Created::Stored);
    assert_eq!(create("one").await.unwrap(), Created::Stored, "the same bytes are the same object");
    assert_eq!(create("two").await.unwrap(), Created::AlreadyThere, "as long, but others");
    assert_eq!(create("three").await.unwrap(), Created::AlreadyThere);
    assert_eq!(store.get("new/a.ts", 3).await.unwrap(), "one");

    let pieces = || vec![Bytes::from_static(b"a"), Bytes::new(), Bytes::from_static(b"bc")];
    assert_eq!(store.put_new("new/b.ts", pieces(), ObjectKind::TsSegment).await.unwrap(), Created::Stored);
    let joined = store.put_new("new/b.ts", body("abc"), ObjectKind::TsSegment).await.unwrap();
    assert_eq!(joined, Created::Stored, "pieces do not matter");
    assert_eq!(store.put_new("new/empty.ts", vec![], ObjectKind::TsSegment).await.unwrap(), Created::Stored);
    assert_eq!(store.put_new("new/empty.ts", vec![], ObjectKind::TsSegment).await.unwrap(), Created::Stored);
    assert_eq!(store.head("new/empty.ts").await.unwrap().unwrap().size, 0);
}

async fn racing_creators_have_one_winner(store: &Store) {
    let race = (0..3).map(|n| {
        let store = store.clone();
        async move {
            store.put_new("race/a.ts", body(&format!("writer {n}")), ObjectKind::TsSegment).await.unwrap()
        }
    });
    let ends = futures_util::future::join_all(race).await;
    assert_eq!(ends.iter().filter(|end| **end == Created::Stored).count(), 1, "{ends:?}");
}

async fn a_file_is_stored_once_and_stays(store: &Store) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spool.part");
    let bytes: Vec<u8> = (0..2_500_000u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(&file, &bytes).unwrap();
    for _ in 0..2 {
        let created = store.put_file_new("file/deep/a.ts", &file, ObjectKind::TsSegment).await.unwrap();
        assert_eq!(created, Created::Stored);
    }
    assert_eq!(store.get("file/deep/a.ts", u64::MAX).await.unwrap(), bytes);
    let mut other = bytes.clone();
    *other.last_mut().unwrap() ^= 1;
    std::fs::write(folder.path().join("other"), &other).unwrap();
    let created = store
        .put_file_new("file/deep/a.ts", &folder.path().join("other"), ObjectKind::TsSegment)
        .await
        .unwrap();
    assert_eq!(created, Created::AlreadyThere);
    assert!(file.exists());
    std::fs::remove_file(&file).unwrap();
    assert_eq!(store.get("file/deep/a.ts", u64::MAX).await.unwrap(), bytes, "the object outlives the file");
    let gone = store.put_file_new("file/b.ts", &file, ObjectKind::TsSegment).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound, "{gone}");
}

async fn reading_has_bounds(store: &Store) {
    store.put("read/a.json", body("0123456789"), ObjectKind::Control).await.unwrap();
    assert_eq!(store.get("read/a.json", 10).await.unwrap(), "0123456789");
    assert_eq!(store.get("read/a.json", 9).await.unwrap_err().kind(), ErrorKind::Malformed);
    assert_eq!(store.get("read/none", 9).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(store.get_range("read/a.json", 2..5).await.unwrap(), "234");
    assert_eq!(store.get_range("read/a.json", 8..50).await.unwrap(), "89");
    let beyond = store.get_range("read/a.json", 10..12).await.unwrap_err();
    assert_eq!(beyond.kind(), ErrorKind::InvalidInput, "{beyond}");
    assert!(store.exists("read/a.json").await.unwrap());
    assert!(!store.exists("read").await.unwrap(), "a folder is no object");
    assert!(store.check_access("read/a.json").await.unwrap());
    assert!(!store.check_access("read/none").await.unwrap());
    store.delete("read/none").await.unwrap();
}

async fn folders_are_listed_deep_or_shallow(store: &Store) {
    for key in ["tree/a", "tree/b/c", "tree/b/d/e", "treetop/x"] {
        store.put(key, body("x"), ObjectKind::Control).await.unwrap();
    }
    let keys = |found: Vec<(String, u64)>| found.into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    assert_eq!(keys(listed(store, "tree").await), ["tree/a", "tree/b/c", "tree/b/d/e"]);
    assert_eq!(keys(listed(store, "tree/none").await), [""; 0]);
    let folder = store.list_folder("tree").await.unwrap();
    assert_eq!(folder.objects.iter().map(|meta| meta.key.as_str()).collect::<Vec<_>>(), ["tree/a"]);
    assert_eq!(folder.folders, ["tree/b"]);
    assert!(keys(listed(store, "").await).contains(&"treetop/x".to_owned()));
    assert!(store.list_folder("").await.unwrap().folders.contains(&"treetop".to_owned()));
    assert!(store.list_folder("none").await.unwrap().objects.is_empty());
}

async fn headers_follow_from_the_kind(store: &Store) {
    use object_store::Attribute::{CacheControl, ContentType};
    for kind in [ObjectKind::Playlist, ObjectKind::TsSegment, ObjectKind::WebmSegment, ObjectKind::Control] {
        store.put("kind", body("x"), kind).await.unwrap();
        let path = store.path("kind").unwrap();
        let found = store.client(Lane::Control).get_opts(&path, GetOptions::default()).await.unwrap();
        if store.local_root().is_none() {
            assert_eq!(found.attributes.get(&ContentType).unwrap().as_ref(), kind.content_type());
            assert_eq!(found.attributes.get(&CacheControl).unwrap().as_ref(), kind.cache_control());
        }
    }
}

async fn conforms(store: &Store) {
    every_key_round_trips(store).await;
    keys_that_are_not_one_to_one_are_refused(store).await;
    a_key_is_created_once(store).await;
    racing_creators_have_one_winner(store).await;
    a_file_is_stored_once_and_stays(store).await;
    reading_has_bounds(store).await;
    folders_are_listed_deep_or_shallow(store).await;
    headers_follow_from_the_kind(store).await;
}

#[tokio::test]
async fn memory_conforms() {
    conforms(&Store::open("memory:").unwrap()).await;
}

#[tokio::test]
async fn a_folder_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("odd #1 %20/name").to_str().unwrap()).unwrap();
    conforms(&store).await;
    let root = store.local_root().unwrap();
    let left = walk(root).into_iter().find(|name| name.contains("#1") && !name.contains("_a#1_"));
    assert_eq!(left, None, "no file in the making is left behind");
}

#[tokio::test]
async fn s3_conforms() {
    let Ok(url) = std::env::var("TAPELINE_TEST_S3") else {
        eprintln!("skipped: TAPELINE_TEST_S3 names no bucket");
        return;
    };
    let run = u64::from_le_bytes(random_bytes().unwrap());
    conforms(&Store::open(&format!("{url}/run%20{run:x}")).unwrap()).await;
}

/// Every file under a folder, by its path inside it.
fn walk(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found
}
