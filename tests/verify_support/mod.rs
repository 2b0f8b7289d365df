//! A good recording as a map from keys to bytes, and hands to damage it with.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::BTreeMap;

use bytes::Bytes;
use tapeline::checksum::{Crc64, Sha256};
use tapeline::continuity::{ControlObject, SalvageRecord, SalvageState, SalvagedSegment, Seal};
use tapeline::ids::RecordingId;
use tapeline::media::Container;
use tapeline::playlist::parse;
use tapeline::recorder::{Options, OutputSpec, Recorder};
use tapeline::store::{ObjectKind, ObjectMeta, Store};
use tapeline::time::{MediaSpan, WallTime};
use tapeline::ts::{PACKET_LEN, Packet, ParsedPes, PesHeader, Pid};

/// What each turn records.
pub const INPUTS: [&str; 3] = ["h264_aac.ts", "h264_aac.ts", "clock_jump.ts"];

/// A recording in its store, object by object.
#[derive(Clone)]
pub struct Bucket(pub BTreeMap<String, Bytes>);

impl Bucket {
    /// Three generations with a gap and an overlap, the last seal with a tail, and a salvaged segment.
    pub async fn recorded() -> Self {
        let store = Store::open("memory:").unwrap();
        let id = RecordingId::new("s1", "main").unwrap();
        let mut options = Options::default();
        options.rules.target = MediaSpan::from_secs(4);
        for (number, begin) in [0, 17_300, 60_000].into_iter().enumerate() {
            let recorder = match number {
                0 => Recorder::start(&store, id.clone(), options.clone()).await.unwrap(),
                _ => Recorder::resume(&store, &id.sid, None, options.clone()).await.unwrap(),
            };
            let date = WallTime::from_millis(1_795_395_600_000 + begin);
            let output = recorder.output(OutputSpec::composite(Container::MpegTs).start_time(date)).unwrap();
            let input = std::fs::read(format!("fixtures/{}", INPUTS[number])).unwrap();
            output.write_bytes(Bytes::from(input)).await.unwrap();
            if number == 2 {
                recorder.stop().await.unwrap()
            } else {
                recorder.orphan().await.unwrap()
            };
        }
        let mut bucket = Self::of(&store).await;
        for (generation, tail) in [(0, 0), (1, 0), (2, 1)] {
            bucket.tail_of(generation, tail);
        }
        bucket.salvage();
        bucket
    }

    /// All objects of a store.
    pub async fn of(store: &Store) -> Self {
        let listed: Vec<ObjectMeta> = futures_util::TryStreamExt::try_collect(store.list("")).await.unwrap();
        let mut found = BTreeMap::new();
        for object in listed {
            found.insert(object.key.clone(), store.get(&object.key, 1 << 30).await.unwrap());
        }
        Self(found)
    }

    /// A store that holds this.
    pub async fn store(&self) -> Store {
        let store = Store::open("memory:").unwrap();
        for (key, body) in &self.0 {
            store.put(key, vec![body.clone()], ObjectKind::Control).await.unwrap();
        }
        store
    }

    pub fn list(generation: u8) -> String {
        match generation {
            0 => "s1_main.m3u8".to_owned(),
            k => format!("bak{}_s1_main.m3u8", k - 1),
        }
    }

    /// The key of the control object.
    pub fn control(&self) -> String {
        ".tapeline/recordings/s1.json".to_owned()
    }

    pub fn seal(&self, generation: u8) -> String {
        self.find(&format!("seal-{generation}-"))
    }

    pub fn find(&self, part: &str) -> String {
        self.0.keys().find(|key| key.contains(part)).unwrap_or_else(|| panic!("{part}")).clone()
    }

    /// The keys of a generation's segments, in their order.
    pub fn segments(&self, generation: u8) -> Vec<String> {
        let stem = Self::list(generation).replace(".m3u8", "_");
        self.0.keys().filter(|key| key.starts_with(&stem) && key.ends_with(".ts")).cloned().collect()
    }

    pub fn change(&mut self, key: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
        let body = self.0.get_mut(key).unwrap_or_else(|| panic!("{key}"));
        *body = Bytes::from(change(body.to_vec()));
    }

    /// Replaces text that is there.
    pub fn replace(&mut self, key: &str, from: &str, to: &str) {
        self.change(key, |body| {
            let text = String::from_utf8(body).unwrap();
            assert!(text.contains(from), "{key} has no {from}");
            text.replacen(from, to, 1).into_bytes()
        });
    }

    /// Changes the packets of a segment.
    pub fn packets(&mut self, key: &str, change: impl FnOnce(&mut Vec<[u8; PACKET_LEN]>)) {
        self.change(key, |body| {
            let mut packets: Vec<[u8; PACKET_LEN]> = body.as_chunks().0.to_vec();
            change(&mut packets);
            packets.concat()
        });
    }

    /// A generation that was sealed when all but the last entries had been seen published. How many they are is
    /// a matter of luck where segments follow each other this fast.
    fn tail_of(&mut self, generation: u8, entries: usize) {
        let key = self.seal(generation);
        let mut seal = Seal::decode(&self.0[&key]).unwrap();
        for output in &mut seal.outputs {
            let seen = output.tail.len().checked_sub(entries).expect("so many entries");
            output.tail.drain(..seen);
            output.tail_from += seen as u64;
        }
        let control_key = self.control();
        let mut control = ControlObject::decode(&self.0[&control_key]).unwrap();
        let text = seal.encode();
        control.seals[usize::from(generation)].sha256 = Sha256::of(&text);
        self.0.insert(key, text);
        self.0.insert(control_key, control.encode());
    }

    /// A segment that was salvaged between the second generation's end and the third's begin.
    fn salvage(&mut self) {
        let original = self.segments(1).pop().unwrap();
        let body = self.0[&original].clone();
        let date = WallTime::from_millis(1_795_395_600_000 + 50_000);
        let key = format!("bak0_s1_main_{}.ts", date.compact());
        let playlist = Self::list(1);
        let last = parse(&self.0[&playlist]).unwrap().segments.pop().unwrap();
        let control = ControlObject::decode(&self.0[&self.control()]).unwrap();
        let segment = SalvagedSegment {
            playlist,
            segment: None,
            key: key.clone(),
            state: SalvageState::Torn,
            cause: None,
            utc: date,
            start: last.media.unwrap().0,
            clock: 77,
            date,
            millis: last.duration_millis,
            bytes: body.len() as u64,
            crc64: Crc64::of(&body),
            sha256: Sha256::of(&body),
            discontinuity: true,
            unknown: serde_json::Map::default(),
        };
        let record = SalvageRecord {
            schema: SalvageRecord::SCHEMA,
            sid: control.sid.clone(),
            cname: control.cname.clone(),
            prefix: control.prefix.clone(),
            generation: tapeline::ids::Generation::new(1).unwrap(),
            folder: "0123abcd".to_owned(),
            worker: None,
            segments: vec![segment],
            lost: Vec::new(),
            unknown: serde_json::Map::default(),
        };
        self.0
            .insert(format!(".tapeline/recordings/s1/salvage-{}-0.json", record.generation), record.encode());
        self.0.insert(key, body);
    }
}

pub const VIDEO: u16 = 0x100;
pub const AUDIO: u16 = 0x101;

pub fn pid(packet: &[u8; PACKET_LEN]) -> u16 {
    Packet::at(packet, 0).unwrap().pid().get()
}

pub fn starts(packet: &[u8; PACKET_LEN]) -> bool {
    Packet::at(packet, 0).unwrap().unit_start()
}

/// Index of the `nth` packet of a PID that begins a unit, or not.
pub fn nth(packets: &[[u8; PACKET_LEN]], wanted: u16, start: bool, nth: usize) -> usize {
    let of =
        packets.iter().enumerate().filter(|(_, packet)| pid(packet) == wanted && starts(packet) == start);
    of.map(|(index, _)| index).nth(nth).expect("so many packets")
}

/// Where the payload of a packet begins.
pub fn payload(packet: &[u8; PACKET_LEN]) -> usize {
    PACKET_LEN - Packet::at(packet, 0).unwrap().payload().len()
}

/// Moves the stamps of a unit by so many ticks of 90 kHz: its PTS, its DTS.
pub fn restamp(packet: &mut [u8; PACKET_LEN], pts: i64, dts: i64) {
    let at = payload(packet);
    let ParsedPes::Header(PesHeader { pts: Some(old), dts: old_dts, .. }) = PesHeader::parse(&packet[at..])
    else {
        panic!("no time stamp")
    };
    let mut write = |at: usize, stamp: tapeline::time::Pts33| {
        let bits = stamp.bits();
        packet[at] = packet[at] & 0xf1 | ((bits >> 29) as u8 & 0x0e);
        packet[at + 1] = (bits >> 22) as u8;
        packet[at + 2] = (bits >> 14) as u8 | 1;
        packet[at + 3] = (bits >> 7) as u8;
        packet[at + 4] = (bits << 1) as u8 | 1;
    };
    write(at + 9, old + MediaSpan::from_ticks(pts));
    if let Some(old) = old_dts {
        write(at + 14, old + MediaSpan::from_ticks(dts));
    }
}

/// Whether the packet bears the clock.
pub fn has_clock(packet: &[u8; PACKET_LEN]) -> bool {
    Packet::at(packet, 0).unwrap().pcr().is_some()
}

pub fn is_table(packet: &[u8; PACKET_LEN]) -> bool {
    let pid = Packet::at(packet, 0).unwrap().pid();
    pid == Pid::PAT || pid == Pid::new(0x1000)
}
