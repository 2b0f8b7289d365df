//! A server that asks for fewer requests gets fewer from all uploads together, and as many as there are once it
//! asks no more. Time is the runtime's, which leaps over waiting.

mod s3_double;

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use s3_double::{Manners, S3Double, Throttled, Trouble, When, Which};
use tapeline::ErrorKind;
use tapeline::store::{Backoff, Condition, Conditional, Created, Lane, ObjectKind, Store, Traffic};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};

const HONEST: Manners = Manners::HONEST;

fn throttling(throttled: Throttled) -> Manners {
    Manners { throttled, ..HONEST }
}

fn body(text: &str) -> Vec<Bytes> {
    vec![Bytes::copy_from_slice(text.as_bytes())]
}

/// Stores a segment as an upload does: for as long as it takes.
async fn upload(store: Store, number: u64) {
    let mut backoff = Backoff::new(number);
    let key = format!("{number}.ts");
    while let Err(error) = store.put_new(&key, body(&key), ObjectKind::TsSegment).await {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        sleep(backoff.next_delay()).await;
    }
}

/// The share of throttled requests, in percent.
fn share(requests: &[(Instant, bool)]) -> usize {
    requests.iter().filter(|(_, throttled)| *throttled).count() * 100 / requests.len()
}

#[tokio::test(start_paused = true)]
async fn all_uploads_slow_down_together_and_the_control_lane_never_waits() {
    const UPLOADS: u64 = 400;
    let server = S3Double::start(throttling(Throttled::Above(20))).await;
    let store = server.store();
    let uploads: Vec<_> = (0..UPLOADS).map(|number| tokio::spawn(upload(store.clone(), number))).collect();

    // The first burst is over, and the others queue.
    let queue = async {
        while store.traffic().waiting < 200 {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(60), queue).await.expect("uploads that wait");
    let before = store.traffic();
    assert!(before.rate_limit.is_some() && before.throttled > 100, "{before:?}");
    server.take_requests();
    for number in 0..10 {
        let began = Instant::now();
        // They may be throttled, but are sent at once; so is what makes sure that the recording is still ours.
        let _ = store.get_versioned([Lane::Control, Lane::Probe][number % 2], "control.json", 10).await;
        let playlist = Condition::Absent;
        let _ = store.put_if(Lane::Bulk, "a.m3u8", body("x"), ObjectKind::Playlist, playlist).await;
        assert!(began.elapsed() < Duration::from_millis(50), "{:?}", began.elapsed());
        let key = format!("seal-{number}.json");
        // Its quick repeats take longer.
        let seal = store.put_new(&key, body("{}"), ObjectKind::Control);
        let _ = timeout(Duration::from_millis(50), seal).await;
        assert!(server.take_requests().contains(&format!("PUT {key}")));
    }
    let after = store.traffic();
    assert!(after.waiting >= 190, "it waited behind them: {after:?}");
    assert!(after.requests >= before.requests + 30, "{before:?} {after:?}");

    // What is not urgent waits behind them.
    let began = Instant::now();
    let _ = store.head("0.ts").await;
    assert!(began.elapsed() > Duration::from_secs(5), "{:?}", began.elapsed());

    for upload in uploads {
        upload.await.unwrap();
    }
    let requests = server.take_throttled();
    let (first, last) = (share(&requests[..200]), share(&requests[requests.len() - 200..]));
    println!("{} requests; throttled: {first} % of the first 200, {last} % of the last", requests.len());
    assert!(first >= 50 && last <= 10, "{first} %, {last} %");
    let stored = server.keys().iter().filter(|key| key.ends_with(".ts")).count();
    assert_eq!(stored as u64, UPLOADS);
    let traffic = store.traffic();
    let told = requests.iter().filter(|(_, throttled)| *throttled).count() as u64;
    assert_eq!((traffic.requests, traffic.throttled), (requests.len() as u64, told), "each answer is heard");
    assert_eq!((traffic.waiting, traffic.under_way, traffic.bytes_under_way), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_asks_no_more_has_no_limit_in_the_end() {
    let server = S3Double::start(throttling(Throttled::Above(0))).await;
    let store = server.store();
    for number in 0..10 {
        let error = store.get(&format!("{number}"), 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
    assert_eq!(store.traffic().rate_limit, Some(1.0), "{:?}", store.traffic());

    server.behave(HONEST);
    let mut limits = vec![0.0];
    while let Some(limit) = store.traffic().rate_limit {
        assert!(limit >= *limits.last().unwrap(), "{limits:?}, then {limit}");
        assert!(limits.len() < 1000, "{limits:?}");
        limits.push(limit);
        store.head("a").await.unwrap();
    }
    println!("without a limit after {} requests", limits.len());
    // All at once: nobody waits for a time to come.
    let looks = (0..50).map(|_| store.head("a"));
    let waited = async {
        tokio::select! {
            biased;
            found = join_all(looks) => found.iter().all(Result::is_ok),
            () = sleep(Duration::from_millis(100)) => false,
        }
    };
    assert!(waited.await);
}

#[tokio::test(start_paused = true)]
async fn each_request_is_sent_as_often_as_may_be_and_each_answer_is_counted() {
    async fn head(store: &Store) -> tapeline::Result<()> {
        store.head("a").await.map(drop)
    }
    async fn get(store: &Store) -> tapeline::Result<()> {
        store.get("a", 1).await.map(drop)
    }
    async fn range(store: &Store) -> tapeline::Result<()> {
        store.get_range("a", 0..1).await.map(drop)
    }
    async fn versioned(store: &Store) -> tapeline::Result<()> {
        store.get_versioned(Lane::Bulk, "a", 1).await.map(drop)
    }
    async fn control(store: &Store) -> tapeline::Result<()> {
        store.get_versioned(Lane::Control, "a", 1).await.map(drop)
    }
    async fn probe(store: &Store) -> tapeline::Result<()> {
        store.get_versioned(Lane::Probe, "a", 1).await.map(drop)
    }
    async fn access(store: &Store) -> tapeline::Result<()> {
        store.check_access("a").await.map(drop)
    }
    async fn folder(store: &Store) -> tapeline::Result<()> {
        store.list_folder("a").await.map(drop)
    }
    async fn list(store: &Store) -> tapeline::Result<()> {
        futures_util::TryStreamExt::try_collect::<Vec<_>>(store.list("a")).await.map(drop)
    }
    async fn delete(store: &Store) -> tapeline::Result<()> {
        store.delete("a").await
    }
    async fn create(store: &Store) -> tapeline::Result<()> {
        store.put_new("a", body("x"), ObjectKind::TsSegment).await.map(drop)
    }
    async fn seal(store: &Store) -> tapeline::Result<()> {
        store.put_new("a", body("x"), ObjectKind::Control).await.map(drop)
    }
    async fn put(store: &Store) -> tapeline::Result<()> {
        store.put("a", body("x"), ObjectKind::Playlist).await.map(drop)
    }
    async fn put_if(store: &Store) -> tapeline::Result<()> {
        match store.put_if(Lane::Bulk, "a", body("x"), ObjectKind::Playlist, Condition::Absent).await? {
            Conditional::Undecided(error) => Err(error),
            other => panic!("{other:?}"),
        }
    }
    macro_rules! table {
        ($($request:ident $times:literal $method:literal,)*) => {
            $(
                let server = S3Double::start(throttling(Throttled::Above(0))).await;
                let store = server.store();
                let name = stringify!($request);
                let error = $request(&store).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{name}: {error}");
                let requests = server.take_requests();
                // A throttled server is not asked what became of a write.
                assert!(requests.iter().all(|request| request.starts_with($method)), "{name}: {requests:?}");
                assert_eq!(requests.len(), $times, "{name}: {requests:?}");
                let expected = Traffic {
                    requests: $times,
                    retries: $times - 1,
                    throttled: $times,
                    rate_limit: store.traffic().rate_limit,
                    failing_for_ms: store.traffic().failing_for_ms,
                    ..Traffic::default()
                };
                assert_eq!(store.traffic(), expected, "{name}");
                assert!(expected.rate_limit.is_some() && expected.failing_for_ms.is_some(), "{name}");
            )*
        };
    }
    table! {
        head 4 "HEAD",
        get 4 "GET",
        range 4 "GET",
        versioned 4 "GET",
        control 1 "GET",
        probe 1 "GET",
        access 4 "GET",
        folder 4 "GET",
        list 4 "GET",
        delete 4 "POST",
        create 4 "PUT",
        seal 4 "PUT",
        put 1 "PUT",
        put_if 1 "PUT",
    }
}

#[tokio::test(start_paused = true)]
async fn traffic_tells_what_is_under_way_and_since_when_a_store_fails() {
    let server = S3Double::start(HONEST).await;
    let store = server.store();
    assert_eq!(store.traffic(), Traffic::default(), "nothing was asked yet");
    assert_eq!(store.head("a").await.unwrap(), None);
    let served = store.traffic();
    assert_eq!((served.requests, served.failed, served.failing_for_ms), (1, 0, None));
    assert!(served.served_ms_ago.is_some(), "no such object is an answer as well");

    server.behave(Manners { trouble: (Trouble::Never, When::Before, Which::First(1)), ..HONEST });
    server.take_requests();
    let clone = store.clone();
    let put = tokio::spawn(async move {
        clone.put_new("a.ts", vec![Bytes::from_static(&[7; 1000])], ObjectKind::TsSegment).await
    });
    while server.take_requests().is_empty() {
        yield_now().await;
    }
    let traffic = store.traffic();
    assert_eq!((traffic.under_way, traffic.bytes_under_way, traffic.requests), (1, 1000, 2), "{traffic:?}");
    put.abort();
    assert!(put.await.unwrap_err().is_cancelled());
    let traffic = store.traffic();
    assert_eq!((traffic.under_way, traffic.bytes_under_way, traffic.failed), (0, 0, 0), "{traffic:?}");

    // Two that are not answered within 2 s have failed, the first of them long ago; the next serves again.
    server.behave(Manners { trouble: (Trouble::Never, When::Before, Which::First(2)), ..HONEST });
    for _ in 0..2 {
        let put = store.put_if(Lane::Control, "c.json", body("{}"), ObjectKind::Control, Condition::Absent);
        assert!(matches!(put.await.unwrap(), Conditional::Undecided(_)));
    }
    sleep(Duration::from_secs(3)).await;
    let traffic = store.traffic();
    assert_eq!((traffic.failed, traffic.throttled, traffic.rate_limit), (2, 0, None), "{traffic:?}");
    assert!(traffic.failing_for_ms >= Some(5000) && traffic.served_ms_ago >= Some(7000), "{traffic:?}");
    let created = store.put_new("a.ts", body("x"), ObjectKind::TsSegment).await.unwrap();
    assert_eq!(created, Created::Stored);
    let traffic = store.traffic();
    assert_eq!((traffic.failing_for_ms, traffic.served_ms_ago.map(|ms| ms < 1000)), (None, Some(true)));

    let text = serde_json::to_value(traffic).unwrap();
    assert_eq!((&text["requests"], &text["rate_limit"]), (&5.into(), &serde_json::Value::Null), "{text}");
}

#[tokio::test]
async fn a_folder_is_counted_and_never_limited() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).unwrap();
    for _ in 0..2 {
        let _ = store.put_new("a.ts", body("x"), ObjectKind::TsSegment).await.unwrap();
    }
    assert_eq!(store.get("a.ts", 9).await.unwrap(), "x");
    let Traffic { requests, failed, retries, rate_limit, .. } = store.traffic();
    // The second time it was looked at.
    assert_eq!((requests, failed, retries, rate_limit), (4, 0, 0, None));
}
