//! What is committed of an output, by its seal or control object: its playlist as far as it was seen to be published,
//! then the tail, and the whole of it checked against the hash.
//!
//! Where the stored playlist is shorter than that (a late request can do that on stores without conditional
//! updates), the entries it lacks come from older versions of the control object, in whose tails they were.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;

use super::piece::{GapReason, Origin, Piece, Standing, Turn};
use super::source::{PLAYLIST_LIMIT, pieces};
use crate::checksum::RunningSha256;
use crate::continuity::{OutputState, Register, TailEntry};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Generation;
use crate::naming::{ObjectName, Prefix, key};
use crate::playlist::{Entry, Header, Renderer, parse};
use crate::store::Store;

/// So many older versions are read at most, to find entries that no playlist has.
const VERSIONS: u64 = 4096;

/// What is wrong with a stored playlist, as those know it who saw it published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ListFault {
    /// With its tail it has another hash than what was committed.
    Changed {
        /// Its key.
        list: String,
    },
    /// Entries that it was seen to hold are gone.
    Lacks {
        /// Its key.
        list: String,
        /// How many.
        entries: u64,
    },
}

impl fmt::Display for ListFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { list } => {
                write!(f, "{list} and its tail are not what was committed: somebody changed the playlist")
            }
            Self::Lacks { list, entries } => {
                write!(f, "{list} lacks {entries} entries that it was seen to hold: somebody changed it")
            }
        }
    }
}

/// What is known of one output of one generation.
pub(crate) struct Committed<'a> {
    /// Where older versions are.
    pub register: &'a Register,
    /// Folders before the recording's names.
    pub prefix: &'a Prefix,
    /// The turn.
    pub generation: Generation,
    /// Sealed, or as it was read.
    pub standing: Standing,
    /// Of the version that says so.
    pub counter: u64,
    /// What it says.
    pub output: &'a OutputState,
}

impl Committed<'_> {
    /// Reads the turn, and what is not as it should be.
    ///
    /// # Errors
    /// As [`list`](Self::list) and [`turn_of`](Self::turn_of).
    pub async fn turn(&self, store: &Store) -> Result<(Turn, Vec<ListFault>)> {
        let text = self.list(store).await?.unwrap_or_default();
        self.turn_of(&text, store).await
    }

    /// The text of the stored playlist, if there is one.
    ///
    /// # Errors
    /// Whatever reading gives.
    pub async fn list(&self, store: &Store) -> Result<Option<Bytes>> {
        store.find(&key(self.prefix, &self.output.playlist), PLAYLIST_LIMIT).await
    }

    /// The turn whose stored playlist has that text; none is read as an empty one.
    ///
    /// # Errors
    /// Whatever reading older versions gives; `Malformed` for a playlist that is none.
    pub async fn turn_of(&self, text: &[u8], store: &Store) -> Result<(Turn, Vec<ListFault>)> {
        let Self { prefix, generation, standing, output, .. } = self;
        let name = self.name()?;
        let list = key(prefix, &output.playlist);
        let (seen, length) = first_entries(text, output.tail_from);
        let mut faults = Vec::new();
        let between = self.between(seen, &mut faults).await?;
        let folder = prefix.as_str();
        let read = text.get(..length).unwrap_or_default();
        let mut listed = Vec::new();
        if seen > 0 {
            let playlist = parse(read).map_err(|error| {
                Error::new(ErrorKind::Malformed, format!("{list} in {store} is no media playlist"))
                    .with_source(error)
            })?;
            listed = pieces(&playlist, &list, folder, folder)?;
        }
        let rest = || between.iter().chain(&output.tail);
        if !self.is_as_committed(read, &name, rest()) {
            faults.push(ListFault::Changed { list: list.clone() });
        }
        listed.extend(rest().map(|entry| self.piece(entry, &name)));
        let turn = Turn {
            generation: Some(*generation),
            playlist: list,
            standing: *standing,
            target_duration: u64::from(output.target_duration),
            independent: output.independent,
            pieces: listed,
        };
        Ok((turn, faults))
    }

    /// The turn, where `known` is what was known of it before: what is new is in the tail, unless that begins later.
    ///
    /// # Errors
    /// As [`turn`](Self::turn).
    pub async fn more(&self, store: &Store, known: Option<Turn>) -> Result<Turn> {
        let output = self.output;
        let new = known.as_ref().and_then(|turn| {
            let place = (turn.pieces.len() as u64).checked_sub(output.tail_from)?;
            output.tail.get(usize::try_from(place).ok()?..)
        });
        let (Some(mut turn), Some(new)) = (known, new) else {
            return self.turn(store).await.map(|(turn, _)| turn);
        };
        let name = self.name()?;
        (turn.standing, turn.independent) = (self.standing, output.independent);
        turn.pieces.extend(new.iter().map(|entry| self.piece(entry, &name)));
        Ok(turn)
    }

    fn name(&self) -> Result<ObjectName> {
        let playlist = &self.output.playlist;
        playlist.parse().map_err(|error| {
            Error::new(ErrorKind::Malformed, format!("{playlist:?} is no playlist's name")).with_source(error)
        })
    }

    fn piece(&self, entry: &TailEntry, playlist: &ObjectName) -> Piece {
        let Entry { uri, start, clock, date, duration_millis, discontinuity, gap, compat } =
            entry.entry(playlist, self.output.container);
        let name = entry.name(playlist, self.output.container);
        Piece {
            key: key(self.prefix, &name),
            uri,
            media: Some((start, clock)),
            date: Some(date),
            millis: duration_millis,
            bytes: (!gap).then_some(entry.bytes),
            crc64: (!gap).then_some(entry.crc64),
            discontinuity,
            gap: gap.then(|| GapReason::of(entry.cause)),
            origin: Origin::Tail,
            tags: compat,
        }
    }

    fn is_as_committed<'t>(
        &self,
        read: &[u8],
        playlist: &ObjectName,
        rest: impl Iterator<Item = &'t TailEntry>,
    ) -> bool {
        let mut renderer = Renderer::new(&Header { target_duration: self.output.target_duration });
        let header = renderer.take();
        let mut hash = RunningSha256::default();
        hash.update(if read.is_empty() { header.as_bytes() } else { read });
        for entry in rest {
            if renderer.append(&entry.entry(playlist, self.output.container)).is_err() {
                return false;
            }
            hash.update(renderer.take().as_bytes());
        }
        hash.current() == self.output.hash
    }

    /// The entries from `seen` to the tail, out of older versions.
    async fn between(&self, seen: u64, faults: &mut Vec<ListFault>) -> Result<Vec<TailEntry>> {
        let (wanted, mut found) = (seen..self.output.tail_from, BTreeMap::new());
        let oldest = self.counter.saturating_sub(VERSIONS);
        let mut number = self.counter;
        while wanted.end - wanted.start > found.len() as u64 && number > oldest {
            number -= 1;
            let Some(text) = self.register.read_older(number).await? else { break };
            let state = self.register.decode(&text)?;
            if state.generation != self.generation {
                break;
            }
            let Some(older) = state.outputs.into_iter().find(|older| older.playlist == self.output.playlist)
            else {
                break;
            };
            let numbered = (older.tail_from..).zip(older.tail);
            found.extend(numbered.filter(|(place, _)| wanted.contains(place)));
        }
        let lacking = (wanted.end - wanted.start) - found.len() as u64;
        if lacking > 0 {
            let list = key(self.prefix, &self.output.playlist);
            faults.push(ListFault::Lacks { list, entries: lacking });
        }
        Ok(found.into_values().collect())
    }
}

/// How many of the first `count` entries a playlist has, and the length of the text up to the last of them.
fn first_entries(text: &[u8], count: u64) -> (u64, usize) {
    let (mut seen, mut length, mut at) = (0, 0, 0);
    while seen < count {
        let rest = text.get(at..).unwrap_or_default();
        let Some(end) = memchr::memchr(b'\n', rest) else { break };
        let is_uri = !matches!(rest.first(), Some(b'#' | b'\n' | b'\r'));
        at += end + 1;
        if is_uri {
            seen += 1;
            length = at;
        }
    }
    (seen, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_counted_by_their_uris() {
        let text = b"#EXTM3U\n#EXTINF:1,\na\n\n#EXTINF:1,\nb\n#EXTINF:1,\ncut";
        let cases = [(0, (0, 0)), (1, (1, 21)), (2, (2, 35)), (3, (2, 35))];
        for (count, expected) in cases {
            assert_eq!(first_entries(text, count), expected, "{count}");
        }
    }
}
