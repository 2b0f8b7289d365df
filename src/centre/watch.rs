//! Who lives, judged by leases that change or do not: pure.
//!
//! In: readings of all leases, by one's own clock, and readings that failed. Out: a [`Verdict`] on each worker. Time in which the
//! store did not answer is nobody's silence, so an outage of the store makes nobody dead.

use std::collections::BTreeMap;
use std::time::Duration;

use super::lease::{Lease, Standing};

/// A lease that stays the same for so long, over so many readings, is a silent worker's.
pub(super) const SILENCE: Duration = Duration::from_secs(12);
const READINGS: u32 = 4;
/// Who was seen, and is not there, is remembered so long.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// What is to be thought of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Its lease changes, or it is too early to tell.
    Alive,
    /// It lives, and has wanted others to take what it has for so long.
    Draining(Duration),
    /// Nothing was heard of it for so long.
    Silent(Duration),
    /// Its process is known to be gone, or its lease to be taken away, for so long.
    Gone(Duration),
}

impl Verdict {
    /// Whether it lives, whatever it wants.
    pub fn lives(self) -> bool {
        matches!(self, Self::Alive | Self::Draining(_))
    }
}

/// Since when something is so, and over how many readings.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    since: Duration,
    readings: u32,
}

impl Span {
    fn begin(now: Duration) -> Self {
        Self { since: now, readings: 1 }
    }

    fn again(self, now: Duration) -> Self {
        if self.readings == 0 {
            Self::begin(now)
        } else {
            Self { readings: self.readings.saturating_add(1), ..self }
        }
    }

    /// How long it is so, where that is long enough to believe it.
    fn long(self, now: Duration) -> Option<Duration> {
        let length = now.saturating_sub(self.since);
        (length >= SILENCE && self.readings >= READINGS).then_some(length)
    }
}

#[derive(Debug)]
struct Seen {
    lease: Lease,
    /// How long it is the same.
    same: Span,
    /// Since when it stands as it does.
    standing: Duration,
}

/// What was seen of leases.
#[derive(Debug, Default)]
pub struct Watch {
    seen: BTreeMap<String, Seen>,
    /// Those that were there, and how long they are not.
    missing: BTreeMap<String, Span>,
    /// How long readings succeed.
    reading: Option<Span>,
}

impl Watch {
    /// All leases were read.
    pub fn read(&mut self, now: Duration, leases: Vec<Lease>) {
        self.reading = Some(self.reading.map_or_else(|| Span::begin(now), |span| span.again(now)));
        let mut before = std::mem::take(&mut self.seen);
        for lease in leases {
            let seen = before.remove(&lease.worker);
            let same = seen.as_ref().filter(|seen| seen.lease.beat == lease.beat);
            let same = same.map_or_else(|| Span::begin(now), |seen| seen.same.again(now));
            let stood = seen.filter(|seen| seen.lease.standing == lease.standing);
            let standing = stood.map_or(now, |seen| seen.standing);
            self.missing.remove(&lease.worker);
            self.seen.insert(lease.worker.clone(), Seen { lease, same, standing });
        }
        self.missing.values_mut().for_each(|span| *span = span.again(now));
        self.missing.extend(before.into_keys().map(|worker| (worker, Span::begin(now))));
        self.missing.retain(|_, span| now.saturating_sub(span.since) < REMEMBERED);
    }

    /// They could not be read: silence is counted anew.
    pub fn missed(&mut self, now: Duration) {
        self.reading = None;
        let spans = self.seen.values_mut().map(|seen| &mut seen.same).chain(self.missing.values_mut());
        spans.for_each(|span| *span = Span { since: now, readings: 0 });
    }

    /// What is to be thought of a worker.
    pub fn verdict(&self, worker: &str, now: Duration) -> Verdict {
        match self.seen.get(worker) {
            Some(Seen { lease, same, standing }) => {
                let stood = now.saturating_sub(*standing);
                match (lease.standing, same.long(now)) {
                    (Standing::Gone, _) => Verdict::Gone(stood),
                    (_, Some(silence)) => Verdict::Silent(silence),
                    (Standing::Draining, None) => Verdict::Draining(stood),
                    (Standing::Serving, None) => Verdict::Alive,
                }
            }
            // Who leaves takes its lease along; one that was never seen may not be listed yet.
            None => {
                let span = self.missing.get(worker).copied().or(self.reading).unwrap_or_default();
                let beyond = span.long(now).map(|length| length.saturating_sub(SILENCE));
                beyond.map_or(Verdict::Alive, Verdict::Gone)
            }
        }
    }

    /// The leases as they were read last, in the order of the workers' names.
    pub fn leases(&self) -> impl Iterator<Item = &Lease> {
        self.seen.values().map(|seen| &seen.lease)
    }

    /// The leases of workers that live.
    pub fn living(&self, now: Duration) -> impl Iterator<Item = &Lease> {
        self.leases().filter(move |lease| self.verdict(&lease.worker, now) == Verdict::Alive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(worker: &str, beat: u64, standing: Standing) -> Lease {
        Lease { beat, standing, ..Lease::new(worker, "host", 1, 10) }
    }

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_lease_that_stays_the_same_is_a_silent_workers() {
        let mut watch = Watch::default();
        for at in 0..=8 {
            let beat = if at < 3 { at } else { 2 };
            watch.read(
                secs(3 * at),
                vec![lease("a", at, Standing::Serving), lease("b", beat, Standing::Serving)],
            );
            let expected = if at < 6 { Verdict::Alive } else { Verdict::Silent(secs(3 * (at - 2))) };
            assert_eq!(watch.verdict("b", secs(3 * at)), expected, "reading {at}");
            assert_eq!(watch.verdict("a", secs(3 * at)), Verdict::Alive);
        }
        assert_eq!(watch.living(secs(24)).map(|lease| lease.worker.as_str()).collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn few_readings_and_outages_make_nobody_silent() {
        let mut watch = Watch::default();
        let same = || vec![lease("a", 1, Standing::Serving)];
        watch.read(secs(0), same());
        watch.read(secs(20), same());
        watch.read(secs(40), same());
        assert_eq!(watch.verdict("a", secs(40)), Verdict::Alive, "three readings");
        watch.read(secs(60), same());
        assert_eq!(watch.verdict("a", secs(60)), Verdict::Silent(secs(60)));
        // The store is away for two minutes; who comes back first must not judge the others by that.
        watch.missed(secs(63));
        watch.missed(secs(180));
        for at in [181, 184, 187, 190] {
            watch.read(secs(at), same());
            assert_eq!(watch.verdict("a", secs(at)), Verdict::Alive, "at {at}");
        }
        watch.read(secs(193), same());
        assert_eq!(watch.verdict("a", secs(193)), Verdict::Silent(secs(12)), "from the first that answered");
    }

    #[test]
    fn who_is_said_to_be_gone_is_gone_at_once_and_who_is_not_there_after_a_while() {
        let mut watch = Watch::default();
        watch.read(secs(0), vec![lease("a", 5, Standing::Gone), lease("b", 1, Standing::Serving)]);
        assert_eq!(watch.verdict("a", secs(1)), Verdict::Gone(secs(1)));
        assert_eq!(watch.verdict("never seen", secs(1)), Verdict::Alive, "perhaps not listed yet");
        for at in 1..=5 {
            watch.read(secs(3 * at), Vec::new());
            let expected = if at < 5 { Verdict::Alive } else { Verdict::Gone(secs(0)) };
            assert_eq!(watch.verdict("b", secs(3 * at)), expected, "reading {at}: a list may be late");
        }
        assert_eq!(watch.verdict("never seen", secs(15)), Verdict::Gone(secs(3)));
        watch.read(secs(18), vec![lease("b", 2, Standing::Serving)]);
        assert_eq!(watch.verdict("b", secs(18)), Verdict::Alive);
        for at in [21, 24] {
            watch.read(secs(at), vec![lease("b", at, Standing::Draining)]);
            assert_eq!(watch.verdict("b", secs(at)), Verdict::Draining(secs(at - 21)));
        }
    }
}
