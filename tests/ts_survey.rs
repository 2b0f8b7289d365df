//! What a survey says of a transport stream: against ffprobe, whatever the chunks, and whatever the bytes.

mod support;

use std::process::Command;
use std::sync::LazyLock;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;
use support::{FIXTURES, fixture, fixture_bytes, skip, tool};
use tapeline::severity::Severity;
use tapeline::ts::{FaultKind, StreamKind, Survey, TsSurvey};

fn survey(chunks: &[&[u8]]) -> TsSurvey {
    let mut survey = Survey::new();
    chunks.iter().for_each(|chunk| survey.push(&Bytes::copy_from_slice(chunk)));
    survey.finish()
}

/// One of ffprobe's packets: its PID, its PTS, whether decoding can begin there.
type Probed = (u64, Option<i64>, bool);

fn probed(name: &str) -> Option<Vec<Probed>> {
    let said = Command::new(tool("ffprobe")?)
        .args(["-v", "error", "-of", "json", "-show_packets", "-show_streams"])
        .arg(fixture(name))
        .output()
        .unwrap();
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    let id = |index: &Value| {
        let streams = said["streams"].as_array().unwrap();
        let stream = streams.iter().find(|stream| stream["index"] == *index).unwrap();
        u64::from_str_radix(stream["id"].as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
    };
    let packets = said["packets"].as_array().unwrap().iter().map(|packet| {
        let key = packet["flags"].as_str().unwrap().starts_with('K');
        (id(&packet["stream_index"]), packet["pts"].as_i64(), key)
    });
    Some(packets.collect())
}

#[test]
fn pictures_key_frames_and_times_are_those_that_ffprobe_finds() {
    // ffprobe joins what clock_jump and garbage break, and reads both programs of the one with two.
    for name in
        ["h264_aac", "h265_aac", "h264_opus", "size_change", "straddle", "long_pmt", "m2ts_192", "rs_204"]
    {
        let Some(packets) = probed(name) else { return skip("ffprobe") };
        let survey = TsSurvey::of(&Bytes::from(fixture_bytes(name)));
        let base = i64::try_from(survey.base.unwrap().bits()).unwrap();
        let video = survey.lead().unwrap();
        assert!(matches!(video.kind, StreamKind::Video(Some(_))));
        let own: Vec<_> = packets.iter().filter(|packet| packet.0 == u64::from(video.pid.get())).collect();
        assert_eq!(video.units, own.len() as u64, "{name}");
        assert_eq!(video.key_units, own.iter().filter(|packet| packet.2).count() as u64, "{name}");
        let first = own.iter().filter_map(|packet| packet.1).min();
        let last = own.iter().filter_map(|packet| packet.1).max();
        assert_eq!(video.first_pts.map(|time| time.ticks() + base), first, "{name}");
        assert_eq!(video.last_pts.map(|time| time.ticks() + base), last, "{name}");
        let sound = survey.streams.iter().find(|stream| matches!(stream.kind, StreamKind::Audio(_)));
        let sound = sound.filter(|sound| sound.units > 0).unwrap();
        let first = packets
            .iter()
            .filter(|packet| packet.0 == u64::from(sound.pid.get()))
            .find_map(|packet| packet.1);
        assert_eq!(sound.first_pts.map(|time| time.ticks() + base), first, "{name}");
    }
}

#[test]
fn sound_streams_have_no_fault_and_broken_ones_have_theirs() {
    for known in FIXTURES {
        let survey = TsSurvey::of(&Bytes::from(fixture_bytes(known.name)));
        let kinds: Vec<FaultKind> = survey.counts.keys().copied().collect();
        let bad: Vec<FaultKind> = kinds.into_iter().filter(|kind| kind.severity() > Severity::Note).collect();
        let expected: &[FaultKind] = match known.name {
            "clock_jump" => &[FaultKind::ContinuityGap, FaultKind::DtsBack, FaultKind::PcrBack],
            "garbage" => &[FaultKind::Garbage, FaultKind::ContinuityGap],
            _ => &[],
        };
        assert_eq!(bad, expected, "{}: {:#?}", known.name, survey.faults);
    }
}

#[test]
fn every_kind_of_fault_has_a_name_of_its_own() {
    let codes: std::collections::BTreeSet<_> = FaultKind::ALL.iter().map(|kind| kind.code()).collect();
    assert_eq!(codes.len(), FaultKind::ALL.len());
    assert!(codes.iter().all(|code| code.starts_with("ts-")));
}

#[test]
fn nothing_is_no_transport_stream() {
    for bytes in [&b""[..], b"#EXTM3U\n", &[0x47; 100]] {
        let survey = survey(&[bytes]);
        assert_eq!(survey.packets, 0);
        assert!(survey.counts.contains_key(&FaultKind::NotTs));
    }
}

static BROKEN: LazyLock<Vec<u8>> = LazyLock::new(|| fixture_bytes("garbage"));

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn chunking_changes_nothing(
        at in 0usize..100_000,
        noise in prop::collection::vec(any::<u8>(), 0..600),
        cuts in prop::collection::vec(1usize..40_000, 1..20),
    ) {
        let mut bytes = BROKEN.clone();
        let end = (at + noise.len()).min(bytes.len());
        bytes[at..end].copy_from_slice(&noise[..end - at]);
        let whole = survey(&[&bytes]);
        let (mut chunks, mut rest) = (Vec::new(), &bytes[..]);
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break }
            let (head, tail) = rest.split_at((*cut).min(rest.len()));
            chunks.push(head);
            rest = tail;
        }
        prop_assert_eq!(survey(&chunks), whole);
    }

    #[test]
    fn any_bytes_between_packets_end_in_a_survey(
        packets in prop::collection::vec((0u8..4, any::<u64>(), prop::collection::vec(any::<u8>(), 0..183)), 0..60),
    ) {
        let mut bytes = BROKEN[..188 * 40].to_vec();
        for (pid, header, payload) in packets {
            let mut packet = [0xff; 188];
            let pid = [0u16, 0x1000, 0x100, 0x101][usize::from(pid)].to_be_bytes();
            packet[..4].copy_from_slice(&[0x47, pid[0] | (header as u8 & 0xc0), pid[1], (header >> 8) as u8]);
            packet[4..4 + payload.len()].copy_from_slice(&payload);
            bytes.extend(packet);
        }
        let survey = survey(&[&bytes]);
        prop_assert!(survey.packets > 0);
        let told: u64 = survey.counts.values().sum();
        prop_assert!(survey.faults.len() as u64 <= told);
    }
}
