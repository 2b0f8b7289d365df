//! Files of the spool: written in order, closed, dropped, on full disks and in folders that vanish.

use std::path::Path;

use super::super::{GapCause, Room, SpoolBase};
use super::*;
use crate::clock::SystemClock;
use crate::ids::Sid;
use crate::time::{MediaTime, WallTime};

const ROOM: u64 = 1 << 30;

async fn folder(base: &SpoolBase) -> SpoolFolder {
    SpoolFolder::create(base, &Sid::new("s1").unwrap(), [0, 0, 0, 1], Room::new(ROOM)).await.unwrap()
}

fn create(folder: &SpoolFolder, name: &str) -> Option<SpoolFile> {
    SpoolFile::create(folder, name, None, SystemClock::shared())
}

fn disk(file: &SpoolFile) -> &Arc<Writer> {
    let Body::Disk(disk) = &file.body else { panic!("on a disk") };
    disk
}

#[tokio::test]
async fn bytes_reach_the_file_in_order_whatever_their_size() {
    let root = tempfile::tempdir().unwrap();
    let below = root.path().join("a").join("spool");
    for base in [SpoolBase::folder(&below), SpoolBase::memory()] {
        let folder = folder(&base).await;
        let file = create(&folder, "a.ts").unwrap();
        let mut expected: Vec<u8> = Vec::new();
        for size in [1, 100, 70_000, 3, 0, 2_000_000, 5] {
            let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            expected.extend(&bytes);
            file.append(bytes.into());
            file.flush().await.unwrap();
        }
        file.written().await.unwrap();
        assert_eq!(folder.room().used(), expected.len() as u64);
        for len in [0, 1, 65_536, 70_000, expected.len()] {
            let read = file.read(len as u64).await.unwrap().concat();
            assert!(read == expected[..len], "{len} of {}: {}", expected.len(), read.len());
        }
        assert!(create(&folder, "a.ts").is_none(), "the name is in use");
        folder.remove_if_empty().await;
        assert_eq!(base.folders().await.unwrap().len(), 1, "a folder with a segment in it stays");
        if file.path().is_some() {
            assert!(file.read(expected.len() as u64 + 1).await.is_err(), "it is shorter");
        }
        file.remove().await;
        assert_eq!(folder.room().used(), 0);
        folder.remove_if_empty().await;
        assert!(base.folders().await.unwrap().is_empty());
    }
    assert!(!root.path().join("a").exists(), "what was made for it goes with it");
}

#[tokio::test(start_paused = true)]
async fn few_bytes_are_written_within_half_a_second() {
    let root = tempfile::tempdir().unwrap();
    let folder = folder(&SpoolBase::folder(root.path())).await;
    let file = create(&folder, "a.ts").unwrap();
    file.append(Bytes::from_static(b"few"));
    file.flush().await.unwrap();
    let written = disk(&file).idle.notified();
    tokio::time::timeout(PATIENCE * 2, written).await.unwrap();
    assert_eq!(std::fs::read(disk(&file).path()).unwrap(), b"few");
}

#[tokio::test]
async fn a_sealed_segment_is_closed_and_its_facts_lie_beside_it() {
    let root = tempfile::tempdir().unwrap();
    let base = SpoolBase::folder(root.path());
    let folder = folder(&base).await;
    let opened = Opened {
        playlist: "s1_main.m3u8".to_owned(),
        segment: 0,
        start: MediaTime::default(),
        clock: 1,
        date: WallTime::default(),
        discontinuity: false,
        starts_with_key: true,
    };
    let file = SpoolFile::create(&folder, "a.ts", Some(opened.clone()), SystemClock::shared()).unwrap();
    file.append(Bytes::from_static(b"bytes"));
    let sealed = Sealed { millis: 1, bytes: 5, crc64: crate::checksum::Crc64::of(b"bytes") };
    file.seal(sealed);
    file.written().await.unwrap();
    assert!(super::super::lock(&disk(&file).file).is_none(), "still open");
    let facts = folder.path().unwrap().join(format!("a.ts{EXTENSION}"));
    let read = super::super::SegmentFacts::read(&std::fs::read(&facts).unwrap()).unwrap();
    assert_eq!((read.opened, read.sealed, read.dropped), (opened, Some(sealed), None));
    file.drop_bytes(Fact::Dropped(GapCause::SpoolFull)).await;
    assert!(!disk(&file).path().exists());
    let text = std::fs::read(&facts).unwrap();
    assert_eq!(folder.room().used(), text.len() as u64, "what is known of it counts as well");
    assert_eq!(folder.room().used(), base.used().await);
    let read = super::super::SegmentFacts::read(&text).unwrap();
    assert_eq!(read.dropped, Some(GapCause::SpoolFull));
    file.remove().await;
    assert!(!facts.exists() && folder.room().used() == 0);
}

/// Mounts a disk of so many KiB; `None` where this user may not.
fn mount(kibibytes: u32, at: &Path) -> bool {
    let mut mount = std::process::Command::new("mount");
    let mounted = mount.args(["-t", "tmpfs", "-o", &format!("size={kibibytes}k"), "tapeline-test"]).arg(at);
    mounted.output().is_ok_and(|output| output.status.success())
}

#[tokio::test]
async fn on_a_full_disk_what_waits_is_written_later_and_nothing_is_lost() {
    let root = tempfile::tempdir().unwrap();
    if !mount(200, root.path()) {
        assert!(
            std::env::var_os("TAPELINE_REQUIRE_TOOLS").is_none(),
            "the right to mount a tmpfs is missing"
        );
        eprintln!("SKIPPED: the right to mount a tmpfs is missing");
        return;
    }
    let folder = folder(&SpoolBase::folder(root.path())).await;
    let ballast = root.path().join("ballast");
    std::fs::write(&ballast, vec![0; 100_000]).unwrap();
    let file = create(&folder, "a.ts").unwrap();
    let bytes: Vec<u8> = (0..150_000u32).map(|n| (n % 251) as u8).collect();
    for part in bytes.chunks(10_000) {
        file.append(Bytes::copy_from_slice(part));
        file.flush().await.unwrap();
    }
    let error = file.written().await.unwrap_err();
    assert!(error.to_string().contains("the disk is full"), "{error}");
    assert!(folder.is_stuck() && !folder.press().await && folder.is_stuck());
    std::fs::remove_file(ballast).unwrap();
    assert!(folder.press().await && !folder.is_stuck());
    assert!(std::fs::read(disk(&file).path()).unwrap() == bytes);
    let unmounted = std::process::Command::new("umount").arg("-l").arg(root.path()).status().unwrap();
    assert!(unmounted.success());
}

#[tokio::test]
async fn a_folder_that_somebody_removes_is_made_again() {
    let root = tempfile::tempdir().unwrap();
    let base = SpoolBase::folder(root.path().join("spool"));
    let folder = folder(&base).await;
    let text = create(&folder, "s1_main.m3u8").unwrap();
    text.append(Bytes::from_static(b"#EXTM3U\n"));
    text.written().await.unwrap();
    std::fs::remove_dir_all(base.path().unwrap()).unwrap();
    // What is open can still be read; what begins now is written.
    assert_eq!(text.read(8).await.unwrap().concat(), b"#EXTM3U\n");
    let file = create(&folder, "a.ts").unwrap();
    file.append(Bytes::from_static(b"more"));
    file.written().await.unwrap();
    assert_eq!(std::fs::read(disk(&file).path()).unwrap(), b"more");
    let names = base.folders().await.unwrap();
    let left = super::super::LeftFolder::open(&base, &names[0]).await.unwrap();
    assert!(matches!(left, super::super::Left::Held(_)), "{left:?}");
}
