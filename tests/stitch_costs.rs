//! What stitching costs: one listing and one read of each playlist, whatever the number of segments, and none of a segment.
//!
//! `TAPELINE_TEST_SEGMENTS` sets the number of segments; the time that 20,000 take is printed, and not judged.

mod stitch_support;

use std::collections::BTreeMap;
use std::sync::Arc;

use stitch_support::{Counting, make};
use tapeline::clock::{Clock, SystemClock};
use tapeline::ids::Sid;
use tapeline::playlist::check;
use tapeline::stitch::{StitchOptions, stitch};

#[tokio::test]
async fn requests_do_not_grow_with_the_recording() {
    let segments = std::env::var("TAPELINE_TEST_SEGMENTS").map_or(2000, |text| text.parse().unwrap());
    let counting = Arc::new(Counting::default());
    let store = make(&counting, segments / 4).await;
    let sid = Sid::new("s1").unwrap();
    let clock = SystemClock::new();
    let made = stitch(&store, &sid, &StitchOptions::default()).await.unwrap();
    println!("{segments} segments stitched in {:?}", clock.monotonic());
    let asked = counting.take();
    // store.json (twice: can it be used, what does it say), the control object and 4 seals.
    let state = 2 + 1 + 4;
    // And for each generation whether anything of it was salvaged.
    let whole = BTreeMap::from([("get state", state + 4), ("get playlist", 4), ("list", 1)]);
    assert_eq!(asked, whole);
    let report = &made.outputs[0].report;
    assert_eq!((report.segments as i64, report.gaps.len()), (segments, 3));
    assert_eq!(report.gap_millis, 90_000);
    assert!(made.notes.is_empty(), "{:?}", made.notes);
    assert_eq!(check(made.outputs[0].playlist.as_bytes()), []);
    // By seals alone even the listing is not needed.
    let sealed = StitchOptions { sealed_only: true, ..StitchOptions::default() };
    let again = stitch(&store, &sid, &sealed).await.unwrap();
    assert_eq!(again.outputs[0].playlist, made.outputs[0].playlist);
    assert_eq!(counting.take(), BTreeMap::from([("get state", state), ("get playlist", 4)]));
}
