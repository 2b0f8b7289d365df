//! What must hold of a recording at rest, by its control object, its seals, its playlists and its segments.

use std::path::PathBuf;

use tapeline::checksum::{Crc64, Sha256};
use tapeline::clock::{Clock, SystemClock};
use tapeline::continuity::{
    ControlObject, OutputState, Phase, Recordings, SalvageRecord, SalvagedSegment, Seal,
};
use tapeline::ids::{Generation, Sid};
use tapeline::naming::{NameKind, ObjectName, decode_uri};
use tapeline::playlist::{Header, Renderer, check, parse};

use super::place::{Objects, Place, block_on, lay_out};
use super::tools::{decode_segments, judge_segments};
use super::wait::until;

const END: &[u8] = b"#EXT-X-ENDLIST\n";

/// The control object of the recording `s1`; `None` where there is none.
pub fn control(place: &Place) -> Option<ControlObject> {
    read(place).map(|(state, _)| state)
}

fn read(place: &Place) -> Option<(ControlObject, Vec<Seal>)> {
    let (store, sid) = (place.store(), Sid::new("s1").unwrap());
    block_on(async {
        let recordings = Recordings::open(&store).await.expect("the store's form")?;
        let state = match recordings.read(&sid).await {
            Ok(state) => state,
            Err(error) if error.kind() == tapeline::ErrorKind::NotFound => return None,
            Err(error) => panic!("{}", error.report()),
        };
        let mut seals = Vec::new();
        for name in &state.seals {
            seals.push(recordings.seal(name).await.unwrap_or_else(|error| panic!("{}", error.report())));
        }
        Some((state, seals))
    })
}

/// Waits until a claim of the recording is old enough for the next command to be heard: 5 s.
pub fn wait_out_the_last_claim(place: &Place) {
    let Some(state) = control(place).filter(|state| state.generation > Generation::FIRST) else { return };
    let clock = SystemClock::new();
    until("the last claim is not new any more", || {
        (clock.wall().since(state.holder.since).millis() > 5000).then_some(())
    });
}

/// What is committed of one generation's one playlist, and what lies in the store of it.
#[derive(Debug)]
pub struct Proven {
    /// The turn.
    pub generation: Generation,
    /// The playlist's key.
    pub playlist: String,
    /// The keys of the committed segments.
    pub segments: Vec<String>,
    /// How many of them the playlist lists.
    pub listed: usize,
    /// The playlist has its end.
    pub ended: bool,
}

/// Proves a recording without a prefix: seals and control object say what the playlists hold and what they
/// may still come to hold, everything listed or committed is stored, with the right bytes, and decodes.
///
/// `torn`: the last segment may be, for its worker was asked to stop in the middle of it.
pub fn prove(place: &Place, torn: bool) -> Vec<Proven> {
    let objects = place.objects_at_rest();
    let (state, seals) = read(place).expect("a recording");
    // I1, and what a reader checks: one seal for each older generation, in their order.
    assert!(state.generation <= Generation::LAST);
    let mut turns: Vec<(Generation, &[OutputState])> =
        seals.iter().map(|seal| (seal.generation, &seal.outputs[..])).collect();
    if !state.phase.is_final() {
        turns.push((state.generation, &state.outputs));
    }
    let mut proven = Vec::new();
    for (generation, outputs) in turns {
        for output in outputs {
            let ended = state.phase == Phase::Stopped && generation == state.generation;
            proven.push(prove_output(&objects, generation, output, ended));
        }
    }
    // I2 as far as names tell: nothing is named for a turn that nobody had.
    for key in media(&objects) {
        let name: ObjectName = key.parse().unwrap_or_else(|error| panic!("{key}: {error}"));
        if name.recording != state.id() {
            continue;
        }
        assert!(name.generation <= state.generation, "{key} is of a generation that nobody claimed");
        let known = proven.iter().any(|turn| turn.playlist == *key);
        assert!(
            name.kind != NameKind::Playlist || known,
            "{key} is a playlist of which nothing is committed"
        );
    }
    salvaged(&objects);
    let root = lay_out(&objects);
    let paths =
        |turn: &Proven| turn.segments.iter().map(|key| root.path().join(key)).collect::<Vec<PathBuf>>();
    let mut whole: Vec<_> = proven.iter().flat_map(paths).collect();
    let last = if torn { whole.split_off(whole.len().saturating_sub(1)) } else { Vec::new() };
    judge_segments(&whole, &[]);
    judge_segments(&last, &["--allow-torn"]);
    decode_segments(&whole);
    proven
}

/// The keys beside the control objects.
pub fn media(objects: &Objects) -> impl Iterator<Item = &String> {
    objects.keys().filter(|key| !key.starts_with(".tapeline/"))
}

fn prove_output(
    objects: &Objects,
    generation: Generation,
    output: &OutputState,
    may_have_ended: bool,
) -> Proven {
    let key = &output.playlist;
    let name: ObjectName = key.parse().unwrap();
    assert_eq!(name.generation, generation);
    let mut renderer = Renderer::new(&Header { target_duration: output.target_duration });
    let (mut text, mut segments, mut ended) = (renderer.take().into_bytes(), Vec::new(), false);
    let (mut bytes, mut millis) = (0, 0);
    if let Some(published) = objects.get(key) {
        assert!(check(published).is_empty(), "{key}: {:?}", check(published));
        let playlist = parse(published).unwrap();
        assert!(published.starts_with(&text), "{key} begins otherwise than its control object says");
        text = published.strip_suffix(END).unwrap_or(published).to_vec();
        ended = playlist.ended;
        for segment in &playlist.segments {
            let segment_key = decode_uri(&segment.uri).unwrap();
            let body = objects.get(&segment_key);
            bytes += body.unwrap_or_else(|| panic!("{segment_key} is listed but not there")).len() as u64;
            millis += segment.duration_millis;
            segments.push(segment_key);
        }
    }
    let listed = segments.len();
    assert!(!ended || may_have_ended && listed as u64 == output.segments, "{key} must not have ended");
    let seen = listed.checked_sub(usize::try_from(output.tail_from).unwrap());
    let seen = seen.unwrap_or_else(|| panic!("{key} lists fewer than it was seen to list"));
    let rest = output.tail.get(seen..).unwrap_or_else(|| panic!("{key} goes past what is committed of it"));
    for entry in rest {
        let segment = entry.name(&name, output.container).to_string();
        let body = objects.get(&segment).unwrap_or_else(|| panic!("{segment} is committed but not there"));
        assert_eq!((body.len() as u64, Crc64::of(body)), (entry.bytes, entry.crc64), "{segment}");
        renderer.append(&entry.entry(&name, output.container)).unwrap();
        bytes += entry.bytes;
        millis += entry.millis;
        segments.push(segment);
    }
    text.extend(renderer.take().into_bytes());
    assert!(Sha256::of(&text) == output.hash, "{key}: {}", String::from_utf8_lossy(&text));
    let counted = (segments.len() as u64, bytes, millis);
    assert_eq!(counted, (output.segments, output.bytes, output.duration_millis), "{key}");
    Proven { generation, playlist: key.clone(), segments, listed, ended }
}

/// The segments that records of salvages say are there, each as it is said.
pub fn salvaged(objects: &Objects) -> Vec<SalvagedSegment> {
    let records = objects.iter().filter(|(key, _)| key.contains("/salvage-"));
    let records = records.map(|(key, text)| {
        let record = SalvageRecord::decode(text).unwrap_or_else(|error| panic!("{key}: {error}"));
        let only = SalvageRecord::names(record.generation).next().expect("a first name");
        assert!(key.ends_with(&only), "a second record of one folder: {key}");
        record
    });
    let segments: Vec<SalvagedSegment> = records.flat_map(|record| record.segments).collect();
    for segment in &segments {
        let body = objects.get(&segment.key).unwrap_or_else(|| panic!("{} is not there", segment.key));
        let said = (segment.bytes, segment.crc64, segment.sha256);
        assert_eq!((body.len() as u64, Crc64::of(body), Sha256::of(body)), said, "{}", segment.key);
    }
    segments
}

/// A later generation changes nothing older: what was there is there, byte for byte, but for the control
/// object, which is to change; and what is new is named for the generation `now`, or a segment that an older one
/// had left. At rest [`salvaged`] knows those.
#[track_caller]
pub fn assert_kept(before: &Objects, after: &Objects, now: Option<Generation>) {
    for (key, body) in before {
        let is_control = key == ".tapeline/recordings/s1.json";
        let same = after.get(key).is_some_and(|after| is_control || after == body);
        assert!(same, "{key} is not as it was");
    }
    for key in media(after).filter(|key| !before.contains_key(*key)) {
        let name: ObjectName = key.parse().unwrap_or_else(|error| panic!("{key}: {error}"));
        let salvaged = Some(name.generation) < now && matches!(name.kind, NameKind::Segment { .. });
        assert!(Some(name.generation) == now || salvaged, "{key} came by a worker of another generation");
    }
}
