//! Whatever is wrong with a bucket, stitching ends, and its report adds up.
//!
//! Recordings of three generations, with and without a control object, get random damage: objects removed, cut short,
//! swapped, emptied, overwritten in the middle, renamed. `TAPELINE_TEST_DAMAGE` sets how many buckets are tried,
//! `TAPELINE_TEST_SEED` the first one's seed.

mod verify_support;

use std::collections::BTreeMap;

use bytes::Bytes;
use tapeline::ids::Sid;
use tapeline::playlist::check;
use tapeline::stitch::{GapMode, StitchOptions, stitch, stitch_playlists, stitchable};
use tapeline::store::{ObjectKind, Store};
use tapeline::verify::{Depth, VerifyOptions, verify};
use verify_support::Bucket;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

fn damage(bucket: &mut BTreeMap<String, Bytes>, random: &mut Random) -> String {
    let keys: Vec<String> = bucket.keys().cloned().collect();
    let (one, other) = (&keys[random.below(keys.len())], &keys[random.below(keys.len())]);
    let body = bucket[one].clone();
    let at = random.below(body.len());
    let what = random.below(7);
    match what {
        0 => drop(bucket.remove(one)),
        1 => drop(bucket.insert(one.clone(), body.slice(..at))),
        2 => drop(bucket.insert(one.clone(), Bytes::new())),
        3 => {
            let mut changed = body.to_vec();
            let len = random.below(40).min(changed.len() - at);
            changed[at..at + len].iter_mut().for_each(|byte| *byte = random.next() as u8);
            bucket.insert(one.clone(), Bytes::from(changed));
        }
        4 => {
            let swapped = bucket.insert(other.clone(), body).unwrap();
            bucket.insert(one.clone(), swapped);
        }
        5 => {
            // A line of a list is lost, or comes twice.
            let mut lines: Vec<&[u8]> = body.split_inclusive(|byte| *byte == b'\n').collect();
            let line = random.below(lines.len());
            if random.below(2) == 0 {
                lines.remove(line);
            } else {
                lines.insert(line, lines[line]);
            }
            bucket.insert(one.clone(), Bytes::from(lines.concat()));
        }
        _ => {
            let named = one.replacen(char::from(b'0' + random.below(4) as u8), "7", 1);
            bucket.remove(one);
            bucket.insert(named, body);
        }
    }
    format!("{what} {one} {other} {at}")
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

#[tokio::test]
async fn any_damage_ends_in_a_report_that_adds_up_or_an_error() {
    let whole = Bucket::recorded().await.0;
    let first = number("TAPELINE_TEST_SEED").unwrap_or(1);
    let mut stitched = 0;
    let tries = number("TAPELINE_TEST_DAMAGE").unwrap_or(120);
    for seed in first..first + tries {
        let mut random = Random(seed);
        let mut bucket = whole.clone();
        if random.below(3) == 0 {
            bucket.retain(|key, _| !key.starts_with(".tapeline/"));
        }
        let done: Vec<String> = (0..1 + random.below(4)).map(|_| damage(&mut bucket, &mut random)).collect();
        let store = Store::open("memory:").unwrap();
        for (key, body) in &bucket {
            // Some names are no keys any more.
            let _ = store.put(key, vec![body.clone()], ObjectKind::Control).await;
        }
        let gap = if random.below(2) == 0 { GapMode::Tag } else { GapMode::Collapse };
        let options = StitchOptions { gap, rewrite: random.below(3) > 0, ..StitchOptions::default() };
        let _ = stitchable(&store).await;
        // What it finds is for another test; that it ends is for this one.
        let deep = VerifyOptions { depth: Depth::Deep, ..VerifyOptions::default() };
        let _ = verify(&store, &Sid::new("s1").unwrap(), &deep, &|_, _| {}).await;
        let keys: Vec<String> = bucket.keys().filter(|key| key.ends_with(".m3u8")).cloned().collect();
        let all = [
            stitch(&store, &Sid::new("s1").unwrap(), &options).await,
            stitch_playlists(&store, &keys, &options).await,
        ];
        for made in all.into_iter().flatten() {
            stitched += 1;
            for output in &made.outputs {
                let report = &output.report;
                let said = format!("seed {seed}, {done:?}: {report}");
                assert_eq!(report.covered_millis + report.uncovered_millis, report.span_millis, "{said}");
                let played = i64::try_from(report.duration_millis).unwrap();
                assert_eq!(played, report.covered_millis + report.repeated_millis, "{said}");
                let findings = check(output.playlist.as_bytes());
                assert!(findings.is_empty(), "{said}\n{findings:?}\n{}", output.playlist);
            }
            made.store(&store).await.unwrap();
        }
    }
    println!("{stitched} of {} could be stitched", 2 * tries);
    assert!(stitched > tries, "damage is so small that most can be stitched: {stitched} of {}", 2 * tries);
}
