//! What can be wrong with a transport stream, and how bad that is for those who play it.

use std::fmt;

use crate::severity::{self, kinds};
use crate::ts::Pid;

kinds! {
    /// A kind of fault. Sections are those of ISO/IEC 13818-1.
    FaultKind:

    /// No packets: the bytes are something else.
    NotTs = "ts-none", Error;
    /// Bytes that belong to no packet, or the packets' rhythm was lost (2.4.3.2).
    Garbage = "ts-garbage", Error;
    /// No program association table.
    NoPat = "ts-pat-missing", Error;
    /// No map of the program.
    NoPmt = "ts-pmt-missing", Error;
    /// A table's CRC or length is wrong (2.4.4).
    DamagedTable = "ts-table-damaged", Error;
    /// Media comes before the tables that tell what it is: a player that begins here drops it.
    TablesLate = "ts-tables-late", Warning;
    /// A receiver marked the packet as damaged.
    TransportError = "ts-transport-error", Error;
    /// A packet is missing: the continuity counter skips (2.4.3.3).
    ContinuityGap = "ts-continuity", Error;
    /// A packet was sent twice, as is legal once.
    Duplicate = "ts-duplicate", Note;
    /// The payload is scrambled.
    Scrambled = "ts-scrambled", Error;
    /// An adaptation field leads out of its packet (2.4.3.4).
    AdaptationField = "ts-adaptation-field", Error;
    /// Packets of a PID that no table names.
    UnknownPid = "ts-unknown-pid", Note;
    /// The map announces a stream of which nothing comes.
    EmptyStream = "ts-empty-stream", Note;
    /// A stream's first packet is in the middle of a PES packet.
    BeginsInMidPes = "ts-begins-in-pes", Warning;
    /// What should be a PES packet is none, or its header leads nowhere (2.4.3.6).
    PesHeader = "ts-pes-header", Error;
    /// A PES packet ends before its declared length.
    PesShort = "ts-pes-short", Error;
    /// All ends inside a PES packet: its source did, or the rest is missing.
    PesUnfinished = "ts-pes-unfinished", Warning;
    /// A PES packet goes on behind its declared length.
    PesLong = "ts-pes-long", Error;
    /// A stream of pictures or sound shows no time stamp where it begins.
    NoPts = "ts-pts-missing", Error;
    /// A presentation time before its decoding time.
    PtsBeforeDts = "ts-pts-before-dts", Error;
    /// Decoding times run back.
    DtsBack = "ts-dts-back", Error;
    /// Times jump by more than 15 s with nothing that announces it.
    Jump = "ts-time-jump", Warning;
    /// The map names a clock, and it never comes (2.7.2).
    NoPcr = "ts-pcr-missing", Warning;
    /// The clock is silent for more than a second; 100 ms are legal (2.7.2), which live sources exceed and players forgive.
    PcrRare = "ts-pcr-rare", Note;
    /// The clock runs back with nothing that announces it.
    PcrBack = "ts-pcr-back", Warning;
    /// A unit comes after the time at which it was to be decoded (2.4.2).
    Late = "ts-late", Note;
}

/// A place where a stream is at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// The PID, where it is one's fault.
    pub pid: Option<Pid>,
    /// How many packets came before; with 188 bytes each and no garbage the byte offset is 188 times that.
    pub packet: u64,
    /// What stands there, for a person.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "packet {}", self.packet)?;
        if let Some(pid) = self.pid {
            write!(f, ", PID {pid}")?;
        }
        write!(f, ": {}: {}", self.kind.code(), self.message)
    }
}

/// All of a stream.
pub(super) type Faults = severity::Faults<FaultKind, Fault>;

impl Faults {
    pub fn add(&mut self, kind: FaultKind, pid: Option<Pid>, packet: u64, message: impl fmt::Display) {
        self.count(kind, || Fault { kind, pid, packet, message: message.to_string() });
    }
}
