//! What is to be done to which requests. Pure: requests and times go in, decisions come out.
//!
//! A script and a seed decide alone: the same requests in the same order meet the same faults, whenever they
//! come, unless a rule has times.

use std::fmt;
use std::time::Duration;

use super::pace::Pace;

/// Rules, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    /// The first that ends a request does.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// In capitals; `None` is any.
    pub method: Option<String>,
    /// Of the path without its leading `/`.
    pub pattern: Pattern,
    /// Which of the requests that match.
    pub when: When,
    /// What happens to them.
    pub fault: Fault,
}

/// A pattern of keys: `*` is any characters, `?` is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(pub String);

/// Which of the requests that match a rule it is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct When {
    /// From this time on; times begin when the script is set.
    pub from: Option<Duration>,
    /// Before this time.
    pub to: Option<Duration>,
    /// In the first part of each period: the part and the period.
    pub first_of: Option<(Duration, Duration)>,
    /// From this one to that one, both included, counted from 1.
    pub number: Option<(u64, Option<u64>)>,
    /// Of each so many, the last.
    pub every: Option<u64>,
    /// So many in a hundred.
    pub chance: Option<u64>,
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nobody listens.
    Away,
    /// Its connection is reset at once.
    Drop,
    /// Nothing.
    Hang,
    /// It is answered by the proxy.
    Status(u16),
    /// The server gets a part of its body.
    CutRequest(Amount),
    /// The server acts, and its answer is lost.
    LoseReply,
    /// The server acts, and this is said instead of what it says.
    ReplaceReply(u16),
    /// The client gets a part of the answer's body.
    CutReply(Amount),
    /// It waits before it goes on.
    Delay(Duration),
    /// Its answer waits.
    DelayReply(Duration),
    /// All that match are no faster together: bytes a second, on one way or on each.
    Rate(u64, Option<Way>),
}

/// A part of a body, never all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// So many bytes.
    Bytes(u64),
    /// So many in a hundred; of a body whose length nobody knows, nothing.
    Percent(u64),
}

impl Amount {
    /// In bytes, of a body of this length.
    pub fn of(self, length: Option<u64>) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => length.unwrap_or(0).saturating_mul(percent) / 100,
        }
    }
}

/// The kinds of faults, by the words they have in scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// See [`Fault`], here and below.
    Away,
    Drop,
    Hang,
    Status,
    CutRequest,
    LoseReply,
    ReplaceReply,
    CutReply,
    Delay,
    DelayReply,
    Rate,
}

impl Fault {
    /// Its kind.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Away => Kind::Away,
            Self::Drop => Kind::Drop,
            Self::Hang => Kind::Hang,
            Self::Status(_) => Kind::Status,
            Self::CutRequest(_) => Kind::CutRequest,
            Self::LoseReply => Kind::LoseReply,
            Self::ReplaceReply(_) => Kind::ReplaceReply,
            Self::CutReply(_) => Kind::CutReply,
            Self::Delay(_) => Kind::Delay,
            Self::DelayReply(_) => Kind::DelayReply,
            Self::Rate(..) => Kind::Rate,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Away => "away",
            Self::Drop => "drop",
            Self::Hang => "hang",
            Self::Status => "status",
            Self::CutRequest => "cut-request",
            Self::LoseReply => "lose-reply",
            Self::ReplaceReply => "replace-reply",
            Self::CutReply => "cut-reply",
            Self::Delay => "delay",
            Self::DelayReply => "delay-reply",
            Self::Rate => "rate",
        })
    }
}

impl Pattern {
    /// Whether it stands for this text.
    pub fn matches(&self, text: &str) -> bool {
        let (pattern, text): (Vec<char>, Vec<char>) = (self.0.chars().collect(), text.chars().collect());
        let (mut at, mut seen) = (0, 0);
        // The last `*`, and where what it stands for ends as far as tried.
        let mut star: Option<(usize, usize)> = None;
        while seen < text.len() {
            match pattern.get(at) {
                Some('*') => {
                    star = Some((at, seen));
                    at += 1;
                }
                Some(&wanted) if wanted == '?' || wanted == text[seen] => (at, seen) = (at + 1, seen + 1),
                _ => {
                    let Some((begin, end)) = star else { return false };
                    star = Some((begin, end + 1));
                    (at, seen) = (begin + 1, end + 1);
                }
            }
        }
        pattern[at..].iter().all(|&rest| rest == '*')
    }
}

impl When {
    /// Whether it holds at this time since the script was set, as far as times go.
    pub fn open(&self, at: Duration) -> bool {
        let from = self.from.unwrap_or_default();
        let inside = at >= from && self.to.is_none_or(|to| at < to);
        let phase = |period: Duration| (at - from).as_nanos() % period.as_nanos();
        inside && self.first_of.is_none_or(|(part, period)| phase(period) < part.as_nanos())
    }

    /// The next time after `at` when that may change.
    pub fn change(&self, at: Duration) -> Option<Duration> {
        let from = self.from.unwrap_or_default();
        let ends = [self.from, self.to].into_iter().flatten();
        let periods = self.first_of.filter(|_| at >= from).into_iter().flat_map(|(part, period)| {
            let phase = (at - from).as_nanos() % period.as_nanos();
            let begun = at - Duration::from_nanos(u64::try_from(phase).expect("less than a period"));
            [begun + part, begun + period]
        });
        ends.chain(periods).filter(|change| *change > at).min()
    }

    /// Whether it holds for the request of this number among those that match while it is open. `draw`
    /// gives a number that is as good as random.
    fn selects(&self, number: u64, draw: impl FnOnce() -> u64) -> bool {
        let wanted =
            self.number.is_none_or(|(first, last)| number >= first && last.is_none_or(|last| number <= last));
        wanted
            && self.every.is_none_or(|every| number.is_multiple_of(every))
            && self.chance.is_none_or(|chance| draw() % 100 < chance)
    }
}

/// A request, as rules see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// In capitals.
    pub method: String,
    /// The path without its leading `/`, decoded.
    pub key: String,
}

impl Rule {
    fn matches(&self, asked: &Asked) -> bool {
        self.method.as_ref().is_none_or(|method| *method == asked.method) && self.pattern.matches(&asked.key)
    }
}

/// What is to happen to a request, rates aside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// Before anything else.
    pub delay: Duration,
    /// Before the answer.
    pub delay_reply: Duration,
    /// What ends it.
    pub end: Option<Fault>,
    /// All of these.
    pub kinds: Vec<Kind>,
}

/// The way that bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To the server.
    Up,
    /// To the client.
    Down,
}

/// A script that is being carried out.
#[derive(Debug)]
pub struct Course {
    seed: u64,
    rules: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    rule: Rule,
    /// Requests that matched while it was open.
    matched: u64,
    up: Option<Pace>,
    down: Option<Pace>,
}

impl Course {
    /// A script at its begin.
    pub fn new(script: Script, seed: u64) -> Self {
        let rules = script.rules.into_iter().map(|rule| {
            let pace = |way| match rule.fault {
                Fault::Rate(rate, of) if of.is_none_or(|of| of == way) => Some(Pace::new(rate)),
                _ => None,
            };
            Running { up: pace(Way::Up), down: pace(Way::Down), rule, matched: 0 }
        });
        Self { seed, rules: rules.collect() }
    }

    /// What is to happen to the next request, which begins `at` this time since the script was set.
    pub fn decide(&mut self, asked: &Asked, at: Duration) -> Decision {
        let mut decision = Decision::default();
        let seed = self.seed;
        for (place, running) in (0..).zip(&mut self.rules) {
            let Running { rule, matched, .. } = running;
            if matches!(rule.fault, Fault::Rate(..)) || !rule.matches(asked) || !rule.when.open(at) {
                continue;
            }
            *matched += 1;
            let number = *matched;
            if !rule.when.selects(number, || mix(mix(mix(seed) ^ place) ^ number)) {
                continue;
            }
            match rule.fault {
                Fault::Delay(pause) => decision.delay += pause,
                Fault::DelayReply(pause) => decision.delay_reply += pause,
                _ if decision.end.is_some() => continue,
                fault => decision.end = Some(fault),
            }
            decision.kinds.push(rule.fault.kind());
        }
        decision
    }

    /// Whether nobody listens, and when that may change.
    pub fn away(&self, at: Duration) -> (bool, Option<Duration>) {
        let mut rules =
            self.rules.iter().map(|running| &running.rule).filter(|rule| rule.fault == Fault::Away);
        let change = rules.clone().filter_map(|rule| rule.when.change(at)).min();
        (rules.any(|rule| rule.when.open(at)), change)
    }

    /// The limits for bytes of a request.
    pub fn paces(&mut self, asked: &Asked, way: Way, at: Duration) -> impl Iterator<Item = &mut Pace> {
        let rules = self.rules.iter_mut().filter(move |running| running.rule.when.open(at));
        rules.filter(|running| running.rule.matches(asked)).filter_map(move |running| match way {
            Way::Up => running.up.as_mut(),
            Way::Down => running.down.as_mut(),
        })
    }
}

/// The last step of SplitMix64 (Steele, Lea, Flood 2014).
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
