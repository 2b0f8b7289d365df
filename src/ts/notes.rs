//! Counted oddities of a transport stream. None of them ends a recording.

use std::ops::Add;

use serde::Serialize;

/// What was seen and what was left out, since the begin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Notes {
    /// Packets looked at, null packets included.
    pub packets: u64,
    /// Null packets, dropped.
    pub null_packets: u64,
    /// Packets of other programs or of PIDs that no table announces, dropped.
    pub foreign_packets: u64,
    /// Packets of the program's streams dropped before the first segment began: no key frame yet.
    pub packets_before_start: u64,
    /// Breaks in a PID's continuity counter: packets lost before they came here.
    pub continuity_errors: u64,
    /// Packets sent twice. Kept.
    pub duplicate_packets: u64,
    /// Packets marked as damaged by the receiver. Kept.
    pub transport_errors: u64,
    /// Scrambled packets. Kept.
    pub scrambled_packets: u64,
    /// How often the packets' rhythm was lost.
    pub sync_losses: u64,
    /// Bytes that belong to no packet, dropped.
    pub skipped_bytes: u64,
    /// Sections with a wrong CRC or length, dropped.
    pub table_errors: u64,
    /// PES packets that had to be divided between two segments.
    pub torn_pes: u64,
}

impl Notes {
    /// The counts that speak of a fault; the others, which every stream has, are 0.
    #[must_use]
    pub fn faults(self) -> Self {
        Self { packets: 0, null_packets: 0, foreign_packets: 0, packets_before_start: 0, ..self }
    }
}

impl Add for Notes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            packets: self.packets + other.packets,
            null_packets: self.null_packets + other.null_packets,
            foreign_packets: self.foreign_packets + other.foreign_packets,
            packets_before_start: self.packets_before_start + other.packets_before_start,
            continuity_errors: self.continuity_errors + other.continuity_errors,
            duplicate_packets: self.duplicate_packets + other.duplicate_packets,
            transport_errors: self.transport_errors + other.transport_errors,
            scrambled_packets: self.scrambled_packets + other.scrambled_packets,
            sync_losses: self.sync_losses + other.sync_losses,
            skipped_bytes: self.skipped_bytes + other.skipped_bytes,
            table_errors: self.table_errors + other.table_errors,
            torn_pes: self.torn_pes + other.torn_pes,
        }
    }
}
