//! What the control object, the seals and the salvage records say, held against what is stored.

use std::collections::BTreeMap;

use super::driver::Run;
use super::finding::Check;
use crate::checksum::Crc64;
use crate::continuity::{ControlObject, OutputState, Phase, Recordings};
use crate::error::{ErrorKind, Result};
use crate::ids::{Generation, Sid};
use crate::naming::{ObjectName, key};
use crate::playlist::{Playlist, parse};
use crate::stitch::{Known, ListFault, Standing};

/// What was committed, or salvaged, of each segment that documents tell of.
#[derive(Debug, Default)]
pub(super) struct Promises {
    /// Size and checksum, by key.
    pub segments: BTreeMap<String, (u64, Crc64)>,
    /// How many segments a playlist has, gaps included, and their bytes, by its key.
    pub totals: BTreeMap<String, (u64, u64)>,
}

impl Run<'_> {
    /// Looks at all documents of a recording in that state.
    ///
    /// # Errors
    /// Whatever reading gives, but for what is missing or damaged.
    pub async fn documents(
        &mut self,
        recordings: &Recordings,
        sid: &Sid,
        state: &ControlObject,
    ) -> Result<()> {
        let mut known = Vec::new();
        for name in &state.seals {
            match recordings.seal(name).await {
                Ok(seal) => known.push(Known::sealed(seal)),
                Err(error) => {
                    let check = match error.kind() {
                        ErrorKind::NotFound => Check::SealMissing,
                        ErrorKind::Malformed => Check::SealDamaged,
                        _ => return Err(error),
                    };
                    let message = format!("{}; only playlists tell of that generation", error.report());
                    self.findings.add(check, &name.key, message);
                }
            }
        }
        if !state.phase.is_final() {
            let message = format!("generation {} is {}", state.generation, state.phase);
            self.findings.add(Check::Open, &key(&state.prefix, &state_name(state)), message);
            known.push(Known::open(state));
        }
        for known in &known {
            for output in &known.outputs {
                self.list(recordings, sid, state, known, output).await?;
            }
        }
        self.salvages(recordings, sid, state.generation).await
    }

    /// Holds a playlist against what is committed.
    async fn list(
        &mut self,
        recordings: &Recordings,
        sid: &Sid,
        state: &ControlObject,
        known: &Known,
        output: &OutputState,
    ) -> Result<()> {
        let list = key(&state.prefix, &output.playlist);
        self.promise(&list, state, output);
        let register = recordings.register(sid);
        let committed = known.committed(&register, &state.prefix, output);
        let Some(text) = committed.list(self.store).await? else {
            let (check, message) = match output.tail_from {
                0 => (Check::Unpublished, format!("its {} entries are in the tail", output.segments)),
                seen => (Check::ListMissing, format!("it was seen with {seen} entries, and is gone")),
            };
            self.findings.add(check, &list, message);
            return Ok(());
        };
        match committed.turn_of(&text, self.store).await {
            Ok((_, faults)) => {
                for fault in &faults {
                    let check = match fault {
                        ListFault::Changed { .. } => Check::ListChanged,
                        ListFault::Lacks { .. } => Check::ListShort,
                    };
                    self.findings.add(check, &list, fault);
                }
            }
            Err(error) if error.kind() == ErrorKind::Malformed => {
                self.findings.add(Check::ListUnreadable, &list, error.report());
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        let Ok(playlist) = parse(&text) else { return Ok(()) };
        self.rules(&list, &text);
        let listed = playlist.segments.len() as u64;
        // What is committed and published after the state was read is no fault.
        if listed > output.segments && known.standing == Standing::Sealed {
            let message = format!("it lists {listed} segments, of which {} are committed", output.segments);
            self.findings.add(Check::ListLong, &list, message);
        } else if listed < output.segments && listed >= output.tail_from {
            let message = format!("{} committed entries are not in it", output.segments - listed);
            self.findings.add(Check::ListBehind, &list, message);
        }
        if !tail_agrees(&playlist, output) {
            let message = "entries that it has since it was last seen are not those that were committed";
            self.findings.add(Check::ListChanged, &list, message);
        }
        let stopped = state.phase == Phase::Stopped && known.generation == state.generation;
        if stopped && !playlist.ended {
            let message = "the recording was stopped for its worker; the stitched playlist has its end";
            self.findings.add(Check::EndMissing, &list, message);
        } else if playlist.ended && !stopped && known.standing == Standing::Sealed {
            let message = "it has an end, though another generation follows: players stop there";
            self.findings.add(Check::EndEarly, &list, message);
        }
        Ok(())
    }

    /// Notes what was committed of each segment.
    fn promise(&mut self, list: &str, state: &ControlObject, output: &OutputState) {
        self.promises.totals.insert(list.to_owned(), (output.segments, output.bytes));
        let Ok(name) = output.playlist.parse::<ObjectName>() else { return };
        for entry in output.tail.iter().filter(|entry| !entry.gap) {
            let segment = key(&state.prefix, &entry.name(&name, output.container));
            self.promises.segments.insert(segment, (entry.bytes, entry.crc64));
        }
    }

    /// What was salvaged is there.
    async fn salvages(&mut self, recordings: &Recordings, sid: &Sid, last: Generation) -> Result<()> {
        for record in recordings.salvages(sid, last).await? {
            match record {
                Ok(record) => {
                    let promised = record.segments.into_iter();
                    let promised = promised.map(|segment| (segment.key, (segment.bytes, segment.crc64)));
                    self.promises.segments.extend(promised);
                }
                Err(why) => self.findings.add(Check::SalvageUnreadable, sid.as_str(), why),
            }
        }
        Ok(())
    }
}

/// Whether the entries that a published playlist has of the tail are those of the tail.
fn tail_agrees(playlist: &Playlist, output: &OutputState) -> bool {
    let Ok(name) = output.playlist.parse::<ObjectName>() else { return true };
    let published = playlist.segments.iter().skip(usize::try_from(output.tail_from).unwrap_or(usize::MAX));
    published.zip(&output.tail).all(|(listed, committed)| {
        listed.to_entry().as_ref() == Some(&committed.entry(&name, output.container))
    })
}

/// The recording, as its names begin.
pub(super) fn state_name(state: &ControlObject) -> String {
    format!("{}_{}", state.sid, state.cname)
}
