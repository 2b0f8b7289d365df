//! One transport packet, looked at in place (ISO/IEC 13818-1, 2.4.3.2 to 2.4.3.5).

use std::fmt;

use crate::time::Pts33;

/// Length of a packet in bytes.
pub const PACKET_LEN: usize = 188;
/// The first byte of every packet.
pub const SYNC_BYTE: u8 = 0x47;

/// A packet identifier: 13 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid(u16);

impl Pid {
    /// Program association table.
    pub const PAT: Self = Self(0);
    /// Service description table (ETSI EN 300 468, 5.1.3).
    pub const SDT: Self = Self(0x11);
    /// Null packets.
    pub const NULL: Self = Self(0x1fff);
    /// How many PIDs there are.
    pub const COUNT: usize = 0x2000;

    /// Keeps the low 13 bits.
    pub const fn new(bits: u16) -> Self {
        Self(bits & 0x1fff)
    }

    /// The 13 bits.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// For a table with a place per PID.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A view of one packet.
#[derive(Clone, Copy)]
pub struct Packet<'a>(&'a [u8; PACKET_LEN]);

impl<'a> Packet<'a> {
    /// The packet that begins at `offset`, if so many bytes are there. The sync byte is not looked at.
    #[inline]
    pub fn at(bytes: &'a [u8], offset: usize) -> Option<Self> {
        bytes.get(offset..)?.first_chunk().map(Self)
    }

    /// All 188 bytes.
    #[inline]
    pub fn bytes(self) -> &'a [u8; PACKET_LEN] {
        self.0
    }

    /// Packet identifier.
    #[inline]
    pub fn pid(self) -> Pid {
        Pid::new(u16::from_be_bytes([self.0[1], self.0[2]]))
    }

    /// `transport_error_indicator`: a demodulator could not repair this packet.
    #[inline]
    pub fn transport_error(self) -> bool {
        self.0[1] & 0x80 != 0
    }

    /// `payload_unit_start_indicator`: a PES packet or a section begins here.
    #[inline]
    pub fn unit_start(self) -> bool {
        self.0[1] & 0x40 != 0
    }

    /// `transport_scrambling_control` is not 0.
    #[inline]
    pub fn scrambled(self) -> bool {
        self.0[3] & 0xc0 != 0
    }

    /// Whether there is a payload; only such packets count.
    #[inline]
    pub fn has_payload(self) -> bool {
        self.0[3] & 0x10 != 0
    }

    /// Undamaged, not scrambled, payload and nothing else, and no unit begins in it.
    #[inline]
    pub fn is_plain(self) -> bool {
        let [_, b, _, d, ..] = *self.0;
        b & 0xc0 == 0 && d & 0xf0 == 0x10
    }

    /// `continuity_counter`: 4 bits.
    #[inline]
    pub fn continuity_counter(self) -> u8 {
        self.0[3] & 0x0f
    }

    /// The adaptation field's length byte, where there is a field.
    #[inline]
    fn adaptation_len(self) -> Option<usize> {
        (self.0[3] & 0x20 != 0).then_some(self.0[4] as usize)
    }

    #[inline]
    fn adaptation_flags(self) -> u8 {
        match self.adaptation_len() {
            Some(len) if len > 0 => self.0[5],
            _ => 0,
        }
    }

    /// `discontinuity_indicator` of the adaptation field.
    #[inline]
    pub fn discontinuity(self) -> bool {
        self.adaptation_flags() & 0x80 != 0
    }

    /// `random_access_indicator` of the adaptation field.
    #[inline]
    pub fn random_access(self) -> bool {
        self.adaptation_flags() & 0x40 != 0
    }

    /// The program clock reference's base (90 kHz), where the packet carries one.
    pub fn pcr(self) -> Option<Pts33> {
        let whole = self.adaptation_len().is_some_and(|len| (7..=183).contains(&len));
        if !whole || self.adaptation_flags() & 0x10 == 0 {
            return None;
        }
        let [.., a, b, c, d, e] = *self.0.first_chunk::<11>()?;
        Some(Pts33::new(u64::from(u32::from_be_bytes([a, b, c, d])) << 1 | u64::from(e >> 7)))
    }

    /// Whether the payload ends before the packet would, so that bytes had to be put in front of it. In a PES packet
    /// that is its end (2.4.3.3): before, there is always enough to fill the packet.
    pub fn is_stuffed(self) -> bool {
        let Some(len) = self.adaptation_len().filter(|_| self.has_payload()) else { return false };
        let Some((&flags, rest)) = self.0.get(5..5 + len).and_then(<[u8]>::split_first) else {
            // A field of no byte but its length.
            return len == 0;
        };
        let mut used = 0;
        for (flag, fixed) in [(0x10, 6), (0x08, 6), (0x04, 1)] {
            used += if flags & flag != 0 { fixed } else { 0 };
        }
        // Private data and the extension say how long they are.
        for flag in [0x02, 0x01] {
            let own = || rest.get(used).map_or(0, |&own| 1 + usize::from(own));
            used += if flags & flag != 0 { own() } else { 0 };
        }
        rest.len() > used
    }

    /// The payload; empty where there is none or the adaptation field's length is out of range.
    #[inline]
    pub fn payload(self) -> &'a [u8] {
        if !self.has_payload() {
            return &[];
        }
        let start = self.adaptation_len().map_or(4, |len| 5 + len);
        self.0.get(start..).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(head: &[u8]) -> [u8; PACKET_LEN] {
        let mut bytes = [0xff; PACKET_LEN];
        bytes[..head.len()].copy_from_slice(head);
        bytes
    }

    #[test]
    fn header_fields_are_where_the_standard_puts_them() {
        // PUSI, PID 0x100, adaptation + payload, cc 5; adaptation of 7 bytes: RAI + PCR base 1.
        let bytes = packet(&[0x47, 0x41, 0x00, 0x35, 7, 0x50, 0, 0, 0, 0, 0xfe, 0]);
        let packet = Packet::at(&bytes, 0).unwrap();
        assert_eq!(packet.pid(), Pid::new(0x100));
        assert!(packet.unit_start() && packet.random_access() && packet.has_payload());
        assert!(!packet.transport_error() && !packet.scrambled() && !packet.discontinuity());
        assert_eq!(packet.continuity_counter(), 5);
        assert_eq!(packet.pcr(), Some(Pts33::new(1)));
        assert_eq!(packet.payload().len(), 188 - 12);
    }

    #[test]
    fn stuffing_is_what_an_adaptation_field_has_beyond_its_data() {
        let cases: [(&[u8], bool); 9] = [
            (&[0x47, 1, 0, 0x10], false),
            (&[0x47, 1, 0, 0x30, 0], true),
            (&[0x47, 1, 0, 0x30, 1, 0], false),
            (&[0x47, 1, 0, 0x30, 2, 0, 0xff], true),
            (&[0x47, 1, 0, 0x30, 7, 0x10, 0, 0, 0, 0, 0x7e, 0], false),
            (&[0x47, 1, 0, 0x30, 8, 0x10, 0, 0, 0, 0, 0x7e, 0, 0xff], true),
            // Two bytes of private data.
            (&[0x47, 1, 0, 0x30, 4, 0x02, 2, 9, 9], false),
            (&[0x47, 1, 0, 0x30, 5, 0x02, 2, 9, 9, 0xff], true),
            // Without a payload there is nothing to end.
            (&[0x47, 1, 0, 0x20, 183, 0], false),
        ];
        for (head, stuffed) in cases {
            assert_eq!(Packet::at(&packet(head), 0).unwrap().is_stuffed(), stuffed, "{head:x?}");
        }
        // A length that leads out of the packet says nothing.
        assert!(!Packet::at(&packet(&[0x47, 1, 0, 0x30, 250, 0]), 0).unwrap().is_stuffed());
    }

    #[test]
    fn an_adaptation_field_longer_than_the_packet_leaves_no_payload() {
        let bytes = packet(&[0x47, 0x01, 0x00, 0x30, 250, 0x10]);
        let packet = Packet::at(&bytes, 0).unwrap();
        assert!(packet.payload().is_empty());
        assert_eq!(packet.pcr(), None);
        assert!(Packet::at(&bytes, 1).is_none());
    }
}
