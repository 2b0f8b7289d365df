//! What may be sent when: pure.
//!
//! Sealed segments go in, numbered by their place in their output; [`Step`]s come out. At most so many
//! segments and bytes are under way at once, over all outputs; a segment is listed once it and all before
//! it are stored; at most one publishing of an output's playlist is under way, and it covers all that was
//! listed when it began.

use std::collections::VecDeque;

/// What may be under way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Segments being stored.
    pub segments: usize,
    /// Their bytes together; one segment may always go, whatever its size.
    pub bytes: u64,
}

impl Default for Limits {
    /// 4 segments, 16 MiB.
    fn default() -> Self {
        Self { segments: 4, bytes: 16 * 1024 * 1024 }
    }
}

/// A thing to do. `output` counts outputs, `place` segments of one output, both from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Store { output: usize, place: u64 },
    List { output: usize, place: u64 },
    Publish { output: usize },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Sealed,
    UnderWay,
    Stored,
}

#[derive(Debug, Default)]
struct Output {
    /// Segments not yet listed: their sizes and states. The first has the place `listed`.
    queue: VecDeque<(u64, State)>,
    listed: u64,
    /// Segments that the publishing under way, or the last one, covers.
    published: u64,
    publishing: bool,
    /// The playlist is to get its end; nothing more will be sealed.
    ended: bool,
    /// A segment is lost; nothing from it on can be listed.
    cut_off: bool,
    /// The publishing under way, or the last one, shows the end.
    end_published: bool,
}

impl Output {
    fn is_complete(&self) -> bool {
        self.ended && self.queue.is_empty()
    }
}

/// The state of all uploads of a recording.
#[derive(Debug)]
pub(super) struct Plan {
    limits: Limits,
    outputs: Vec<Output>,
    under_way: usize,
    under_way_bytes: u64,
}

impl Plan {
    pub fn new(limits: Limits) -> Self {
        Self { limits, outputs: Vec::new(), under_way: 0, under_way_bytes: 0 }
    }

    /// Adds an output; they are counted from 0.
    pub fn add_output(&mut self) {
        self.outputs.push(Output::default());
    }

    /// The next segment of an output is complete.
    pub fn sealed(&mut self, output: usize, bytes: u64) {
        if let Some(output) = self.outputs.get_mut(output).filter(|output| !output.cut_off) {
            output.queue.push_back((bytes, State::Sealed));
        }
    }

    /// A segment cannot be stored. Those before it go on; those behind it cannot be listed any more.
    pub fn lost(&mut self, output: usize, place: u64) {
        let Some(output) = self.outputs.get_mut(output) else { return };
        let Some(index) = place.checked_sub(output.listed).and_then(|index| usize::try_from(index).ok())
        else {
            return;
        };
        output.cut_off = true;
        for (bytes, state) in output.queue.drain(index.min(output.queue.len())..) {
            if state == State::UnderWay {
                self.under_way -= 1;
                self.under_way_bytes -= bytes;
            }
        }
    }

    /// A segment is in the store.
    pub fn stored(&mut self, output: usize, place: u64) {
        let Some(output) = self.outputs.get_mut(output) else { return };
        let index = place.checked_sub(output.listed).and_then(|index| usize::try_from(index).ok());
        let entry = index.and_then(|index| output.queue.get_mut(index));
        let Some((bytes, state @ State::UnderWay)) = entry else { return };
        *state = State::Stored;
        self.under_way -= 1;
        self.under_way_bytes -= *bytes;
    }

    /// The publishing under way has ended well.
    pub fn published(&mut self, output: usize) {
        if let Some(output) = self.outputs.get_mut(output) {
            output.publishing = false;
        }
    }

    /// No more segments will be sealed; when all are listed, playlists get their end.
    pub fn end(&mut self) {
        self.outputs.iter_mut().for_each(|output| output.ended = true);
    }

    /// Whether every segment is listed and every playlist published with its end. An output without a
    /// segment has no playlist.
    pub fn is_done(&self) -> bool {
        let done = |output: &Output| {
            output.is_complete() && !output.publishing && (output.listed == 0 || output.end_published)
        };
        self.outputs.iter().all(done)
    }

    /// Whether the publishing just begun shows the end.
    pub fn shows_end(&self, output: usize) -> bool {
        self.outputs.get(output).is_some_and(|output| output.end_published)
    }

    /// The next thing to do; it counts as begun. `None` until something else is told.
    pub fn step(&mut self) -> Option<Step> {
        let free = self.under_way < self.limits.segments;
        let room = match self.under_way {
            0 => u64::MAX,
            _ => self.limits.bytes.saturating_sub(self.under_way_bytes),
        };
        for (index, output) in self.outputs.iter_mut().enumerate() {
            if let Some((_, State::Stored)) = output.queue.front() {
                output.queue.pop_front();
                output.listed += 1;
                return Some(Step::List { output: index, place: output.listed - 1 });
            }
            let news = output.listed > output.published || output.is_complete() && !output.end_published;
            if news && output.listed > 0 && !output.publishing {
                output.publishing = true;
                output.published = output.listed;
                output.end_published = output.is_complete();
                return Some(Step::Publish { output: index });
            }
            let mut waiting = (output.listed..).zip(&mut output.queue);
            if let Some((place, (bytes, state))) = waiting.find(|(_, (_, state))| *state == State::Sealed)
                && free
                && *bytes <= room
            {
                *state = State::UnderWay;
                self.under_way += 1;
                self.under_way_bytes += *bytes;
                return Some(Step::Store { output: index, place });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plan(limits: Limits, outputs: usize) -> Plan {
        let mut plan = Plan::new(limits);
        (0..outputs).for_each(|_| plan.add_output());
        plan
    }

    fn steps(plan: &mut Plan) -> Vec<Step> {
        std::iter::from_fn(|| plan.step()).collect()
    }

    #[test]
    fn a_segment_is_listed_after_those_before_it() {
        let mut plan = plan(Limits::default(), 1);
        (0..3).for_each(|_| plan.sealed(0, 10));
        assert_eq!(
            steps(&mut plan),
            (0..3).map(|place| Step::Store { output: 0, place }).collect::<Vec<_>>()
        );
        plan.stored(0, 1);
        assert_eq!(steps(&mut plan), []);
        plan.stored(0, 0);
        let listed = [0, 1].map(|place| Step::List { output: 0, place });
        assert_eq!(steps(&mut plan), [listed[0], listed[1], Step::Publish { output: 0 }]);
        plan.stored(0, 2);
        assert_eq!(steps(&mut plan), [Step::List { output: 0, place: 2 }], "one publishing at a time");
        plan.published(0);
        assert_eq!(steps(&mut plan), [Step::Publish { output: 0 }]);
        plan.end();
        plan.published(0);
        assert!(!plan.is_done());
        assert_eq!(steps(&mut plan), [Step::Publish { output: 0 }], "the end");
        assert!(plan.shows_end(0) && !plan.is_done());
        plan.published(0);
        assert!(plan.is_done());
        assert_eq!(steps(&mut plan), []);
    }

    #[test]
    fn a_segment_larger_than_the_limit_goes_alone() {
        let mut plan = plan(Limits { segments: 4, bytes: 100 }, 1);
        plan.sealed(0, 1000);
        plan.sealed(0, 10);
        assert_eq!(steps(&mut plan), [Step::Store { output: 0, place: 0 }]);
        plan.stored(0, 0);
        assert!(steps(&mut plan).contains(&Step::Store { output: 0, place: 1 }));
    }

    #[test]
    fn a_lost_segment_ends_its_playlist_before_it() {
        let mut plan = plan(Limits::default(), 1);
        (0..4).for_each(|_| plan.sealed(0, 10));
        assert_eq!(steps(&mut plan).len(), 4);
        plan.stored(0, 2);
        plan.lost(0, 1);
        plan.sealed(0, 10);
        plan.stored(0, 3);
        assert_eq!(steps(&mut plan), [], "the first is still under way");
        plan.stored(0, 0);
        plan.end();
        assert_eq!(steps(&mut plan), [Step::List { output: 0, place: 0 }, Step::Publish { output: 0 }]);
        assert!(plan.shows_end(0));
        plan.published(0);
        assert!(plan.is_done());
        assert_eq!((plan.under_way, plan.under_way_bytes), (0, 0));
    }

    proptest! {
        /// Whatever order the answers come in: nothing is listed before it is stored, places come in
        /// order, the limits hold, and all ends published.
        #[test]
        fn any_order_of_answers_ends_well(
            sizes in prop::collection::vec((0usize..3, 1u64..60), 0..40),
            picks in prop::collection::vec(any::<prop::sample::Index>(), 400),
        ) {
            let limits = Limits { segments: 3, bytes: 100 };
            let mut plan = plan(limits, 3);
            let mut sealed = [0u64; 3];
            let mut size_of = std::collections::HashMap::new();
            for &(output, bytes) in &sizes {
                plan.sealed(output, bytes);
                size_of.insert((output, sealed[output]), bytes);
                sealed[output] += 1;
            }
            plan.end();
            let (mut open, mut stored, mut listed) = (Vec::new(), std::collections::HashSet::new(), [0u64; 3]);
            for pick in picks {
                for step in steps(&mut plan) {
                    match step {
                        Step::List { output, place } => {
                            prop_assert!(stored.contains(&(output, place)));
                            prop_assert_eq!(place, listed[output]);
                            listed[output] += 1;
                        }
                        step => open.push(step),
                    }
                }
                let storing: Vec<_> = open.iter().filter_map(|step| match step {
                    Step::Store { output, place } => Some(size_of[&(*output, *place)]),
                    _ => None,
                }).collect();
                prop_assert!(storing.len() <= limits.segments);
                prop_assert!(storing.len() == 1 || storing.iter().sum::<u64>() <= limits.bytes);
                if open.is_empty() { break }
                match open.swap_remove(pick.index(open.len())) {
                    Step::Store { output, place } => {
                        stored.insert((output, place));
                        plan.stored(output, place);
                    }
                    Step::Publish { output } => plan.published(output),
                    Step::List { .. } => {}
                }
            }
            prop_assert!(plan.is_done());
            prop_assert_eq!(listed, sealed);
        }
    }
}
