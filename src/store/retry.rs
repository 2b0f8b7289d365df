//! Pauses between attempts: exponential, with full jitter.
//!
//! Pure: the seed comes in, durations go out, and nobody sleeps here. Full jitter (each pause is drawn
//! from zero up to the current limit) spreads a thousand recordings that lost the same store evenly over
//! time, where equal pauses would bring them all back in the same second.

use std::time::Duration;

/// The first pause's upper limit.
const FIRST: Duration = Duration::from_millis(200);
/// The upper limit that every later pause keeps.
const LONGEST: Duration = Duration::from_secs(15);

/// A sequence of pauses whose upper limit doubles from 200 ms to 15 s.
#[derive(Debug, Clone)]
pub struct Backoff {
    limit: Duration,
    random: u64,
}

impl Backoff {
    /// A sequence that `seed` alone decides.
    pub const fn new(seed: u64) -> Self {
        Self { limit: FIRST, random: seed }
    }

    /// How long to wait before the next attempt.
    pub fn next_delay(&mut self) -> Duration {
        let limit = self.limit;
        self.limit = (limit * 2).min(LONGEST);
        let micros = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.draw() % micros.saturating_add(1))
    }

    /// Starts again with short pauses; for after a success.
    pub fn reset(&mut self) {
        self.limit = FIRST;
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): any seed will do, zero as well.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_stay_under_a_limit_that_doubles_and_then_stays() {
        let limits = [200, 400, 800, 1600, 3200, 6400, 12_800, 15_000, 15_000];
        let mut longest = [Duration::ZERO; 9];
        for seed in 0..500 {
            let mut backoff = Backoff::new(seed);
            for (limit, longest) in limits.iter().zip(&mut longest) {
                let delay = backoff.next_delay();
                assert!(delay <= Duration::from_millis(*limit), "seed {seed}: {delay:?} > {limit} ms");
                *longest = (*longest).max(delay);
            }
            backoff.reset();
            assert!(backoff.next_delay() <= FIRST);
        }
        for (limit, longest) in limits.iter().zip(longest) {
            assert!(longest > Duration::from_millis(limit * 9 / 10), "{longest:?} of {limit} ms");
        }
    }

    #[test]
    fn a_seed_gives_the_same_pauses_again_and_another_seed_others() {
        let pauses = |seed| {
            let mut backoff = Backoff::new(seed);
            std::array::from_fn::<_, 8, _>(|_| backoff.next_delay())
        };
        assert_eq!(pauses(7), pauses(7));
        assert_ne!(pauses(7), pauses(8));
    }
}
