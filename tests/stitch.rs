//! Stitching through the library, on memory and on a folder: what it reads, what it writes, and what it leaves alone.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::TryStreamExt;
use tapeline::ErrorKind;
use tapeline::continuity::{Addition, Form, OutputState, Recordings, Swapped};
use tapeline::ids::{RecordingId, Sid};
use tapeline::media::Container;
use tapeline::playlist::{Playlist, check, parse};
use tapeline::recorder::{Options, OutputSpec, Recorder};
use tapeline::stitch::{
    Fate, GapMode, GapReason, MissingMode, Outcome, StitchOptions, Stitched, stitch, stitch_playlists,
    stitchable,
};
use tapeline::store::{ObjectKind, Store};
use tapeline::time::{MediaSpan, WallTime};

/// 2026-11-23T01:00:00Z.
const EPOCH: i64 = 1_795_395_600_000;

fn date(millis: i64) -> WallTime {
    WallTime::from_millis(EPOCH + millis)
}

fn sid() -> Sid {
    Sid::new("s1").unwrap()
}

fn options() -> Options {
    let mut options = Options::default();
    options.rules.target = MediaSpan::from_secs(4);
    options.rules.max_length = MediaSpan::from_secs(8);
    options
}

async fn objects(store: &Store) -> BTreeMap<String, Bytes> {
    let listed: Vec<_> = store.list("").try_collect().await.unwrap();
    let mut found = BTreeMap::new();
    for object in listed {
        if !object.key.contains(".tapeline/spool") {
            let body = store.get(&object.key, 1 << 30).await.unwrap();
            found.insert(object.key, body);
        }
    }
    found
}

/// Records the 24 s of a fixture, as the next generation, its first frame at `begin`. `whole`: it is stopped; else its
/// worker goes away once all is committed.
async fn record(store: &Store, begin: i64, whole: bool) {
    let id = RecordingId::new("s1", "main").unwrap();
    let there = Recordings::open(store).await.unwrap();
    let there = match there {
        Some(there) => there.read(&id.sid).await.is_ok(),
        None => false,
    };
    let recorder = if there {
        Recorder::resume(store, &id.sid, None, options()).await.unwrap()
    } else {
        Recorder::start(store, id, options()).await.unwrap()
    };
    let spec = OutputSpec::composite(Container::MpegTs).start_time(date(begin));
    let output = recorder.output(spec).unwrap();
    output.write_bytes(Bytes::from(std::fs::read("fixtures/h264_aac.ts").unwrap())).await.unwrap();
    if whole {
        recorder.stop().await.unwrap();
    } else {
        recorder.orphan().await.unwrap();
    }
}

#[tokio::test]
async fn it_is_promised_that_each_segment_begins_with_a_key_frame_only_where_that_is_so() {
    // The fixture has a key frame every 2 s.
    for (longest, promised) in [(4, true), (1, false)] {
        let store = Store::open("memory:").unwrap();
        let mut options = options();
        (options.rules.target, options.rules.max_length) =
            (MediaSpan::from_secs(1), MediaSpan::from_secs(longest));
        let id = RecordingId::new("s1", "main").unwrap();
        let recorder = Recorder::start(&store, id, options).await.unwrap();
        let output = recorder.output(OutputSpec::composite(Container::MpegTs)).unwrap();
        output.write_bytes(Bytes::from(std::fs::read("fixtures/h264_aac.ts").unwrap())).await.unwrap();
        recorder.stop().await.unwrap();
        let list = list(&stitched(&store).await);
        assert_eq!(list.independent_segments, promised, "{longest}");
    }
}

/// The open generation's playlist is known to list so many entries, as after a later commit. Gives how many are: more, where a
/// slow machine has made that commit itself.
async fn see_published(store: &Store, published: u64) -> usize {
    let recordings = Recordings::open(store).await.unwrap().unwrap();
    let register = recordings.register(&sid());
    let (text, version) = register.read().await.unwrap().unwrap();
    let state = register.decode(&text).unwrap();
    let OutputState { playlist, container, target_duration, hash, .. } = state.outputs[0].clone();
    let addition = Addition { playlist, container, target_duration, entries: Vec::new(), hash, published };
    let next = state.commit(&[addition], "seen".to_owned());
    let known = next.outputs[0].tail_from;
    assert!(known >= published, "{known} of {published}");
    let swapped = register.swap(Some(&version), next.encode()).await.unwrap();
    assert!(matches!(swapped, Swapped::Won(_)), "{swapped:?}");
    usize::try_from(known).unwrap()
}

async fn stitched(store: &Store) -> Stitched {
    stitch(store, &sid(), &StitchOptions::default()).await.unwrap()
}

fn list(stitched: &Stitched) -> Playlist {
    let text = stitched.outputs[0].playlist.as_bytes();
    assert_eq!(check(text), [], "{}", stitched.outputs[0].playlist);
    parse(text).unwrap()
}

/// A store in memory, and one in a folder.
fn stores() -> Vec<(Store, Option<tempfile::TempDir>)> {
    let folder = tempfile::tempdir().unwrap();
    let local = Store::open(folder.path().to_str().unwrap()).unwrap();
    vec![(Store::open("memory:").unwrap(), None), (local, Some(folder))]
}

#[tokio::test]
async fn generations_with_a_gap_become_one_list() {
    for (store, _folder) in stores() {
        record(&store, 0, false).await;
        record(&store, 34_000, true).await;
        let before = objects(&store).await;
        let made = stitched(&store).await;
        let report = &made.outputs[0].report;
        assert_eq!((report.span_millis, report.covered_millis, report.gap_millis), (58_000, 48_000, 10_000));
        assert_eq!((report.duration_millis, report.segments, report.sealed), (48_000, 12 + 1, true));
        assert_eq!(report.gaps[0].reason, GapReason::Failover);
        assert_eq!((report.gaps[0].begin, report.gaps[0].end), (date(24_000), date(34_000)));
        let playlist = list(&made);
        assert!(playlist.ended);
        assert_eq!(playlist.segments.iter().filter(|segment| segment.discontinuity).count(), 1);
        assert_eq!(objects(&store).await, before, "nothing is written before it is asked for");
        let written = made.store(&store).await.unwrap();
        assert_eq!(written, [("stitched_s1_main.m3u8".to_owned(), Outcome::Written)]);
        let mut after = objects(&store).await;
        let text = after.remove("stitched_s1_main.m3u8").unwrap();
        assert_eq!(text, made.outputs[0].playlist.as_bytes());
        assert_eq!(after, before, "and then nothing else");
        // Again: the same bytes.
        let again = stitched(&store).await;
        assert_eq!(again, made);
        assert_eq!(again.store(&store).await.unwrap()[0].1, Outcome::Unchanged);
    }
}

#[tokio::test]
async fn where_generations_overlap_the_older_one_is_trimmed() {
    let store = Store::open("memory:").unwrap();
    record(&store, 0, false).await;
    // Between two key frames of the older one, and in the middle of its fifth segment.
    record(&store, 17_300, true).await;
    let made = stitched(&store).await;
    let output = &made.outputs[0];
    let report = &output.report;
    assert_eq!((report.span_millis, report.covered_millis, report.repeated_millis), (41_300, 41_300, 0));
    assert_eq!(report.duration_millis, 41_300);
    assert_eq!(report.overlaps[0].millis, 6_700);
    let [rewrite] = &output.rewrites[..] else { panic!("{:?}", report.decisions) };
    assert!(rewrite.key.starts_with("stitched_s1_main_20261123010016000_"), "{}", rewrite.key);
    let fates: Vec<_> = report.decisions.iter().map(|decision| &decision.fate).collect();
    let [Fate::Trimmed { cut_millis: 2_700, pictures_lost, .. }, Fate::Covered { by }] = fates[..] else {
        panic!("{fates:?}")
    };
    assert!(*pictures_lost < 4);
    assert_eq!(by, "bak0_s1_main_20261123010019300.ts");
    made.store(&store).await.unwrap();
    assert_eq!(store.get(&rewrite.key, 1 << 30).await.unwrap(), rewrite.body.concat());
    assert!(list(&made).segments.iter().any(|segment| segment.uri == rewrite.key));
    // With --no-rewrite nothing is made, and what plays twice is told.
    let whole = StitchOptions { rewrite: false, ..StitchOptions::default() };
    let made = stitch(&store, &sid(), &whole).await.unwrap();
    assert!(made.outputs[0].rewrites.is_empty());
    assert_eq!(made.outputs[0].report.repeated_millis, 2_700);
    assert_eq!(made.outputs[0].report.duration_millis, 44_000);
}

#[tokio::test]
async fn what_is_stored_and_listed_nowhere_fills_its_gap() {
    let store = Store::open("memory:").unwrap();
    record(&store, 0, false).await;
    record(&store, 40_000, true).await;
    let only_seals = StitchOptions { sealed_only: true, ..StitchOptions::default() };
    let sealed = stitch(&store, &sid(), &only_seals).await.unwrap();
    // The first segment of a fixture, as if it had been stored when its worker died.
    let segment = store.get("s1_main_20261123010000000.ts", 1 << 30).await.unwrap();
    let name = "s1_main_20261123010024000.ts";
    store.put(name, vec![segment.clone()], ObjectKind::TsSegment).await.unwrap();
    let made = stitched(&store).await;
    let report = &made.outputs[0].report;
    assert_eq!((report.covered_millis, report.gap_millis), (52_000, 12_000));
    assert_eq!(report.decisions[0].segment, name);
    assert!(matches!(report.decisions[0].fate, Fate::Filled { millis: 4_000, repeated_millis: 0 }));
    assert_eq!(list(&made).segments[6].uri, name);
    // What takes the place of a sealed one is left out.
    let name = "bak0_s1_main_20261123010041000.ts";
    store.put(name, vec![segment], ObjectKind::TsSegment).await.unwrap();
    let again = stitched(&store).await;
    assert_eq!(again.outputs[0].playlist, made.outputs[0].playlist);
    assert!(again.outputs[0].report.decisions.iter().any(|decision| decision.segment == name));
    assert_eq!(stitch(&store, &sid(), &only_seals).await.unwrap(), sealed, "seals tell nothing of it");
}

#[tokio::test]
async fn segments_that_are_missing_are_gaps_or_an_error() {
    let store = Store::open("memory:").unwrap();
    record(&store, 0, true).await;
    store.delete("s1_main_20261123010008000.ts").await.unwrap();
    let made = stitched(&store).await;
    let report = &made.outputs[0].report;
    assert_eq!((report.covered_millis, report.gap_millis), (20_000, 4_000));
    assert_eq!(report.gaps[0].reason, GapReason::Missing);
    assert_eq!(report.decisions[0].fate, Fate::Missing);
    assert_eq!(list(&made).segments.iter().filter(|segment| segment.discontinuity).count(), 1);
    let tagged = StitchOptions { gap: GapMode::Tag, ..StitchOptions::default() };
    let tagged = list(&stitch(&store, &sid(), &tagged).await.unwrap());
    assert!(tagged.segments[2].gap && !tagged.segments[3].discontinuity);
    let strict = StitchOptions { missing: MissingMode::Fail, ..StitchOptions::default() };
    let error = stitch(&store, &sid(), &strict).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DataLoss);
    assert!(error.message().contains("s1_main_20261123010008000.ts"), "{}", error.message());
}

#[tokio::test]
async fn an_open_generation_counts_as_far_as_it_is_committed() {
    let store = Store::open("memory:").unwrap();
    record(&store, 0, false).await;
    record(&store, 24_000, false).await;
    let made = stitched(&store).await;
    assert!(!made.outputs[0].report.sealed);
    assert_eq!(made.outputs[0].report.covered_millis, 48_000);
    assert!(made.notes.iter().any(|note| note.contains("generation 1 is open")), "{:?}", made.notes);
    let only_seals = StitchOptions { sealed_only: true, ..StitchOptions::default() };
    let sealed = stitch(&store, &sid(), &only_seals).await.unwrap();
    assert!(sealed.outputs[0].report.sealed);
    assert_eq!(sealed.outputs[0].report.covered_millis, 24_000);
    // The shorter one does not take the place of the longer one.
    made.store(&store).await.unwrap();
    assert_eq!(sealed.store(&store).await.unwrap()[0].1, Outcome::Newer);
    let there = store.get("stitched_s1_main.m3u8", 1 << 20).await.unwrap();
    assert_eq!(there, made.outputs[0].playlist.as_bytes());
}

#[tokio::test]
async fn a_playlist_that_grew_past_its_seal_is_read_as_the_seal_says() {
    let store = Store::open("memory:").unwrap();
    record(&store, 0, false).await;
    see_published(&store, 4).await;
    record(&store, 30_000, true).await;
    let made = stitched(&store).await;
    // No worker may do that; a person can.
    let list = store.get("s1_main.m3u8", 1 << 20).await.unwrap();
    let more = "#EXTINF:4.000,\nhttps://elsewhere/x.ts\n";
    let grown = vec![list.clone(), Bytes::from_static(more.as_bytes())];
    store.put("s1_main.m3u8", grown, ObjectKind::Playlist).await.unwrap();
    assert_eq!(stitched(&store).await, made);
    // Without its entries, the seal can only say that they are missing.
    let shorter =
        Bytes::from(String::from_utf8(list.to_vec()).unwrap().replacen("010004000", "010004001", 1));
    store.put("s1_main.m3u8", vec![shorter], ObjectKind::Playlist).await.unwrap();
    let made = stitched(&store).await;
    assert!(made.notes.iter().any(|note| note.contains("somebody changed the playlist")), "{:?}", made.notes);
}

#[tokio::test]
async fn a_worker_that_was_replaced_changes_nothing_by_what_it_publishes_and_nothing_sealed_by_what_it_stores()
 {
    for (store, _folder) in stores() {
        record(&store, 0, false).await;
        let known = see_published(&store, 4).await;
        record(&store, 34_000, true).await;
        let only_sealed = StitchOptions { sealed_only: true, ..StitchOptions::default() };
        let (made, sealed) = (stitched(&store).await, stitch(&store, &sid(), &only_sealed).await.unwrap());
        // A request that was under way when it was replaced: any of its versions from what was seen to what is sealed.
        let list = store.get("s1_main.m3u8", 1 << 20).await.unwrap();
        let text = String::from_utf8(list.to_vec()).unwrap();
        let ends: Vec<usize> = text.match_indices(".ts\n").map(|(at, _)| at + 4).collect();
        assert_eq!(ends.len(), 6);
        for end in &ends[known - 1..] {
            let version = vec![list.slice(..*end)];
            store.put("s1_main.m3u8", version, ObjectKind::Playlist).await.unwrap();
            assert_eq!(stitched(&store).await, made);
            assert_eq!(stitch(&store, &sid(), &only_sealed).await.unwrap(), sealed);
        }
        // A segment that it goes on to store is nobody's: it fills what nothing covers, and never what is sealed.
        let segment = store.get("s1_main_20261123010000000.ts", 1 << 20).await.unwrap();
        store.put("s1_main_20261123010026000.ts", vec![segment], ObjectKind::TsSegment).await.unwrap();
        assert_eq!(stitch(&store, &sid(), &only_sealed).await.unwrap(), sealed);
        let more = stitched(&store).await;
        assert_eq!(more.outputs[0].report.covered_millis, 52_000);
        let decided = |made: &Stitched| made.outputs[0].report.decisions.len();
        assert_eq!((decided(&made), decided(&more)), (0, 1), "and the report says so");
    }
}

#[tokio::test]
async fn of_numbered_stores_entries_come_from_older_versions() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).unwrap();
    record(&store, 0, false).await;
    see_published(&store, 4).await;
    record(&store, 30_000, true).await;
    let form = Recordings::open(&store).await.unwrap().unwrap().form();
    assert_eq!(form, Form::Numbered, "what is tried here is of numbered stores");
    let made = stitched(&store).await;
    let list = store.get("s1_main.m3u8", 1 << 20).await.unwrap();
    let list = String::from_utf8(list.to_vec()).unwrap();
    let shorter: String = list.split_inclusive('\n').take(13).collect();
    assert_eq!(parse(shorter.as_bytes()).unwrap().segments.len(), 2);
    store.put("s1_main.m3u8", vec![Bytes::from(shorter)], ObjectKind::Playlist).await.unwrap();
    assert_eq!(stitched(&store).await.outputs[0].playlist, made.outputs[0].playlist);
}

/// A list as other recorders write them: no dates, no comma after the duration.
fn foreign_list(segments: &[&str], tags: &[(&str, &str)]) -> String {
    let mut text =
        "#EXTM3U\r\n#EXT-X-VERSION:3\r\n#EXT-X-TARGETDURATION:16\r\n#EXT-X-MEDIA-SEQUENCE:0\r\n".to_owned();
    for segment in segments {
        for (_, tag) in tags.iter().filter(|(before, _)| before == segment) {
            text.push_str(&format!("{tag}\r\n"));
        }
        text.push_str(&format!("#EXTINF:15.000000\r\n{segment}\r\n"));
    }
    text
}

async fn put(store: &Store, key: &str, text: &str) {
    store.put(key, vec![Bytes::copy_from_slice(text.as_bytes())], ObjectKind::Playlist).await.unwrap();
}

#[tokio::test]
async fn a_bucket_of_the_hosted_service_is_stitched_by_its_names() {
    let store = Store::open("memory:").unwrap();
    let names = |prefix: &str, begin: i64, count: i64| -> Vec<String> {
        let name = |place: i64| format!("{prefix}s9_room_{}.ts", date(begin + place * 15_000).compact());
        (0..count).map(name).collect()
    };
    let turns = [names("", 0, 4), names("bak0_", 52_001, 3), names("bak1_", 120_000, 2)];
    for name in turns.iter().flatten() {
        put(&store, name, "media").await;
    }
    let refs = |names: &[String]| names.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    let list = |names: &[String]| {
        let first = names[0].clone();
        let tags = [
            (first.as_str(), "#EXT-X-AGORA-TRACK-EVENT:EVENT=START,TRACK_TYPE=VIDEO,TIME=20261123010000000"),
            (first.as_str(), "#EXT-X-DISCONTINUITY"),
        ];
        foreign_list(&refs(names).split(' ').collect::<Vec<_>>(), &tags)
    };
    put(&store, "s9_room.m3u8", &list(&turns[0])).await;
    // Uploaded by the backup path, in two versions.
    put(&store, "bak0_s9_room_1700000000_0.m3u8", &list(&turns[1][..1])).await;
    put(&store, "bak0_s9_room_1700000000_1.m3u8", &list(&turns[1])).await;
    put(&store, "bak1_s9_room.m3u8", &list(&turns[2])).await;
    put(&store, "s9_room__uid_s_7__uid_e_av.m3u8", "#EXTM3U\n# Audio\ns9_room__uid_s_7__uid_e_audio.m3u8\n")
        .await;
    let before = objects(&store).await;
    let id = Sid::new("s9").unwrap();
    let made = stitch(&store, &id, &StitchOptions::default()).await.unwrap();
    let report = &made.outputs[0].report;
    assert!(!report.sealed);
    assert_eq!((report.span_millis, report.covered_millis), (150_000, 127_001));
    assert_eq!((report.segments, report.duration_millis), (9, 135_000));
    for said in ["no control object", "uid_e_audio.m3u8, which is not there", "smaller version"] {
        assert!(made.notes.iter().any(|note| note.contains(said)), "{said}: {:?}", made.notes);
    }
    let playlist = list_of(&made);
    assert_eq!(playlist.segments[0].other_tags.len(), 1, "custom tags go where their segments go");
    // "media" cannot be trimmed: then it plays whole, and the report says so.
    assert!(
        matches!(&report.decisions[0].fate, Fate::Whole { why: Some(why), .. } if why.contains("188")),
        "{report}"
    );
    made.store(&store).await.unwrap();
    let mut after = objects(&store).await;
    assert!(after.remove("stitched_s9_room.m3u8").is_some());
    assert_eq!(after, before, "nothing else is written");
    let found = stitchable(&store).await.unwrap();
    let [room] = &found[..] else { panic!("{found:?}") };
    assert_eq!((room.recording.as_str(), room.generations, room.sealed), ("s9_room", 3, false));
}

fn list_of(made: &Stitched) -> Playlist {
    parse(made.outputs[0].playlist.as_bytes()).unwrap()
}

#[tokio::test]
async fn the_other_services_prefixes_and_users_are_understood() {
    let store = Store::open("memory:").unwrap();
    for (turn, begin) in [("", 0), ("ha1_", 40_000)] {
        for kind in ["audio", "video"] {
            let base = format!("{turn}1400_9__UserId_s_bob__UserId_e_main_{kind}");
            let name = format!("{base}_{}.ts", date(begin).compact());
            put(&store, &name, "media").await;
            let tag = format!("#EXT-X-TRTC-START-REC-TIME:{}", EPOCH + begin);
            put(&store, &format!("{base}.m3u8"), &foreign_list(&[&name], &[(&name, &tag)])).await;
        }
    }
    let made = stitch(&store, &Sid::new("1400").unwrap(), &StitchOptions::default()).await.unwrap();
    let keys: Vec<&str> = made.outputs.iter().map(|output| output.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "stitched_1400_9__UserId_s_bob__UserId_e_main_audio.m3u8",
            "stitched_1400_9__UserId_s_bob__UserId_e_main_video.m3u8"
        ]
    );
    assert!(made.outputs.iter().all(|output| output.report.gap_millis == 25_000));
    assert_eq!(made.multivariant.len(), 1);
}

#[tokio::test]
async fn several_channels_of_one_id_must_be_told_apart() {
    let store = Store::open("memory:").unwrap();
    for room in ["a", "b"] {
        let name = format!("s9_{room}_{}.ts", date(0).compact());
        put(&store, &name, "media").await;
        put(&store, &format!("s9_{room}.m3u8"), &foreign_list(&[&name], &[])).await;
    }
    let id = Sid::new("s9").unwrap();
    let error = stitch(&store, &id, &StitchOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains("s9_a, s9_b"), "{}", error.message());
    let cname = Some(tapeline::ids::Cname::new("b").unwrap());
    let made = stitch(&store, &id, &StitchOptions { cname, ..StitchOptions::default() }).await.unwrap();
    assert_eq!(made.outputs[0].key, "stitched_s9_b.m3u8");
    let error = stitch(&store, &Sid::new("s8").unwrap(), &StitchOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn lists_given_by_name_are_joined_in_their_order() {
    let store = Store::open("memory:").unwrap();
    for (folder, name) in [("one", "a.ts"), ("one", "b.ts"), ("two", "c#1.ts")] {
        put(&store, &format!("{folder}/{name}"), "media").await;
    }
    put(&store, "one/first.m3u8", &foreign_list(&["a.ts", "b.ts"], &[])).await;
    put(&store, "two/second.m3u8", &foreign_list(&["c%231.ts", "gone.ts"], &[])).await;
    let keys = ["one/first.m3u8".to_owned(), "two/second.m3u8".to_owned()];
    let made = stitch_playlists(&store, &keys, &StitchOptions::default()).await.unwrap();
    assert_eq!(made.outputs[0].key, "one/stitched_first.m3u8");
    let playlist = list(&made);
    let uris: Vec<&str> = playlist.segments.iter().map(|segment| segment.uri.as_str()).collect();
    assert_eq!(uris, ["a.ts", "b.ts", "../two/c%231.ts"]);
    assert_eq!(made.outputs[0].report.decisions[0].fate, Fate::Missing);
    let encrypted =
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:9,\na.ts\n";
    put(&store, "one/first.m3u8", encrypted).await;
    let error = stitch_playlists(&store, &keys, &StitchOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
}

#[tokio::test]
async fn segments_elsewhere_are_listed_and_left_alone() {
    let store = Store::open("memory:").unwrap();
    let dated = |name: &str, at: i64| {
        format!("#EXT-X-PROGRAM-DATE-TIME:{}\n#EXTINF:15.000,\nhttps://cdn/{name}.ts\n", date(at))
    };
    put(&store, "a.m3u8", &format!("#EXTM3U\n#EXT-X-TARGETDURATION:15\n{}", dated("a", 0))).await;
    put(&store, "b.m3u8", &format!("#EXTM3U\n#EXT-X-TARGETDURATION:15\n{}", dated("b", 9_000))).await;
    let keys = ["a.m3u8".to_owned(), "b.m3u8".to_owned()];
    let made = stitch_playlists(&store, &keys, &StitchOptions::default()).await.unwrap();
    let report = &made.outputs[0].report;
    assert!(
        matches!(&report.decisions[0].fate, Fate::Whole { repeated_millis: 6_000, why: Some(_) }),
        "{report}"
    );
    let uris: Vec<String> = list(&made).segments.into_iter().map(|segment| segment.uri).collect();
    assert_eq!(uris, ["https://cdn/a.ts", "https://cdn/b.ts"]);
}

#[tokio::test]
async fn of_two_stitchers_at_once_the_newer_state_stays() {
    let store = Store::open("memory:").unwrap();
    record(&store, 0, false).await;
    record(&store, 24_000, false).await;
    let newer = stitched(&store).await;
    let only_seals = StitchOptions { sealed_only: true, ..StitchOptions::default() };
    let older = stitch(&store, &sid(), &only_seals).await.unwrap();
    for _ in 0..20 {
        let (one, two, three) = tokio::join!(older.store(&store), newer.store(&store), older.store(&store));
        assert!(one.is_ok() && two.is_ok() && three.is_ok());
        let there = store.get("stitched_s1_main.m3u8", 1 << 20).await.unwrap();
        assert_eq!(there, newer.outputs[0].playlist.as_bytes());
        store.delete("stitched_s1_main.m3u8").await.unwrap();
    }
}

#[tokio::test]
async fn a_prefix_is_kept_and_a_folder_has_no_signed_urls() {
    let store = Store::open("memory:").unwrap();
    let id = RecordingId::new("s1", "a #1").unwrap();
    let prefix = tapeline::naming::Prefix::new("2026/nov").unwrap();
    let recorder = Recorder::start(&store, id, Options { prefix, ..options() }).await.unwrap();
    let output = recorder.output(OutputSpec::composite(Container::MpegTs).start_time(date(0))).unwrap();
    output.write_bytes(Bytes::from(std::fs::read("fixtures/h264_aac.ts").unwrap())).await.unwrap();
    recorder.stop().await.unwrap();
    let made = stitched(&store).await;
    assert_eq!(made.outputs[0].key, "2026/nov/stitched_s1_a #1.m3u8");
    assert_eq!(list(&made).segments[0].uri, "s1_a%20%231_20261123010000000.ts");
    made.store(&store).await.unwrap();
    assert!(store.exists("2026/nov/stitched_s1_a #1.m3u8").await.unwrap());
    let presign = Some(std::time::Duration::from_secs(3600));
    let error =
        stitch(&store, &sid(), &StitchOptions { presign, ..StitchOptions::default() }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
