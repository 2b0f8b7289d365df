//! What holds for every stream and every chunking: nothing is lost, torn or made up, and another reader
//! of transport streams, the `mpeg2ts` crate, finds in the segments what was in the input.

mod slicer_support;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use mpeg2ts::pes::{PesPacket, PesPacketReader, ReadPesPacket};
use mpeg2ts::ts::{ReadTsPacket, TsPacketReader, TsPayload};
use proptest::prelude::*;
use slicer_support::*;
use tapeline::slicer::{SliceError, Slicer, SlicerOptions, SlicingRules};
use tapeline::time::MediaSpan;

/// Short segments, so that small streams have several.
fn rules() -> SlicingRules {
    SlicingRules {
        target: MediaSpan::from_secs(2),
        max_length: MediaSpan::from_secs(5),
        ..SlicingRules::default()
    }
}

fn fixtures() -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "ts"));
    paths.sort();
    assert!(paths.len() >= 16);
    paths.into_iter().map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
}

/// Cuts into pieces whose lengths are taken in turn.
fn chunks<'a>(stream: &'a [u8], lengths: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = stream;
    lengths.iter().cycle().map_while(move |&length| {
        let (head, tail) = rest.split_at(length.min(rest.len()));
        rest = tail;
        (!head.is_empty()).then_some(head)
    })
}

#[test]
fn every_fixture_is_sliced_without_loss_and_alike_in_any_chunks() {
    for (path, stream) in fixtures() {
        for rules in [rules(), SlicingRules::default()] {
            let options = SlicerOptions { rules, ..Default::default() };
            let whole = slice(rules, &stream);
            let nothing = path.ends_with("no_key.ts") && rules == SlicingRules::default();
            let finished = if nothing { Err(SliceError::NoKeyFrame) } else { Ok(()) };
            assert_eq!(whole.finished, finished, "{path:?}");
            // One byte at a time is slow without optimisation: once is enough.
            let bytewise: &[&[usize]] = if rules.target == MediaSpan::from_secs(2) { &[&[1]] } else { &[] };
            for lengths in
                [&[187][..], &[188], &[usize::MAX], &[1, 64, 3_000, 189, 17]].iter().chain(bytewise)
            {
                let other = slice_chunks(options, chunks(&stream, lengths));
                assert!(other == whole, "{path:?} in chunks of {lengths:?}");
            }
        }
    }
}

/// Facts of the fixtures, from their README.
#[test]
fn fixtures_are_cut_where_they_should_be() {
    let starts: [(&str, &[i64], u64); 9] = [
        (
            "h264_aac",
            &[0, 2_000, 4_000, 6_000, 8_000, 10_000, 12_000, 14_000, 16_000, 18_000, 20_000, 22_000],
            0,
        ),
        ("h265_aac", &[0, 2_000, 4_000, 6_000, 8_000, 10_000, 12_000, 14_000], 0),
        ("pts_wrap", &[0, 2_000, 4_000, 6_000, 8_000, 10_000, 12_000, 14_000], 0),
        ("straddle", &[0, 2_000, 4_000, 6_000, 8_000, 10_000, 12_000, 14_000], 0),
        ("size_change", &[0, 2_000, 4_000, 6_000, 8_000, 10_000, 12_000, 14_000], 1),
        ("pmt_change", &[0, 2_000, 4_000, 6_000, 8_000, 10_000, 12_000, 14_000], 1),
        ("long_pmt", &[0, 2_000, 4_000], 0),
        ("m2ts_192", &[0, 2_000, 4_000], 0),
        ("rs_204", &[0, 2_000, 4_000], 0),
    ];
    let all: BTreeMap<String, Vec<u8>> = fixtures()
        .into_iter()
        .map(|(path, stream)| (path.file_stem().unwrap().to_string_lossy().into_owned(), stream))
        .collect();
    for (name, expected, breaks) in starts {
        let outcome = slice(rules(), &all[name]);
        assert_eq!(outcome.starts(), expected, "{name}");
        let discontinuities =
            outcome.segments.iter().filter(|segment| segment.sealed.opened.discontinuity).count();
        assert_eq!(discontinuities as u64, breaks, "{name}");
        assert!(outcome.segments.iter().all(|segment| segment.sealed.opened.starts_with_key), "{name}");
        assert_eq!(outcome.notes.torn_pes, 0, "{name}");
    }
}

/// PES packets by PID: stamp and data.
type Packets = BTreeMap<u16, Vec<(Option<u64>, Vec<u8>)>>;

/// Reads with `mpeg2ts`, which cannot be told of garbage, of PIDs that no map announces, or of sections
/// where it expects PES packets: only what it can read is given to it.
fn read_with_mpeg2ts(stream: &[u8]) -> Packets {
    let mut announced: HashSet<u16> = HashSet::new();
    let mut pids = TsPacketReader::new(stream);
    while let Some(packet) = pids.read_ts_packet().expect("read by mpeg2ts") {
        match packet.payload {
            Some(TsPayload::Pmt(pmt)) => {
                announced.extend(pmt.es_info.iter().map(|stream| stream.elementary_pid.as_u16()));
            }
            Some(TsPayload::PesStart(_) | TsPayload::PesContinuation(_)) => {
                assert!(
                    announced.contains(&packet.header.pid.as_u16()),
                    "announced by a PMT before it comes"
                );
            }
            _ => {}
        }
    }
    let mut read = Packets::new();
    let mut reader = PesPacketReader::new(TsPacketReader::new(stream));
    while let Some(PesPacket { header, data }) = reader.read_pes_packet().expect("read by mpeg2ts") {
        let stamp = header.pts.map(|pts| pts.as_u64());
        read.entry(u16::from(header.stream_id.as_u8())).or_default().push((stamp, data));
    }
    read
}

/// Every segment is a stream by itself to another reader, and together they hold the input's packets.
fn compare_with_mpeg2ts(what: &str, rules: SlicingRules, stream: &[u8]) {
    let outcome = slice(rules, stream);
    assert_eq!(outcome.notes.torn_pes, 0, "{what}");
    let mut joined = Packets::new();
    for segment in &outcome.segments {
        for (id, mut packets) in read_with_mpeg2ts(&segment.bytes) {
            joined.entry(id).or_default().append(&mut packets);
        }
    }
    let input = read_with_mpeg2ts(stream);
    assert_eq!(input.keys().collect::<Vec<_>>(), joined.keys().collect::<Vec<_>>(), "{what}");
    for (id, out) in joined {
        let all = &input[&id];
        assert!(out.len() <= all.len() && !out.is_empty(), "{what}: {id:#x}");
        assert!(out == all[all.len() - out.len()..], "{what}: {id:#x}");
    }
}

#[test]
fn mpeg2ts_reads_every_segment_of_the_fixtures() {
    // Not for it: garbage, another packet length, an SDT before the PAT is fine but a map of several packets
    // is not, and two programs would share their stream ids here.
    let beyond = ["garbage", "m2ts_192", "rs_204", "long_pmt", "two_programs"];
    for (path, stream) in fixtures() {
        let name = path.file_stem().unwrap().to_string_lossy();
        if !beyond.contains(&name.as_ref()) {
            compare_with_mpeg2ts(&name, rules(), &stream);
        }
    }
}

/// One PES packet of a random stream.
#[derive(Debug, Clone)]
struct RandomPes {
    /// 0 leads; 1 and 2 are sound, the last without declared lengths.
    stream: usize,
    /// Milliseconds since the stream's one before.
    step: i64,
    key: bool,
    fill: usize,
}

const RANDOM_PIDS: [(u8, u16); 3] = [(H264, VIDEO), (AAC, AUDIO), (AAC, 0x110)];

fn random_pes() -> impl Strategy<Value = RandomPes> {
    (0..3usize, 10..400i64, prop::bool::weighted(0.2), 0..1_500usize)
        .prop_map(|(stream, step, key, fill)| RandomPes { stream, step, key, fill })
}

/// PES packets whose packets are sent in an order that `turns` shuffles, as no real multiplexer would;
/// tables between them.
fn random_stream(all: &[RandomPes], turns: &[usize], tables: usize) -> Vec<u8> {
    let mut mux = Mux::program(&RANDOM_PIDS);
    let mut queues: [Vec<TsPacket>; 3] = Default::default();
    let mut clocks = [900_000i64; 3];
    for pes in all {
        clocks[pes.stream] += pes.step * 90;
        let at = clocks[pes.stream];
        let data = match pes.stream {
            0 if pes.key => key(0, pes.fill),
            0 => picture(pes.fill),
            _ => adts(3, 20 + pes.fill as u64),
        };
        let pes = Pes { pid: RANDOM_PIDS[pes.stream].1, bounded: pes.stream == 1, ..Pes::audio(at, data) };
        queues[usize::from(pes.pid != VIDEO) + usize::from(pes.pid == 0x110)].extend(mux.pes_packets(&pes));
    }
    let mut queues = queues.map(|queue| queue.into_iter().peekable());
    let mut sent = 0;
    for turn in turns.iter().cycle() {
        if queues.iter_mut().all(|queue| queue.peek().is_none()) {
            break;
        }
        let queue = &mut queues[turn % 3];
        mux.send(queue.by_ref().take(1 + turn / 3));
        sent += 1;
        if sent % (tables + 5) == 0 {
            mux.pat(&[(1, PMT_PID)]);
            mux.pmt(PMT_PID, 0, &RANDOM_PIDS);
        }
    }
    mux.bytes()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_streams_lose_nothing(
        all in prop::collection::vec(random_pes(), 1..150),
        // Every stream gets a turn, or the stream would never end.
        turns in prop::collection::vec(0..15usize, 1..40).prop_map(|mut turns| { turns.extend([0, 1, 2]); turns }),
        tables in 0..40usize,
        lengths in prop::collection::vec(1..1_000usize, 1..20),
    ) {
        let stream = random_stream(&all, &turns, tables);
        // `slice` checks all that must hold.
        let whole = slice(rules(), &stream);
        let options = SlicerOptions { rules: rules(), ..Default::default() };
        prop_assert!(slice_chunks(options, chunks(&stream, &lengths)) == whole);
    }

    /// Interruptions anywhere, in the middle of PES packets and of what is held back.
    #[test]
    fn interruptions_anywhere_lose_nothing(
        all in prop::collection::vec(random_pes(), 1..150),
        turns in prop::collection::vec(0..15usize, 1..40).prop_map(|mut turns| { turns.extend([0, 1, 2]); turns }),
        lengths in prop::collection::vec(1..60_000usize, 1..8),
    ) {
        let stream = random_stream(&all, &turns, 10);
        let mut slicer = Slicer::new(SlicerOptions { rules: rules(), ..Default::default() });
        let mut sink = Sink::default();
        for chunk in chunks(&stream, &lengths) {
            slicer.push(&Bytes::copy_from_slice(chunk), None).unwrap();
            slicer.interrupt();
            sink.pull(&mut slicer);
            prop_assert!(sink.open.is_none(), "ended at once");
        }
        let finished = slicer.finish();
        sink.pull(&mut slicer);
        check(rules(), &Outcome { segments: sink.segments, notes: ts_notes(&slicer), finished }, &stream);
    }

    /// Lost, repeated, damaged and shuffled packets, and bytes between them: never a panic, and every
    /// chunking gives the same.
    #[test]
    fn broken_streams_are_sliced_alike_in_any_chunks(
        name in prop::sample::select(vec!["h264_aac", "pmt_change", "clock_jump", "straddle", "two_programs"]),
        from in 0..900usize,
        faults in prop::collection::vec((0..300usize, 0..6u8, any::<u8>(), 0..188usize), 0..40),
        lengths in prop::collection::vec(1..1_000usize, 1..20),
    ) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/{name}.ts"));
        let mut packets: Vec<Vec<u8>> =
            std::fs::read(path).unwrap().chunks(188).skip(from).take(300).map(<[u8]>::to_vec).collect();
        for (at, fault, byte, place) in faults {
            let count = packets.len();
            let packet = packets.get_mut(at).filter(|_| at + 1 < count);
            match (packet, fault) {
                (None, _) => {}
                (Some(packet), 0) => packet.clear(),
                (Some(packet), 1) => packet.extend_from_within(..),
                (Some(packet), 2 | 3) => if let Some(found) = packet.get_mut(place) { *found = byte },
                (Some(packet), 4) => packet.truncate(place),
                (Some(_), _) => packets.swap(at, at + 1),
            }
        }
        let stream = packets.concat();
        let options = SlicerOptions { rules: rules(), ..Default::default() };
        let whole = slice_chunks(options, [&stream[..]].into_iter().filter(|chunk| !chunk.is_empty()));
        prop_assert!(slice_chunks(options, chunks(&stream, &lengths)) == whole);
        for segment in &whole.segments {
            prop_assert!(segment.sealed.duration() <= rules().max_length);
            prop_assert_eq!(segment.packets()[0][..3].to_vec(), vec![0x47, 0x40, 0], "PAT first");
        }
    }
}
