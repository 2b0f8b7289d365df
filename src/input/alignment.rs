//! Streams whose clocks begin anywhere, on one clock: what a server's reports say of each (RFC 3550, 6.4.1). Pure.
//!
//! In: times of each stream, and reports that say which wall time such a time is. Out: the same times on the clock of the first
//! stream. What a server says when it begins to play (`rtptime`) is often wrong by what it has skipped; its reports are right.

/// How far the clocks of some streams are apart.
#[derive(Debug)]
pub(super) struct Alignment {
    /// Of each stream: wall time less its own, in ticks of 90 kHz, once a report has said so.
    reported: Vec<Option<i64>>,
    /// What is to be added to each stream's times; `None`: it may still be reported.
    shifts: Option<Vec<i64>>,
}

impl Alignment {
    /// Nothing is known of so many streams. One alone needs nothing.
    pub fn new(streams: usize) -> Self {
        Self { reported: vec![None; streams], shifts: (streams < 2).then(|| vec![0; streams]) }
    }

    /// At the wall time `ntp` (seconds since 1900 and their fraction, 32 bits each) a stream's clock showed `ticks`.
    pub fn report(&mut self, stream: usize, ntp: u64, ticks: i64) {
        if self.shifts.is_some() {
            // What is settled stays: no time may run back.
            return;
        }
        let wall = (u128::from(ntp) * 90_000) >> 32;
        if let (Some(reported), Ok(wall)) = (self.reported.get_mut(stream), i64::try_from(wall)) {
            *reported = wall.checked_sub(ticks);
        }
        let all: Option<Vec<i64>> = self.reported.iter().copied().collect();
        self.shifts = all.map(|all| all.iter().map(|one| one.saturating_sub(all[0])).collect());
    }

    /// Nobody has reported in time: the streams' own times are taken for those of one clock.
    pub fn settle(&mut self) {
        self.shifts.get_or_insert_with(|| vec![0; self.reported.len()]);
    }

    /// Whether all streams are on one clock now.
    pub fn is_settled(&self) -> bool {
        self.shifts.is_some()
    }

    /// A stream's time on the clock of all.
    pub fn time(&self, stream: usize, ticks: i64) -> i64 {
        let shift = self.shifts.as_ref().and_then(|shifts| shifts.get(stream)).copied().unwrap_or(0);
        ticks.saturating_add(shift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many seconds after an hour that is far from all begins.
    fn ntp(seconds: f64) -> u64 {
        (3_900_000_000 << 32) + (seconds * f64::from(u32::MAX)) as u64
    }

    #[test]
    fn reports_put_streams_on_the_clock_of_the_first() {
        let mut alignment = Alignment::new(2);
        assert!(!alignment.is_settled());
        alignment.report(0, ntp(0.0), 90_000);
        assert!(!alignment.is_settled(), "one of two");
        // A quarter of a second later the other shows 0: it is 1.25 s behind.
        alignment.report(1, ntp(0.25), 0);
        assert!(alignment.is_settled());
        assert_eq!(alignment.time(0, 90_000), 90_000);
        assert!((alignment.time(1, 0) - 112_500).abs() <= 1, "{}", alignment.time(1, 0));
        alignment.report(1, ntp(9.0), 0);
        assert!((alignment.time(1, 0) - 112_500).abs() <= 1, "it stays");
    }

    #[test]
    fn without_reports_and_with_lies_times_are_taken_as_they_are() {
        let mut alone = Alignment::new(1);
        assert!(alone.is_settled());
        assert_eq!(alone.time(0, 5), 5);
        alone.report(0, u64::MAX, i64::MIN);
        assert_eq!(alone.time(7, i64::MAX), i64::MAX);
        let mut two = Alignment::new(2);
        two.report(0, u64::MAX, i64::MIN);
        two.report(1, 0, i64::MAX);
        two.report(9, 0, 0);
        two.settle();
        assert!(two.is_settled());
        let _ = two.time(1, i64::MIN);
    }
}
