//! Whether a store can hold recordings: each kind of server gets the right verdict, and none is trusted by
//! mistake.
//!
//! `TAPELINE_TEST_S3` names a bucket of a real server, as `.ci/s3 start` sets it.
#![cfg(feature = "aws")]

mod s3_double;

use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::future::join_all;
use s3_double::{Kept, Manners, Missing, S3Double, Trouble, When, Which};
use tapeline::clock::{Clock, SharedClock, Sleep, SystemClock, random_bytes};
use tapeline::continuity::probe::{self, Guarantee, Outcome, Report, Verdict};
use tapeline::continuity::{Form, StoreForm};
use tapeline::store::{ObjectKind, Store};
use tapeline::time::WallTime;
use tapeline::{ErrorKind, Result};

/// The machine's clock, but its pauses are short.
#[derive(Debug, Default)]
struct Hasty(SystemClock);

impl Clock for Hasty {
    fn wall(&self) -> WallTime {
        self.0.wall()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        self.0.sleep(duration / 20)
    }
}

fn hasty() -> SharedClock {
    std::sync::Arc::new(Hasty::default())
}

async fn examine(store: &Store) -> Report {
    let report = probe::examine(store, &hasty(), random_bytes().unwrap()).await.unwrap();
    assert!(report.checks.iter().map(|check| check.guarantee).eq(Guarantee::ALL));
    report
}

async fn prepare(store: &Store) -> Result<Form> {
    probe::prepare(store, &hasty(), random_bytes().unwrap()).await
}

/// The check that was seen to fail.
fn failed(report: &Report) -> Option<Guarantee> {
    report.checks.iter().find(|check| check.outcome == Outcome::Failed).map(|check| check.guarantee)
}

const UPDATE: Verdict = Verdict::Usable(Form::Update);
const NUMBERED: Verdict = Verdict::Usable(Form::Numbered);
const HONEST: Manners = Manners::HONEST;

fn troubled(trouble: Trouble, when: When, which: Which) -> Manners {
    Manners { trouble: (trouble, when, which), ..HONEST }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_server_gets_its_verdict() {
    use Guarantee::{CreateOnce, CreateRace, MissingUpdate, ReadAfterWrite, StaleUpdate, Update, UpdateRace};
    let create = |create| Manners { create, ..HONEST };
    let update = |update| Manners { update, ..HONEST };
    let both = |kept| Manners { create: kept, update: kept, ..HONEST };
    let missing = |missing| Manners { missing, ..HONEST };
    let stale_reads = Manners { stale_reads: true, ..HONEST };
    let weak_etags = Manners { weak_etags: true, ..HONEST };
    // The manners, the verdict, the check that fails, and what was seen.
    let cases = [
        (HONEST, UPDATE, None, ""),
        (missing(Missing::Refused), UPDATE, None, ""),
        (both(Kept::WithConflicts), UPDATE, None, ""),
        (create(Kept::Ignored), Verdict::Refused(CreateOnce), Some(CreateOnce), "ignores If-None-Match"),
        (
            both(Kept::Ignored),
            Verdict::Refused(CreateOnce),
            Some(CreateOnce),
            "answered success and replaced",
        ),
        (
            create(Kept::NotInRaces),
            Verdict::Refused(CreateRace),
            Some(CreateRace),
            "of 16 were answered success",
        ),
        (both(Kept::NotInRaces), Verdict::Refused(CreateRace), Some(CreateRace), "of 16 were"),
        (
            create(Kept::Unsupported),
            Verdict::Refused(ReadAfterWrite),
            Some(ReadAfterWrite),
            "without If-None-Match",
        ),
        (
            create(Kept::NeverHolds),
            Verdict::Refused(ReadAfterWrite),
            Some(ReadAfterWrite),
            "refused each time",
        ),
        (stale_reads, Verdict::Refused(ReadAfterWrite), Some(ReadAfterWrite), "nothing is read"),
        (update(Kept::Ignored), NUMBERED, Some(StaleUpdate), "ignores If-Match"),
        (update(Kept::NotInRaces), NUMBERED, Some(UpdateRace), "of 16 were answered success"),
        (update(Kept::Unsupported), NUMBERED, Some(Update), "without If-Match, but not with it"),
        (update(Kept::NeverHolds), NUMBERED, Some(Update), "refused each time, though its condition held"),
        (weak_etags, NUMBERED, Some(Update), "refused each time"),
        (missing(Missing::Created), NUMBERED, Some(MissingUpdate), "answered success and made an object"),
    ];
    for (manners, verdict, broken, says) in cases {
        let server = S3Double::start(manners).await;
        let report = examine(&server.store()).await;
        assert_eq!((&report.verdict, failed(&report)), (&verdict, broken), "{manners:?}: {report:#?}");
        if let Some(check) = report.checks.iter().find(|check| check.outcome == Outcome::Failed) {
            assert!(check.seen.contains(says), "{manners:?}: {}", check.seen);
        }
        assert_eq!(server.keys(), [""; 0], "{manners:?}: something is left");

        let prepared = prepare(&server.store()).await;
        match verdict {
            Verdict::Usable(form) => {
                assert_eq!(prepared.unwrap(), form);
                assert_eq!(server.keys(), [StoreForm::KEY]);
                assert_eq!(prepare(&server.store()).await.unwrap(), form, "{manners:?}: the quick look");
            }
            _ => {
                let error = prepared.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidInput);
                assert!(error.message().contains("lacks the guarantee"), "{error}");
                assert_eq!(server.keys(), [""; 0], "{manners:?}");
            }
        }
    }
}

const TROUBLES: [Trouble; 5] =
    [Trouble::Status(409), Trouble::Status(429), Trouble::Status(500), Trouble::Status(503), Trouble::Cut];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_that_passes_changes_no_verdict() {
    let update = |update| Manners { update, ..HONEST };
    for trouble in TROUBLES {
        for when in [When::Before, When::After] {
            let with = |manners| Manners { trouble: (trouble, when, Which::First(3)), ..manners };
            let refused = Verdict::Refused(Guarantee::CreateOnce);
            let cases = [
                (HONEST, UPDATE),
                (update(Kept::Ignored), NUMBERED),
                (update(Kept::NeverHolds), NUMBERED),
                (Manners { create: Kept::Ignored, ..HONEST }, refused),
            ];
            for (manners, verdict) in cases {
                let server = S3Double::start(with(manners)).await;
                let report = examine(&server.store()).await;
                assert_eq!(report.verdict, verdict, "{trouble:?} {when:?}: {report:#?}");
                assert_eq!(server.keys(), [""; 0]);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_that_lasts_is_an_error_and_never_a_form() {
    for trouble in TROUBLES {
        for when in [When::Before, When::After] {
            let server = S3Double::start(troubled(trouble, when, Which::First(u32::MAX))).await;
            let report = examine(&server.store()).await;
            assert!(matches!(report.verdict, Verdict::Inconclusive(_)), "{trouble:?} {when:?}: {report:#?}");
            assert_eq!(report.form().unwrap_err().kind(), ErrorKind::Unavailable);
            let error = prepare(&server.store()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert_eq!(server.keys(), [""; 0], "{trouble:?} {when:?}: written down, or left behind");
        }
    }
}

/// Whatever was seen before: each check ends in doubt where nothing more is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_that_begins_on_the_way_is_an_error_and_never_a_form() {
    let mut doubted = std::collections::BTreeSet::new();
    for trouble in [Trouble::Status(409), Trouble::Status(503)] {
        for from in [1, 2, 50, 51, 52, 53] {
            let server = S3Double::start(troubled(trouble, When::Before, Which::From(from))).await;
            let report = examine(&server.store()).await;
            let Verdict::Inconclusive(guarantee) = report.verdict else {
                panic!("{trouble:?} from {from} on: {report:#?}");
            };
            doubted.insert((trouble == Trouble::Status(503), guarantee.name()));
        }
    }
    println!("{doubted:?}");
    // A conflict each time, over a key that nobody else writes, says that it is taken; a failure says nothing.
    assert!(
        doubted.contains(&(true, "create once")) && !doubted.contains(&(false, "create once")),
        "{doubted:?}"
    );
}

/// A fifth of the answers are trouble.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_trouble_makes_no_bad_store_good_and_no_good_one_bad() {
    let (mut told, mut all) = (0, 0);
    let kinds = [(When::Before, 0), (When::After, 1)]
        .map(|(when, seed)| TROUBLES.map(|trouble| (trouble, when, seed)));
    for (trouble, when, seed) in kinds.into_iter().flatten() {
        let with = |manners| Manners { trouble: (trouble, when, Which::Percent(20, seed)), ..manners };
        let cases = [
            (HONEST, UPDATE),
            (Manners { update: Kept::NotInRaces, ..HONEST }, NUMBERED),
            (Manners { create: Kept::NotInRaces, ..HONEST }, Verdict::Refused(Guarantee::CreateRace)),
            (Manners { create: Kept::Ignored, ..HONEST }, Verdict::Refused(Guarantee::CreateOnce)),
        ];
        for (manners, verdict) in cases {
            let report = examine(&S3Double::start(with(manners)).await.store()).await;
            let unclear = matches!(report.verdict, Verdict::Inconclusive(_));
            assert!(unclear || report.verdict == verdict, "{trouble:?} {when:?}: {report:#?}");
            told += usize::from(!unclear);
            all += 1;
        }
    }
    println!("{told} of {all} were judged");
    assert!(told * 10 > all * 9, "{told} of {all}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_answer_is_waited_for() {
    for when in [When::Before, When::After] {
        let late = troubled(Trouble::Late(Duration::from_secs(3)), when, Which::First(1));
        let report = examine(&S3Double::start(late).await.store()).await;
        assert_eq!(report.verdict, UPDATE, "{when:?}: {report:#?}");
    }
}

/// The runtime's clock leaps over the waiting.
#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_is_given_up() {
    for when in [When::Before, When::After] {
        let server = S3Double::start(troubled(Trouble::Never, when, Which::First(2))).await;
        let report = examine(&server.store()).await;
        assert_eq!(report.verdict, UPDATE, "{when:?}: {report:#?}");

        let server = S3Double::start(troubled(Trouble::Never, when, Which::First(u32::MAX))).await;
        let report = examine(&server.store()).await;
        assert!(matches!(report.verdict, Verdict::Inconclusive(_)), "{when:?}: {report:#?}");
        assert!(report.form().unwrap_err().message().contains("no answer within 30 s"), "{report:#?}");
    }
}

#[tokio::test]
async fn a_user_that_may_not_write_is_told_so() {
    let refused = [
        Manners { denied: true, ..HONEST },
        // Neither with a condition nor without.
        Manners { create: Kept::Unsupported, plain_writes_denied: true, ..HONEST },
        Manners { update: Kept::Unsupported, plain_writes_denied: true, ..HONEST },
    ];
    for manners in refused {
        let store = S3Double::start(manners).await.store();
        let error = probe::examine(&store, &hasty(), [7; 8]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(error.message().starts_with("cannot examine s3://rec: "), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let server = S3Double::start(HONEST).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = object_store::aws::AmazonS3Builder::new()
        .with_bucket_name("rec")
        .with_region("us-east-1")
        .with_endpoint(format!("http://{closed}"))
        .with_allow_http(true)
        .with_access_key_id("key")
        .with_secret_access_key("secret")
        .with_retry(object_store::RetryConfig { max_retries: 0, ..Default::default() })
        .build()
        .unwrap();
    let store = Store::from_object_store("s3://rec", std::sync::Arc::new(client));
    let report = examine(&store).await;
    assert_eq!(report.verdict, Verdict::Inconclusive(Guarantee::ReadAfterWrite));
    assert_eq!(prepare(&store).await.unwrap_err().kind(), ErrorKind::Unavailable);
    drop(server);
}

#[tokio::test]
async fn the_first_writes_the_form_down_and_the_others_look_twice_at_most() {
    let server = S3Double::start(HONEST).await;
    assert_eq!(prepare(&server.store()).await.unwrap(), Form::Update);
    let text = server.store().get(StoreForm::KEY, 1000).await.unwrap();
    let all = server.take_requests().len();
    assert_eq!(prepare(&server.store()).await.unwrap(), Form::Update);
    let requests = server.take_requests();
    println!("{all} requests at first, then {requests:#?}");
    assert!(requests.len() <= 16, "{requests:#?}");
    assert_eq!(server.store().get(StoreForm::KEY, 1000).await.unwrap(), text);
    assert_eq!(server.keys(), [StoreForm::KEY]);
}

/// Connections that are still to be opened would hold some racers back until others are through.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racers_write_only_when_all_are_connected() {
    let server = S3Double::start(HONEST).await;
    examine(&server.store()).await;
    let requests = server.take_requests();
    // Who updates has created the object before.
    for (race, before) in [("creates-0", 0), ("updates-0", 1)] {
        let of_race = requests.iter().filter(|request| request.ends_with(race));
        let methods: String =
            of_race.map(|request| if request.starts_with("PUT") { 'P' } else { 'G' }).collect();
        let begin = format!("{}{}{}", "PG".repeat(before), "G".repeat(16), "P".repeat(16));
        assert!(methods.starts_with(&begin), "{race}: {methods}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_first_recordings_agree() {
    let server = S3Double::start(HONEST).await;
    let forms = join_all((0..4).map(|_| async { prepare(&server.store()).await.unwrap() })).await;
    assert_eq!(forms, [Form::Update; 4]);
    assert_eq!(server.keys(), [StoreForm::KEY]);
}

#[tokio::test]
async fn who_comes_second_follows_what_is_written_down() {
    let store = Store::open("memory:").unwrap();
    let theirs = StoreForm::new(Form::Numbered, WallTime::from_millis(1));
    assert_eq!(theirs.clone().write(&store).await.unwrap(), theirs);
    let ours = StoreForm::new(Form::Update, WallTime::from_millis(2));
    assert_eq!(ours.write(&store).await.unwrap(), theirs);
    assert_eq!(StoreForm::read(&store).await.unwrap(), Some(theirs.clone()));
    assert_eq!(prepare(&store).await.unwrap(), Form::Numbered);
    let report = examine(&store).await;
    assert_eq!(report.verdict, UPDATE);
    assert_eq!(probe::write_down(&store, &hasty(), &report).await.unwrap(), theirs);
}

#[tokio::test]
async fn a_store_that_is_no_longer_what_it_was_is_refused() {
    let server = S3Double::start(HONEST).await;
    let store = server.store();
    assert_eq!(prepare(&store).await.unwrap(), Form::Update);
    for update in [Kept::Ignored, Kept::Unsupported, Kept::NeverHolds] {
        server.behave(Manners { update, ..HONEST });
        let error = prepare(&store).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        let says = ["no longer has", StoreForm::KEY, env!("CARGO_PKG_VERSION"), "If-Match"];
        assert!(says.iter().all(|part| error.message().contains(part)), "{error}");
        let report = examine(&store).await;
        let error = probe::write_down(&store, &hasty(), &report).await.unwrap_err();
        assert!(error.message().contains("no longer has"), "{error}");
    }
    server.behave(Manners { create: Kept::Ignored, ..HONEST });
    let error = prepare(&store).await.unwrap_err();
    assert!(error.kind() == ErrorKind::InvalidInput && error.message().contains("If-None-Match"), "{error}");
    server.behave(troubled(Trouble::Status(503), When::Before, Which::First(u32::MAX)));
    assert_eq!(prepare(&store).await.unwrap_err().kind(), ErrorKind::Unavailable);
    server.behave(HONEST);
    assert_eq!(prepare(&store).await.unwrap(), Form::Update);

    let server = S3Double::start(Manners { update: Kept::Unsupported, ..HONEST }).await;
    assert_eq!(prepare(&server.store()).await.unwrap(), Form::Numbered);
    server.behave(HONEST);
    assert_eq!(prepare(&server.store()).await.unwrap(), Form::Numbered, "it can do more now");
    server.behave(Manners { create: Kept::Ignored, ..HONEST });
    assert_eq!(prepare(&server.store()).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn what_is_written_down_must_be_understood() {
    for text in ["", "{}", r#"{"schema":2,"form":"leased"}"#] {
        let store = Store::open("memory:").unwrap();
        let body = vec![Bytes::from_static(text.as_bytes())];
        store.put(StoreForm::KEY, body, ObjectKind::Control).await.unwrap();
        let error = prepare(&store).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
        assert!(error.message().contains(StoreForm::KEY), "{error}");
        assert_eq!(store.get(StoreForm::KEY, 100).await.unwrap(), text, "it is left alone");
    }
}

/// Examined, then prepared twice; nothing but the form is left.
async fn is_of_form(store: &Store, form: Form) {
    let report = examine(store).await;
    assert_eq!(report.verdict, Verdict::Usable(form), "{report:#?}");
    for _ in 0..2 {
        assert_eq!(prepare(store).await.unwrap(), form);
    }
    let left: Vec<String> = store.list("").map_ok(|meta| meta.key).try_collect().await.unwrap();
    assert_eq!(left, [StoreForm::KEY]);
}

#[tokio::test]
async fn memory_has_updates() {
    is_of_form(&Store::open("memory:").unwrap(), Form::Update).await;
}

#[tokio::test]
async fn a_folder_is_numbered() {
    let folder = tempfile::tempdir().unwrap();
    is_of_form(&Store::open(folder.path().to_str().unwrap()).unwrap(), Form::Numbered).await;
    let left = std::fs::read_dir(folder.path().join(".tapeline/probe")).unwrap();
    assert_eq!(left.count(), 0, "folders are left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_server_has_updates() {
    let Ok(url) = std::env::var("TAPELINE_TEST_S3") else {
        eprintln!("skipped: TAPELINE_TEST_S3 names no bucket");
        return;
    };
    let run = u64::from_le_bytes(random_bytes().unwrap());
    is_of_form(&Store::open(&format!("{url}/probe-{run:x}")).unwrap(), Form::Update).await;
}
