//! What is whole of a segment whose writing was cut off: pure.
//!
//! In: the bytes of a segment as the splitter made it, up to anywhere, or with damage. Out: a file with all blocks that are
//! whole, which is what the splitter would have made had the input ended there.

use bytes::Bytes;

use super::segment::whole;
use super::splitter::WebmSplitter;
use crate::media::{Cutter, Placement, Unfit, UnitStart, UnitTimes};
use crate::time::{MediaTime, Pts33, WallTime};

/// What can be kept of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebmRemains {
    /// A file that plays alone.
    pub bytes: Bytes,
    /// The units in it, in the order of their begins, on the clock that the segment's start is on.
    pub units: Vec<UnitTimes>,
}

impl WebmRemains {
    /// Looks at all of a segment's bytes. `start` and `date` are those of its first unit.
    ///
    /// # Errors
    /// Why nothing can be kept.
    pub fn of(bytes: &Bytes, start: Option<MediaTime>, date: WallTime) -> Result<Self, Unfit> {
        let mut one = One { date, begun: false, units: Vec::new() };
        let mut splitter = WebmSplitter::new();
        splitter.push(bytes, &mut one);
        splitter.interrupt(&mut one);
        if splitter.tracks().is_none() {
            return Err(Unfit::NoProgram);
        }
        let kept = whole(std::iter::from_fn(|| splitter.pull()));
        let Some(first) = one.units.first().map(|unit| unit.pts) else { return Err(Unfit::NothingWhole) };
        // Its own times begin near 0.
        let start = Pts33::from(start.unwrap_or_default());
        let moved = |pts: Pts33| start + pts.since(first);
        let units = one.units.into_iter();
        let units =
            units.map(|unit| UnitTimes { pts: moved(unit.pts), dts: moved(unit.dts), ..unit }).collect();
        Ok(Self { bytes: Bytes::from(kept), units })
    }
}

/// Makes one segment of all, and notes the times of its units.
struct One {
    date: WallTime,
    begun: bool,
    units: Vec<UnitTimes>,
}

impl Cutter for One {
    fn at_unit(&mut self, unit: &UnitStart) -> Placement {
        // A segment begins with its lead, but for sound just before it.
        if !self.begun && !unit.lead {
            return Placement::Stay;
        }
        if let (Some(pts), Some(dts)) = (unit.pts, unit.dts) {
            self.units.push(UnitTimes { lead: unit.lead, pts, dts });
        }
        if std::mem::replace(&mut self.begun, true) { Placement::Stay } else { Placement::Cut }
    }

    fn date(&self) -> WallTime {
        self.date
    }
}
