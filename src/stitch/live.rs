//! A stitched playlist that grows while its recording runs: pure.
//!
//! `EVENT`: the text is only appended to, so what is listed stays, whatever a later turn covers. It is a function of what
//! the turns came to, not of when they were looked at: all of a turn comes before the next one, whose segments begin with
//! the first that goes past what is listed. So the texts of any two followers are one the begin of the other, and one
//! that comes again writes what it wrote before. Nothing is trimmed. A gap is a jump of the dates. The target duration is fixed by the first turn, with room for longer segments
//! ([`ROOM`]), since it must not change; a segment that exceeds it all the same is an error.

use std::collections::BTreeSet;

use super::piece::Turn;
use super::places::places;
use super::render::{Entry, JUMP, UriBase, date_range};

/// A later worker's segments may be so much longer than the first one's.
const ROOM: u64 = 2;

/// The growing text of one output.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Live {
    text: String,
    target: u64,
    /// The URIs listed.
    listed: BTreeSet<String>,
    /// The last of them, and where it ends.
    last: Option<(String, i64)>,
    /// Where that begins.
    began: i64,
    /// No listed segment ends later.
    reach: i64,
    gaps: usize,
    ended: bool,
}

impl Live {
    /// The playlist so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it has its end.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Appends what the turns have more than is listed.
    ///
    /// # Errors
    /// The key of a segment that is longer than the target duration allows.
    pub fn extend(&mut self, turns: &[Turn], base: &UriBase) -> Result<(), String> {
        let nothing = turns.iter().flat_map(|turn| &turn.pieces).all(|piece| piece.gap.is_some());
        if self.ended || nothing {
            return Ok(());
        }
        if self.text.is_empty() {
            let announced = turns.first().map_or(0, |turn| turn.target_duration);
            self.target = announced.max(1).saturating_mul(ROOM);
            self.text = format!(
                "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-TARGETDURATION:{}\n\
                 #EXT-X-MEDIA-SEQUENCE:0\n",
                self.target
            );
        }
        let longest = i64::try_from(self.target.saturating_mul(1000)).unwrap_or(i64::MAX).saturating_add(500);
        for (turn, places) in turns.iter().zip(places(turns)) {
            // The segment before in its own list, where that is the last one listed.
            let mut follows = false;
            for (piece, place) in turn.pieces.iter().zip(places) {
                if piece.gap.is_some() {
                    continue;
                }
                let uri = base.of(&piece.uri);
                if self.listed.contains(&uri) {
                    follows = self.last.as_ref().is_some_and(|(last, _)| *last == uri);
                    continue;
                }
                let end = self.last.as_ref().map(|(_, end)| *end);
                // In its own list a segment may go back in time; after another turn it then has nothing new.
                if !follows && end.is_some() && place.end <= self.reach {
                    continue;
                }
                if place.length() >= longest {
                    return Err(piece.key.clone());
                }
                let jumps = end.is_some_and(|end| end.abs_diff(place.start) > JUMP);
                if let Some(end) = end.filter(|end| jumps && *end < place.start) {
                    date_range(&mut self.text, "gap", self.gaps, end, place.start, "");
                    self.gaps += 1;
                }
                // A short segment may begin and end within what counts as the same moment.
                let back = place.start < self.began;
                let breaks = end.is_some() && (piece.discontinuity || jumps || back || !follows);
                let (start, end) = (place.start, place.end);
                Entry { piece, start, end, dated: true, breaks }.write(&mut self.text, &uri);
                self.listed.insert(uri.clone());
                (self.last, self.began) = (Some((uri, end)), start);
                self.reach = self.reach.max(end);
                follows = true;
            }
        }
        Ok(())
    }

    /// Ends it for good.
    pub fn end(&mut self) {
        if !self.ended {
            self.ended = true;
            self.text.push_str("#EXT-X-ENDLIST\n");
        }
    }
}
