//! Where a history's chances come from: one seed, and nothing else.

use std::sync::Mutex;

use tapeline::clock::Chance;

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A source of its own for a part, so that one part's draws do not shift another's.
    pub fn fork(&mut self) -> Self {
        Self(self.next())
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `low` up to and with `high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// True so many times out of a thousand.
    pub fn permille(&mut self, times: u64) -> bool {
        self.next() % 1000 < times
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[(self.next() % from.len() as u64) as usize]
    }
}

/// A worker's chances.
#[derive(Debug)]
pub struct SeededChance(pub Mutex<Random>);

impl Chance for SeededChance {
    fn fill(&self, bytes: &mut [u8]) -> tapeline::Result<()> {
        let mut random = self.0.lock().unwrap();
        bytes.iter_mut().for_each(|byte| *byte = random.next() as u8);
        Ok(())
    }
}
