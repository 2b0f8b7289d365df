//! Tapeline: a media segment recorder with HLS playlist continuity.
//!
//! Live or recorded MPEG-TS goes in; segments and an HLS playlist come out, in a folder or in object
//! storage, while the stream still runs. Streams are cut, not re-muxed: what the segments hold is what came
//! in. When the worker that records dies, another one goes on, and nothing that was recorded is changed. The
//! program `tapeline` is a thin layer over this library; a recorder worker calls it like this:
//!
//! ```
//! use tapeline::ids::RecordingId;
//! use tapeline::media::Container;
//! use tapeline::recorder::{Options, OutputSpec, Recorder};
//! use tapeline::store::Store;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> tapeline::Result<()> {
//! let store = Store::open("memory:")?; // or a folder, s3://bucket/prefix
//! let id = RecordingId::new("38f8e3cfdc474cd56fc1ceba380d7e1a", "lobby")?;
//! let recorder = Recorder::start(&store, id, Options::default()).await?;
//! let output = recorder.output(OutputSpec::composite(Container::MpegTs))?;
//!
//! # let stream = std::fs::read("fixtures/h264_aac.ts").expect("the fixture");
//! # let stream = stream.chunks(1000).map(bytes::Bytes::copy_from_slice);
//! for chunk in stream {
//!     output.write_bytes(chunk).await?; // chunks of any size
//! }
//! let summary = recorder.stop().await?;
//! assert_eq!(summary.outputs[0].account.duration_millis, 24_000);
//! assert!(summary.outputs[0].complete);
//!
//! let playlist = store.get("38f8e3cfdc474cd56fc1ceba380d7e1a_lobby.m3u8", 1 << 20).await?;
//! assert!(playlist.ends_with(b"#EXT-X-ENDLIST\n"));
//! # Ok(())
//! # }
//! ```
//!
//! A worker that goes on with the recording of a dead one claims its next *generation*, whose names begin with
//! `bak0_`:
//!
//! ```
//! # use tapeline::ids::RecordingId;
//! # use tapeline::media::Container;
//! # use tapeline::recorder::{Options, OutputSpec, Recorder};
//! # use tapeline::store::Store;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> tapeline::Result<()> {
//! # let store = Store::open("memory:")?;
//! # let id = RecordingId::new("38f8e3cfdc474cd56fc1ceba380d7e1a", "lobby")?;
//! # let stream = bytes::Bytes::from(std::fs::read("fixtures/h264_aac.ts").expect("the fixture"));
//! let first = Recorder::start(&store, id.clone(), Options::default()).await?;
//! drop(first); // as a crash would
//!
//! let second = Recorder::resume(&store, &id.sid, None, Options::default()).await?;
//! let output = second.output(OutputSpec::composite(Container::MpegTs))?;
//! output.write_bytes(stream).await?;
//! let summary = second.stop().await?; // Err of the kind `Fenced` where a third worker has it meanwhile
//! let playlist = summary.outputs[0].playlist.as_deref();
//! assert_eq!(playlist, Some("bak0_38f8e3cfdc474cd56fc1ceba380d7e1a_lobby.m3u8"));
//! # Ok(())
//! # }
//! ```
//!
//! # Where to begin
//!
//! - [`recorder`]: the session API. [`Recorder::start`](recorder::Recorder::start) or
//!   [`resume`](recorder::Recorder::resume), then [`output`](recorder::Recorder::output),
//!   [`write_bytes`](recorder::Output::write_bytes) or [`write_frame`](recorder::Output::write_frame), [`stop`](recorder::Recorder::stop), with
//!   [`Event`](recorder::Event)s on the way.
//! - [`salvage`](mod@salvage): what a dead worker left in its spool.
//! - [`continuity`]: what a store holds, and in which state ([`Recordings`](continuity::Recordings)); whether it
//!   can hold recordings ([`probe`](continuity::probe)); the protocol itself.
//! - [`stitch`]: the whole recording as one playlist, with an account of what is missing.
//! - [`verify`](mod@verify): whether what is stored is what was recorded, and plays.
//! - [`export`](mod@export): the whole recording as one file, or as fragmented MP4 for HLS.
//! - [`centre`]: nodes that keep recordings running over the death of any of them.
//! - [`store`]: folders, memory and buckets behind one handle; [`input`]: files, pipes, sockets and HTTP
//!   behind another.
//! - [`slicer`]: the cutting alone, without I/O, for those who store segments themselves.
//! - [`playlist`]: rendering, tolerant reading and a strict check of media playlists, also on their own.
//! - [`Error`]: one type, whose [kind](ErrorKind) says what its caller should do.
//!
//! # The layers
//!
//! Each module uses only those above it in this list, or to its left; a test holds that. *Pure* ones do no
//! I/O and ask no clock: bytes and times go in, actions come out.
//!
//! | modules | what lives there |
//! |---|---|
//! | [`error`] [`severity`] [`time`] [`ids`] [`checksum`] [`media`] [`naming`] (pure) | the error; how bad a finding is; media time and dates; checked ids; checksums; codec facts; object names |
//! | [`clock`] | the one place that asks the machine for time and chance |
//! | [`ts`] [`webm`] (pure) | MPEG-TS packets, tables and PES; WebM elements and blocks; splitting at access units |
//! | [`playlist`] (pure) | media playlists: model, text, reading, checking |
//! | [`slicer`] (pure) | when to cut, and the media clock |
//! | [`store`] [`spool`] | where segments end up, and where they wait until then |
//! | [`continuity`] | who may write a recording, and what of it is committed |
//! | [`upload`] [`salvage`] | what may be stored, committed and published when, and doing it; bringing to the store what dead workers left |
//! | [`input`] | where bytes come from |
//! | [`recorder`] | all of that as a session |
//! | [`stitch`] [`verify`] [`export`] | one playlist out of all generations of a recording; whether all of it is stored, whole, and plays; one file of it |
//! | [`centre`] | who lives, who takes over, and a worker that does it |
//! | `cli` | the program `tapeline`, a file per verb (feature `cli`) |
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `cli` | yes | the program; a library user turns it off with `default-features = false` |
//! | `aws` | yes | `s3://` |
//! | `http` | yes | `http://` and `https://` as input |
//! | `gcp`, `azure` | no | `gs://`, `az://` |
//!
//! A tokio runtime must be running wherever something here is awaited, and for
//! [`Recorder::start`](recorder::Recorder::start). Unix only, so far.

#![warn(missing_docs)]
#![forbid(unsafe_code)]

pub mod centre;
pub mod checksum;
#[cfg(feature = "cli")]
pub mod cli;
pub mod clock;
pub mod continuity;
pub mod error;
pub mod export;
pub mod ids;
pub mod input;
pub mod media;
pub mod naming;
pub mod playlist;
pub mod recorder;
pub mod salvage;
pub mod severity;
pub mod slicer;
pub mod spool;
pub mod stitch;
pub mod store;
pub mod time;
pub mod ts;
pub mod upload;
pub mod verify;
pub mod webm;

pub use error::{Error, ErrorKind, Result};
