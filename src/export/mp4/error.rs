//! Why a recording cannot become MP4.

use std::fmt;

/// What to do then.
const ELSE: &str = "a .ts takes all transport streams, a .webm all WebM";

/// Why no MP4 came of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mp4Error {
    /// It is no run of whole packets of 188 bytes.
    NoStream,
    /// It is no WebM, where what came before was, or nothing is in it.
    NoFile,
    /// Its tracks are others than those of the files of WebM before it.
    OtherTracks,
    /// A stream's codec is none that is written here.
    Codec {
        /// The stream, by its PID or its track's number.
        stream: String,
        /// What it is.
        codec: String,
    },
    /// A stream's parameters cannot be put into a sample entry.
    Parameters {
        /// The stream, by its PID or its track's number.
        stream: String,
        /// What is wrong with them.
        why: String,
    },
    /// No stream has anything that plays.
    Nothing,
    /// A box cannot hold what there is.
    Boxes(String),
}

impl fmt::Display for Mp4Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStream => f.write_str("it is no transport stream with packets of 188 bytes"),
            Self::NoFile => f.write_str("it is no WebM that could be joined with those before"),
            Self::OtherTracks => {
                f.write_str("its tracks are others than those before, and an MP4 made of WebM has one set")
            }
            Self::Codec { stream, codec } => write!(
                f,
                "{stream} is {codec}, and MP4 is written here with H.264, H.265, VP9, AV1, AAC and Opus; {ELSE}"
            ),
            Self::Parameters { stream, why } => {
                write!(f, "the parameters of {stream} fit no MP4: {why}; {ELSE}")
            }
            Self::Nothing => f.write_str("there is neither a picture nor sound that could be played"),
            Self::Boxes(why) => write!(f, "its index cannot be written: {why}"),
        }
    }
}

impl std::error::Error for Mp4Error {}

impl From<shiguredo_mp4::Error> for Mp4Error {
    fn from(error: shiguredo_mp4::Error) -> Self {
        Self::Boxes(error.to_string())
    }
}
