//! Local stores: links instead of copies, and files in the making that nobody sees.

use std::os::unix::fs::MetadataExt;

use bytes::Bytes;
use futures_util::TryStreamExt;
use tapeline::ErrorKind;
use tapeline::store::{Created, ObjectKind, Store};

fn store_in(folder: &std::path::Path) -> Store {
    Store::open(folder.to_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_file_on_the_same_file_system_is_linked_not_copied() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(&folder.path().join("store"));
    let file = folder.path().join("spool");
    std::fs::write(&file, "segment").unwrap();
    assert_eq!(store.put_file_new("a/b/c.ts", &file, ObjectKind::TsSegment).await.unwrap(), Created::Stored);
    let object = store.local_root().unwrap().join("a/b/c.ts");
    assert_eq!(std::fs::metadata(object).unwrap().ino(), std::fs::metadata(&file).unwrap().ino());
}

#[tokio::test]
async fn a_file_on_another_file_system_is_copied() {
    let shm = std::path::Path::new("/dev/shm");
    let folder = tempfile::tempdir().unwrap();
    let device = |path: &std::path::Path| std::fs::metadata(path).map(|meta| meta.dev()).ok();
    if device(shm).is_none() || device(shm) == device(folder.path()) {
        eprintln!("skipped: /dev/shm is no other file system here");
        return;
    }
    let elsewhere = tempfile::tempdir_in(shm).unwrap();
    let file = elsewhere.path().join("spool");
    std::fs::write(&file, "segment").unwrap();
    let store = store_in(folder.path());
    for _ in 0..2 {
        let created = store.put_file_new("a.ts", &file, ObjectKind::TsSegment).await.unwrap();
        assert_eq!(created, Created::Stored);
    }
    assert_eq!(store.get("a.ts", 100).await.unwrap(), "segment");
    std::fs::write(&file, "Segment").unwrap();
    assert_eq!(
        store.put_file_new("a.ts", &file, ObjectKind::TsSegment).await.unwrap(),
        Created::AlreadyThere
    );
}

#[tokio::test]
async fn what_a_killed_writer_left_is_not_listed() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path());
    for name in ["a.ts", "a.ts#1", "sid_b#c.ts", "sid_b#c.ts#23"] {
        std::fs::write(folder.path().join(name), "x").unwrap();
    }
    let deep: Vec<_> = store.list("").map_ok(|meta| meta.key).try_collect().await.unwrap();
    let shallow: Vec<_> =
        store.list_folder("").await.unwrap().objects.into_iter().map(|meta| meta.key).collect();
    assert_eq!(shallow, ["a.ts", "sid_b#c.ts"]);
    assert_eq!(deep.len(), 2, "{deep:?}");
}

#[tokio::test]
async fn a_folder_that_went_away_is_told_from_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(&folder.path().join("store"));
    assert!(!store.check_access("a").await.unwrap());
    std::fs::remove_dir(folder.path().join("store")).unwrap();
    let error = store.check_access("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
}

#[tokio::test]
async fn a_name_too_long_for_the_disk_is_the_callers_to_mend() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path());
    let key = format!("{}.ts", "x".repeat(300));
    let error = store.put(&key, vec![Bytes::new()], ObjectKind::TsSegment).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{}", error.report());
}
