//! `tapeline record` from the network, fed by the test itself: what comes out is what a file of the same
//! bytes gives, but for the dates, which are those of arrival.
#![cfg(feature = "cli")]

mod support;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::time::Duration;

use support::{
    Record, Recording, START, feed, fixture, fixture_bytes, free_udp_address, send_datagrams, udp_queue,
    until,
};
use tapeline::clock::{Clock, SystemClock};
use tapeline::time::{MediaSpan, WallTime};

const KEY: &str = "s1_main.m3u8";
/// What is sent, and for how long.
const INPUT: &str = "pts_wrap";
const SENDING: Duration = Duration::from_millis(1500);

fn record(input: &str, root: &Path) -> Record {
    Record::new(input, root).args(["--sid", "s1", "--segment", "4s"])
}

/// An address that nobody has now.
fn free_tcp_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// Compares with a recording of the file. `since`: when the sending began, for an input that is dated by
/// its arrival.
fn assert_same_as_the_file(root: &Path, since: Option<WallTime>) {
    let file_root = tempfile::tempdir().unwrap();
    record(fixture(INPUT).to_str().unwrap(), file_root.path()).args(["--start-time", START]).succeed();
    let (file, live) = (Recording::read_whole(file_root.path(), KEY), Recording::read_whole(root, KEY));
    assert!(file.bodies() == live.bodies(), "other bytes");
    let facts = |recording: &Recording| -> Vec<_> {
        let segments = recording.playlist.segments.iter();
        segments.map(|segment| (segment.duration_millis, segment.discontinuity, segment.media)).collect()
    };
    assert_eq!(facts(&file), facts(&live));
    if let Some(since) = since {
        let first = live.playlist.segments[0].date.unwrap();
        let age = first.since(since);
        assert!(MediaSpan::ZERO <= age && age <= MediaSpan::from_secs(60), "{first} for {since}");
    }
}

#[test]
fn datagrams_are_recorded_until_sigterm() {
    let since = SystemClock::new().wall();
    let root = tempfile::tempdir().unwrap();
    let address = free_udp_address();
    let mut running = record(&format!("udp://{address}"), root.path()).start();
    until("the program's socket", || udp_queue(address));
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    sender.connect(address).unwrap();
    send_datagrams(&sender, &fixture_bytes(INPUT), SENDING);
    running.wait_listed(3);
    until("all is read", || (udp_queue(address)?.waiting == 0).then_some(()));
    running.signal(&["TERM"], "");
    running.wait().successful();
    assert_same_as_the_file(root.path(), Some(since));
}

#[test]
fn a_tcp_sender_is_called() {
    let since = SystemClock::new().wall();
    let root = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let running = record(&format!("tcp://{}", listener.local_addr().unwrap()), root.path()).start();
    let (to, _) = listener.accept().unwrap();
    feed(&to, &fixture_bytes(INPUT), SENDING);
    drop(to);
    running.wait().successful();
    assert_same_as_the_file(root.path(), Some(since));
}

#[test]
fn a_tcp_sender_is_waited_for() {
    let since = SystemClock::new().wall();
    for spec in ["tcp://@:PORT", "tcp://127.0.0.1:PORT?listen"] {
        let root = tempfile::tempdir().unwrap();
        let address = free_tcp_address();
        let spec = spec.replace("PORT", &address.port().to_string());
        let running = record(&spec, root.path()).start();
        let to = until("the program listens", || TcpStream::connect(address).ok());
        feed(&to, &fixture_bytes(INPUT), SENDING / 3);
        drop(to);
        running.wait().successful();
        assert_same_as_the_file(root.path(), Some(since));
    }
}

#[test]
fn a_broken_connection_leaves_the_recording_open_and_says_so() {
    let root = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut running = record(&format!("tcp://{}", listener.local_addr().unwrap()), root.path()).start();
    let (to, _) = listener.accept().unwrap();
    let bytes = fixture_bytes(INPUT);
    feed(&to, &bytes[..bytes.len() * 3 / 4], SENDING);
    running.wait_listed(2);
    // Without lingering, closing sends a reset.
    socket2::SockRef::from(&to).set_linger(Some(Duration::ZERO)).unwrap();
    drop(to);
    let ended = running.wait();
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    assert!(ended.stderr.contains("the sender broke the connection off"), "{}", ended.stderr);
    let left = Recording::read(root.path(), KEY);
    assert!(left.millis() >= 8000 && !left.playlist.ended);
    assert!(left.spooled().next().is_none(), "all that came is stored");
    // Nobody need wait: it was given up.
    record(fixture(INPUT).to_str().unwrap(), root.path()).args(["--resume"]).succeed();
    let went_on = Recording::read(root.path(), &format!("bak0_{KEY}"));
    assert!(went_on.playlist.ended && went_on.files[KEY] == left.files[KEY]);
}

/// Answers one request with these lines and bytes.
#[cfg(feature = "http")]
fn serve(listener: &TcpListener, head: &str, body: &[u8], length: Duration) {
    use std::io::{Read as _, Write as _};

    let (mut client, _) = listener.accept().unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        request.extend(byte);
    }
    write!(client, "HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").unwrap();
    feed(&client, body, length);
}

#[cfg(feature = "http")]
#[test]
fn http_with_a_length_is_a_file_and_without_is_live() {
    let bytes = fixture_bytes(INPUT);
    let since = SystemClock::new().wall();
    let modified = "Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT";
    for (head, is_file) in [
        (format!("200 OK\r\nContent-Length: {}\r\n{modified}", bytes.len()), true),
        (format!("200 OK\r\n{modified}"), false),
    ] {
        let root = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}/a.ts?token=secret", listener.local_addr().unwrap());
        let running = record(&url, root.path()).start();
        serve(&listener, &head, &bytes, SENDING / 3);
        let ended = running.wait().successful();
        assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
        assert_same_as_the_file(root.path(), (!is_file).then_some(since));
        if is_file {
            let recording = Recording::read(root.path(), KEY);
            let date = WallTime::from_millis(1_700_000_000_000);
            assert_eq!(recording.playlist.segments[0].date, Some(date));
        }
    }
}

#[cfg(feature = "http")]
#[test]
fn an_http_body_that_breaks_off_leaves_the_recording_open_and_says_so() {
    let bytes = fixture_bytes(INPUT);
    let root = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/a.ts?token=secret", listener.local_addr().unwrap());
    let running = record(&url, root.path()).start();
    let head = format!("200 OK\r\nContent-Length: {}", bytes.len());
    serve(&listener, &head, &bytes[..bytes.len() * 3 / 4], SENDING / 3);
    let ended = running.wait();
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    assert!(ended.stderr.contains("broke off before its end"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
    let left = Recording::read(root.path(), KEY);
    assert!(left.millis() >= 8000 && !left.playlist.ended);
}

#[cfg(feature = "http")]
#[test]
fn an_http_refusal_has_its_exit_code() {
    for (head, code) in [("404 Not Found", 4), ("403 Forbidden", 2), ("503 Busy", 5), ("400 Bad Request", 2)]
    {
        let root = tempfile::tempdir().unwrap();
        let store = root.path().join("store");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}/a.ts?token=secret", listener.local_addr().unwrap());
        let running = record(&url, &store).start();
        serve(&listener, head, b"", Duration::ZERO);
        let ended = running.wait();
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
        assert!(!store.exists(), "an input that cannot be read leaves no folder");
    }
}
