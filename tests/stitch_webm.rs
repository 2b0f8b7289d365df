//! Stitching recordings of WebM: where turns overlap the older segment is trimmed into a file that plays; what nothing lists is
//! found.

mod webm_support;

use bytes::Bytes;
use tapeline::ids::Sid;
use tapeline::stitch::{Fate, StitchOptions, Stitched, stitch};
use tapeline::store::{ObjectKind, Store};
use tapeline::time::MediaSpan;
use tapeline::webm::{WebmSurvey, trim};
use webm_support::{Block, FIXTURES, check_index, files, fixture, recorded};

async fn stitched(store: &Store) -> Stitched {
    stitch(store, &Sid::new("s1").unwrap(), &StitchOptions::default()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn where_turns_overlap_the_older_segment_is_trimmed() {
    let store = recorded("vp8_opus", Some(9_300)).await;
    let made = stitched(&store).await;
    let output = &made.outputs[0];
    let report = &output.report;
    assert_eq!((report.span_millis, report.covered_millis, report.repeated_millis), (21_300, 21_300, 0));
    let [rewrite] = &output.rewrites[..] else { panic!("{:?}", report.decisions) };
    assert!(
        rewrite.key.starts_with("stitched_s1_main_2026") && rewrite.key.ends_with(".webm"),
        "{}",
        rewrite.key
    );
    let trimmed = report.decisions.iter().find_map(|decision| match &decision.fate {
        Fate::Trimmed { cut_millis, pictures_lost, .. } => Some((*cut_millis, *pictures_lost)),
        _ => None,
    });
    assert_eq!(trimmed, Some((2_700, 0)));
    let survey = WebmSurvey::of(&Bytes::from(rewrite.body.concat()));
    assert!(survey.faults.is_empty(), "{:?}", survey.faults);
    // 1.3 s of 25 pictures a second.
    assert_eq!((survey.tracks[0].blocks, survey.tracks[0].first_is_key), (33, Some(true)));
    made.store(&store).await.unwrap();
    assert_eq!(stitched(&store).await, made, "the same again");
}

#[test]
fn what_is_trimmed_is_the_begin_of_each_track() {
    for (name, _) in FIXTURES.into_iter().filter(|(name, _)| *name != "restart" && *name != "browser") {
        let whole = fixture(name);
        let all = &files(&whole)[0].blocks;
        let lead = all.iter().find(|block| block.track == 1).unwrap().at;
        for millis in [1, 500, 1999, 2000, 3210] {
            let cut = trim(&Bytes::from(whole.clone()), MediaSpan::from_millis(millis)).unwrap();
            let made = files(&cut.body);
            assert_eq!(made.len(), 1);
            check_index(&cut.body, &made[0], name);
            let before = |track: u8| -> Vec<&Block> {
                all.iter().filter(|block| block.track == track && block.at < lead + millis).collect()
            };
            for track in [1, 2] {
                let ours: Vec<&Block> = made[0].blocks.iter().filter(|block| block.track == track).collect();
                let theirs = before(track);
                assert_eq!(ours.len(), theirs.len(), "{name}, track {track}, {millis} ms");
                assert!(ours.iter().zip(&theirs).all(|(ours, theirs)| ours.body == theirs.body), "{name}");
            }
            assert_eq!((cut.kept, cut.pictures_lost), (before(1).len() as u64, 0), "{name}");
        }
    }
    assert_eq!(trim(&Bytes::from_static(b"no WebM"), MediaSpan::from_secs(1)), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_stored_and_listed_nowhere_fills_its_gap() {
    let store = recorded("vp8_opus", Some(30_000)).await;
    let before = stitched(&store).await.outputs.remove(0).report;
    assert_eq!((before.covered_millis, before.gap_millis), (24_000, 18_000));
    let segment = store.get("s1_main_20261123010000000.webm", 1 << 30).await.unwrap();
    store.put("s1_main_20261123010014000.webm", vec![segment], ObjectKind::WebmSegment).await.unwrap();
    let after = stitched(&store).await.outputs.remove(0).report;
    assert!((after.covered_millis - 28_000).abs() < 50, "{after:?}");
    assert!(after.decisions.iter().any(|decision| matches!(decision.fate, Fate::Filled { .. })), "{after:?}");
}
