//! Create-if-absent under lost and false answers: the result says what the store holds, never what the
//! last answer said.

mod fault_store;

use bytes::Bytes;
use fault_store::{Fault, FaultStore};
use futures_util::TryStreamExt as _;
use tapeline::ErrorKind;
use tapeline::store::{Created, ObjectKind, Store};

fn faulty(puts: &[Fault], gets: &[Fault]) -> Store {
    Store::from_object_store("faulty:", FaultStore::new(puts.iter().copied(), gets.iter().copied()))
}

async fn create(store: &Store, text: &'static str) -> tapeline::Result<Created> {
    store.put_new("a.ts", vec![Bytes::from_static(text.as_bytes())], ObjectKind::TsSegment).await
}

#[tokio::test]
async fn our_own_object_is_known_whatever_the_answer_was() {
    for fault in [Fault::None, Fault::LostAfter, Fault::ExistsAfter] {
        let store = faulty(&[fault], &[]);
        assert_eq!(create(&store, "ours").await.unwrap(), Created::Stored, "{fault:?}");
        assert_eq!(create(&store, "theirs").await.unwrap(), Created::AlreadyThere, "{fault:?}");
        assert_eq!(store.get("a.ts", 9).await.unwrap(), "ours");
    }
}

#[tokio::test]
async fn a_conflict_over_a_key_that_nobody_holds_is_tried_again() {
    let store = faulty(&[Fault::ExistsBefore, Fault::ExistsBefore], &[]);
    assert_eq!(create(&store, "ours").await.unwrap(), Created::Stored);
    assert_eq!(store.get("a.ts", 9).await.unwrap(), "ours");

    let error = create(&faulty(&[Fault::ExistsBefore; 20], &[]), "ours").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

/// One request, and the quick repeats.
const TRIES: usize = 4;

#[tokio::test(start_paused = true)]
async fn what_cannot_be_settled_is_unavailable_and_never_a_conflict() {
    let before = faulty(&[Fault::LostBefore; TRIES], &[]);
    assert_eq!(create(&before, "ours").await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(create(&before, "ours").await.unwrap(), Created::Stored, "the repeat settles it");

    for fault in [Fault::LostAfter, Fault::ExistsAfter] {
        let store = faulty(&[fault], &[Fault::LostBefore; TRIES]);
        let error = create(&store, "ours").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{fault:?}: {error}");
        assert_eq!(create(&store, "ours").await.unwrap(), Created::Stored, "{fault:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_final() {
    let error = create(&faulty(&[Fault::Denied], &[]), "ours").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
}

#[tokio::test]
async fn a_plain_put_outlasts_a_passing_conflict() {
    let put = |store: Store| async move {
        store.put("a.m3u8", vec![Bytes::from_static(b"x")], ObjectKind::Playlist).await.map(drop)
    };
    put(faulty(&[Fault::ExistsBefore], &[])).await.unwrap();
    let error = put(faulty(&[Fault::ExistsBefore; 20], &[])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

/// The caller of a plain write has to look first whether it still may.
#[tokio::test]
async fn a_plain_put_that_fails_is_not_repeated() {
    let faults = FaultStore::new([Fault::LostBefore], []);
    let store = Store::from_object_store("faulty:", faults.clone());
    let put = || store.put("a.m3u8", vec![Bytes::from_static(b"x")], ObjectKind::Playlist);
    assert_eq!(put().await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(faults.written(), []);
    put().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_may_be_sent_twice_is_repeated_a_few_times() {
    for fault in [Fault::LostBefore, Fault::Throttled] {
        for (faults, succeeds) in [(TRIES - 1, true), (TRIES, false)] {
            let gets = std::iter::repeat_n(fault, faults);
            let store = Store::from_object_store("faulty:", FaultStore::new([], gets));
            assert_eq!(create(&store, "ours").await.unwrap(), Created::Stored);
            let got = store.get("a.ts", 9).await;
            assert_eq!(got.is_ok(), succeeds, "{fault:?}: {got:?}");
            assert_eq!(store.traffic().retries, TRIES as u64 - 1);

            let puts = vec![fault; faults];
            let created = create(&faulty(&puts, &[]), "ours").await;
            assert_eq!(created.is_ok(), succeeds, "{fault:?}: {created:?}");
        }
    }
    let denied = faulty(&[Fault::Denied], &[]);
    assert_eq!(create(&denied, "ours").await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(denied.traffic().requests, 1, "a refusal is not repeated");
}

#[tokio::test(start_paused = true)]
async fn a_listing_goes_on_where_it_broke_off() {
    let faults = FaultStore::new([], []);
    let store = Store::from_object_store("faulty:", faults.clone());
    let keys: Vec<String> = (0..9).map(|number| format!("a/{number}.ts")).collect();
    for key in &keys {
        let _ = store.put_new(key, vec![Bytes::from_static(b"x")], ObjectKind::TsSegment).await.unwrap();
    }
    let listed = async || -> tapeline::Result<Vec<String>> {
        store.list("a").map_ok(|meta| meta.key).try_collect().await
    };
    // The numbers are of the whole folder, whatever of it is asked for.
    for breaks in [&[][..], &[0], &[4], &[9], &[3, 3, 3], &[2, 5, 8, 8]] {
        faults.break_listings(breaks.iter().copied());
        assert_eq!(listed().await.unwrap(), keys, "{breaks:?}");
    }
    faults.break_listings([5; TRIES + 1]);
    assert_eq!(listed().await.unwrap_err().kind(), ErrorKind::Unavailable);
}
