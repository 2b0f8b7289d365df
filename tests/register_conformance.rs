//! What must hold of a register, in both forms, on every store: one list of checks, run on memory, on a folder,
//! on a server of our own and on a real one; and what its answers are worth when some are lost.
//!
//! `TAPELINE_TEST_S3` names a bucket of a real server, as `.ci/s3 start` sets it.

mod control_support;
mod fault_store;
#[cfg(feature = "aws")]
mod s3_double;

use bytes::Bytes;
use control_support::{addition, claimed, entry, started};
use fault_store::{Fault, FaultStore};
use futures_util::future::join_all;
use tapeline::ErrorKind;
use tapeline::clock::random_bytes;
use tapeline::continuity::{Change, ControlObject, Form, Heard, Next, Register, Swapped, Version};
use tapeline::ids::Sid;
use tapeline::store::Store;

/// A place for registers: a store, and the form they have there.
#[derive(Clone)]
struct Place {
    store: Store,
    form: Form,
}

impl Place {
    /// A register that nobody has used, and its recording.
    fn fresh(&self) -> (Register, Sid) {
        let sid = Sid::from_random(random_bytes().unwrap());
        (self.cold(&sid), sid)
    }

    /// Another handle on a register, which knows nothing yet.
    fn cold(&self, sid: &Sid) -> Register {
        Register::new(&self.store, self.form, sid)
    }
}

fn body(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

#[track_caller]
fn won(swapped: tapeline::Result<Swapped>) -> Version {
    match swapped.unwrap() {
        Swapped::Won(version) => version,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(swapped: tapeline::Result<Swapped>) {
    assert!(matches!(swapped.unwrap(), Swapped::Refused(_)));
}

async fn holds(register: &Register, text: &str) -> Version {
    let (found, version) = register.read().await.unwrap().expect("a version");
    assert_eq!(found, text);
    version
}

async fn an_unused_register_is_empty(place: &Place) {
    let (register, _) = place.fresh();
    for _ in 0..2 {
        assert_eq!(register.read().await.unwrap(), None);
    }
}

async fn it_is_created_once(place: &Place) {
    let (register, sid) = place.fresh();
    let version = won(register.swap(None, body("one")).await);
    refused(register.swap(None, body("two")).await);
    refused(place.cold(&sid).swap(None, body("two")).await);
    assert_eq!(holds(&register, "one").await, version);
}

async fn a_swap_on_the_latest_version_wins(place: &Place) {
    let (register, sid) = place.fresh();
    let mut version = won(register.swap(None, body("0")).await);
    for number in 1..6 {
        // On the version that the swap answered, and on the one that somebody else reads.
        if number % 2 == 0 {
            version = holds(&place.cold(&sid), &(number - 1).to_string()).await;
        }
        version = won(register.swap(Some(&version), body(&number.to_string())).await);
        assert_eq!(holds(&register, &number.to_string()).await, version);
    }
}

async fn a_swap_on_an_older_version_is_refused_and_changes_nothing(place: &Place) {
    let (register, _) = place.fresh();
    let mut versions = vec![None];
    for number in 0..4 {
        let version = won(register.swap(versions[number].as_ref(), body(&number.to_string())).await);
        versions.push(Some(version));
    }
    let latest = versions.pop().unwrap();
    for older in &versions {
        refused(register.swap(older.as_ref(), body("late")).await);
        assert_eq!(Some(holds(&register, "3").await), latest);
    }
    won(register.swap(latest.as_ref(), body("4")).await);
}

async fn racing_swaps_have_one_winner(place: &Place) {
    let (register, sid) = place.fresh();
    let mut base = None;
    for round in 0..3 {
        let bodies: Vec<String> = (0..3).map(|racer| format!("{round}-{racer}")).collect();
        let race = bodies.iter().map(|text| {
            let (register, base) = (place.cold(&sid), base.clone());
            async move { register.swap(base.as_ref(), body(text)).await.unwrap() }
        });
        let ends = join_all(race).await;
        let winners: Vec<usize> =
            (0..).zip(&ends).filter(|(_, end)| matches!(end, Swapped::Won(_))).map(|(n, _)| n).collect();
        let (found, version) = register.read().await.unwrap().expect("a version");
        let holder = bodies.iter().position(|text| *text == found).expect("one of theirs");
        // Not more of them: a real server may need longer than the 2 s it has to tell five apart.
        assert!(winners.len() <= 1, "{ends:?}");
        assert!(winners.iter().all(|winner| *winner == holder), "{holder}: {ends:?}");
        assert!(!matches!(ends[holder], Swapped::Refused(_)) || winners.is_empty(), "{ends:?}");
        base = Some(version);
    }
}

async fn a_cold_register_reads_the_latest(place: &Place) {
    let (register, sid) = place.fresh();
    let early = place.cold(&sid);
    let mut version = won(register.swap(None, body("0")).await);
    holds(&early, "0").await;
    for number in 1..12 {
        version = won(register.swap(Some(&version), body(&number.to_string())).await);
    }
    assert_eq!(holds(&place.cold(&sid), "11").await, version);
    assert_eq!(holds(&early, "11").await, version, "one that knew an older version");
}

async fn bodies_come_back_as_they_were(place: &Place) {
    let (register, sid) = place.fresh();
    let mut version = None;
    for length in [0, 1, 188, 65_536, 1_000_003] {
        let body: Bytes = (0..length).map(|n: u32| (n % 251) as u8).collect();
        version = Some(won(register.swap(version.as_ref(), body.clone()).await));
        let (found, read) = place.cold(&sid).read().await.unwrap().unwrap();
        assert!(found == body, "{length} bytes");
        assert_eq!(Some(read), version);
    }
}

async fn recordings_do_not_mix(place: &Place) {
    let ((one, _), (other, _)) = (place.fresh(), place.fresh());
    won(one.swap(None, body("one")).await);
    assert_eq!(other.read().await.unwrap(), None);
    won(other.swap(None, body("other")).await);
    holds(&one, "one").await;
}

async fn a_version_of_the_other_form_is_an_error(place: &Place) {
    let (register, sid) = place.fresh();
    won(register.swap(None, body("one")).await);
    let other = match place.form {
        Form::Update => Version::Number(1),
        Form::Numbered => Version::Update(object_store::UpdateVersion { e_tag: None, version: None }),
    };
    let error = register.swap(Some(&other), body("two")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    holds(&place.cold(&sid), "one").await;
}

/// Beside its versions the folder holds seals, and perhaps what somebody put there.
async fn other_objects_in_the_folder_are_no_versions(place: &Place) {
    let (register, sid) = place.fresh();
    won(register.swap(None, body("one")).await);
    for name in ["seal-0-1.json", "99999999999999999999.json", "2.json", "00000000000000000002", "x/y.json"] {
        let kind = tapeline::store::ObjectKind::Control;
        place.store.put(&register.key(name), vec![body("no version")], kind).await.unwrap();
    }
    holds(&place.cold(&sid), "one").await;
}

/// A name that was put there must not end the program.
#[tokio::test]
async fn there_is_no_version_after_the_last_number() {
    let place = Place { store: Store::open("memory:").unwrap(), form: Form::Numbered };
    let (register, sid) = place.fresh();
    let key = register.key(&format!("{}.json", u64::MAX));
    place.store.put(&key, vec![body("last")], tapeline::store::ObjectKind::Control).await.unwrap();
    let version = holds(&place.cold(&sid), "last").await;
    let error = register.swap(Some(&version), body("more")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
}

/// All of it.
async fn conforms(store: &Store, form: Form) {
    let place = Place { store: store.clone(), form };
    an_unused_register_is_empty(&place).await;
    it_is_created_once(&place).await;
    a_swap_on_the_latest_version_wins(&place).await;
    a_swap_on_an_older_version_is_refused_and_changes_nothing(&place).await;
    racing_swaps_have_one_winner(&place).await;
    a_cold_register_reads_the_latest(&place).await;
    bodies_come_back_as_they_were(&place).await;
    recordings_do_not_mix(&place).await;
    a_version_of_the_other_form_is_an_error(&place).await;
    other_objects_in_the_folder_are_no_versions(&place).await;
}

#[tokio::test]
async fn memory_conforms_in_both_forms() {
    for form in [Form::Update, Form::Numbered] {
        conforms(&Store::open("memory:").unwrap(), form).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_conforms() {
    let folder = tempfile::tempdir().unwrap();
    conforms(&Store::open(folder.path().to_str().unwrap()).unwrap(), Form::Numbered).await;
}

#[cfg(feature = "aws")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_conforms_in_both_forms() {
    use s3_double::{Kept, Manners, S3Double};
    let manners = Manners { create: Kept::WithConflicts, update: Kept::WithConflicts, ..Manners::HONEST };
    for manners in [Manners::HONEST, manners] {
        for form in [Form::Update, Form::Numbered] {
            conforms(&S3Double::start(manners).await.store(), form).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_server_conforms_in_both_forms() {
    let Ok(url) = std::env::var("TAPELINE_TEST_S3") else {
        eprintln!("skipped: TAPELINE_TEST_S3 names no bucket");
        return;
    };
    let run = u64::from_le_bytes(random_bytes().unwrap());
    for form in [Form::Update, Form::Numbered] {
        conforms(&Store::open(&format!("{url}/register-{run:x}-{form}")).unwrap(), form).await;
    }
}

/// A warm numbered register goes forward; only a cold one lists.
#[cfg(feature = "aws")]
#[tokio::test]
async fn numbered_reading_lists_only_when_cold() {
    use s3_double::{Manners, S3Double};
    let server = S3Double::start(Manners::HONEST).await;
    let place = Place { store: server.store(), form: Form::Numbered };
    let (register, sid) = place.fresh();
    let mut version = won(register.swap(None, body("1")).await);
    for number in 2..=5 {
        version = won(register.swap(Some(&version), body(&number.to_string())).await);
    }
    server.take_requests();
    let read = |numbers: &[u32]| -> Vec<String> {
        numbers.iter().map(|number| format!("GET .tapeline/recordings/{sid}/{number:020}.json")).collect()
    };
    holds(&register, "5").await;
    assert_eq!(server.take_requests(), read(&[5, 6]));
    let cold = place.cold(&sid);
    holds(&cold, "5").await;
    assert_eq!(server.take_requests(), [vec!["GET ".to_owned()], read(&[5, 6])].concat(), "a list first");
    for number in 6..=8 {
        version = won(register.swap(Some(&version), body(&number.to_string())).await);
    }
    server.take_requests();
    holds(&cold, "8").await;
    assert_eq!(server.take_requests(), read(&[5, 6, 7, 8, 9]));
    holds(&cold.clone(), "8").await;
    assert_eq!(server.take_requests(), read(&[8, 9]), "a clone knows what it knows");
}

const FAULTS: [Fault; 5] =
    [Fault::None, Fault::LostAfter, Fault::ExistsAfter, Fault::ExistsBefore, Fault::LostBefore];

/// A store in memory that fails as told, and a register in it.
fn faulty(form: Form) -> (std::sync::Arc<FaultStore>, Register) {
    let faults = FaultStore::new([], []);
    let store = Store::from_object_store("faulty:", faults.clone());
    let register = Register::new(&store, form, &control_support::id().sid);
    (faults, register)
}

#[tokio::test]
async fn an_answer_is_never_a_false_win() {
    for form in [Form::Update, Form::Numbered] {
        for fault in FAULTS {
            let (faults, register) = faulty(form);
            // A create, then an update of what is there then; each fault in each.
            let mut base = None;
            for text in ["first", "second"] {
                faults.script_puts([fault]);
                let swapped = register.swap(base.as_ref(), body(text)).await.unwrap();
                let found = register.read().await.unwrap();
                let ours = found.as_ref().is_some_and(|(found, _)| found == text);
                match (fault, swapped) {
                    (Fault::None, Swapped::Won(version)) => {
                        assert_eq!(Some(version), found.clone().map(|found| found.1))
                    }
                    (Fault::LostAfter, Swapped::Undecided(_)) | (Fault::ExistsAfter, Swapped::Refused(_)) => {
                        assert!(ours, "it was carried out");
                    }
                    (Fault::LostBefore, Swapped::Undecided(_))
                    | (Fault::ExistsBefore, Swapped::Refused(_)) => {
                        assert!(!ours, "it was not carried out");
                        // The repeat of the same body is.
                        won(register.swap(base.as_ref(), body(text)).await);
                    }
                    (fault, swapped) => panic!("{form} {fault:?}: {swapped:?}"),
                }
                base = Some(holds(&register, text).await);
            }
            faults.script_puts([Fault::Denied]);
            let error = register.swap(base.as_ref(), body("third")).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            holds(&register, "second").await;
        }
    }
}

/// Carries a change out; gives the nonce that is there in the end, if the change was lost.
async fn settle(
    register: &Register,
    base: Option<&(ControlObject, Version)>,
    to: &ControlObject,
) -> Result<(), String> {
    let mut change = Change::new(base.map(|(state, version)| (state, version)), to);
    for _ in 0..100 {
        let heard = match change.next() {
            Next::Swap(on, body) => match register.swap(on.as_ref(), body).await.unwrap() {
                Swapped::Won(version) => Heard::Swapped(version),
                Swapped::Refused(_) | Swapped::Undecided(_) => Heard::NotSwapped,
            },
            Next::Read => match register.read().await {
                Ok(found) => Heard::Found(
                    found.map(|(text, version)| Box::new((ControlObject::decode(&text).unwrap(), version))),
                ),
                Err(_) => Heard::NotRead,
            },
            Next::Pause => Heard::Paused,
            Next::Won(version) => {
                let (found, read) = register.read().await.unwrap().unwrap();
                assert_eq!((found, read), (to.encode(), version), "what was won is there");
                return Ok(());
            }
            Next::Lost(found) => return Err(found.map(|found| found.0.nonce).unwrap_or_default()),
        };
        change.hear(heard);
    }
    panic!("never settled")
}

/// Every sequence of three faults.
fn sequences() -> impl Iterator<Item = [Fault; 3]> {
    FAULTS.into_iter().flat_map(|a| FAULTS.into_iter().flat_map(move |b| FAULTS.map(|c| [a, b, c])))
}

#[tokio::test]
async fn a_change_alone_is_won_whatever_is_lost() {
    for form in [Form::Update, Form::Numbered] {
        for faults in sequences() {
            let (store, register) = faulty(form);
            let start = started();
            store.script_puts(faults);
            settle(&register, None, &start).await.unwrap();
            let (_, version) = register.read().await.unwrap().unwrap();
            let next = start.commit(&[addition(0, vec![entry(0)], 0)], "a0-2".to_owned());
            store.script_puts(faults);
            settle(&register, Some(&(start, version)), &next).await.unwrap();
            let written = store.written();
            assert_eq!(written.len(), 2, "{form} {faults:?}: each was carried out once");
        }
    }
}

#[tokio::test]
async fn of_two_changes_of_a_version_one_is_won_whatever_is_lost() {
    for form in [Form::Update, Form::Numbered] {
        for faults in sequences() {
            let (store, register) = faulty(form);
            let start = started();
            settle(&register, None, &start).await.unwrap();
            let (_, version) = register.read().await.unwrap().unwrap();
            let base = (start, version);
            let commit = base.0.commit(&[addition(0, vec![entry(0)], 0)], "a0-2".to_owned());
            let claim = claimed(&base.0, "b0");
            store.script_puts(faults);
            let one = settle(&register, Some(&base), &claim).await;
            store.script_puts(faults);
            let other = settle(&register, Some(&base), &commit).await;
            assert_eq!(one, Ok(()), "{form} {faults:?}");
            assert_eq!(other, Err(claim.nonce.clone()), "{form} {faults:?}");
            assert_eq!(register.read().await.unwrap().unwrap().0, claim.encode());
        }
    }
}
