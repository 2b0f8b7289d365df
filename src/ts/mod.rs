//! MPEG transport streams (ISO/IEC 13818-1): find packets, read tables, split at access units.
//!
//! [`Splitter`] is the way in: bytes of any chunking go in, the bytes of the segments come out, and at
//! every access unit a [`Cutter`](crate::media::Cutter) says whether a segment begins there. Packets
//! are passed through, never re-muxed; they stay slices of the buffers that came in. [`Remains`] is what is whole of a
//! segment whose writing was cut off, [`Survey`] what is in one, and what is wrong with it; [`TsDemuxer`] takes the PES packets
//! out for another container. `mux` makes segments of encoded frames.

mod appender;
mod candidate;
mod clock;
mod demux;
mod framer;
mod mux;
mod notes;
mod packet;
mod pat;
mod pes;
mod pmt;
mod program;
mod psi;
mod remains;
mod segment_map;
mod segments;
mod splitter;
mod stream_type;
mod survey;
mod tables;
mod track;

pub use demux::{PesPacket, TsDemuxer};
pub use framer::Framer;
pub(crate) use mux::TsMuxer;
pub use notes::Notes;
pub use packet::{PACKET_LEN, Packet, Pid, SYNC_BYTE};
pub use pat::Pat;
pub(crate) use pes::timestamp_bytes;
pub use pes::{ParsedPes, PesHeader};
pub use pmt::{ElementaryStream, Pmt};
pub use psi::{Section, SectionAssembler, crc32};
pub use remains::Remains;
pub use segment_map::SegmentMap;
pub use splitter::{Splitter, SplitterOptions};
pub use stream_type::{StreamKind, StreamType};
pub use survey::{Fault, FaultKind, StreamSurvey, Survey, TsSurvey};
