//! Which worker takes a recording, so that all who see the same workers agree without a word (rendezvous hashing): pure.

use super::lease::Lease;
use crate::checksum::Crc64;
use crate::ids::Sid;

/// The workers in the order in which they are to try, best first: those with room, by a score that weighs the room they have left.
pub fn order<'a>(sid: &Sid, workers: impl Iterator<Item = &'a Lease>) -> Vec<&'a str> {
    let mut scored: Vec<(f64, &str)> = workers
        .filter(|lease| lease.has_room())
        .map(|lease| (score(sid, lease), lease.worker.as_str()))
        .collect();
    scored.sort_by(|one, two| two.0.total_cmp(&one.0).then_with(|| one.1.cmp(two.1)));
    scored.into_iter().map(|(_, worker)| worker).collect()
}

/// By weighted rendezvous hashing: a worker with twice the capacity gets twice the recordings.
fn score(sid: &Sid, lease: &Lease) -> f64 {
    // The checksum of similar texts is similar; mixing makes it as good as chance.
    let mixed = mix(u64::from(Crc64::of(format!("{sid} {}", lease.worker).as_bytes())));
    // Between 0 and 1, neither of them.
    let chance = ((mixed >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    -f64::from(lease.capacity) / chance.ln()
}

/// The finalizer of SplitMix64.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::centre::lease::Standing;

    fn lease(worker: &str, capacity: u32) -> Lease {
        Lease { beat: 1, ..Lease::new(worker, "host", 1, capacity) }
    }

    fn firsts(workers: &[Lease]) -> BTreeMap<String, usize> {
        let mut firsts: BTreeMap<String, usize> = BTreeMap::new();
        for number in 0..3000 {
            let sid = Sid::new(&format!("s{number}")).unwrap();
            let order = order(&sid, workers.iter());
            *firsts.entry(order[0].to_owned()).or_default() += 1;
        }
        firsts
    }

    #[test]
    fn recordings_are_shared_by_capacity() {
        let shares = firsts(&[lease("a", 100), lease("b", 100), lease("c", 200)]);
        for (worker, expected) in [("a", 750.0), ("b", 750.0), ("c", 1500.0)] {
            let share = shares[worker] as f64;
            assert!((share / expected - 1.0).abs() < 0.1, "{worker}: {share} of {expected}");
        }
    }

    #[test]
    fn who_leaves_changes_nothing_for_those_of_others() {
        let all = [lease("a", 100), lease("b", 100), lease("c", 100)];
        for number in 0..200 {
            let sid = Sid::new(&format!("s{number}")).unwrap();
            let whole = order(&sid, all.iter());
            let without: Vec<&str> = whole.iter().copied().filter(|worker| *worker != "b").collect();
            assert_eq!(order(&sid, all.iter().filter(|lease| lease.worker != "b")), without);
        }
    }

    #[test]
    fn who_is_full_or_drains_takes_none() {
        let full = Lease { recordings: 5, ..lease("full", 5) };
        let draining = Lease { standing: Standing::Draining, ..lease("draining", 5) };
        let sid = Sid::new("s1").unwrap();
        assert_eq!(order(&sid, [full, draining, lease("free", 5)].iter()), ["free"]);
        assert!(order(&sid, [].iter()).is_empty());
    }
}
