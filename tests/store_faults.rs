//! Create-if-absent under lost and false answers: the result says what the store holds, never what the
//! last answer said.

mod fault_store;

use bytes::Bytes;
use fault_store::{Fault, FaultStore};
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

#[tokio::test]
async fn what_cannot_be_settled_is_unavailable_and_never_a_conflict() {
    let before = faulty(&[Fault::LostBefore], &[]);
    assert_eq!(create(&before, "ours").await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(create(&before, "ours").await.unwrap(), Created::Stored, "the repeat settles it");

    for fault in [Fault::LostAfter, Fault::ExistsAfter] {
        let store = faulty(&[fault], &[Fault::LostBefore]);
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
