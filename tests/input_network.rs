//! Sockets, on the loopback interface alone.

use std::net::SocketAddr;

use tapeline::ErrorKind;
use tapeline::clock::SystemClock;
use tapeline::input::{self, Input};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream, UdpSocket};

async fn open(spec: &str) -> tapeline::Result<Input> {
    input::open(spec, SystemClock::shared()).await
}

async fn read_exactly(source: &mut Input, length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < length {
        // Only a lost datagram makes this wait; then the test shall fail and not hang.
        let next = tokio::time::timeout(std::time::Duration::from_secs(20), source.next());
        let chunk = next.await.expect("bytes were lost").unwrap().expect("more bytes");
        assert!(chunk.arrived.is_some());
        bytes.extend_from_slice(&chunk.bytes);
    }
    bytes
}

fn datagram(number: u8) -> Vec<u8> {
    [[0x47, number].as_slice(), &[number; 1314]].concat()
}

#[tokio::test]
async fn waiting_datagrams_come_as_one_chunk_in_order() {
    let mut source = open("udp://127.0.0.1:0").await.unwrap();
    assert!(source.is_live() && !source.waits());
    let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    sender.connect(source.local_addr().unwrap()).await.unwrap();
    let sent: Vec<Vec<u8>> = (0..100).map(datagram).collect();
    for one in &sent {
        sender.send(one).await.unwrap();
    }
    let first = source.next().await.unwrap().unwrap().bytes;
    assert_eq!(first.len() % 1316, 0, "no datagram is cut in two");
    assert!(first.len() > 1316 && first.len() < 64 * 1024 + 1316, "{}", first.len());
    let rest = read_exactly(&mut source, 131_600 - first.len()).await;
    assert!([first.as_ref(), rest.as_slice()].concat() == sent.concat());
}

#[tokio::test]
async fn a_largest_datagram_and_an_empty_one_pass() {
    let mut source = open("udp://127.0.0.1:0").await.unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    sender.connect(source.local_addr().unwrap()).await.unwrap();
    let large = vec![0x47; 65_507];
    sender.send(&[]).await.unwrap();
    sender.send(&datagram(1)).await.unwrap();
    sender.send(&large).await.unwrap();
    let read = read_exactly(&mut source, 1316 + 65_507).await;
    assert!(read == [datagram(1), large].concat());
}

#[tokio::test]
async fn an_rtp_header_is_taken_off() {
    let mut source = open("udp://127.0.0.1:0").await.unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    sender.connect(source.local_addr().unwrap()).await.unwrap();
    for number in 0..3 {
        let header = [0x80, 33, 0, number, 0, 0, 0, 0, 1, 2, 3, 4];
        sender.send(&[header.as_slice(), &datagram(number)].concat()).await.unwrap();
    }
    let read = read_exactly(&mut source, 3 * 1316).await;
    assert!(read == (0..3).flat_map(datagram).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_multicast_group_is_joined_on_an_interface() {
    let source = open("udp://@239.255.77.1:0?iface=127.0.0.1").await;
    let mut source = match source {
        Ok(source) => source,
        Err(error) => {
            eprintln!("skipped: no multicast here: {}", error.report());
            return;
        }
    };
    let port = source.local_addr().unwrap().port();
    let sender = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    sender.set_multicast_if_v4(&std::net::Ipv4Addr::LOCALHOST).unwrap();
    let group: SocketAddr = ([239, 255, 77, 1], port).into();
    sender.send_to(&datagram(9), &group.into()).unwrap();
    assert!(read_exactly(&mut source, 1316).await == datagram(9));
    let error = open("udp://@239.255.77.1:0?iface=nosuch0").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
}

#[tokio::test]
async fn a_taken_port_is_said_to_be_taken() {
    let source = open("udp://127.0.0.1:0").await.unwrap();
    let port = source.local_addr().unwrap().port();
    let error = open(&format!("udp://127.0.0.1:{port}")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("another program"), "{error}");
}

#[tokio::test]
async fn a_tcp_stream_is_read_to_its_end_by_connecting() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bytes: Vec<u8> = (0..1_000_003u32).map(|n| (n % 253) as u8).collect();
    let sent = bytes.clone();
    let address = listener.local_addr().unwrap();
    let sender = tokio::spawn(async move {
        listener.accept().await.unwrap().0.write_all(&sent).await.unwrap();
    });
    let mut source = open(&format!("tcp://{address}")).await.unwrap();
    assert!(read_exactly(&mut source, bytes.len()).await == bytes);
    assert!(source.next().await.unwrap().is_none());
    assert!(source.next().await.unwrap().is_none());
    sender.await.unwrap();
}

#[tokio::test]
async fn a_sender_may_connect_and_only_one() {
    for spec in ["tcp://@127.0.0.1:0", "tcp://127.0.0.1:0?listen"] {
        let mut source = open(spec).await.unwrap();
        let address = source.local_addr().unwrap();
        let mut sender = TcpStream::connect(address).await.unwrap();
        sender.write_all(b"hello").await.unwrap();
        assert_eq!(read_exactly(&mut source, 5).await, b"hello");
        let second = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(second.kind(), std::io::ErrorKind::ConnectionRefused);
        drop(sender);
        assert!(source.next().await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_refused_connection_says_so() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = open(&format!("tcp://{address}")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("refused"), "{error}");
}

#[cfg(not(feature = "http"))]
#[tokio::test]
async fn http_left_out_of_the_build_names_its_feature() {
    let error = open("http://127.0.0.1/x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains("--features http"), "{error}");
}

#[cfg(feature = "http")]
mod http {
    use super::*;
    use tapeline::time::WallTime;
    use tokio::io::AsyncReadExt;

    /// Answers one request with `answer`, then hangs up.
    async fn serve(answer: impl Into<Vec<u8>>) -> SocketAddr {
        let answer = answer.into();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(&answer).await.unwrap();
        });
        address
    }

    #[tokio::test]
    async fn a_stream_without_a_length_is_live() {
        let address = serve("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nsome bytes").await;
        let mut source = open(&format!("http://u:hunter2@{address}/live.ts?token=secret")).await.unwrap();
        assert!(source.is_live() && !source.waits());
        assert_eq!(source.file_time(), None);
        assert_eq!(source.describe(), format!("http://{address}/live.ts?..."));
        assert_eq!(read_exactly(&mut source, 10).await, b"some bytes");
        assert!(source.next().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn an_answer_with_a_length_is_a_file() {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nLast-Modified: Tue, 14 Nov 2023 22:13:20 GMT\r\n\r\nfile";
        let mut source = open(&format!("http://{}/a.ts", serve(answer).await)).await.unwrap();
        assert!(!source.is_live() && source.waits());
        assert_eq!(source.file_time(), Some(WallTime::from_millis(1_700_000_000_000)));
        let chunk = source.next().await.unwrap().unwrap();
        assert_eq!((chunk.bytes.as_ref(), chunk.arrived), (b"file".as_slice(), None));
        assert!(source.next().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_body_cut_short_is_an_error_and_then_the_end() {
        let address = serve("HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nfile").await;
        let mut source = open(&format!("http://{address}/a.ts?secret")).await.unwrap();
        let error = loop {
            match source.next().await {
                Ok(chunk) => assert_eq!(chunk.unwrap().bytes, "file"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(!error.report().contains("secret"), "{}", error.report());
        assert!(source.next().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn every_refusal_says_what_to_do() {
        for (status, kind) in [
            ("404 Not Found", ErrorKind::NotFound),
            ("403 Forbidden", ErrorKind::InvalidInput),
            ("503 Service Unavailable", ErrorKind::Unavailable),
            ("302 Found\r\nLocation: ftp://127.0.0.1/x", ErrorKind::InvalidInput),
        ] {
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            let error = open(&format!("http://{}/a", serve(answer).await)).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{status}: {}", error.report());
        }
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let error = open(&format!("http://{closed}/a?secret")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("refused"), "{error}");
        assert!(!error.report().contains("secret"), "{}", error.report());
        for spec in ["http:", "http://", "https:///x y"] {
            assert!(open(spec).await.is_err(), "{spec}");
        }
    }
}
