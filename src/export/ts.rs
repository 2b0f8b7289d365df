//! Segments into one transport stream (ISO/IEC 13818-1): time stamps, clock and counters run on over the joins. Pure.
//!
//! In: parts, in order. Out: the same packets, of which only numbers are changed, in place: continuity counters, PCR and OPCR,
//! PTS and DTS, and the version of a map that becomes another one. Where a part's time stamps do not follow those before, all
//! of them are moved by one offset, the smallest at which no stream's decoding time and no clock runs back; so sound and pictures
//! stay as they are to each other. A part that needs no change is handed on as it came.
//!
//! Invariants: no packet is added, dropped or reordered; within a part all times move by the same; a fault of a segment (a gap in
//! its counters) stays as visible as it was.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use super::part::Part;
use crate::time::{MediaSpan, Pts33};
use crate::ts::{
    PACKET_LEN, Packet, ParsedPes, PesHeader, Pid, SYNC_BYTE, SegmentMap, crc32, timestamp_bytes,
};

/// After a join the clock goes on by at least so much.
const CLOCK_STEP: MediaSpan = MediaSpan::from_millis(1);
/// A stream's step where only one unit was seen.
const STEP: MediaSpan = MediaSpan::from_millis(20);
/// Handed on at once: what fits a core's cache, in whole packets.
const PIECE: usize = 1394 * PACKET_LEN;
/// `table_id` of a program map.
const PROGRAM_MAP: u8 = 2;

/// What is known of a PID in the output.
#[derive(Debug, Clone, Copy, Default)]
struct Counter {
    /// The counter of its last packet with a payload.
    last: Option<u8>,
    /// What this part's counters are moved by.
    shift: Option<u8>,
}

/// Where a stream stands in the output.
#[derive(Debug, Clone, Copy)]
struct Reached {
    dts: Pts33,
    step: MediaSpan,
}

/// Why a part is not in the output.
#[derive(Debug)]
pub enum JoinError<E> {
    /// It holds no packets of 188 bytes.
    NoStream,
    /// The output took no more.
    Write(E),
}

/// Makes one stream of parts.
#[derive(Debug)]
pub struct TsJoiner {
    /// By PID.
    counters: Box<[Counter]>,
    reached: BTreeMap<Pid, Reached>,
    clock: Option<Pts33>,
    offset: MediaSpan,
    /// The map as it was last, without its version and CRC, and the version it has in the output.
    map: Option<(Vec<u8>, u8)>,
    began: bool,
}

impl Default for TsJoiner {
    fn default() -> Self {
        Self {
            counters: vec![Counter::default(); Pid::COUNT].into_boxed_slice(),
            reached: BTreeMap::new(),
            clock: None,
            offset: MediaSpan::ZERO,
            map: None,
            began: false,
        }
    }
}

/// The PIDs of a part's streams.
struct Streams(Box<[bool]>);

impl Streams {
    fn of(map: Option<&SegmentMap>) -> Self {
        let mut known = vec![false; Pid::COUNT].into_boxed_slice();
        for stream in map.into_iter().flat_map(|map| &map.pmt.streams) {
            if let Some(known) = known.get_mut(stream.pid.index()) {
                *known = true;
            }
        }
        Self(known)
    }

    fn has(&self, pid: Pid) -> bool {
        self.0.get(pid.index()).copied().unwrap_or(false)
    }
}

/// What a part's time stamps begin with: the first decoding time of each stream, and the first clock.
#[derive(Debug, Default)]
struct Begin {
    streams: BTreeMap<Pid, Pts33>,
    clock: Option<Pts33>,
}

impl Begin {
    fn of(bytes: &Bytes, streams: &Streams) -> Self {
        let mut begin = Self::default();
        for packet in packets(bytes) {
            begin.clock = begin.clock.or(packet.pcr());
            let pid = packet.pid();
            let wanted = packet.unit_start() && streams.has(pid) && !begin.streams.contains_key(&pid);
            if wanted
                && let ParsedPes::Header(header) = PesHeader::parse(packet.payload())
                && let Some(dts) = header.dts.or(header.pts)
            {
                begin.streams.insert(pid, dts);
            }
        }
        begin
    }
}

impl TsJoiner {
    /// Takes the next part, and hands on what the output has of it in pieces while they are in the cache. Gives how many bytes
    /// that is.
    ///
    /// # Errors
    /// `NoStream`, with nothing handed on; else what `sink` gave.
    pub fn part<E>(
        &mut self,
        part: Part,
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<u64, JoinError<E>> {
        let Part { bytes, continues, gap, .. } = part;
        // A last packet that is not whole is of no use to anybody.
        let whole = bytes.len() - bytes.len() % PACKET_LEN;
        let bytes = bytes.slice(..whole);
        if bytes.first() != Some(&SYNC_BYTE) {
            return Err(JoinError::NoStream);
        }
        let map = SegmentMap::of(&bytes);
        let streams = Streams::of(map.as_ref());
        if self.began && !continues {
            self.offset = self.offset_of(&Begin::of(&bytes, &streams), gap);
        }
        self.began = true;
        self.counters.iter_mut().for_each(|counter| counter.shift = None);
        let version = map.and_then(|map| Some((map.pid, self.version_of(map.section)?)));
        if self.fits(&bytes, version) {
            for piece in bytes.chunks(PIECE) {
                self.follow(piece, &streams);
                sink(piece).map_err(JoinError::Write)?;
            }
        } else {
            let mut changed = bytes.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
            self.change(&mut changed, &streams, version, &mut sink).map_err(JoinError::Write)?;
        }
        Ok(whole as u64)
    }

    /// Where a part's times go so that nothing runs back.
    fn offset_of(&self, begin: &Begin, gap: MediaSpan) -> MediaSpan {
        let mut offset: Option<MediaSpan> = None;
        let mut at_least =
            |wanted: MediaSpan| offset = Some(offset.map_or(wanted, |known| later(known, wanted)));
        for (pid, first) in &begin.streams {
            if let Some(Reached { dts, step }) = self.reached.get(pid) {
                at_least((*dts + *step).since(*first));
            }
        }
        // Streams that go by other PIDs follow all that there was.
        if !begin.streams.keys().any(|pid| self.reached.contains_key(pid)) {
            for first in begin.streams.values() {
                self.reached
                    .values()
                    .for_each(|reached| at_least((reached.dts + reached.step).since(*first)));
            }
        }
        if let Some((last, first)) = self.clock.zip(begin.clock) {
            at_least((last + CLOCK_STEP).since(first));
        }
        offset.map_or(self.offset, |offset| offset + gap)
    }

    /// Whether nothing of the part needs to be changed.
    fn fits(&self, bytes: &Bytes, version: Option<(Pid, u8)>) -> bool {
        if self.offset != MediaSpan::ZERO || version.is_some() {
            return false;
        }
        let mut awaited = self.counters.iter().filter(|counter| counter.last.is_some()).count();
        let mut seen: Vec<Pid> = Vec::new();
        for packet in packets(bytes).filter(|packet| packet.has_payload()) {
            if awaited == 0 {
                break;
            }
            let pid = packet.pid();
            let last = self.counters.get(pid.index()).and_then(|counter| counter.last);
            let Some(last) = last.filter(|_| !seen.contains(&pid)) else { continue };
            if (last + 1) & 0x0f != packet.continuity_counter() {
                return false;
            }
            seen.push(pid);
            awaited -= 1;
        }
        true
    }

    /// Takes note of a part that is handed on as it is.
    fn follow(&mut self, bytes: &[u8], streams: &Streams) {
        for packet in packets(bytes) {
            let pid = packet.pid();
            let counts = packet.has_payload() && pid != Pid::NULL;
            if let Some(known) = self.counters.get_mut(pid.index()).filter(|_| counts) {
                known.last = Some(packet.continuity_counter());
            }
            self.clock = packet.pcr().or(self.clock);
            if packet.unit_start()
                && streams.has(pid)
                && let ParsedPes::Header(header) = PesHeader::parse(packet.payload())
            {
                self.reach(pid, header);
            }
        }
    }

    /// Takes note of a unit's times in the output.
    fn reach(&mut self, pid: Pid, header: PesHeader) {
        let Some(dts) = header.dts.or(header.pts) else { return };
        let reached = self.reached.entry(pid).or_insert(Reached { dts, step: STEP });
        let step = dts.since(reached.dts);
        if step > MediaSpan::ZERO {
            reached.step = step;
        }
        reached.dts = dts;
    }

    fn change<E>(
        &mut self,
        bytes: &mut BytesMut,
        streams: &Streams,
        version: Option<(Pid, u8)>,
        sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        // Headers that go on in the next packet of their PID, which are few.
        let mut headers: BTreeMap<Pid, Places> = BTreeMap::new();
        let mut section = Places::default();
        let mut given = 0;
        for at in (0..bytes.len()).step_by(PACKET_LEN) {
            let Some(packet) = Packet::at(bytes, at) else { break };
            let (pid, starts, payload) = (packet.pid(), packet.unit_start(), packet.payload().len());
            let (read, scrambled) = (packet.continuity_counter(), packet.scrambled());
            let (counts, end) = (packet.has_payload() && pid != Pid::NULL, at + PACKET_LEN);
            if let Some(known) = self.counters.get_mut(pid.index()).filter(|_| counts) {
                let next = known.last.map_or(read, |last| (last + 1) & 0x0f);
                let shift = *known.shift.get_or_insert(next.wrapping_sub(read) & 0x0f);
                let written = read.wrapping_add(shift) & 0x0f;
                known.last = Some(written);
                set(bytes, at + 3, |byte| byte & 0xf0 | written);
            }
            self.move_clock(bytes, at);
            let readable = payload > 0 && !scrambled;
            if let Some((_, version)) = version.filter(|(map, _)| readable && *map == pid) {
                section.add(starts, end - payload..end);
                new_version(bytes, &mut section, version);
            }
            if readable && streams.has(pid) && (starts || headers.contains_key(&pid)) {
                let mut places = headers.remove(&pid).unwrap_or_default();
                places.add(starts, end - payload..end);
                match move_stamps(bytes, &places, self.offset) {
                    Moved::Waits => _ = headers.insert(pid, places),
                    Moved::Header(header) => self.reach(pid, header),
                    Moved::None => {}
                }
            }
            if end - given >= PIECE {
                // What may still change is handed on later.
                let open = headers.values().chain([&section]).filter_map(Places::first);
                let ready = open.min().map_or(end, |first| first.min(end));
                sink(bytes.get(given..ready).unwrap_or_default())?;
                given = given.max(ready);
            }
        }
        sink(bytes.get(given..).unwrap_or_default())
    }

    /// Moves PCR and OPCR of a packet.
    fn move_clock(&mut self, bytes: &mut BytesMut, at: usize) {
        let Some(&[_, _, _, control, len, flags]) = bytes.get(at..).and_then(<[u8]>::first_chunk) else {
            return;
        };
        let mut place = at + 6;
        let end = at + 5 + usize::from(len);
        if control & 0x20 == 0 || len == 0 || end > at + PACKET_LEN {
            return;
        }
        // PCR, then OPCR.
        for (flag, is_clock) in [(0x10, true), (0x08, false)] {
            if flags & flag == 0 {
                continue;
            }
            let Some(field) = bytes.get_mut(place..place + 6).filter(|_| place + 6 <= end) else { return };
            let [a, b, c, d, e, _] = *field else { return };
            let base = Pts33::new(u64::from(u32::from_be_bytes([a, b, c, d])) << 1 | u64::from(e >> 7))
                + self.offset;
            let bits = base.bits();
            let high = u32::try_from(bits >> 1).unwrap_or(u32::MAX).to_be_bytes();
            field.iter_mut().zip(high).for_each(|(byte, new)| *byte = new);
            set(bytes, place + 4, |byte| byte & 0x7f | u8::from(bits & 1 == 1) << 7);
            if is_clock {
                self.clock = Some(base);
            }
            place += 6;
        }
    }

    /// The version that the part's map is to have, where that is another than it has.
    fn version_of(&mut self, section: Vec<u8>) -> Option<u8> {
        let own = section.get(5)? >> 1 & 0x1f;
        let mut content = section;
        content.truncate(content.len().saturating_sub(4));
        *content.get_mut(5)? &= 0xc1;
        let version = match &self.map {
            None => own,
            Some((known, version)) if *known == content => *version,
            Some((_, version)) if *version == own => (own + 1) & 0x1f,
            Some(_) => own,
        };
        self.map = Some((content, version));
        (version != own).then_some(version)
    }
}

/// Of two offsets the one that moves further on the 33-bit clock.
fn later(one: MediaSpan, two: MediaSpan) -> MediaSpan {
    let at = |span: MediaSpan| Pts33::new(0) + span;
    if at(two).since(at(one)) > MediaSpan::ZERO { two } else { one }
}

fn packets(bytes: &[u8]) -> impl Iterator<Item = Packet<'_>> {
    (0..bytes.len()).step_by(PACKET_LEN).filter_map(|at| Packet::at(bytes, at))
}

fn set(bytes: &mut BytesMut, at: usize, change: impl FnOnce(u8) -> u8) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte = change(*byte);
    }
}

/// Where the bytes of something lie that goes over several packets.
#[derive(Debug, Default)]
struct Places(Vec<usize>);

impl Places {
    fn add(&mut self, starts: bool, payload: std::ops::Range<usize>) {
        if starts {
            self.0.clear();
        }
        // No header and no section is longer.
        if self.0.len() < 4096 {
            self.0.extend(payload);
        }
    }

    fn first(&self) -> Option<usize> {
        self.0.first().copied()
    }

    fn clear(&mut self) {
        self.0.clear();
    }

    fn read(&self, bytes: &[u8], count: usize) -> Vec<u8> {
        self.0.iter().take(count).filter_map(|at| bytes.get(*at).copied()).collect()
    }

    /// The places of the section that a pointer field leads to, once all of it is there.
    fn section(&self, bytes: &[u8]) -> Option<Vec<usize>> {
        let pointer = usize::from(*bytes.get(*self.0.first()?)?);
        let section = self.0.get(1 + pointer..)?;
        let &[table, high, low] = section.get(..3)? else { return None };
        let (table, high, low) = (*bytes.get(table)?, *bytes.get(high)?, *bytes.get(low)?);
        let len = 3 + usize::from(u16::from_be_bytes([high, low]) & 0x0fff);
        (table == PROGRAM_MAP).then(|| section.get(..len).map(<[usize]>::to_vec))?
    }
}

/// Gives a whole section another version, and its CRC.
fn new_version(bytes: &mut BytesMut, places: &mut Places, version: u8) {
    let Some(section) = places.section(bytes) else { return };
    places.clear();
    let Some(&at) = section.get(5) else { return };
    set(bytes, at, |byte| byte & 0xc1 | version << 1);
    let Some((body, crc)) = section.len().checked_sub(4).map(|end| section.split_at(end)) else { return };
    let text: Vec<u8> = body.iter().filter_map(|at| bytes.get(*at).copied()).collect();
    for (at, new) in crc.iter().zip(crc32(&text).to_be_bytes()) {
        set(bytes, *at, |_| new);
    }
}

/// What came of looking at a PES packet's begin.
enum Moved {
    /// Its header goes on in the next packet.
    Waits,
    /// Its stamps are moved; the header as it is now.
    Header(PesHeader),
    /// It is no PES packet.
    None,
}

/// Moves the stamps of a PES packet once its header is there.
fn move_stamps(bytes: &mut BytesMut, places: &Places, offset: MediaSpan) -> Moved {
    // No header is longer.
    let header = match PesHeader::parse(&places.read(bytes, 9 + 255)) {
        ParsedPes::NeedMore => return Moved::Waits,
        ParsedPes::NotPes => return Moved::None,
        ParsedPes::Header(header) => header,
    };
    let mut moved = header;
    for (first, stamp, target) in [(9, header.pts, &mut moved.pts), (14, header.dts, &mut moved.dts)] {
        let Some(stamp) = stamp else { continue };
        let stamp = stamp + offset;
        let places = places.0.get(first..first + 5).unwrap_or_default();
        let old = places.first().and_then(|at| bytes.get(*at)).copied().unwrap_or(0);
        for (at, new) in places.iter().zip(timestamp_bytes(old, stamp)) {
            set(bytes, *at, |_| new);
        }
        *target = Some(stamp);
    }
    Moved::Header(moved)
}
