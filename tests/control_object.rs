//! The documents of a recording's state: their form, and what reading refuses.
//!
//! `golden/control.json` is pretty-printed for reading; `golden/seal.json` is a seal's exact text, for its hash
//! stands in the control object. A change of either changes what other versions of this program read: both were
//! copied from the message of the failing test, then compared with the description of each field.

mod control_support;

use control_support::{SID, addition, claimed, date, entry, holder, in_generation, seal_name, started};
use serde_json::{Value, json};
use tapeline::checksum::{Crc64, Sha256};
use tapeline::continuity::{ControlObject, InvalidDocument, Phase, Seal, TailEntry};
use tapeline::spool::GapCause;

/// One with something in every field: a second generation that has lost a segment.
fn sample() -> ControlObject {
    let first = started().commit(&[addition(0, vec![entry(0), entry(1), entry(2)], 2)], "a0-2".to_owned());
    let (cause, crc64) = (Some(GapCause::SpoolFull), Crc64::default());
    let gap = TailEntry { bytes: 0, crc64, gap: true, cause, ..entry(5) };
    let after = TailEntry { discontinuity: true, ..entry(6) };
    claimed(&first, "b0").commit(&[addition(1, vec![entry(4), gap, after], 1)], "b0-2".to_owned())
}

/// The state that the sample's claim sealed.
fn sealed() -> Seal {
    Seal::of(&started().commit(&[addition(0, vec![entry(0), entry(1), entry(2)], 2)], "a0-2".to_owned()))
}

/// States in every phase and generation, with and without outputs.
fn states() -> Vec<ControlObject> {
    let mut states = vec![sample()];
    for number in 0..=3 {
        let state = in_generation(number);
        let recorded = state.commit(&[addition(number, vec![entry(0), entry(1)], 1)], "x-2".to_owned());
        states.extend([
            state.orphan("x-3".to_owned()),
            recorded.orphan("x-3".to_owned()),
            state.stop(seal_name(&state), "x-3".to_owned()).unwrap(),
            recorded.stop(seal_name(&recorded), "x-3".to_owned()).unwrap(),
            claimed(&recorded, "y"),
            recorded,
            state,
        ]);
    }
    states
}

#[test]
fn the_documents_are_the_golden_ones() {
    let control = format!("{}\n", serde_json::to_string_pretty(&sample()).unwrap());
    assert!(control == include_str!("golden/control.json"), "{control}");
    assert_eq!(ControlObject::decode(control.as_bytes()).unwrap(), sample());
    let seal = sealed();
    let text = String::from_utf8(seal.encode().to_vec()).unwrap();
    assert!(text == include_str!("golden/seal.json"), "{text}");
    assert_eq!(sample().seals[0].sha256, Sha256::of(text.as_bytes()), "its hash is that of these bytes");
    assert_eq!(seal.name(), "seal-0-2.json");
}

#[test]
fn what_is_written_is_read() {
    let phases: std::collections::BTreeSet<String> =
        states().iter().map(|state| state.phase.to_string()).collect();
    assert_eq!(phases.len(), 5, "{phases:?}");
    for state in states() {
        let text = state.encode();
        let read = ControlObject::decode(&text).unwrap_or_else(|error| panic!("{error}: {state:?}"));
        assert_eq!(read, state);
        assert_eq!(read.encode(), text);
        let seal = Seal::of(&state);
        assert_eq!(Seal::decode(&seal.encode()).unwrap(), seal);
        assert_eq!(
            seal.encode(),
            Seal::of(&read).encode(),
            "who reads the same version writes the same seal"
        );
    }
}

/// The sample as a document to change.
fn document() -> Value {
    serde_json::from_slice(&sample().encode()).unwrap()
}

fn decode(document: &Value) -> Result<ControlObject, InvalidDocument> {
    ControlObject::decode(document.to_string().as_bytes())
}

#[test]
fn fields_of_a_later_program_are_kept() {
    let levels = ["", "/holder", "/outputs/0", "/seals/0"];
    let mut later = document();
    let value = json!({"deep": [1, null, "x"]});
    for level in levels {
        later.pointer_mut(level).unwrap()["later"] = value.clone();
    }
    let read = decode(&later).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&read.encode()).unwrap(), later);
    // And through every kind of change, as far as what they belong to is still there.
    let changes = [
        (read.commit(&[addition(1, vec![entry(7)], 3)], "n".to_owned()), &levels[..]),
        (read.orphan("n".to_owned()), &levels[..]),
        (read.stop(seal_name(&read), "n".to_owned()).unwrap(), &levels[..]),
        (read.claim(holder("c"), seal_name(&read), "n".to_owned()).unwrap(), &["", "/seals/0"][..]),
    ];
    for (changed, levels) in changes {
        let text: Value = serde_json::from_slice(&changed.encode()).unwrap();
        for level in levels {
            assert_eq!(text.pointer(level).unwrap()["later"], value, "{level}");
        }
    }
    let seal: Value = serde_json::from_slice(&Seal::of(&read).encode()).unwrap();
    for level in ["/holder", "/outputs/0"] {
        assert_eq!(seal.pointer(level).unwrap()["later"], value, "{level}");
    }

    let mut later: Value = serde_json::from_slice(&sealed().encode()).unwrap();
    for level in ["", "/holder", "/outputs/0"] {
        later.pointer_mut(level).unwrap()["later"] = value.clone();
    }
    let read = Seal::decode(later.to_string().as_bytes()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&read.encode()).unwrap(), later);
}

#[test]
fn another_schema_is_refused_before_anything_else_is_read() {
    for schema in [0, 2, 4_000_000_000_u64] {
        // Its other fields may mean anything.
        let text = format!("{{\"schema\":{schema},\"epoch\":\"blue\"}}");
        for error in
            [ControlObject::decode(text.as_bytes()).unwrap_err(), Seal::decode(text.as_bytes()).unwrap_err()]
        {
            let message = format!("it has schema {schema}, and this program knows 1: use a newer one");
            assert_eq!(error.to_string(), message);
        }
    }
    for text in
        ["", "null", "[]", "{}", "{\"schema\":\"1\"}", "{\"schema\":-1}", "\u{feff}{}", "{\"schema\":1"]
    {
        assert!(ControlObject::decode(text.as_bytes()).is_err(), "{text:?}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let other_playlist = |name: &str| json!(name);
    let tail = document()["outputs"][0]["tail"].clone();
    let seal = document()["seals"][0].clone();
    // Where, what stands there, and what is said.
    let cases = [
        ("/seals", json!([]), "generation 1 and phase Recording need 1 seals, not 0"),
        ("/seals", json!([seal, seal]), "need 1 seals, not 2"),
        ("/phase", json!("Stopped"), "generation 1 and phase Stopped need 2 seals, not 1"),
        ("/phase", json!("Abandoned"), "phase Abandoned need 2 seals"),
        ("/phase", json!("Paused"), "unknown variant `Paused`"),
        ("/generation", json!(0), "generation 0 and phase Recording need 0 seals, not 1"),
        ("/generation", json!(4), "0 to 3"),
        ("/seals/0/generation", json!(1), "seal 0 is of generation 1"),
        ("/seals/0/sha256", json!("00"), "is no checksum"),
        ("/outputs/0/playlist", other_playlist("x.txt"), "is no playlist of"),
        ("/outputs/0/playlist", json!(format!("{SID}_lobby.m3u8")), "generation 1"),
        ("/outputs/0/playlist", json!(format!("bak1_{SID}_lobby.m3u8")), "generation 1"),
        ("/outputs/0/playlist", json!(format!("bak0_{SID}_hall.m3u8")), "is no playlist of"),
        ("/outputs/0/playlist", json!("bak0_other_lobby.m3u8"), "is no playlist of"),
        ("/outputs/0/playlist", json!(format!("bak0_{SID}_lobby_20261123010203456.ts")), "is no playlist of"),
        ("/outputs/0/tail", json!([]), "a tail of 0 behind 1 does not make 3 segments"),
        ("/outputs/0/tail_from", json!(0), "a tail of 2 behind 0 does not make 3 segments"),
        ("/outputs/0/tail_from", json!(u64::MAX), "does not make 3 segments"),
        ("/outputs/0/segments", json!(4), "does not make 4 segments"),
        ("/outputs/0/tail/0/utc", json!("2026112301020345"), "is not 17 digits of a date"),
        ("/outputs/0/tail", json!([tail[0], "x"]), "invalid type"),
        ("/outputs/0/container", json!("mp4"), "unknown variant `mp4`"),
        ("/outputs/0/begin", json!("soon"), "soon"),
        ("/sid", json!("bak0"), "sid"),
        ("/cname", json!("a/b"), "cname"),
        ("/prefix", json!("../x"), "x"),
        ("/epoch", json!(-1), "invalid value"),
        ("/counter", json!(1.5), "invalid type"),
        ("/holder", json!(null), "invalid type"),
    ];
    for (place, value, says) in cases {
        let mut changed = document();
        *changed.pointer_mut(place).expect(place) = value.clone();
        match decode(&changed) {
            Ok(_) => panic!("{place} = {value} is read"),
            Err(error) => assert!(error.to_string().contains(says), "{place} = {value}: {error}"),
        }
    }
    let required: Vec<String> = document().as_object().unwrap().keys().cloned().collect();
    for field in required {
        let mut changed = document();
        changed.as_object_mut().unwrap().remove(&field);
        let error = decode(&changed).unwrap_err().to_string();
        assert!(error.contains(&format!("missing field `{field}`")), "{error}");
    }
}

#[test]
fn a_seal_that_cannot_be_is_refused() {
    let cases = [
        ("/generation", json!(1), "generation 1"),
        ("/outputs/0/segments", json!(2), "does not make 2 segments"),
        ("/outputs/0/playlist", json!("other_lobby.m3u8"), "is no playlist of"),
        ("/schema", json!(2), "schema 2"),
    ];
    for (place, value, says) in cases {
        let mut changed: Value = serde_json::from_slice(&sealed().encode()).unwrap();
        *changed.pointer_mut(place).expect(place) = value;
        let error = Seal::decode(changed.to_string().as_bytes()).unwrap_err().to_string();
        assert!(error.contains(says), "{place}: {error}");
    }
}

#[test]
fn a_final_phase_is_one_that_nothing_follows() {
    let last = [Phase::Recording, Phase::Recovering, Phase::Orphaned, Phase::Stopped, Phase::Abandoned];
    assert_eq!(last.map(Phase::is_final), [false, false, false, true, true]);
    assert_eq!(date(0).to_string(), "2026-11-23T01:02:03.456Z");
}
