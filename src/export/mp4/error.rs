//! Why a recording cannot become MP4.

use std::fmt;

use crate::ts::Pid;

/// Why no MP4 came of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mp4Error {
    /// It is no run of whole packets of 188 bytes.
    NoStream,
    /// A stream's codec is none that is written here.
    Codec {
        /// The stream's PID.
        pid: Pid,
        /// What it is.
        name: String,
    },
    /// A stream's parameters cannot be put into a sample entry.
    Parameters {
        /// The stream's PID.
        pid: Pid,
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
            Self::Codec { pid, name } => write!(
                f,
                "PID {pid} is {name}, and MP4 is written here with H.264, H.265, AAC and Opus; a .ts takes everything"
            ),
            Self::Parameters { pid, why } => {
                write!(f, "the parameters of PID {pid} fit no MP4: {why}; a .ts takes everything")
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
