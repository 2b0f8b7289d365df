//! The fault proxy does what its script says, and nothing else: each fault as a client sees it and as the server
//! does, before a server in memory and, where `TAPELINE_TEST_S3` names one, a real one.
#![cfg(feature = "aws")]

mod fault_proxy;
mod s3_double;
#[path = "fault_proxy/script_tests.rs"]
mod script_tests;
mod support;

use std::io::ErrorKind as IoErrorKind;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fault_proxy::{Entry, FaultProxy, Kind, Setup};
use futures_util::TryStreamExt as _;
use s3_double::{Manners, S3Double};
use support::skip;
use tapeline::clock::{Clock, SystemClock, random_bytes};
use tapeline::store::{Condition, Conditional, Created, Lane, ObjectKind, Store, StoreOptions};
use tapeline::{ErrorKind, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const SEGMENT: ObjectKind = ObjectKind::TsSegment;
/// Between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// Looks until it is so.
async fn until(mut so: impl FnMut() -> bool) {
    let clock = SystemClock::new();
    while !so() {
        assert!(clock.monotonic() < support::PATIENCE, "waited in vain");
        tokio::time::sleep(LOOK).await;
    }
}

/// A server, its proxy, and clients of both that repeat nothing on the control lane.
struct Served {
    name: &'static str,
    proxy: FaultProxy,
    direct: Store,
    through: Store,
}

/// The server in memory, and the real one if there is one.
async fn servers() -> Vec<Served> {
    let double = S3Double::start(Manners::HONEST).await;
    let proxy = FaultProxy::start(double.endpoint());
    let (direct, through) = (double.store(), double.store_at(&proxy.endpoint()));
    let mut served = vec![Served { name: "in memory", proxy, direct, through }];
    let named = ["TAPELINE_TEST_S3", "AWS_ENDPOINT_URL"].map(std::env::var);
    let [Ok(bucket), Ok(endpoint)] = named else {
        skip("an S3 server, named by TAPELINE_TEST_S3 and AWS_ENDPOINT_URL");
        return served;
    };
    let proxy = FaultProxy::start(&endpoint);
    let url = format!("{bucket}/proxy-{:032x}", u128::from_be_bytes(random_bytes().unwrap()));
    let options = StoreOptions { endpoint: Some(proxy.endpoint()), ..StoreOptions::default() };
    let (direct, through) = (Store::open(&url).unwrap(), Store::open_with(&url, &options).unwrap());
    served.push(Served { name: "real", proxy, direct, through });
    served
}

/// Bytes that differ from place to place.
fn body(length: usize) -> Bytes {
    (0..length).map(|place| u8::try_from(place * 7 % 251).unwrap()).collect()
}

impl Served {
    /// A conditional write, sent once.
    async fn create(&self, key: &str, body: &Bytes) -> Result<Conditional> {
        self.through.put_if(Lane::Control, key, [body.clone()], SEGMENT, Condition::Absent).await
    }

    /// What lies in the server.
    async fn stored(&self, key: &str) -> Option<Bytes> {
        self.direct.get_versioned(Lane::Probe, key, 1 << 24).await.unwrap().map(|(body, _)| body)
    }

    /// What the proxy wrote down of the requests of a key.
    fn entries(&self, key: &str) -> Vec<Entry> {
        let end = format!("/{key}");
        self.proxy.log().into_iter().filter(|entry| entry.key.ends_with(&end)).collect()
    }
}

#[tokio::test]
async fn without_rules_everything_passes() {
    for served in servers().await {
        let Served { name, proxy, direct, through } = &served;
        let large = body(3_000_000);
        assert_eq!(
            through.put_new("a/b#%25 é.ts", vec![large.clone()], SEGMENT).await.unwrap(),
            Created::Stored
        );
        assert_eq!(
            through.put_new("a/b#%25 é.ts", vec![body(5)], SEGMENT).await.unwrap(),
            Created::AlreadyThere
        );
        assert!(direct.get("a/b#%25 é.ts", 1 << 24).await.unwrap() == large, "{name}");
        assert!(through.get("a/b#%25 é.ts", 1 << 24).await.unwrap() == large, "{name}");
        assert_eq!(through.get_range("a/b#%25 é.ts", 10..20).await.unwrap(), large.slice(10..20));
        let version = through.head("a/b#%25 é.ts").await.unwrap().expect("an object").version;
        let update = Condition::Unchanged(version);
        let put = through.put_if(Lane::Control, "a/b#%25 é.ts", [body(9)], SEGMENT, update.clone()).await;
        assert!(matches!(put, Ok(Conditional::Done(_))), "{name}: {put:?}");
        let put = through.put_if(Lane::Control, "a/b#%25 é.ts", [body(8)], SEGMENT, update).await;
        assert!(matches!(put, Ok(Conditional::Refused(_))), "{name}: {put:?}");
        let listed: Vec<_> = through.list("").try_collect().await.unwrap();
        assert_eq!(listed.iter().map(|object| object.key.as_str()).collect::<Vec<_>>(), ["a/b#%25 é.ts"]);
        through.delete("a/b#%25 é.ts").await.unwrap();
        assert!(!through.exists("a/b#%25 é.ts").await.unwrap());
        let log = proxy.log();
        // What the client sees to be of another length it does not read to the end.
        let passed = |entry: &Entry| {
            let whole = entry.client == entry.server || entry.method == "GET" && entry.client.is_none();
            entry.faults.is_empty() && entry.server.is_some() && whole
        };
        assert!(log.iter().all(passed), "{name}: {log:?}");
        assert!(log.iter().any(|entry| entry.method == "PUT" && entry.key.ends_with("/a/b#%25 é.ts")));
        assert!(proxy.totals().up > 3_000_000 && proxy.totals().down > 3_000_000);
    }
}

/// What a write that meets a fault looks like to the client, and whether the server carried it out.
#[tokio::test]
async fn a_write_that_meets_a_fault_fails_and_is_carried_out_or_not() {
    for served in servers().await {
        for (place, (fault, acts, said)) in [
            ("drop", false, None),
            ("hang", false, None),
            ("status 503", false, Some(503)),
            ("status 429", false, Some(429)),
            ("cut-request 64kB", false, None),
            ("cut-request 50%", false, None),
            ("cut-request 100MB", false, None),
            ("lose-reply", true, None),
            ("replace-reply 500", true, Some(500)),
            ("cut-reply 0B", true, None),
            ("delay-reply 1h", true, None),
        ]
        .into_iter()
        .enumerate()
        {
            let (key, body) = (format!("{place}.ts"), body(200_000));
            let what = format!("{} {fault}", served.name);
            served.proxy.set(&format!("put *.ts number 1: {fault}"));
            let put = served.create(&key, &body).await;
            assert!(matches!(put, Ok(Conditional::Undecided(_))), "{what}: {put:?}");
            assert_eq!(served.stored(&key).await.as_ref(), acts.then_some(&body), "{what}");
            let [entry] = &served.entries(&key)[..] else { panic!("{what}: {:?}", served.proxy.log()) };
            let kind = fault.split(' ').next().unwrap();
            assert_eq!(entry.faults.iter().map(Kind::to_string).collect::<Vec<_>>(), [kind], "{what}");
            assert_eq!((entry.server, entry.client), (acts.then_some(200), said), "{what}");
            // The rule was for one request: now it is settled.
            let again = served.through.put_new(&key, vec![body.clone()], SEGMENT).await;
            assert_eq!(again.unwrap(), Created::Stored, "{what}");
            assert_eq!(served.stored(&key).await.as_ref(), Some(&body), "{what}");
        }
        for kind in [Kind::Drop, Kind::Hang, Kind::LoseReply, Kind::ReplaceReply, Kind::DelayReply] {
            assert_eq!(served.proxy.count(kind), 1, "{kind}");
        }
        assert_eq!((served.proxy.count(Kind::Status), served.proxy.count(Kind::CutRequest)), (2, 3));
    }
}

#[tokio::test]
async fn a_read_that_meets_a_fault_fails() {
    for served in servers().await {
        let body = body(200_000);
        served.direct.put("a.ts", vec![body.clone()], SEGMENT).await.unwrap();
        for fault in
            ["drop", "status 500", "cut-reply 50%", "cut-reply 1MB", "replace-reply 503", "lose-reply"]
        {
            served.proxy.set(&format!("get *: {fault}"));
            let error = served.through.get_versioned(Lane::Control, "a.ts", 1 << 20).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{} {fault}: {}", served.name, error.report());
        }
        served.proxy.set("get *: status 404");
        assert_eq!(served.through.get_versioned(Lane::Control, "a.ts", 1 << 20).await.unwrap(), None);
        served.proxy.clear();
        assert!(served.through.get("a.ts", 1 << 20).await.unwrap() == body);
    }
}

#[tokio::test]
async fn every_third_reply_is_lost() {
    for served in servers().await {
        served.proxy.set("put *.ts every 3: lose-reply");
        let mut undecided = Vec::new();
        for number in 1..=7 {
            let key = format!("{number}.ts");
            match served.create(&key, &body(100)).await.unwrap() {
                Conditional::Done(_) => {}
                Conditional::Undecided(_) => undecided.push(number),
                Conditional::Refused(error) => panic!("{error}"),
            }
            assert!(served.stored(&key).await.is_some());
        }
        assert_eq!(undecided, [3, 6], "{}", served.name);
    }
}

#[tokio::test]
async fn away_is_a_refused_connection_and_there_again_at_the_same_address() {
    for served in servers().await {
        assert!(matches!(served.create("a.ts", &body(10)).await, Ok(Conditional::Done(_))));
        let address = served.proxy.address();
        let mut open = TcpStream::connect(address).await.unwrap();
        // Accepted for certain: it was served.
        open.write_all(b"GET /rec/no-such HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        open.read_u8().await.unwrap();
        for _ in 0..3 {
            served.proxy.set("*: away");
            let refused = TcpStream::connect(address).await.unwrap_err();
            assert_eq!(refused.kind(), IoErrorKind::ConnectionRefused);
            // A client that has not noticed yet that its connection is gone does not know.
            match served.create("b.ts", &body(10)).await {
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.report()),
                put => assert!(matches!(put, Ok(Conditional::Undecided(_))), "{put:?}"),
            }
            served.proxy.clear();
            TcpStream::connect(address).await.unwrap();
        }
        let reset = async {
            while open.read_u8().await? > 0 {}
            Ok::<_, std::io::Error>(())
        };
        let ended = tokio::time::timeout(support::PATIENCE, reset).await.expect("an end");
        assert_eq!(ended.unwrap_err().kind(), IoErrorKind::ConnectionReset);
        assert!(matches!(served.create("b.ts", &body(10)).await, Ok(Conditional::Done(_))));
        assert_eq!(served.proxy.totals().absences, 3);
        assert!(served.proxy.totals().reset >= 1);
    }
}

#[tokio::test]
async fn a_planned_absence_comes_and_goes_by_itself() {
    let proxy = FaultProxy::start("127.0.0.1:9");
    proxy.set("* from 200ms to 500ms: away");
    let clock = SystemClock::new();
    let is_there = async |there| {
        while TcpStream::connect(proxy.address()).await.is_ok() != there {
            assert!(clock.monotonic() < support::PATIENCE);
            tokio::time::sleep(LOOK).await;
        }
        clock.monotonic()
    };
    is_there(false).await;
    let again = is_there(true).await;
    assert!(again >= Duration::from_millis(490), "{again:?}");
}

/// Takes connections and answers each request alike; what came lies in the list.
async fn raw_server(answer: &'static [u8]) -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let came = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&came);
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let list = Arc::clone(&list);
            tokio::spawn(async move {
                let (mut buffer, mut request) = ([0; 4096], Vec::new());
                let asked = |request: &[u8]| request.windows(7).any(|word| word == b"Expect:");
                while let Ok(read @ 1..) = connection.read(&mut buffer).await {
                    request.extend_from_slice(&buffer[..read]);
                    list.lock().unwrap().extend_from_slice(&buffer[..read]);
                    // Each of the requests here ends so.
                    let head = request.ends_with(b"\r\n\r\n");
                    if request.ends_with(b"END") || head && !request.starts_with(b"PUT") {
                        request.clear();
                        connection.write_all(answer).await.unwrap();
                    } else if head && asked(&request) {
                        connection.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.unwrap();
                    }
                }
            });
        }
    });
    (address, came)
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nx-Odd:  two  spaces\r\nContent-Length: 10\r\n\r\n0123456789";

/// Reads until that many bytes have come, or the end.
async fn read(from: &mut TcpStream, bytes: usize) -> Vec<u8> {
    let mut read = Vec::new();
    from.take(bytes as u64).read_to_end(&mut read).await.unwrap();
    read
}

#[tokio::test]
async fn messages_pass_byte_for_byte() {
    const CHUNKED: &[u8] =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\n01234\r\n0\r\nt: u\r\n\r\n";
    let requests: [&[u8]; 3] = [
        b"GET /rec/x?list-type=2&prefix=a%2Fb HTTP/1.1\r\nhOsT: somewhere.else:9\r\nAuthorization:  AWS4 x\r\n\r\n",
        b"PUT /rec/y HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\nContent-Encoding: aws-chunked\r\n\r\n4;s=END",
        b"PUT /rec/y HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nEND",
    ];
    for answer in [OK, CHUNKED] {
        let (server, came) = raw_server(answer).await;
        let proxy = FaultProxy::start(&server);
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        for request in requests {
            client.write_all(request).await.unwrap();
            assert_eq!(read(&mut client, answer.len()).await, answer);
        }
        assert_eq!(*came.lock().unwrap(), requests.concat());
        let went = proxy.totals();
        let length: usize = requests.iter().map(|request| request.len()).sum();
        assert_eq!((went.up, went.down), (length as u64, 3 * answer.len() as u64));
    }
}

#[tokio::test]
async fn a_body_waits_to_be_asked_for() {
    let head = b"PUT /rec/y HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    let (server, _) = raw_server(OK).await;
    let proxy = FaultProxy::start(&server);
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    client.write_all(head).await.unwrap();
    assert_eq!(read(&mut client, 25).await, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"END").await.unwrap();
    assert_eq!(read(&mut client, OK.len()).await, OK);
    // Refused, it is not asked for, and the connection ends.
    proxy.set("*: status 503");
    client.write_all(head).await.unwrap();
    let answer = String::from_utf8(read(&mut client, usize::MAX).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 SlowDown\r\n") && answer.ends_with("</Error>"), "{answer}");
}

#[tokio::test]
async fn an_answer_of_its_own_leaves_the_connection_open() {
    let (server, came) = raw_server(OK).await;
    let proxy = FaultProxy::start(&server);
    proxy.set("put * number 1: status 503; * number 2: status 404");
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    client.write_all(b"PUT /rec/y HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nEND").await.unwrap();
    let answer = "HTTP/1.1 503 SlowDown\r\nContent-Type: application/xml\r\nContent-Length: 73\r\n\r\n\
                  <Error><Code>SlowDown</Code><Message>by the fault proxy</Message></Error>";
    assert_eq!(String::from_utf8(read(&mut client, answer.len()).await).unwrap(), answer);
    client
        .write_all(b"HEAD /rec/y HTTP/1.1\r\nHost: h\r\n\r\nGET /rec/z HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .unwrap();
    let head = "HTTP/1.1 404 NoSuchKey\r\nContent-Type: application/xml\r\nContent-Length: 74\r\n\r\n";
    assert_eq!(String::from_utf8(read(&mut client, head.len()).await).unwrap(), head);
    assert_eq!(read(&mut client, OK.len()).await, OK);
    assert_eq!(*came.lock().unwrap(), b"GET /rec/z HTTP/1.1\r\nHost: h\r\n\r\n");
}

#[tokio::test]
async fn what_is_cut_is_cut_at_the_byte() {
    let (server, came) = raw_server(OK).await;
    let proxy = FaultProxy::start(&server);
    let ask = async |request: &[u8]| {
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        client.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        (client.read_to_end(&mut answer).await.map_err(|error| error.kind()), answer)
    };
    let get = b"GET /rec/z HTTP/1.1\r\nHost: h\r\n\r\n";
    for (amount, bytes) in [("0B", 0), ("4B", 4), ("50%", 5), ("10B", 9), ("100%", 9)] {
        proxy.set(&format!("*: cut-reply {amount}"));
        let (_, answer) = ask(get).await;
        assert_eq!(answer, OK[..OK.len() - 10 + bytes], "{amount}");
    }
    came.lock().unwrap().clear();
    let put = b"PUT /rec/y HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n01234567890";
    proxy.set("*: cut-request 40%");
    let (ended, answer) = ask(put).await;
    assert_eq!((ended, answer), (Err(IoErrorKind::ConnectionReset), Vec::new()));
    until(|| came.lock().unwrap().len() == put.len() - 7).await;
    proxy.set("*: lose-reply");
    let (ended, answer) = ask(get).await;
    assert_eq!((ended, answer), (Err(IoErrorKind::ConnectionReset), Vec::new()));
    assert!(came.lock().unwrap().ends_with(get), "the server was asked");
}

#[tokio::test]
async fn what_hangs_ends_with_the_client() {
    let (server, came) = raw_server(OK).await;
    let proxy = FaultProxy::start(&server);
    proxy.set("*: hang");
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    client.write_all(b"GET /rec/z HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    until(|| proxy.count(Kind::Hang) == 1).await;
    client.shutdown().await.unwrap();
    assert_eq!(read(&mut client, 1).await, b"", "no answer");
    assert!(came.lock().unwrap().is_empty());
}

#[tokio::test]
async fn delays_last_at_least_as_long_as_told() {
    for rule in ["*: delay 300ms", "*: delay-reply 300ms", "*: delay 100ms; *: delay-reply 200ms"] {
        let (server, _) = raw_server(OK).await;
        let proxy = FaultProxy::start(&server);
        proxy.set(rule);
        let clock = SystemClock::new();
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        client.write_all(b"GET /rec/z HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        assert_eq!(read(&mut client, OK.len()).await, OK);
        assert!(clock.monotonic() >= Duration::from_millis(300), "{rule}");
    }
}

#[tokio::test]
async fn a_rate_holds_for_all_together_and_small_requests_pass() {
    for served in servers().await {
        served.direct.put("small.json", vec![body(500)], SEGMENT).await.unwrap();
        served.proxy.set("*: rate 200kB/s");
        let clock = SystemClock::new();
        let large = ["a.ts", "b.ts"].map(|key| {
            let through = served.through.clone();
            tokio::spawn(async move { through.put_new(key, vec![body(100_000)], SEGMENT).await.unwrap() })
        });
        until(|| served.proxy.totals().up > 10_000).await;
        // The control lane gives up after 2 s.
        for _ in 0..3 {
            let small = served.through.get_versioned(Lane::Control, "small.json", 1000).await.unwrap();
            assert!(small.is_some());
        }
        assert!(large.iter().all(|put| !put.is_finished()), "{}: it waited for the others", served.name);
        for put in large {
            assert_eq!(put.await.unwrap(), Created::Stored);
        }
        let took = clock.monotonic();
        assert!(took >= Duration::from_millis(950), "{}: 200 kB in {took:?}", served.name);
        served.proxy.set("get *: rate-down 100kB/s");
        let clock = SystemClock::new();
        assert_eq!(served.through.get("a.ts", 1 << 20).await.unwrap().len(), 100_000);
        let took = clock.monotonic();
        assert!(took >= Duration::from_millis(950), "{}: 100 kB in {took:?}", served.name);
        // What is under way is free where the rule goes.
        served.proxy.set("*: rate 1kB/s");
        let through = served.through.clone();
        let slow = tokio::spawn(async move { through.put_new("c.ts", vec![body(500_000)], SEGMENT).await });
        until(|| !served.entries("c.ts").is_empty()).await;
        served.proxy.clear();
        assert_eq!(slow.await.unwrap().unwrap(), Created::Stored);
    }
}

#[tokio::test]
async fn it_ends_with_its_handle() {
    let (server, _) = raw_server(OK).await;
    let proxy = FaultProxy::start(&server);
    let address = proxy.address();
    proxy.set("*: hang");
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET /rec/z HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    until(|| proxy.count(Kind::Hang) == 1).await;
    drop(proxy);
    assert!(matches!(client.read(&mut [0]).await, Ok(0) | Err(_)));
    assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), IoErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn one_seed_gives_one_sequence() {
    let (server, _) = raw_server(OK).await;
    let run = async |seed| {
        let listen = "127.0.0.1:0".parse().unwrap();
        let proxy = FaultProxy::start_with(Setup { to: server.parse().unwrap(), listen, seed }).unwrap();
        proxy.set("get * chance 40%: drop; *: lose-reply");
        for number in 0..40 {
            let mut client = TcpStream::connect(proxy.address()).await.unwrap();
            client.write_all(b"GET /rec/z HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
            until(|| proxy.log().len() > number).await;
        }
        proxy.log().into_iter().map(|entry| entry.faults).collect::<Vec<_>>()
    };
    let first = run(1).await;
    assert_eq!(first, run(1).await);
    assert_ne!(first, run(2).await);
}

#[test]
fn it_listens_on_loopback_only() {
    let to = "127.0.0.1:9".parse().unwrap();
    let refused = FaultProxy::start_with(Setup { to, listen: "0.0.0.0:0".parse().unwrap(), seed: 0 });
    assert_eq!(refused.unwrap_err().kind(), IoErrorKind::InvalidInput);
}

/// `cargo test` builds the examples before it runs; with `--test` they may be missing.
#[test]
fn it_runs_alone() {
    let tests = std::env::current_exe().unwrap();
    let program = tests.ancestors().nth(2).unwrap().join("examples/fault_proxy");
    if !program.exists() {
        eprintln!("SKIPPED: needs {}; cargo build --examples makes it", program.display());
        return;
    }
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let mut child = run(&["--to", "127.0.0.1:9", "--seed", "7", "*: status 503", "get *.ts: drop"]);
    let mut said = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
    let address = said.strip_prefix("listening on ").expect("its address").trim().to_owned();
    // Before the answer of the same kind comes, the rules that were written are obeyed.
    let status = || {
        let mut client = std::net::TcpStream::connect(&address).unwrap();
        client.write_all(b"GET /rec/z HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).map(|_| answer.get(9..12).unwrap_or_default().to_owned()).ok()
    };
    assert_eq!(status().as_deref(), Some("503"));
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "*: status 404; put *: drop").unwrap();
    support::until("the new rules", || (status().as_deref() == Some("404")).then_some(()));
    writeln!(stdin, "*: nonsense").unwrap();
    writeln!(stdin).unwrap();
    // Without rules the server is asked, which is not there.
    support::until("no rules", || status().is_none().then_some(()));
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("GET    rec/z status server - client 503"), "{said}");
    assert!(said.contains("line 1, column 4: \"nonsense\" is no fault"), "{said}");
    for wrong in [&["*: drop"][..], &["--to", "127.0.0.1:9", "*: drp"], &["--to"], &["--what"]] {
        let output = run(wrong).wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}
