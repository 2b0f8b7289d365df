//! Codec facts: what the recorder must know of the media it passes through, and nothing more.
//!
//! The recorder cuts before a key frame and when a size or a sample rate changes. It therefore looks
//! into elementary streams as far as the first slice of an access unit ([`AccessUnitProbe`]) and into
//! the first header of an audio frame ([`AudioCodec::format`]). It decodes no picture and no sound.
//!
//! Everything here is pure: bytes in, facts out. To add a codec, add its file and its arm in the two
//! `match`es: [`AccessUnitProbe`]'s for video, [`AudioCodec::format`] for audio.

mod ac3;
mod access_unit;
#[cfg(test)]
mod access_unit_properties;
#[cfg(test)]
mod access_unit_tests;
mod adts;
mod av1;
mod bits;
mod codec;
mod colour;
mod configuration;
mod container;
mod format;
mod frame;
mod h264;
mod h265;
mod interleaver;
mod lace;
mod mpeg2;
mod mpeg_audio;
mod nal;
mod opus;
mod parameter_sets;
mod profile;
#[cfg(test)]
mod sample_units;
mod sei;
mod split;
mod unit;
mod vorbis;
mod vp8;
mod vp9;
mod webm_codec;

pub use access_unit::{AccessUnitProbe, RandomAccess, UnitFacts};
pub use adts::{AacConfig, AdtsHeader};
pub use av1::{av1_record, av1_without_delimiter};
pub use codec::{AudioCodec, VideoCodec};
pub use colour::ColourSpace;
pub(crate) use configuration::Configuration;
pub use container::Container;
pub use format::{AudioFormat, VideoFormat};
pub(crate) use frame::CodecIn;
pub use frame::{Frame, Track, TrackCodec, TrackError};
pub use interleaver::FrameNotes;
pub(crate) use interleaver::{Interleaver, Timed};
pub use lace::xiph_length;
pub use nal::{NalRole, NalUnits};
pub use opus::{OpusHead, OpusUnit, opus_channels, opus_control_header, opus_samples};
pub use parameter_sets::{AccessUnit, NalFraming, ParameterSets};
pub use profile::{AudioProfile, VideoProfile};
pub use split::{Patch, Split};
pub use unit::{Cutter, Placement, Unfit, UnitKind, UnitStart, UnitTimes};
pub use vorbis::VorbisHeaders;
pub use vp9::level as vp9_level;
pub use webm_codec::{WebmAudio, WebmVideo};
