//! Verifying recordings of WebM: nothing is found in sound ones, and each kind of damage by its name.

mod webm_support;

use std::collections::BTreeSet;

use bytes::Bytes;
use tapeline::ids::Sid;
use tapeline::severity::Severity;
use tapeline::store::{ObjectKind, Store};
use tapeline::verify::{Depth, Verified, VerifyOptions, verify};
use tapeline::webm::{WebmFaultKind, WebmSurvey};
use webm_support::{
    CLUSTER, CUES, FIXTURES, INFO, SEEK_HEAD, TRACKS, element, elements, files, fixture, recorded,
};

async fn verified(store: &Store) -> Verified {
    let options = VerifyOptions { depth: Depth::Deep, ..VerifyOptions::default() };
    verify(store, &Sid::new("s1").unwrap(), &options, &|_, _| {}).await.unwrap()
}

fn bad(verified: &Verified) -> BTreeSet<String> {
    let kept = verified.findings.kept.iter().filter(|finding| finding.severity > Severity::Note);
    kept.map(|finding| finding.code.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn sound_recordings_have_no_finding() {
    for (name, _) in FIXTURES {
        let verified = verified(&recorded(name, Some(60_000)).await).await;
        assert!(verified.read > 3, "{name}");
        assert_eq!(bad(&verified), BTreeSet::new(), "{name}: {verified:#?}");
    }
}

/// What is done to a segment in the middle, and the errors and warnings about it, but for those of its size and checksum.
type Damage = (&'static str, fn(Vec<u8>) -> Vec<u8>, &'static [&'static str]);

/// The elements of that id at the top.
fn tops(bytes: &[u8], id: u32) -> Vec<webm_support::Element> {
    files(bytes)[0].top.iter().filter(|element| element.id == id).copied().collect()
}

/// Overwrites an element by Void.
fn void(bytes: &mut [u8], begin: usize, end: usize) {
    let size = (end - begin - 9) as u64;
    bytes[begin] = 0xec;
    bytes[begin + 1..begin + 9].copy_from_slice(&(size | 1 << 56).to_be_bytes());
}

const DAMAGES: [Damage; 12] = [
    ("something else", |_| b"no WebM".repeat(1000), &["webm-none"]),
    (
        "it is cut off",
        |bytes| bytes[..bytes.len() * 3 / 4].to_vec(),
        &["webm-cut-off", "segment-duration", "webm-duration", "webm-seek"],
    ),
    (
        "bytes in it are others",
        |mut bytes| {
            let block = files(&bytes)[0].blocks[50].begin;
            bytes[block] = 0;
            bytes
        },
        &["webm-garbage"],
    ),
    (
        "its tracks are gone",
        |mut bytes| {
            let tracks = tops(&bytes, TRACKS)[0];
            void(&mut bytes, tracks.begin, tracks.end.unwrap());
            bytes
        },
        &["webm-tracks-missing"],
    ),
    (
        "the Segment is longer than it says",
        |mut bytes| {
            let at = files(&bytes)[0].segment.0 - 8;
            bytes[at..at + 8].copy_from_slice(&(5000_u64 | 1 << 56).to_be_bytes());
            bytes
        },
        &["webm-size"],
    ),
    (
        "a Cluster is longer than it says",
        |mut bytes| {
            let cluster = tops(&bytes, CLUSTER)[0];
            bytes[cluster.content - 8..cluster.content].copy_from_slice(&(2000_u64 | 1 << 56).to_be_bytes());
            bytes
        },
        &["webm-size"],
    ),
    (
        "the writer never ended it",
        |mut bytes| {
            let at = files(&bytes)[0].segment.0 - 8;
            bytes[at..at + 8].copy_from_slice(&[1, 255, 255, 255, 255, 255, 255, 255]);
            bytes
        },
        &["webm-size-unknown"],
    ),
    (
        "its length is another",
        |mut bytes| {
            let info = tops(&bytes, INFO)[0];
            let field = elements(&bytes, info.content, info.end.unwrap())
                .into_iter()
                .find(|field| field.id == 0x4489);
            bytes[field.unwrap().content..][..8].copy_from_slice(&99_000_f64.to_be_bytes());
            bytes
        },
        &["webm-duration"],
    ),
    (
        "its date is another",
        |mut bytes| {
            let info = tops(&bytes, INFO)[0];
            let field = elements(&bytes, info.content, info.end.unwrap())
                .into_iter()
                .find(|field| field.id == 0x4461);
            bytes[field.unwrap().content..][..8].copy_from_slice(&1_000_000_000_i64.to_be_bytes());
            bytes
        },
        &["segment-start", "break-unmarked"],
    ),
    (
        "a cue leads to another place",
        |mut bytes| {
            let cues = tops(&bytes, CUES)[0];
            let at = bytes[cues.begin..].windows(2).position(|pair| pair == [0xf0, 0x81]).unwrap();
            bytes[cues.begin + at + 2] += 1;
            bytes
        },
        &["webm-cue"],
    ),
    (
        "its index leads nowhere",
        |mut bytes| {
            let head = tops(&bytes, SEEK_HEAD)[0];
            bytes[head.end.unwrap() - 1] ^= 0x55;
            bytes
        },
        &["webm-seek"],
    ),
    (
        "times run back",
        |mut bytes| {
            let blocks = &files(&bytes)[0].blocks;
            let block = blocks.iter().filter(|block| block.track == 1).nth(60).unwrap();
            // Behind the element's header and the track's number.
            let at = element(&bytes, block.begin).content + 1;
            bytes[at..at + 2].copy_from_slice(&(-1500_i16).to_be_bytes());
            bytes
        },
        &["webm-time-back"],
    ),
];

#[tokio::test(start_paused = true)]
async fn each_damage_is_found_by_its_name() {
    let store = recorded("vp8_opus", Some(60_000)).await;
    let listed = store.list_folder("").await.unwrap();
    let segments: Vec<&str> = listed.objects.iter().map(|object| object.key.as_str()).collect();
    // The second segment of the first turn.
    let key =
        segments.iter().filter(|key| key.starts_with("s1_main_") && key.ends_with(".webm")).nth(1).unwrap();
    let good = store.get(key, 1 << 30).await.unwrap().to_vec();
    let kind = ObjectKind::WebmSegment;
    let mut wrong = Vec::new();
    for (what, damage, codes) in DAMAGES {
        store.put(key, vec![Bytes::from(damage(good.clone()))], kind).await.unwrap();
        let verified = verified(&store).await;
        let mut found = bad(&verified);
        for code in ["segment-hash", "segment-size", "segments-total"] {
            found.remove(code);
        }
        let expected: BTreeSet<String> = codes.iter().map(|code| (*code).to_owned()).collect();
        if found != expected {
            wrong.push(format!("{what}: {found:?}, not {expected:?}: {:#?}", verified.findings.kept));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_survey_does_not_depend_on_chunks_and_bears_any_damage() {
    for (name, _) in FIXTURES {
        let whole = fixture(name);
        let survey = WebmSurvey::of(&Bytes::from(whole.clone()));
        assert!(survey.tracks.iter().all(|track| track.blocks > 0), "{name}");
        let mut look = tapeline::webm::WebmLook::new();
        whole.chunks(977).for_each(|chunk| look.push(&Bytes::copy_from_slice(chunk)));
        assert_eq!(look.finish(), survey, "{name}");
        for seed in 0..40_usize {
            let mut bytes = whole.clone();
            for n in 0..8 {
                let at = (seed * 7919 + n * 104_729) % bytes.len();
                bytes[at] ^= (seed * 31 + n) as u8 | 1;
            }
            bytes.truncate(bytes.len() - seed * 11 % bytes.len());
            let _ = WebmSurvey::of(&Bytes::from(bytes));
        }
    }
    let browser = WebmSurvey::of(&Bytes::from(fixture("browser")));
    assert!(browser.counts.contains_key(&WebmFaultKind::SizeUnknown));
}
