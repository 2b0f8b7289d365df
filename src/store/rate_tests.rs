//! The rate as a table, against stores that allow so many requests a second, and under any sequence of answers.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn limit(rate: &Rate) -> Option<f64> {
    rate.limit().map(PerSecond::get)
}

/// As many requests as would go at that time.
fn admitted(rate: &mut Rate, now: Duration) -> usize {
    (0..10_000).take_while(|_| rate.admit(now).is_zero()).count()
}

/// A rate that was cut at second 100 after so many requests in the second before.
fn cut(requests: u64) -> Rate {
    let mut rate = Rate::default();
    for number in 0..requests {
        assert!(rate.admit(seconds(99) + Duration::from_micros(number)).is_zero());
    }
    rate.throttled(seconds(100), seconds(100));
    rate
}

#[test]
fn there_is_no_limit_until_the_store_asks_for_one() {
    let mut rate = Rate::default();
    assert_eq!(admitted(&mut rate, seconds(1)), 10_000);
    rate.served(seconds(1), seconds(2));
    assert_eq!(limit(&rate), None);
    rate.throttled(seconds(1), seconds(2));
    assert!(limit(&rate).is_some());
}

#[test]
fn a_cut_halves_what_was_seen_or_allowed_down_to_the_floor() {
    for (seen, first, second, third) in [
        // Nothing was sent after the first cut, so nothing was seen.
        (1000, 500.0, 1.0, 1.0),
        (40, 20.0, 1.0, 1.0),
        (10, 5.0, 1.0, 1.0),
        (1, 5.0, 1.0, 1.0),
        (0, 5.0, 1.0, 1.0),
    ] {
        let mut rate = cut(seen);
        assert_eq!(limit(&rate), Some(first), "{seen}");
        rate.throttled(seconds(101), seconds(101));
        assert_eq!(limit(&rate), Some(second), "{seen}");
        rate.throttled(seconds(103), seconds(103));
        assert_eq!(limit(&rate), Some(third), "{seen}");
    }
    // Where as much is sent as is allowed.
    let mut rate = cut(1000);
    let mut limits = Vec::new();
    for now in (100_000..108_000).map(millis) {
        while rate.admit(now).is_zero() {}
        if now.subsec_millis() == 0 {
            rate.throttled(now, now);
            limits.push(limit(&rate).unwrap());
        }
    }
    assert_eq!(limits, [500.0, 250.0, 125.0, 62.5, 31.25, 15.5, 7.5, 3.5]);
}

#[test]
fn requests_that_went_before_a_cut_or_right_after_it_cut_no_more() {
    for sent in [0, 99_000, 99_999, 100_000, 100_001, 100_999] {
        let mut rate = cut(100);
        for now in 100_000..100_010 {
            rate.throttled(millis(sent), millis(now.max(sent)));
        }
        assert_eq!(limit(&rate), Some(50.0), "sent at {sent} ms");
        rate.throttled(millis(101_000), millis(101_001));
        assert_eq!(limit(&rate), Some(1.0));
    }
}

#[test]
fn the_rate_grows_with_the_square_of_the_time_in_which_the_store_serves() {
    for (served, expected) in [(0, 20.0), (1, 20.1), (2, 20.4), (5, 22.5), (9, 28.1), (14, 39.6)] {
        let mut rate = cut(40);
        rate.served(seconds(100 + served), seconds(100 + served));
        assert_eq!(limit(&rate), Some(expected), "{served} s");
        // Time alone proves nothing, nor does what went before the cut.
        let _ = rate.admit(seconds(500));
        rate.served(seconds(99), seconds(501));
        assert_eq!(limit(&rate), Some(expected), "{served} s");
    }
}

#[test]
fn a_limit_ends_at_twice_what_was_throttled_and_after_ten_seconds() {
    let ends = |rate: &mut Rate| {
        (1..1000).find(|second| {
            rate.served(seconds(100 + second), seconds(100 + second));
            limit(rate).is_none()
        })
    };
    // 5 + 0.1 t² or 500 + 0.1 t² reach the double.
    assert_eq!(ends(&mut cut(0)), Some(10));
    assert_eq!(ends(&mut cut(40)), Some(25));
    assert_eq!(ends(&mut cut(1000)), Some(123));
    // After an outage as well, in which it was cut to the floor: what was throttled first counts.
    let mut rate = cut(40);
    for second in 102..120 {
        rate.throttled(seconds(second), seconds(second));
    }
    let limits = (1..).map(|second| {
        rate.served(seconds(119 + second), seconds(119 + second));
        limit(&rate)
    });
    let limits: Vec<f64> = limits.map_while(|limit| limit).collect();
    assert_eq!((limits.first(), limits.last(), limits.len()), (Some(&1.1), Some(&79.4), 28));
}

#[test]
fn requests_under_a_limit_are_spread_evenly() {
    let mut rate = cut(40);
    let mut went = Vec::new();
    for now in (100_000..102_000).map(millis) {
        for _ in 0..admitted(&mut rate, now) {
            went.push(now);
        }
    }
    assert_eq!(went.len(), 39);
    assert!(went.windows(2).all(|pair| pair[1] - pair[0] == millis(50)), "{went:?}");
    // Waiting says how long, and pausing saves nothing up.
    assert_eq!(rate.admit(millis(102_000)), Duration::ZERO);
    assert_eq!(rate.admit(millis(102_010)), millis(40));
    assert_eq!(admitted(&mut rate, seconds(200)), 1);
}

#[test]
fn those_that_wait_make_room_for_those_that_do_not_down_to_half() {
    // Of 20 a second, so many do not wait, and so many of the others go.
    for (others, expected) in [(0, 20), (5, 15), (10, 10), (20, 10), (200, 10)] {
        let mut rate = cut(40);
        let mut went = 0;
        for now in 0..20_000 {
            if now * others / 1000 != (now + 1) * others / 1000 {
                rate.count(millis(100_000 + now));
            }
            went += admitted(&mut rate, millis(100_000 + now));
        }
        let a_second = went / 20;
        assert!(a_second.abs_diff(expected) <= 1, "{others} others: {a_second}, not {expected}");
    }
    // A burst of the others is soon forgotten.
    let mut rate = cut(40);
    (0..1000).for_each(|_| rate.count(seconds(100)));
    assert!(rate.admit(seconds(100)) <= millis(100));
    let went: usize = (100_000..105_000).map(|now| admitted(&mut rate, millis(now))).sum();
    // Two seconds are made good, in four at half of the rate.
    assert!((58..=62).contains(&went), "{went}");
}

#[test]
fn a_store_is_left_alone_for_as_long_as_it_asks_but_not_for_ever() {
    for (asked, kept) in [(0, 0), (7, 7), (15, 15), (120, 15), (u64::MAX, 15)] {
        for mut rate in [Rate::default(), cut(10)] {
            rate.hold(seconds(100), seconds(asked));
            let wait = rate.admit(seconds(100));
            assert!(wait >= seconds(kept) && wait <= seconds(kept) + millis(200), "{asked} s: {wait:?}");
            if kept > 1 {
                rate.hold(seconds(101), seconds(1));
                assert!(rate.admit(seconds(101)) >= seconds(kept - 1), "it asked for more before");
            }
            assert!(rate.admit(seconds(116)).is_zero());
        }
    }
}

/// A store that allows so many requests a second, and as many at once.
struct Allowing {
    requests: u64,
    left: f64,
    at: Duration,
}

impl Allowing {
    fn new(requests: u64) -> Self {
        Self { requests, left: requests as f64, at: Duration::ZERO }
    }

    fn serves(&mut self, now: Duration) -> bool {
        let since = now.saturating_sub(self.at).as_secs_f64();
        self.left = (self.left + since * self.requests as f64).min(self.requests as f64);
        self.at = now;
        let serves = self.left >= 1.0;
        self.left -= f64::from(u8::from(serves));
        serves
    }
}

/// Workers that have always something to send, each up to so many requests at once, and what became of those.
struct Run {
    rates: Vec<Rate>,
    at_once: usize,
    under_way: VecDeque<(Duration, usize, Duration, bool)>,
    flying: Vec<usize>,
    now: u64,
}

impl Run {
    const LATENCY: Duration = millis(40);

    fn new(workers: usize, at_once: usize) -> Self {
        Self {
            rates: (0..workers).map(|_| Rate::default()).collect(),
            at_once,
            under_way: VecDeque::new(),
            flying: vec![0; workers],
            now: 0,
        }
    }

    /// For so many seconds; served and throttled requests of each worker.
    fn go(&mut self, seconds: u64, store: &mut impl FnMut(Duration) -> bool) -> Vec<(u64, u64)> {
        let mut told = vec![(0, 0); self.rates.len()];
        for _ in 0..seconds * 1000 {
            let now = millis(self.now);
            while let Some((_, worker, sent, served)) =
                self.under_way.pop_front_if(|(answered, ..)| *answered <= now)
            {
                self.flying[worker] -= 1;
                if served {
                    self.rates[worker].served(sent, now);
                    told[worker].0 += 1;
                } else {
                    self.rates[worker].throttled(sent, now);
                    told[worker].1 += 1;
                }
            }
            for (worker, rate) in self.rates.iter_mut().enumerate() {
                while self.flying[worker] < self.at_once && rate.admit(now).is_zero() {
                    self.flying[worker] += 1;
                    self.under_way.push_back((now + Self::LATENCY, worker, now, store(now)));
                }
            }
            self.now += 1;
        }
        told
    }
}

#[test]
fn a_store_that_allows_so_many_is_used_well_and_seldom_annoyed() {
    for allowed in [2, 5, 20, 100, 500] {
        let mut run = Run::new(1, 100);
        let mut store = Allowing::new(allowed);
        let mut serves = |now| store.serves(now);
        let (_, at_first) = run.go(15, &mut serves)[0];
        let (served, throttled) = run.go(300, &mut serves)[0];
        let (used, share) = (served * 100 / (allowed * 300), throttled * 100 / (served + throttled));
        println!("{allowed}/s: {at_first} throttled in 15 s; then {share} % of the requests, {used} % used");
        assert!(used >= 80, "{allowed}/s: {used} % used");
        assert!(share <= 12, "{allowed}/s: {share} % throttled");
    }
}

#[test]
fn workers_come_to_equal_shares_of_a_store() {
    let mut run = Run::new(2, 50);
    let mut store = Allowing::new(40);
    let mut serves = |now| store.serves(now);
    // The first has the store for itself.
    run.flying[1] = run.at_once;
    run.go(60, &mut serves);
    run.flying[1] = 0;
    run.go(60, &mut serves);
    let shares = run.go(600, &mut serves);
    println!("{shares:?}");
    let (one, other) = (shares[0].0 as f64, shares[1].0 as f64);
    assert!((0.6..1.7).contains(&(one / other)), "{shares:?}");
}

#[test]
fn an_outage_of_any_length_is_over_within_half_a_minute() {
    for outage in [1, 10, 600] {
        let mut run = Run::new(1, 4);
        run.go(1, &mut |_| true);
        let normal = run.go(30, &mut |_| true)[0].0 / 30;
        let (served, asked) = run.go(outage, &mut |_| false)[0];
        assert_eq!(served, 4, "those that were under way");
        // In an outage nearly nothing is sent.
        assert!(asked <= normal * 3 + outage * 2, "{asked} requests in {outage} s");
        run.go(30, &mut |_| true);
        let again = run.go(30, &mut |_| true)[0].0 / 30;
        assert!(again.abs_diff(normal) <= 1, "after {outage} s: {again}, not {normal} requests a second");
        assert_eq!(limit(&run.rates[0]), None, "after {outage} s");
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Wait(u64),
    Ask,
    Count,
    Served,
    Throttled,
    /// The answer to something that went long ago.
    Late(bool),
    Hold(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..3000_u64).prop_map(Step::Wait),
        2 => (0..20_u64).prop_map(Step::Wait),
        8 => Just(Step::Ask),
        2 => Just(Step::Count),
        4 => Just(Step::Served),
        1 => Just(Step::Throttled),
        1 => any::<bool>().prop_map(Step::Late),
        1 => (0..100_u64).prop_map(Step::Hold),
    ];
    proptest::collection::vec(step, 1..300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn whatever_is_answered_the_rate_is_kept_has_a_floor_and_recovers(steps in steps()) {
        let mut rate = Rate::default();
        let (mut now, mut last) = (Duration::ZERO, Duration::ZERO);
        // Since there is a limit: when requests went, and the highest limit since the first of them.
        let mut went: Vec<(Duration, f64)> = Vec::new();
        for step in steps {
            match step {
                Step::Wait(time) => now += millis(time),
                Step::Ask => {
                    let wait = rate.admit(now);
                    prop_assert!(wait <= seconds(16), "{wait:?}");
                    if !wait.is_zero() {
                        // It goes when it was told to, if nothing happens meanwhile.
                        now += wait;
                        prop_assert!(rate.admit(now).is_zero());
                    }
                    last = now;
                    went.push((now, 0.0));
                }
                Step::Count => rate.count(now),
                Step::Served => rate.served(last, now),
                Step::Throttled => rate.throttled(last, now),
                Step::Late(served) if served => rate.served(now / 2, now),
                Step::Late(_) => rate.throttled(now / 2, now),
                Step::Hold(time) => rate.hold(now, seconds(time)),
            }
            let Some(limit) = limit(&rate) else {
                went.clear();
                continue;
            };
            prop_assert!(limit >= 1.0, "{limit}");
            went.iter_mut().for_each(|(_, highest)| *highest = highest.max(limit));
            let count = went.len();
            for (first, (from, highest)) in went.iter().enumerate() {
                let most = 1.0 + (now - *from).as_secs_f64() * highest + 1e-6;
                prop_assert!((count - first) as f64 <= most, "{} since {from:?}", count - first);
            }
        }
        // From now on it serves. What was seen is far below 1000/s.
        let end = (0..200).find(|_| {
            now += seconds(1);
            rate.served(now, now);
            rate.limit().is_none()
        });
        prop_assert!(end.is_some(), "{rate:?}");
    }
}
