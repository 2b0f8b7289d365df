//! Names against their written form, and both round trips over the most misleading channel names.

use proptest::prelude::*;

use super::*;
use crate::ids::{Cname, Generation, MediaKind, OutputName, RecordingId, Uid};
use crate::media::Container;
use crate::time::WallTime;

const SID: &str = "38f8e3cfdc474cd56fc1ceba380d7e1a";

fn start() -> WallTime {
    WallTime::parse_compact("20261123010203456").unwrap()
}

fn recorded(generation: u8, cname: &str, output: OutputName, kind: NameKind) -> ObjectName {
    let recording = RecordingId::new(SID, cname).unwrap();
    ObjectName { generation: Generation::new(generation).unwrap(), recording, output, kind }
}

fn individual(uid: u32, kind: MediaKind) -> OutputName {
    OutputName::Individual(Uid::new(uid).unwrap(), kind)
}

#[test]
fn recorded_names_have_their_documented_form() {
    let ts = NameKind::Segment { start: start(), container: Container::MpegTs };
    let webm = NameKind::Segment { start: start(), container: Container::WebM };
    let (mixed, video) = (OutputName::Composite, individual(123, MediaKind::Video));
    let audio = individual(u32::MAX, MediaKind::Audio);
    let cases = [
        (recorded(0, "agora", mixed, NameKind::Playlist), "_agora.m3u8"),
        (recorded(0, "agora", mixed, ts), "_agora_20261123010203456.ts"),
        (recorded(0, "a_b", video, NameKind::Playlist), "_a_b__uid_s_123__uid_e_video.m3u8"),
        (recorded(0, "a_b", video, webm), "_a_b__uid_s_123__uid_e_video_20261123010203456.webm"),
        (recorded(0, "c", audio, ts), "_c__uid_s_4294967295__uid_e_audio_20261123010203456.ts"),
    ];
    for (name, tail) in cases {
        assert_eq!(name.to_string(), format!("{SID}{tail}"));
    }
    let last = recorded(3, "agora", mixed, ts);
    assert_eq!(last.to_string(), format!("bak2_{SID}_agora_20261123010203456.ts"));
}

#[test]
fn derived_names_have_their_documented_form() {
    let original = recorded(
        1,
        "c",
        OutputName::Composite,
        NameKind::Segment { start: start(), container: Container::MpegTs },
    );
    let cut = StitchedSegment::of(&original, 0x00ab_cdef).unwrap();
    assert_eq!(cut.to_string(), format!("stitched_bak0_{SID}_c_20261123010203456_00abcdef.ts"));
    let ObjectName { generation, recording, output, .. } = original;
    let playlist = StitchedPlaylist { recording: recording.clone(), output };
    assert_eq!(playlist.to_string(), format!("stitched_{SID}_c.m3u8"));
    let exported = Exported { generation, recording, output, index: 7, format: ExportedFormat::Mp4 };
    assert_eq!(exported.to_string(), format!("bak0_{SID}_c_7.mp4"));
}

#[test]
fn what_is_no_recorded_name_is_refused() {
    let refused = [
        "",
        "s.m3u8",
        "s_.m3u8",
        "_c.m3u8",
        "s_c",
        "s_c.M3U8",
        "s_c.mp4",
        "s_c.ts",
        "s_c_2026112301020345.ts",
        "s_c_20261323010203456.ts",
        "s_20261123010203456.ts",
        "bak3_s_c.m3u8",
        "bak00_s_c.m3u8",
        "bak0_bak1_s_c.m3u8",
        "ha1_s_c.m3u8",
        "stitched_s_c.m3u8",
        "s_c__uid_s_0__uid_e_video.m3u8",
        "s_c__uid_s_01__uid_e_video.m3u8",
        "s_c__uid_s_1__uid_e_av.m3u8",
        "s_c__uid_s_1.m3u8",
        "s_c\u{e9}.m3u8",
        "dir/s_c.m3u8",
    ];
    for text in refused {
        assert!(text.parse::<ObjectName>().is_err(), "{text:?}");
    }
}

#[test]
fn what_is_no_derived_name_is_refused() {
    for text in ["s_c.m3u8", "stitched_bak0_s_c.m3u8", "stitched_stitched_s_c.m3u8", "stitched_s_c.ts"] {
        assert!(text.parse::<StitchedPlaylist>().is_err(), "{text:?}");
    }
    for text in [
        "s_c_20261123010203456_00abcdef.ts",
        "stitched_s_c_20261123010203456.ts",
        "stitched_s_c_20261123010203456_00ABCDEF.ts",
        "stitched_s_c_20261123010203456_+0abcdef.ts",
        "stitched_s_c_00abcdef.ts",
    ] {
        assert!(text.parse::<StitchedSegment>().is_err(), "{text:?}");
    }
    for text in ["s_c.mp4", "s_c_07.mp4", "s_c_+7.mp4", "s_c_20261123010203456.ts", "s_c_7.m3u8"] {
        assert!(text.parse::<Exported>().is_err(), "{text:?}");
    }
}

#[test]
fn a_name_has_one_kind() {
    let text = format!("{SID}_c_7.ts");
    assert!(text.parse::<ObjectName>().is_err());
    assert!(text.parse::<Exported>().is_ok());
}

/// Any legal channel name, with parts that look like other parts of a name more often than by chance.
fn cname() -> impl Strategy<Value = String> {
    let legal = proptest::sample::select(
        ('a'..='z').chain('A'..='Z').chain('0'..='9').chain(Cname::PUNCTUATION.chars()).collect::<Vec<_>>(),
    );
    let misleading = proptest::sample::select(vec![
        "_",
        "__",
        "__uid_s",
        "_uid_s_1",
        "__uid_e_video",
        "__uid_e_audio",
        "_20261123010203456",
        "_00abcdef",
        "_7",
        ".ts",
        ".webm",
        ".m3u8",
        ".mp4",
        "bak0_",
        "stitched_",
        ".",
        "..",
        "%2F",
        "video",
    ]);
    let part = prop_oneof![
        proptest::collection::vec(legal, 1..6).prop_map(String::from_iter),
        misleading.prop_map(str::to_owned),
    ];
    proptest::collection::vec(part, 1..6)
        .prop_map(|parts| parts.concat())
        .prop_filter("not a channel name", |text| Cname::new(text).is_ok())
}

fn recording() -> impl Strategy<Value = RecordingId> {
    let sid = prop_oneof!["[0-9a-f]{32}", "[A-Za-z0-9-]{1,8}", "bak[0-9]x", "-"];
    (sid, cname()).prop_filter_map("not a recording", |(sid, cname)| RecordingId::new(&sid, &cname).ok())
}

fn output() -> impl Strategy<Value = OutputName> {
    let kind = prop_oneof![Just(MediaKind::Audio), Just(MediaKind::Video)];
    let individual = (1u32.., kind).prop_map(|(uid, kind)| individual(uid, kind));
    prop_oneof![Just(OutputName::Composite), individual]
}

fn generation() -> impl Strategy<Value = Generation> {
    (0u8..=3).prop_map(|number| Generation::new(number).unwrap())
}

fn container() -> impl Strategy<Value = Container> {
    prop_oneof![Just(Container::MpegTs), Just(Container::WebM)]
}

fn any_name() -> impl Strategy<Value = ObjectName> {
    let segment = (0i64..253_402_300_800_000, container()).prop_map(|(millis, container)| {
        NameKind::Segment { start: WallTime::from_millis(millis), container }
    });
    let kind = prop_oneof![Just(NameKind::Playlist), segment];
    (generation(), recording(), output(), kind).prop_map(|(generation, recording, output, kind)| ObjectName {
        generation,
        recording,
        output,
        kind,
    })
}

/// Texts that are names, or nearly.
fn any_text() -> impl Strategy<Value = String> {
    let front = proptest::sample::select(vec!["", "stitched_", "bak0_", "bak2_", "bak3_", "ha1_"]);
    let back = proptest::sample::select(vec![
        "",
        ".m3u8",
        "_20261123010203456.ts",
        "_20261123010203456_00abcdef.ts",
        "_7.mp4",
        "_4294967296.ts",
        "__uid_s_5__uid_e_video.m3u8",
        "__uid_s_05__uid_e_audio.m3u8",
        "__uid_s_5__uid_e_audio_1.webm",
        "__uid_s___uid_e_audio.m3u8",
        "__uid_s_5__uid_e_video_20261123010203456.webm",
    ]);
    (front, "[a-f0-9_]{0,3}", cname(), back)
        .prop_map(|(front, sid, cname, back)| format!("{front}{sid}_{cname}{back}"))
}

proptest! {
    #[test]
    fn recorded_names_come_back(name in any_name()) {
        prop_assert_eq!(name.to_string().parse(), Ok(name));
    }

    #[test]
    fn stitched_segments_come_back(original in any_name(), hash: u32) {
        if let Some(cut) = StitchedSegment::of(&original, hash) {
            let text = cut.to_string();
            let stem = original.to_string();
            let stem = &stem[..stem.rfind('.').unwrap()];
            let front = format!("stitched_{stem}_");
            prop_assert!(text.starts_with(&front));
            prop_assert!(text.parse::<ObjectName>().is_err(), "a scan must not take it for a recorded segment");
            prop_assert_eq!(text.parse(), Ok(cut));
        }
    }

    #[test]
    fn stitched_playlists_come_back(recording in recording(), output in output()) {
        let name = StitchedPlaylist { recording, output };
        prop_assert_eq!(name.to_string().parse(), Ok(name));
    }

    #[test]
    fn exported_names_come_back(
        generation in generation(),
        recording in recording(),
        output in output(),
        index: u32,
        format in prop_oneof![Just(ExportedFormat::Mp4), Just(ExportedFormat::WebM), Just(ExportedFormat::MpegTs)],
    ) {
        let name = Exported { generation, recording, output, index, format };
        let text = name.to_string();
        prop_assert!(text.parse::<ObjectName>().is_err());
        prop_assert_eq!(text.parse(), Ok(name));
    }

    #[test]
    fn what_parses_is_written_the_same(text in any_text()) {
        if let Ok(name) = text.parse::<ObjectName>() {
            prop_assert_eq!(name.to_string(), text.as_str());
        }
        if let Ok(name) = text.parse::<StitchedPlaylist>() {
            prop_assert_eq!(name.to_string(), text.as_str());
        }
        if let Ok(name) = text.parse::<StitchedSegment>() {
            prop_assert_eq!(name.to_string(), text.as_str());
        }
        if let Ok(name) = text.parse::<Exported>() {
            prop_assert_eq!(name.to_string(), text.as_str());
        }
    }

    #[test]
    fn names_survive_a_playlist(name in any_name()) {
        let uri = encode_uri(&name.to_string());
        prop_assert_eq!(decode_uri(&uri), Some(name.to_string()));
    }
}
