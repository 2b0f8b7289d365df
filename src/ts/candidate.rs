//! Packets held back until it is known whether the access unit they begin is a key frame.
//!
//! The unit itself decides, up to its first slice, since real streams set `random_access_indicator` on
//! every picture, on audio, or never. What is held is bounded in bytes of the unit and in packets; past
//! the bound the unit is no key frame.

use bytes::Bytes;

use super::packet::{PACKET_LEN, Packet};
use super::pes::{ParsedPes, PesHeader};
use crate::media::{AccessUnitProbe, RandomAccess, UnitFacts, VideoCodec};

/// Bytes of one unit that are looked at.
const MAX_UNIT_BYTES: usize = 64 * 1024;
/// Bytes of all packets held meanwhile.
const MAX_HELD_BYTES: usize = 1024 * 1024;

/// A PES packet's header and what its access unit says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decided {
    pub header: Option<PesHeader>,
    pub facts: UnitFacts,
    pub discontinuity: bool,
}

/// The unit under examination, where there is one, and the packets that wait for it.
#[derive(Debug)]
pub(super) struct Candidate {
    probe: AccessUnitProbe,
    /// The PES packet from its start code on.
    pes: Vec<u8>,
    header: Option<PesHeader>,
    discontinuity: bool,
    /// Counter of the unit's latest packet, and whether the unit began in it.
    latest: (u8, bool),
    held: Vec<Bytes>,
}

impl Candidate {
    pub fn new(codec: VideoCodec) -> Self {
        Self {
            probe: AccessUnitProbe::new(codec),
            pes: Vec::new(),
            header: None,
            discontinuity: false,
            latest: (0, false),
            held: Vec::new(),
        }
    }

    /// Whether packets are held back.
    pub fn is_open(&self) -> bool {
        !self.held.is_empty()
    }

    /// Looks at a packet with which a PES packet begins. Decides at once, as it nearly always can, or
    /// holds the packet.
    pub fn begin(&mut self, packet: Packet<'_>, held: impl FnOnce() -> Bytes) -> Option<Decided> {
        self.probe.reset();
        self.discontinuity = packet.discontinuity();
        self.latest = (packet.continuity_counter(), true);
        let payload = packet.payload();
        self.header = match PesHeader::parse(payload) {
            ParsedPes::Header(header) => Some(header),
            ParsedPes::NeedMore => None,
            ParsedPes::NotPes => return Some(self.decided(UnitFacts::default())),
        };
        if let Some(header) = &self.header
            && let Some(facts) = payload.get(header.data_offset..).and_then(|data| self.probe.examine(data))
        {
            return Some(self.decided(facts));
        }
        self.pes.clear();
        self.pes.extend_from_slice(payload);
        self.held.push(held());
        None
    }

    /// Whether the packet is the unit's latest one, sent again.
    pub fn repeats(&self, packet: Packet<'_>) -> bool {
        self.latest == (packet.continuity_counter(), packet.unit_start())
    }

    /// Holds a packet of another PID, or one that brings nothing new.
    pub fn hold(&mut self, packet: Bytes) -> Option<Decided> {
        self.held.push(packet);
        (self.held.len() * PACKET_LEN >= MAX_HELD_BYTES).then(|| self.conclude())
    }

    /// Looks at the next packet of the PES packet, and holds it.
    pub fn go_on(&mut self, packet: Bytes) -> Option<Decided> {
        if let Some(packet) = Packet::at(&packet, 0) {
            self.pes.extend_from_slice(packet.payload());
            self.latest = (packet.continuity_counter(), false);
        }
        if self.header.is_none() {
            match PesHeader::parse(&self.pes) {
                ParsedPes::Header(header) => self.header = Some(header),
                ParsedPes::NeedMore => {}
                ParsedPes::NotPes => {
                    self.held.push(packet);
                    return Some(self.conclude());
                }
            }
        }
        let facts = self.data().and_then(|(probe, data)| probe.examine(data));
        let decided = facts.map(|facts| self.decided(facts));
        let full = self.pes.len() >= MAX_UNIT_BYTES;
        let crowded = self.hold(packet);
        decided.or(crowded).or_else(|| full.then(|| self.conclude()))
    }

    /// Decides on what is there: no more will come.
    pub fn conclude(&mut self) -> Decided {
        let facts = self.data().map(|(probe, data)| probe.conclude(data)).unwrap_or_default();
        self.decided(facts)
    }

    /// The packets held, in order; the first is the one with which the unit began.
    pub fn release(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.held)
    }

    fn data(&mut self) -> Option<(&mut AccessUnitProbe, &[u8])> {
        let data = self.pes.get(self.header?.data_offset..)?;
        Some((&mut self.probe, data))
    }

    fn decided(&self, facts: UnitFacts) -> Decided {
        Decided { header: self.header, facts, discontinuity: self.discontinuity }
    }
}

/// What stands for an access unit that cannot be looked into: the packet's own flag.
pub(super) fn by_indicator(packet: Packet<'_>) -> Decided {
    let header = match PesHeader::parse(packet.payload()) {
        ParsedPes::Header(header) if !packet.scrambled() => Some(header),
        _ => None,
    };
    let random_access = if packet.random_access() { RandomAccess::Key } else { RandomAccess::Unknown };
    Decided {
        header,
        facts: UnitFacts { random_access, video_format: None },
        discontinuity: packet.discontinuity(),
    }
}
