//! What is whole of a segment whose writing was cut off: every fixture's segments, cut anywhere.

mod slicer_support;
#[allow(dead_code, reason = "shared with tests of the program")]
#[path = "support/tools.rs"]
mod tools;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use bytes::Bytes;
use proptest::prelude::*;
use slicer_support::{AAC, AUDIO, AV, H264, Mux, PMT_PID, Pes, SECTIONS, VIDEO, adts, key, picture, section};
use tapeline::media::Unfit;
use tapeline::slicer::{Action, CutReason, Extent, SealedSegment, Slicer, SlicerOptions, SlicingRules};
use tapeline::time::{MediaSpan, WallTime};
use tapeline::ts::{PACKET_LEN, Packet, Pid, Remains};

/// A segment as a recorder makes it.
#[derive(Debug, Clone)]
struct Segment {
    name: String,
    facts: SealedSegment,
    bytes: Vec<u8>,
}

fn slice(name: &str, stream: Vec<u8>) -> Vec<Segment> {
    let target = MediaSpan::from_secs(4);
    let rules = SlicingRules { target, max_length: target + target, ..SlicingRules::default() };
    let mut slicer =
        Slicer::new(SlicerOptions { rules, start: WallTime::from_millis(0), ..SlicerOptions::default() });
    let (mut segments, mut open) = (Vec::new(), Vec::new());
    slicer.push(&Bytes::from(stream), None).unwrap();
    slicer.finish().unwrap();
    while let Some(action) = slicer.pull() {
        match action {
            Action::Open(_) => open.clear(),
            Action::Patch(_) => unreachable!("a transport stream is never patched"),
            Action::Bytes(bytes) => open.extend(bytes),
            Action::Sealed(facts) => {
                let name = format!("{name} {}", segments.len());
                segments.push(Segment { name, facts, bytes: std::mem::take(&mut open) });
            }
        }
    }
    segments
}

/// Those of all fixtures.
static SEGMENTS: LazyLock<Vec<Segment>> = LazyLock::new(segments);

fn segments() -> Vec<Segment> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|end| end == "ts"));
    names.sort();
    assert!(names.len() > 15);
    let slice = |path: &std::path::PathBuf| {
        slice(&path.file_stem().unwrap().to_string_lossy(), std::fs::read(path).unwrap())
    };
    names.iter().flat_map(slice).collect()
}

fn keep(bytes: &[u8], remains: &Remains) -> Vec<u8> {
    remains.kept.iter().flat_map(|range| bytes[range.clone()].iter().copied()).collect()
}

fn packets(bytes: &[u8]) -> impl Iterator<Item = Packet<'_>> {
    (0..bytes.len()).step_by(PACKET_LEN).map(|offset| Packet::at(bytes, offset).expect("whole packets"))
}

/// Packets by their PID.
fn by_pid(bytes: &[u8]) -> BTreeMap<Pid, Vec<[u8; PACKET_LEN]>> {
    let mut found: BTreeMap<Pid, Vec<_>> = BTreeMap::new();
    packets(bytes).for_each(|packet| found.entry(packet.pid()).or_default().push(*packet.bytes()));
    found
}

/// Where the PES packets of a PID begin among its packets.
fn starts(packets: &[[u8; PACKET_LEN]]) -> Vec<usize> {
    let starts = |bytes: &[u8; PACKET_LEN]| {
        let packet = Packet::at(bytes, 0).unwrap();
        packet.unit_start() && packet.payload().starts_with(&[0, 0, 1])
    };
    (0..packets.len()).filter(|&index| starts(&packets[index])).collect()
}

/// What must hold of a cut segment, whatever was cut off.
fn assert_sound(segment: &Segment, len: usize) -> Option<usize> {
    let (whole, torn) = (&segment.bytes[..], &segment.bytes[..len]);
    let what = format!("{} cut at {len}", segment.name);
    let remains = match Remains::of(torn) {
        Ok(remains) => remains,
        Err(_) => return None,
    };
    let kept = keep(torn, &remains);
    assert_eq!((kept.len(), kept.len() % PACKET_LEN), (remains.len(), 0), "{what}");
    // A part of what was there, in its order.
    for (range, next) in remains.kept.iter().zip(remains.kept.iter().skip(1)) {
        assert!(range.start < range.end && range.end < next.start, "{what}");
    }
    assert!(remains.kept.iter().all(|range| range.end <= len), "{what}");
    let mut heads = packets(&kept);
    assert_eq!(heads.next().unwrap().pid(), Pid::PAT, "{what}");
    assert_eq!(heads.next().unwrap().pid(), packets(whole).nth(1).unwrap().pid(), "{what}");
    // Of each PID a begin of what was there; and where it ends, a PES packet ends.
    let (before, after) = (by_pid(whole), by_pid(&kept));
    for (pid, kept) in &after {
        let all = &before[pid];
        assert!(all.starts_with(kept), "{what}: {pid}");
        let starts = starts(all);
        if !starts.is_empty() && kept.len() < all.len() {
            // Where packets are missing in the input, so may the next one's start.
            let last = Packet::at(kept.last().unwrap(), 0).unwrap();
            let bounded =
                starts.contains(&kept.len()) || last.is_stuffed() || segment.name.starts_with("garbage");
            assert!(bounded, "{what}: {pid} ends in the middle, behind packet {}", kept.len());
        }
    }
    // No more is cut off than what is not whole: of each PID at most one PES packet.
    for (pid, torn) in by_pid(&torn[..len - len % PACKET_LEN]) {
        let starts = starts(&torn);
        if let (Some(last), Some(kept)) = (starts.last(), after.get(&pid)) {
            assert!(kept.len() >= *last, "{what}: {pid} has lost more than what is torn");
        }
    }
    // What was mended is whole, but for a last PES packet that fits its packets exactly: nothing tells its end.
    match Remains::of(&kept) {
        Ok(again) if again.kept.iter().eq([&(0..kept.len())]) => {}
        again => {
            let again = again.map(|again| by_pid(&keep(&kept, &again))).unwrap_or_default();
            for (pid, first) in &after {
                let second = again.get(pid).map_or(0, Vec::len);
                let last = Packet::at(first.last().unwrap(), 0).unwrap();
                assert!(second == first.len() || !last.is_stuffed(), "{what}: {pid} is mended again");
            }
        }
    }
    Some(kept.len())
}

#[test]
fn a_segment_cut_at_any_packet_is_whole_packets_and_units() {
    let (mut cuts, mut kept, mut lost) = (0, 0, Vec::new());
    for segment in &*SEGMENTS {
        let step = (segment.bytes.len() / 100).max(1);
        for len in (0..segment.bytes.len()).step_by(step) {
            cuts += 1;
            if let Some(bytes) = assert_sound(segment, len) {
                kept += 1;
                lost.push(len - bytes);
            }
        }
    }
    lost.sort_unstable();
    println!(
        "{cuts} cuts, {kept} of them leave a segment; of half {} bytes are cut off",
        lost[lost.len() / 2]
    );
    assert!(kept * 10 > cuts * 8);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_segment_cut_anywhere_is_sound(which in any::<prop::sample::Index>(), at in 0.0..1.0) {
        let segment = which.get(&SEGMENTS[..]);
        assert_sound(segment, (segment.bytes.len() as f64 * at) as usize);
    }

    /// Nothing is asked of what comes out but that it is a part of what went in, in whole packets.
    #[test]
    fn any_bytes_can_be_looked_at(
        junk in prop::collection::vec(prop_oneof![Just(0x47u8), any::<u8>()], 0..2000),
        at in any::<prop::sample::Index>(),
    ) {
        let mut bytes = SEGMENTS[0].bytes.clone();
        bytes.truncate(40_000);
        let at = at.index(bytes.len());
        let end = bytes.len().min(at + junk.len());
        bytes[at..end].copy_from_slice(&junk[..end - at]);
        for bytes in [&bytes[..], &junk] {
            if let Ok(remains) = Remains::of(bytes) {
                let kept = keep(bytes, &remains);
                prop_assert_eq!(packets(&kept).next().unwrap().pid(), Pid::PAT);
                prop_assert!(packets(&kept).all(|packet| packet.bytes()[0] == 0x47));
                let _ = Extent::of(None, &remains.units);
            }
        }
    }
}

#[test]
fn a_whole_segment_stays_as_it_is_and_its_length_is_what_its_recorder_found() {
    let (mut whole, mut ended) = (0, 0);
    for segment in &*SEGMENTS {
        let remains = Remains::of(&segment.bytes).unwrap();
        let SealedSegment { opened, end, reason, .. } = segment.facts;
        let extent = Extent::of(Some(opened.start), &remains.units).unwrap();
        assert_eq!(extent.start, opened.start);
        // A last PES packet without a length is cut off where it fits its packets exactly.
        let cut = segment.bytes.len() - remains.len();
        whole += usize::from(cut == 0);
        // The recorder knows from the segment before how long a frame lasts.
        let pictures = remains.units.iter().filter(|unit| unit.lead).count();
        if cut == 0 && reason == CutReason::Stop && pictures >= 3 {
            ended += 1;
            assert_eq!(extent.end, end, "{}", segment.name);
        }
        // Ended by the next one's begin, it is as long as its frames, or a silence follows them.
        let off = end - extent.end;
        let silence = segment.name.starts_with("screen_share");
        assert!(silence || off.abs() <= MediaSpan::from_millis(110), "{}: {off} off", segment.name);
    }
    println!("{whole} of {} are whole by themselves, {ended} ended with their input", SEGMENTS.len());
    assert!(whole * 10 > SEGMENTS.len() * 9 && ended > 10);
}

/// A stream by hand: each PES packet with a letter, `v` for video without a length, `a` for audio with one. What is kept
/// is told by the letters whose packets are all there.
#[derive(Default)]
struct Stream {
    bytes: Vec<u8>,
    /// The letter of each packet.
    letters: String,
}

impl Stream {
    fn begun(mux: &mut Mux) -> Self {
        let bytes = mux.bytes();
        mux.packets.clear();
        Self { letters: "t".repeat(bytes.len() / PACKET_LEN), bytes }
    }

    fn add(&mut self, mux: &mut Mux, letter: char) {
        let bytes = std::mem::take(&mut mux.packets).concat();
        self.letters.extend(std::iter::repeat_n(letter, bytes.len() / PACKET_LEN));
        self.bytes.extend(bytes);
    }

    /// The letters of the packets kept of the first `packets`, and `rest` bytes more.
    fn kept(&self, packets: usize, rest: usize) -> Result<String, Unfit> {
        let torn = &self.bytes[..packets * PACKET_LEN + rest];
        let remains = Remains::of(torn)?;
        let letters =
            remains.kept.iter().map(|range| &self.letters[range.start / PACKET_LEN..range.end / PACKET_LEN]);
        Ok(letters.collect())
    }
}

/// A picture that takes three packets: with its header, the last one stuffed or not.
fn three_packets(stuffed: bool) -> Vec<u8> {
    let fill = 184 * 3 - picture(0).len() - if stuffed { 100 } else { 14 };
    picture(fill)
}

/// A video PES packet without PCR, so that its header takes 14 bytes.
fn video(pts: i64, data: Vec<u8>) -> Pes {
    Pes { pcr: None, ..Pes::video(pts, data) }
}

/// Tables, then pictures and sound of 40 ms in turn, three packets each.
fn in_turn(stuffed: bool) -> Stream {
    let mut mux = Mux::program(AV);
    let mut stream = Stream::begun(&mut mux);
    for (number, [v, a]) in (0..).zip([['1', 'a'], ['2', 'b'], ['3', 'c']]) {
        let data = if number == 0 { key(0, 184 * 3 - key(0, 0).len() - 100) } else { three_packets(stuffed) };
        mux.pes(&video(number * 3600, data));
        stream.add(&mut mux, v);
        mux.pes(&Pes::audio(number * 3600, adts(3, 500)));
        stream.add(&mut mux, a);
    }
    stream
}

#[test]
fn the_last_unit_of_each_stream_is_kept_where_it_is_whole() {
    let stuffed = in_turn(true);
    assert_eq!(stuffed.letters, "tt111aaa222bbb333ccc");
    let fits = in_turn(false);
    assert_eq!(fits.letters, stuffed.letters);
    // Packets that are there, and what is kept of them.
    let cases = [
        (20, "tt111aaa222bbb333ccc"),
        (19, "tt111aaa222bbb333"),
        (18, "tt111aaa222bbb333"),
        (17, "tt111aaa222bbb333"),
        (16, "tt111aaa222bbb"),
        (14, "tt111aaa222bbb"),
        (13, "tt111aaa222"),
        (10, "tt111aaa"),
        (8, "tt111aaa"),
        (5, "tt111"),
    ];
    for (packets, kept) in cases {
        assert_eq!(stuffed.kept(packets, 0).unwrap(), kept, "{packets} packets");
        // A part of a packet is none.
        assert_eq!(
            stuffed.kept(packets, 0),
            stuffed.kept(packets.min(19), if packets < 20 { 187 } else { 188 })
        );
    }
    for packets in [4, 3] {
        assert_eq!(stuffed.kept(packets, 5), Err(Unfit::NothingWhole), "{packets} packets");
    }
    // Where nothing shows that the picture has ended, it is not taken for whole, but for the next one's begin.
    assert_eq!(fits.kept(20, 0).unwrap(), "tt111aaa222bbbccc");
    assert_eq!(fits.kept(15, 0).unwrap(), "tt111aaa222bbb");
    assert_eq!(fits.kept(14, 0).unwrap(), "tt111aaabbb");
}

#[test]
fn stuffing_ends_no_unit_where_it_was_seen_in_the_middle_of_one() {
    let mut mux = Mux::program(&[(H264, VIDEO)]);
    let mut stream = Stream::begun(&mut mux);
    for (number, letter) in (0..).zip(['1', '2', '3']) {
        // Its first packet is stuffed: what follows is another PES packet's, without its start.
        let [first, rest] = [video(number * 3600, key(0, 0)), video(number * 3600, vec![0xaa; 60])];
        mux.pes(&first);
        let mut packets = mux.pes_packets(&rest);
        packets[0][1] &= !0x40;
        mux.send(packets);
        stream.add(&mut mux, letter);
    }
    assert_eq!(stream.letters, "tt112233");
    assert_eq!(stream.kept(8, 0).unwrap(), "tt1122");
    assert_eq!(stream.kept(7, 0).unwrap(), "tt1122");
    assert_eq!(stream.kept(6, 0).unwrap(), "tt11", "not seen yet");
}

#[test]
fn sections_are_kept_whole() {
    let mut mux = Mux::program(&[(H264, VIDEO), (0x86, SECTIONS)]);
    let mut stream = Stream::begun(&mut mux);
    mux.pes(&video(0, key(0, 0)));
    stream.add(&mut mux, '1');
    mux.section(SECTIONS, &section(0xfc, 1, 0, &[7; 20]));
    stream.add(&mut mux, 's');
    mux.section(SECTIONS, &section(0xfc, 1, 0, &[7; 400]));
    stream.add(&mut mux, 'S');
    assert_eq!(stream.letters, "tt1sSSS");
    assert_eq!(stream.kept(7, 0).unwrap(), "tt1sSSS");
    assert_eq!(stream.kept(6, 0).unwrap(), "tt1s");
}

#[test]
fn sound_alone_is_kept_where_it_is_worth_it_or_there_is_nothing_else() {
    let begin = |streams: &[(u8, u16)], first: i64, count: i64| {
        let mut mux = Mux::program(streams);
        let mut stream = Stream::begun(&mut mux);
        for number in 0..count {
            mux.pes(&Pes::audio(first + number * 45_000, adts(3, 150)));
            stream.add(&mut mux, 'a');
        }
        // A picture of which the end is not known.
        mux.pes(&video(first, key(0, 184 * 2 - 14 - key(0, 0).len())));
        stream.add(&mut mux, 'v');
        stream.kept(stream.letters.len(), 0)
    };
    assert_eq!(begin(AV, 0, 3), Err(Unfit::NothingWhole));
    assert_eq!(begin(AV, (1 << 33) - 9000, 4).unwrap(), "ttaaaa");
    // The picture is of a stream that the program does not announce.
    assert_eq!(begin(&[(AAC, AUDIO)], 0, 1).unwrap(), "tta");
}

#[test]
fn damage_costs_what_it_hits() {
    let mut stream = in_turn(true);
    // A disk that lost power gives back a tail of zeros.
    let whole = stream.bytes.clone();
    stream.bytes[14 * PACKET_LEN..].fill(0);
    assert_eq!(stream.kept(20, 0).unwrap(), "tt111aaa222bbb");
    stream.bytes[13 * PACKET_LEN..].fill(0);
    assert_eq!(stream.kept(20, 0).unwrap(), "tt111aaa222");
    // In the middle, a packet.
    stream.bytes.clone_from(&whole);
    stream.bytes[9 * PACKET_LEN] = 0;
    assert_eq!(stream.kept(20, 0).unwrap(), "tt111aaa22bbb333ccc");
    // Without its tables nothing can be told, but for those that come later.
    stream.bytes.clone_from(&whole);
    stream.bytes[0] = 0;
    assert_eq!(stream.kept(20, 0), Err(Unfit::NoProgram));
    let tables = whole[..2 * PACKET_LEN].to_vec();
    stream.bytes.splice(4 * PACKET_LEN..4 * PACKET_LEN, tables);
    stream.letters.insert_str(4, "tt");
    assert_eq!(stream.letters, "tt11tt1aaa222bbb333ccc");
    assert_eq!(
        stream.kept(22, 0).unwrap(),
        "ttaaa222bbb333ccc",
        "not the rest of a picture whose begin is gone"
    );
    for nothing in [&b""[..], &[0x47; 188], &[0; 5000], &b"Good morning.".repeat(100)] {
        assert_eq!(Remains::of(nothing), Err(Unfit::NoProgram));
    }
    let tables = Stream { bytes: Mux::program(AV).bytes(), letters: "tt".to_owned() };
    assert_eq!(tables.kept(1, 0), Err(Unfit::NoProgram));
    assert_eq!(tables.kept(2, 0), Err(Unfit::NothingWhole));
    assert_eq!(PMT_PID, packets(&tables.bytes).nth(1).unwrap().pid().get());
}

#[test]
fn what_is_kept_passes_the_judge_and_decodes() {
    let folder = tempfile::tempdir().unwrap();
    // Streams that are sound and decode alone.
    let names =
        ["h264_aac", "h265_aac", "h264_opus", "audio_aac", "audio_ac3", "pts_wrap", "straddle", "long_pmt"];
    let mut paths: Vec<PathBuf> = Vec::new();
    for name in names {
        let mut of_name = SEGMENTS.iter().filter(|segment| segment.name.starts_with(name));
        let segment = of_name.nth(1).unwrap();
        for percent in [12, 30, 51, 83, 97] {
            let torn = &segment.bytes[..segment.bytes.len() * percent / 100];
            let Ok(remains) = Remains::of(torn) else { continue };
            let path = folder.path().join(format!("{name}_{percent}.ts"));
            std::fs::write(&path, keep(torn, &remains)).unwrap();
            paths.push(path);
        }
    }
    println!("{} torn segments", paths.len());
    assert!(paths.len() * 10 > names.len() * 5 * 9);
    tools::judge_segments(&paths, &[]);
    tools::decode_segments(&paths);
}
