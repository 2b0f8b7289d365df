//! What may be sent when: pure.
//!
//! Sealed segments go in, numbered by their place in their output; [`Step`]s come out. At most so many
//! segments and bytes are under way at once, over all outputs. A segment is committed once it and all before
//! it are stored; one commit covers all outputs, and there is at most one a second, fewer where
//! the control object is large. A playlist is published
//! as far as it is committed: at once while the [`Budget`] allows it, else when it has waited for long or
//! what waits has grown large; of one output at most one publication is under way. After the end everything
//! is committed, then the recording is closed, then playlists get their end.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use super::budget::Budget;
use crate::continuity::{Form, Written};

/// Some stores take one write a second of the same key.
const COMMIT_PACE: Duration = Duration::from_secs(1);
/// For each so many bytes of the control object the next commit waits that long once more: with many outputs,
/// whose segments end at different times, it would be sent every second.
const PACED_BYTES: u64 = 16 * 1024;
/// A committed segment is listed after this at the latest.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// Unpublished entries of all outputs together may weigh this: they stand in the control object.
const MOST_UNPUBLISHED: u64 = 64 * 1024;

/// Nothing more is committed while the store refuses playlists and so much is unpublished: the control object
/// would become too large to read.
const MOST_UNCONFIRMED: u64 = 1024 * 1024;
/// One commit covers so many segments: after a long outage all that waited, or was given up, is ready at once.
const MOST_IN_COMMIT: u64 = 256;

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
    Commit,
    Close,
    Publish { output: usize },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Sealed,
    UnderWay,
    Stored,
    /// Given up.
    Gap,
}

/// A segment that is not ready yet.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    bytes: u64,
    state: State,
    /// Counts the segments of all outputs as they were sealed.
    order: u64,
}

/// How far the recording's end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    No,
    /// Nothing more will be sealed.
    Asked {
        with_end: bool,
    },
    Closing,
    Closed {
        /// Playlists get their end.
        with_end: bool,
    },
}

#[derive(Debug, Default)]
struct Output {
    /// Segments not yet stored with all before them. The first has the place `ready`.
    queue: VecDeque<Waiting>,
    ready: u64,
    /// The sizes of those that are ready and in no commit that was sent.
    ready_sizes: VecDeque<u64>,
    /// Segments in commits that were sent.
    sent: u64,
    committed: u64,
    /// Length of the playlist's text with the committed segments.
    text: u64,
    /// What the publication under way, or the last one, covers.
    shown: u64,
    shown_text: u64,
    /// It shows the end.
    shown_end: bool,
    publishing: bool,
    /// What the store's playlist is known to list, and the length of its text.
    published: u64,
    published_text: u64,
    /// Since when something committed is not shown.
    waiting_since: Option<Duration>,
    /// The playlist's text is lost; it cannot be published any more.
    mute: bool,
}

/// The state of all uploads of a recording.
#[derive(Debug)]
pub(super) struct Plan {
    limits: Limits,
    form: Form,
    outputs: Vec<Output>,
    under_way: usize,
    under_way_bytes: u64,
    /// Bytes of media in the commit that was sent.
    sent_bytes: u64,
    /// Segments sealed so far.
    sealed: u64,
    committing: bool,
    /// When the last commit was made, and when the next one may be sent.
    last_commit: Option<Duration>,
    next_commit: Duration,
    budget: Budget,
    /// Nothing is committed until the end.
    resting: bool,
    ending: Ending,
}

impl Plan {
    pub fn new(limits: Limits, form: Form) -> Self {
        Self {
            limits,
            form,
            outputs: Vec::new(),
            under_way: 0,
            under_way_bytes: 0,
            sent_bytes: 0,
            sealed: 0,
            committing: false,
            last_commit: None,
            next_commit: Duration::ZERO,
            budget: Budget::default(),
            resting: false,
            ending: Ending::No,
        }
    }

    /// Adds an output; they are counted from 0.
    pub fn add_output(&mut self) {
        self.outputs.push(Output::default());
    }

    /// The next segment of an output is complete.
    pub fn sealed(&mut self, output: usize, bytes: u64) {
        self.sealed += 1;
        let waiting = Waiting { bytes, state: State::Sealed, order: self.sealed };
        if let Some(output) = self.outputs.get_mut(output) {
            output.queue.push_back(waiting);
        }
    }

    /// The next segment of an output was given up before it was complete.
    pub fn sealed_as_gap(&mut self, output: usize) {
        self.sealed(output, 0);
        if let Some(output) = self.outputs.get_mut(output)
            && let Some(last) = output.queue.back_mut()
        {
            last.state = State::Gap;
            output.advance();
        }
    }

    /// A segment is given up.
    pub fn given_up(&mut self, output: usize, place: u64) {
        let Some(output) = self.outputs.get_mut(output) else { return };
        let Some(waiting) = output.waiting(place) else { return };
        if waiting.state == State::UnderWay {
            self.under_way -= 1;
            self.under_way_bytes -= waiting.bytes;
        }
        *waiting = Waiting { bytes: 0, state: State::Gap, ..*waiting };
        output.advance();
    }

    /// A segment is in the store.
    pub fn stored(&mut self, output: usize, place: u64) {
        let Some(output) = self.outputs.get_mut(output) else { return };
        let Some(waiting) = output.waiting(place) else { return };
        if waiting.state != State::UnderWay {
            return;
        }
        waiting.state = State::Stored;
        self.under_way -= 1;
        self.under_way_bytes -= waiting.bytes;
        output.advance();
    }

    /// The segment that is the first to be given up: the oldest that is not under way, for what was sent of one
    /// would be wasted; else the youngest that is.
    pub fn to_spare(&self) -> Option<(usize, u64)> {
        let outputs = self.outputs.iter().enumerate();
        let all: Vec<_> = outputs
            .flat_map(|(index, output)| {
                (output.ready..).zip(&output.queue).map(move |(place, waiting)| (index, place, waiting))
            })
            .collect();
        let of = |state| all.iter().filter(move |(.., waiting)| waiting.state == state);
        let oldest = of(State::Sealed).min_by_key(|(.., waiting)| waiting.order);
        let youngest = || of(State::UnderWay).max_by_key(|(.., waiting)| waiting.order);
        oldest.or_else(youngest).map(|&(output, place, _)| (output, place))
    }

    /// Segments being stored, and their bytes.
    pub fn under_way(&self) -> (usize, u64) {
        (self.under_way, self.under_way_bytes)
    }

    /// An output's playlist cannot be published any more; its segments are committed all the same.
    pub fn muted(&mut self, output: usize) {
        if let Some(output) = self.outputs.get_mut(output) {
            (output.mute, output.publishing) = (true, false);
            output.waiting_since = None;
        }
    }

    /// What the commit just begun covers: of each output, these places.
    pub fn batch(&self) -> Vec<Range<u64>> {
        self.outputs.iter().map(|output| output.committed..output.sent).collect()
    }

    /// Segments that the store's playlist is known to list.
    pub fn published_segments(&self, output: usize) -> u64 {
        self.outputs.get(output).map_or(0, |output| output.published)
    }

    /// The commit under way was made, with `sent` bytes in all its tries for a control object of `size`
    /// bytes; the playlists' texts have these lengths now.
    pub fn committed(
        &mut self,
        now: Duration,
        Written { size, sent }: Written,
        texts: impl IntoIterator<Item = u64>,
    ) {
        self.committing = false;
        // From its end on: the store is to see them that far apart, however long one took.
        let pace = COMMIT_PACE.saturating_mul(1 + u32::try_from(size / PACED_BYTES).unwrap_or(u32::MAX - 1));
        (self.last_commit, self.next_commit) = (Some(now), now + pace);
        self.budget.earn(std::mem::take(&mut self.sent_bytes));
        self.budget.spend(sent);
        for (output, text) in self.outputs.iter_mut().zip(texts) {
            if output.sent > output.committed {
                output.committed = output.sent;
                output.text = text;
                if !output.mute {
                    output.waiting_since.get_or_insert(now);
                }
            }
        }
    }

    /// The publication under way has ended well.
    pub fn published(&mut self, output: usize) {
        if let Some(output) = self.outputs.get_mut(output) {
            output.publishing = false;
            (output.published, output.published_text) = (output.shown, output.shown_text);
        }
    }

    /// Commits and publishes nothing more before the end.
    pub fn rest(&mut self) {
        self.resting = true;
    }

    fn rests(&self) -> bool {
        self.resting && self.ending == Ending::No
    }

    /// No more segments will be sealed; when all are committed, the recording is closed. Without an end for
    /// the playlists these are published before: afterwards another worker may claim it at once.
    pub fn end(&mut self, with_end: bool) {
        self.ending = Ending::Asked { with_end };
    }

    /// The recording is closed.
    pub fn closed(&mut self, with_end: bool) {
        self.ending = Ending::Closed { with_end };
    }

    /// Whether all is committed, closed and published. An output without a segment has no playlist.
    pub fn is_done(&self) -> bool {
        let Ending::Closed { with_end } = self.ending else { return false };
        let done = |output: &Output| {
            let shown = output.shown == output.committed && (output.shown_end || !with_end);
            !output.publishing && (output.committed == 0 || output.mute || shown)
        };
        self.outputs.iter().all(done)
    }

    /// Whether the publication just begun shows the end.
    pub fn shows_end(&self, output: usize) -> bool {
        self.outputs.get(output).is_some_and(|output| output.shown_end)
    }

    /// When there may be something to do though nothing more was told; `None` if never.
    pub fn wake(&self) -> Option<Duration> {
        let commit = self.may_commit().then_some(self.commit_due());
        let close = self.may_close().then_some(self.close_due());
        let waiting = self.outputs.iter().filter(|output| !output.publishing);
        let listing = waiting.filter(|_| !self.rests()).filter_map(|output| output.waiting_since).min();
        commit.into_iter().chain(close).chain(listing.map(|since| since + LONGEST_WAIT)).min()
    }

    /// The next thing to do; it counts as begun. `None` until something else is told, or until
    /// [`wake`](Self::wake).
    pub fn step(&mut self, now: Duration) -> Option<Step> {
        self.commit(now).or_else(|| self.close(now)).or_else(|| self.publish(now)).or_else(|| self.store())
    }

    fn has_ready(&self) -> bool {
        self.outputs.iter().any(|output| output.ready > output.sent)
    }

    fn may_commit(&self) -> bool {
        let texts = self.outputs.iter().filter(|output| !output.mute);
        let unconfirmed: u64 = texts.map(|output| output.text - output.published_text).sum();
        self.has_ready() && !self.committing && !self.rests() && unconfirmed < MOST_UNCONFIRMED
    }

    /// A second after the last commit.
    fn paced(&self) -> Duration {
        self.last_commit.map_or(Duration::ZERO, |last| last + COMMIT_PACE)
    }

    /// When the recording may be closed: where that writes the key of the last commit, at its pace.
    fn close_due(&self) -> Duration {
        if self.form == Form::Update { self.paced() } else { Duration::ZERO }
    }

    fn commit_due(&self) -> Duration {
        match self.ending {
            Ending::No => self.next_commit,
            // At the end nobody waits longer than a store needs: where it has a key for each version, not at all, once the last commit
            // can cover everything.
            _ if self.form == Form::Numbered && self.all_stored() => Duration::ZERO,
            _ => self.next_commit.min(self.paced()),
        }
    }

    fn commit(&mut self, now: Duration) -> Option<Step> {
        if now < self.commit_due() || !self.may_commit() {
            return None;
        }
        self.committing = true;
        let mut room = MOST_IN_COMMIT;
        self.sent_bytes = 0;
        for output in &mut self.outputs {
            let count = (output.ready - output.sent).min(room);
            room -= count;
            output.sent += count;
            let count = usize::try_from(count).unwrap_or(usize::MAX).min(output.ready_sizes.len());
            self.sent_bytes += output.ready_sizes.drain(..count).sum::<u64>();
        }
        Some(Step::Commit)
    }

    fn close(&mut self, now: Duration) -> Option<Step> {
        let due = now >= self.close_due() && self.may_close();
        due.then(|| {
            self.ending = Ending::Closing;
            Step::Close
        })
    }

    fn may_close(&self) -> bool {
        let Ending::Asked { with_end } = self.ending else { return false };
        let shown = |output: &Output| {
            with_end || output.mute || output.shown == output.committed && !output.publishing
        };
        self.all_committed() && self.outputs.iter().all(shown)
    }

    fn all_stored(&self) -> bool {
        self.outputs.iter().all(|output| output.queue.is_empty())
    }

    fn all_committed(&self) -> bool {
        self.all_stored() && self.outputs.iter().all(|output| output.committed == output.ready)
    }

    fn publish(&mut self, now: Duration) -> Option<Step> {
        if self.rests() {
            return None;
        }
        let closed = match self.ending {
            Ending::Closed { .. } => true,
            Ending::Asked { with_end: false } => self.all_committed(),
            _ => false,
        };
        let with_end = self.ending == Ending::Closed { with_end: true };
        let texts = self.outputs.iter().filter(|output| !output.mute);
        let unpublished: u64 = texts.map(|output| output.text - output.shown_text).sum();
        let due = |output: &Output, budget: &Budget| {
            let news = output.committed > output.shown;
            let last = closed && (news || with_end && !output.shown_end);
            let waited = output.waiting_since.is_some_and(|since| now >= since + LONGEST_WAIT);
            let pressing = output.shown == 0 || waited || unpublished >= MOST_UNPUBLISHED;
            !output.publishing
                && !output.mute
                && output.committed > 0
                && (last || news && !closed && (pressing || budget.allows(output.text)))
        };
        // The one with the most to say: by their order the first ones would be published again and again, for
        // a few bytes each, while the last ones wait.
        let due = self.outputs.iter_mut().enumerate().rev().filter(|(_, output)| due(output, &self.budget));
        let (index, output) = due.max_by_key(|(_, output)| output.text - output.shown_text)?;
        output.publishing = true;
        (output.shown, output.shown_text, output.shown_end) = (output.committed, output.text, with_end);
        output.waiting_since = None;
        self.budget.spend(output.text);
        Some(Step::Publish { output: index })
    }

    fn store(&mut self) -> Option<Step> {
        if self.under_way >= self.limits.segments {
            return None;
        }
        let room = match self.under_way {
            0 => u64::MAX,
            _ => self.limits.bytes.saturating_sub(self.under_way_bytes),
        };
        for (index, output) in self.outputs.iter_mut().enumerate() {
            let mut queue = (output.ready..).zip(&mut output.queue);
            if let Some((place, waiting)) = queue.find(|(_, waiting)| waiting.state == State::Sealed)
                && waiting.bytes <= room
            {
                waiting.state = State::UnderWay;
                self.under_way += 1;
                self.under_way_bytes += waiting.bytes;
                return Some(Step::Store { output: index, place });
            }
        }
        None
    }
}

impl Output {
    fn waiting(&mut self, place: u64) -> Option<&mut Waiting> {
        let index = usize::try_from(place.checked_sub(self.ready)?).ok()?;
        self.queue.get_mut(index)
    }

    /// What is stored with all before it, or given up, is ready.
    fn advance(&mut self) {
        while let Some(waiting) =
            self.queue.pop_front_if(|waiting| matches!(waiting.state, State::Stored | State::Gap))
        {
            self.ready += 1;
            self.ready_sizes.push_back(waiting.bytes);
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
