//! The parts that all names share: `[bak<n>_]<sid>_<cname>[__uid_s_<uid>__uid_e_<type>]`.
//!
//! A legal cname never holds `__uid_s_`; so a base with that in it is an individual output or no name, and
//! a cname that merely ends like one (`x__uid_e_video`, `x__uid_s`) stays whole.

use std::fmt;

use crate::ids::{Generation, MediaKind, OutputName, RecordingId};

use super::InvalidName;

const UID_START: &str = "__uid_s_";
const UID_END: &str = "__uid_e_";

/// Writes the base of a name.
pub(super) struct Base<'a> {
    pub(super) generation: Generation,
    pub(super) recording: &'a RecordingId,
    pub(super) output: OutputName,
}

impl fmt::Display for Base<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(failover) = self.generation.get().checked_sub(1) {
            write!(f, "bak{failover}_")?;
        }
        write!(f, "{}", self.recording)?;
        match self.output {
            OutputName::Composite => Ok(()),
            OutputName::Individual(uid, kind) => write!(f, "{UID_START}{uid}{UID_END}{kind}"),
        }
    }
}

/// The front of a name, read.
pub(super) struct ReadBase {
    pub(super) generation: Generation,
    pub(super) recording: RecordingId,
    pub(super) output: OutputName,
}

/// Reads what stands before the time, the index or the extension. `whole` is for the error.
pub(super) fn parse(base: &str, whole: &str) -> Result<ReadBase, InvalidName> {
    let (generation, rest) = parse_generation(base);
    let Some((sid, rest)) = rest.split_once('_') else {
        return Err(InvalidName::new(whole, "no _ after the recording id"));
    };
    let (cname, output) = parse_output(rest).unwrap_or((rest, OutputName::Composite));
    let recording = RecordingId::new(sid, cname).map_err(|error| InvalidName::id(whole, &error))?;
    Ok(ReadBase { generation, recording, output })
}

/// `bak0_` to `bak2_`. Anything else that looks like it is left to the sid, which refuses `bak<n>`.
fn parse_generation(text: &str) -> (Generation, &str) {
    let failovers = Generation::FIRST.get()..Generation::LAST.get();
    failovers
        .filter_map(|failover| {
            let rest = text.strip_prefix("bak")?.strip_prefix(&failover.to_string())?.strip_prefix('_')?;
            Some((Generation::new(failover + 1)?, rest))
        })
        .next()
        .unwrap_or((Generation::FIRST, text))
}

fn parse_output(text: &str) -> Option<(&str, OutputName)> {
    let (rest, kind) = [MediaKind::Audio, MediaKind::Video]
        .into_iter()
        .find_map(|kind| Some((text.strip_suffix(&kind.to_string())?.strip_suffix(UID_END)?, kind)))?;
    let (cname, uid) = rest.rsplit_once(UID_START)?;
    Some((cname, OutputName::Individual(uid.parse().ok()?, kind)))
}
