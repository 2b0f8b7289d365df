//! A stitched playlist is replaced on the condition that it is still the one that was read: a newer one that somebody
//! writes in between stays.

mod stitch_support;

use std::sync::Arc;

use bytes::Bytes;
use stitch_support::{Counting, make};
use tapeline::ids::Sid;
use tapeline::stitch::{Outcome, StitchOptions, stitch};
use tapeline::store::ObjectKind;

const KEY: &str = "stitched_s1_main.m3u8";

#[tokio::test]
async fn a_newer_playlist_that_comes_in_between_stays() {
    let counting = Arc::new(Counting::default());
    let store = make(&counting, 5).await;
    let made = stitch(&store, &Sid::new("s1").unwrap(), &StitchOptions::default()).await.unwrap();
    let text = &made.outputs[0].playlist;
    // The same with a segment more, and with one less.
    let end = "#EXT-X-ENDLIST\n";
    let more = "#EXT-X-PROGRAM-DATE-TIME:2027-01-01T00:00:00.000Z\n#EXTINF:2.000,\nx.ts\n#EXT-X-ENDLIST\n";
    let newer = Bytes::from(text.replace(end, more));
    let older = text.split_inclusive('\n').take(9).collect::<String>() + end;
    store.put(KEY, vec![Bytes::from(older)], ObjectKind::Playlist).await.unwrap();
    counting.before_next_put(KEY, newer.clone());
    assert_eq!(made.store(&store).await.unwrap(), [(KEY.to_owned(), Outcome::Newer)]);
    assert_eq!(store.get(KEY, 1 << 20).await.unwrap(), newer);
}
