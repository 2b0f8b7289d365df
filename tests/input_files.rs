//! Files, pipes, and what is neither.

use std::io::Write;

use tapeline::ErrorKind;
use tapeline::clock::SystemClock;
use tapeline::input::{self, Input};
use tapeline::time::WallTime;

async fn open(path: &std::path::Path) -> tapeline::Result<Input> {
    input::open(path.to_str().unwrap(), SystemClock::shared()).await
}

/// Reads to the end; keeps every chunk alive until then if asked to.
async fn read_all(source: &mut Input, keep: bool) -> Vec<u8> {
    let (mut bytes, mut kept) = (Vec::new(), Vec::new());
    while let Some(chunk) = source.next().await.unwrap() {
        assert!(!chunk.bytes.is_empty());
        assert_eq!(chunk.arrived.is_some(), source.is_live());
        bytes.extend_from_slice(&chunk.bytes);
        if keep {
            kept.push(chunk);
        }
    }
    assert!(source.next().await.unwrap().is_none(), "the end stays the end");
    if keep {
        let again: Vec<u8> = kept.iter().flat_map(|chunk| chunk.bytes.to_vec()).collect();
        assert!(again == bytes, "a buffer was used again while its bytes were held");
    }
    bytes
}

fn noise(length: usize) -> Vec<u8> {
    (0..length as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

#[tokio::test]
async fn a_file_is_read_whole_whatever_its_size() {
    const CHUNK: usize = 188 * 2788;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ts");
    for size in [0, 1, 187, 188, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 7 * CHUNK + 12_345] {
        let bytes = noise(size);
        std::fs::write(&path, &bytes).unwrap();
        for keep in [false, true] {
            let mut source = open(&path).await.unwrap();
            assert!(!source.is_live() && source.waits());
            assert!(read_all(&mut source, keep).await == bytes, "{size} bytes");
        }
    }
}

#[tokio::test]
async fn a_file_bears_its_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ts");
    let file = std::fs::File::create(&path).unwrap();
    let date = std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_700_000_000_123);
    file.set_modified(date).unwrap();
    let source = open(&path).await.unwrap();
    assert_eq!(source.file_time(), Some(WallTime::from_millis(1_700_000_000_123)));
    assert_eq!(source.describe(), path.to_str().unwrap());
    let url = input::open(&format!("file://{}", path.display()), SystemClock::shared()).await.unwrap();
    assert_eq!(url.file_time(), source.file_time());
}

#[tokio::test]
async fn a_file_that_grew_is_read_to_its_new_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ts");
    let bytes = noise(2_000_000);
    std::fs::write(&path, &bytes[..1_500_000]).unwrap();
    let mut source = open(&path).await.unwrap();
    let mut read = source.next().await.unwrap().unwrap().bytes.to_vec();
    std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(&bytes[1_500_000..]).unwrap();
    read.extend(read_all(&mut source, false).await);
    assert!(read == bytes);
}

#[tokio::test]
async fn waiting_may_be_called_off_without_loss() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ts");
    let bytes = noise(3_000_000);
    std::fs::write(&path, &bytes).unwrap();
    let mut source = open(&path).await.unwrap();
    let mut read = Vec::new();
    loop {
        // Ready at once: most calls are dropped in the middle.
        tokio::select! {
            biased;
            chunk = source.next() => match chunk.unwrap() {
                Some(chunk) => read.extend_from_slice(&chunk.bytes),
                None => break,
            },
            () = tokio::task::yield_now() => {}
        }
    }
    assert!(read == bytes);
}

#[tokio::test]
async fn a_fifo_is_read_like_a_live_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let mut source = open(&path).await.unwrap();
    assert!(source.is_live() && source.waits());
    assert_eq!(source.file_time(), None);
    let bytes = noise(400_001);
    let (sent, writer) = (bytes.clone(), path.clone());
    let writing = std::thread::spawn(move || std::fs::write(writer, sent).unwrap());
    assert!(read_all(&mut source, true).await == bytes);
    writing.join().unwrap();
}

#[tokio::test]
async fn what_cannot_be_an_input_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    for (spec, kind, words) in [
        (format!("{path}/none.ts"), ErrorKind::NotFound, "no such file"),
        (path.to_owned(), ErrorKind::InvalidInput, "folder"),
        (String::new(), ErrorKind::InvalidInput, "empty"),
        ("rtmp://host/app".to_owned(), ErrorKind::InvalidInput, "udp:"),
        ("file:x.ts".to_owned(), ErrorKind::InvalidInput, "file:///path"),
        ("udp://127.0.0.1".to_owned(), ErrorKind::InvalidInput, "HOST:PORT"),
    ] {
        let error = input::open(&spec, SystemClock::shared()).await.expect_err(&spec);
        assert_eq!(error.kind(), kind, "{spec}: {error}");
        assert!(error.message().contains(words), "{spec}: {error}");
    }
}
