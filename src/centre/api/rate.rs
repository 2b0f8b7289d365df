//! How often one address may call: so many times a second, saved up for a second; fewer with wrong credentials.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Wrong credentials a second.
const GUESSES: f64 = 5.0;
/// Addresses that are remembered: those that have not called for a second are forgotten before.
const MOST: usize = 10_000;

/// What addresses have left.
#[derive(Debug)]
pub struct Rates {
    calls: f64,
    left: Mutex<BTreeMap<IpAddr, Left>>,
}

#[derive(Debug, Clone, Copy)]
struct Left {
    calls: f64,
    guesses: f64,
    at: Duration,
}

impl Rates {
    /// So many calls a second.
    pub fn new(calls: u32) -> Self {
        Self { calls: f64::from(calls), left: Mutex::default() }
    }

    /// Whether that address may call now; the call counts.
    pub fn allows(&self, address: IpAddr, now: Duration) -> bool {
        self.with(address, now, |left| {
            let allowed = left.calls >= 1.0 && left.guesses >= 1.0;
            if allowed {
                left.calls -= 1.0;
            }
            allowed
        })
    }

    /// Its credentials were wrong.
    pub fn punish(&self, address: IpAddr, now: Duration) {
        self.with(address, now, |left| left.guesses -= 1.0);
    }

    fn with<T>(&self, address: IpAddr, now: Duration, act: impl FnOnce(&mut Left) -> T) -> T {
        let mut all = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.retain(|_, left| now.saturating_sub(left.at) < Duration::from_secs(1));
        }
        let left = all.entry(address).or_insert(Left { calls: self.calls, guesses: GUESSES, at: now });
        let since = now.saturating_sub(left.at).as_secs_f64();
        left.calls = self.calls.min(left.calls + since * self.calls);
        left.guesses = GUESSES.min(left.guesses + since * GUESSES);
        left.at = now;
        act(left)
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;

    const fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn an_address_has_so_many_calls_a_second_and_few_guesses() {
        let rates = Rates::new(10);
        let [one, other] = [1, 2].map(|last| IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)));
        let calls = |address, now| (0..100).filter(|_| rates.allows(address, now)).count();
        assert_eq!(calls(one, at(0)), 10);
        assert_eq!(calls(other, at(0)), 10, "each has its own");
        assert_eq!(calls(one, at(500)), 5);
        assert_eq!(calls(one, at(60_000)), 10, "no more than a second's are saved up");
        for _ in 0..5 {
            assert!(rates.allows(other, at(60_000)));
            rates.punish(other, at(60_000));
        }
        assert!(!rates.allows(other, at(60_000)), "whoever guesses must wait");
        assert!(rates.allows(other, at(60_300)));
    }
}
