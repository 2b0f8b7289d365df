//! A worker with its own media server: the centre joins its channels under the recording uid of each turn, hands layouts to them,
//! and records every output that they give. And a source that is none.

mod simulated_time;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use simulated_time::{clock, simulate};
use tapeline::centre::{Desk, NodeOptions, Policy, Question, Start, StoreMembership, View, serve, worker_id};
use tapeline::clock::SharedClock;
use tapeline::continuity::{Recordings, probe};
use tapeline::error::{Error, ErrorKind, Result};
use tapeline::ids::{Cname, MediaKind, OutputName, Sid, Uid};
use tapeline::input::{Inputs, Joining, Media, Source, Sources, Stream};
use tapeline::media::{Container, Frame, Track, TrackCodec};
use tapeline::recorder::{Options, Spool};
use tapeline::spool::SpoolBase;
use tapeline::store::Store;
use tapeline::time::{MediaTime, WallTime};
use tokio::task::JoinHandle;
use tokio::time::Instant;

const SID: &str = "38f8e3cfdc474cd56fc1ceba380d7e1a";
/// Opus: 20 ms, stereo, silence.
const SILENCE: &[u8] = &[0xfc, 0xff, 0xfe];

/// A media server: who has joined, and which layouts it was given.
#[derive(Debug, Default)]
struct Server {
    joined: Mutex<Vec<Joining>>,
    layouts: Arc<Mutex<Vec<(Uid, Value)>>>,
    /// Everybody is let in, and hears nothing.
    away: Arc<AtomicBool>,
}

/// The mixed sound of a channel, and one user's.
const OUTPUTS: fn() -> [OutputName; 2] =
    || [OutputName::Composite, OutputName::Individual(Uid::new(7).unwrap(), MediaKind::Audio)];

#[derive(Debug)]
struct Channel {
    uid: Uid,
    begin: Instant,
    given: u32,
    layouts: Arc<Mutex<Vec<(Uid, Value)>>>,
    away: Arc<AtomicBool>,
}

impl Source for Channel {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Media>>> {
        Box::pin(async {
            if self.away.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let name = OUTPUTS()[self.given as usize % 2];
            let frame = self.given / 2;
            let media = if frame == 0 {
                let tracks = vec![Track::new(TrackCodec::Opus)];
                Media::Begin(Stream { name, container: Container::WebM, tracks })
            } else {
                tokio::time::sleep_until(self.begin + Duration::from_millis(20) * frame).await;
                let pts = Some(MediaTime::from_ticks(i64::from(frame) * 1800));
                let data = Bytes::from_static(SILENCE);
                Media::Frame(name, Frame { track: 0, pts, dts: None, key: true, data }, None)
            };
            self.given += 1;
            Ok(Some(media))
        })
    }

    fn is_live(&self) -> bool {
        true
    }

    fn describe(&self) -> &str {
        "the channel"
    }

    fn update_layout<'a>(&'a mut self, layout: &'a Value) -> BoxFuture<'a, Result<()>> {
        self.layouts.lock().unwrap().push((self.uid, layout.clone()));
        Box::pin(async { Ok(()) })
    }
}

impl Sources for Server {
    fn check(&self, source: &str) -> Result<()> {
        let message = format!("{source} is no channel");
        source.strip_prefix("channel:").map(drop).ok_or_else(|| Error::new(ErrorKind::InvalidInput, message))
    }

    fn join<'a>(&'a self, joining: &'a Joining) -> BoxFuture<'a, Result<Box<dyn Source>>> {
        self.joined.lock().unwrap().push(joining.clone());
        let layouts = Arc::clone(&self.layouts);
        let channel = Channel {
            uid: joining.uid,
            begin: Instant::now(),
            given: 0,
            layouts,
            away: Arc::clone(&self.away),
        };
        Box::pin(async { Ok(Box::new(channel) as Box<dyn Source>) })
    }

    fn check_layout(&self, _: &str, layout: &Value) -> Result<()> {
        let message = "a layout has a mixedVideoLayout";
        layout.get("mixedVideoLayout").map(drop).ok_or_else(|| Error::new(ErrorKind::InvalidInput, message))
    }
}

/// A node, without a process.
struct Node {
    desk: Desk,
    serving: JoinHandle<()>,
}

async fn node(store: &Store, clock: &SharedClock, sources: Arc<dyn Sources>) -> Node {
    let form = probe::prepare(store, clock, [1; 8]).await.unwrap();
    let recordings = Recordings::new(store, form);
    let spool = Spool::In(SpoolBase::memory());
    let recorder = Options { spool, clock: clock.clone(), ..Options::default() };
    let view = View::default();
    let desk = Desk::new(store, recordings.clone(), Arc::clone(&sources), view.clone());
    let worker = worker_id(&recorder).unwrap();
    let options = NodeOptions {
        membership: Box::new(StoreMembership::new(store)),
        policy: Policy::default(),
        capacity: 10,
        store: store.clone(),
        recordings,
        sources,
        recorder,
        view,
    };
    let node = serve(worker, options, std::future::pending(), || ());
    Node { desk, serving: tokio::spawn(async { node.await.unwrap() }) }
}

impl Node {
    /// Asks again until the answer is `Ok` and `until` holds of it.
    async fn wait(&self, question: Question, until: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..600 {
            match self.desk.answer(question.clone()).await {
                Ok(answer) if until(&answer) => return answer,
                _ => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        }
        panic!("{question:?}: {:?}", self.desk.answer(question.clone()).await);
    }

    async fn runs(&self) -> Value {
        self.wait(query(), |answer| answer["state"] == "recording").await
    }
}

fn sid() -> Sid {
    Sid::new(SID).unwrap()
}

fn query() -> Question {
    Question::Query { sid: sid() }
}

fn start(source: &str) -> Question {
    let (cname, prefix, source) = (Cname::new("lobby").unwrap(), Default::default(), source.to_owned());
    Question::Start(Start { sid: sid(), cname, source, prefix, segment_millis: Some(2000), client: None })
}

fn layout(mode: u32) -> Question {
    Question::Layout { sid: sid(), layout: json!({ "mixedVideoLayout": mode }) }
}

#[test]
fn a_media_server_plugs_in_and_each_turn_joins_as_another_user() {
    simulate(async {
        let clock = clock(WallTime::from_millis(1_700_000_000_000));
        let (store, server) = (Store::open("memory:").unwrap(), Arc::new(Server::default()));
        let first = node(&store, &clock, server.clone()).await;
        let refused = first.desk.answer(start("udp://127.0.0.1:5000")).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{refused}");
        first.desk.answer(start("channel:lobby")).await.unwrap();
        let early = first.desk.answer(layout(1)).await.unwrap_err();
        assert_eq!(early.kind(), ErrorKind::NotFound, "{early}");
        first.runs().await;
        let bad = Question::Layout { sid: sid(), layout: json!({ "other": 1 }) };
        assert_eq!(first.desk.answer(bad).await.unwrap_err().kind(), ErrorKind::InvalidInput);
        for mode in [1, 2] {
            first.desk.answer(layout(mode)).await.unwrap();
            tokio::time::sleep(Duration::from_secs(8)).await;
        }
        // Its node is gone; another one takes the recording, as another user, and lays it out as it was.
        first.serving.abort();
        let second = node(&store, &clock, server.clone()).await;
        let status = second.wait(query(), |answer| answer["status"]["generation"] == 1).await;
        tokio::time::sleep(Duration::from_secs(20)).await;
        second.desk.answer(Question::Stop { sid: sid() }).await.unwrap();
        second.wait(query(), |answer| answer["state"] == "stopped").await;

        let uids: Vec<Uid> = server.joined.lock().unwrap().iter().map(|joining| joining.uid).collect();
        assert_eq!(uids.len(), 2, "one join for each turn");
        assert_ne!(uids[0], uids[1]);
        assert_eq!(status["status"]["holder"]["uid"], uids[1].get(), "{status}");
        let given: Vec<(Uid, u64)> = server
            .layouts
            .lock()
            .unwrap()
            .iter()
            .map(|(uid, layout)| (*uid, layout["mixedVideoLayout"].as_u64().unwrap()))
            .collect();
        assert_eq!(given, [(uids[0], 1), (uids[0], 2), (uids[1], 2)]);
        let names: BTreeSet<String> = store
            .list_folder("")
            .await
            .unwrap()
            .objects
            .into_iter()
            .map(|meta| meta.key)
            .filter(|key| key.ends_with(".m3u8"))
            .collect();
        let expected = ["", "bak0_"].map(|turn| {
            ["", "__uid_s_7__uid_e_audio"].map(|output| format!("{turn}{SID}_lobby{output}.m3u8"))
        });
        assert_eq!(names, expected.into_iter().flatten().collect());
    });
}

#[test]
fn a_source_that_stays_away_costs_one_failover_however_long() {
    simulate(async {
        let clock = clock(WallTime::from_millis(1_700_000_000_000));
        let (store, server) = (Store::open("memory:").unwrap(), Arc::new(Server::default()));
        let nodes = [node(&store, &clock, server.clone()).await, node(&store, &clock, server.clone()).await];
        nodes[0].desk.answer(start("channel:lobby")).await.unwrap();
        nodes[0].runs().await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        // Less than a minute: its worker waits.
        server.away.store(true, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(40)).await;
        server.away.store(false, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(nodes[1].runs().await["status"]["generation"], 0);
        server.away.store(true, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(nodes[1].desk.answer(query()).await.unwrap_err().kind(), ErrorKind::NotFound);
        server.away.store(false, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(30)).await;
        let answer = nodes[1].desk.answer(query()).await.unwrap();
        assert_eq!((&answer["state"], &answer["status"]["generation"]), (&json!("recording"), &json!(1)));
        nodes.iter().for_each(|node| node.serving.abort());
    });
}

#[test]
fn a_source_that_is_no_media_ends_the_recording_and_costs_no_failover() {
    simulate(async {
        let clock = clock(WallTime::from_millis(1_700_000_000_000));
        let store = Store::open("memory:").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("noise.ts");
        std::fs::write(&file, vec![0x55; 1 << 20]).unwrap();
        let node = node(&store, &clock, Arc::new(Inputs::new(clock.clone()))).await;
        node.desk.answer(start(file.to_str().unwrap())).await.unwrap();
        let answer = node.wait(query(), |answer| answer["state"] == "stopped").await;
        assert_eq!(answer["status"]["generation"], 0, "{answer}");
        // What has no layouts says so.
        let refused = node.desk.answer(layout(1)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{refused}");
        node.serving.abort();
    });
}
