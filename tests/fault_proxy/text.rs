//! Scripts as text, read and written; the form is in the module's page.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::script::{Amount, Fault, Pattern, Rule, Script, Way, When};

/// Why a text is no script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptError {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    message: String,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for ScriptError {}

const METHODS: [&str; 5] = ["GET", "PUT", "HEAD", "POST", "DELETE"];
const FAULTS: &str = "away, drop, hang, status N, cut-request AMOUNT, lose-reply, replace-reply N, cut-reply \
                      AMOUNT, delay TIME, delay-reply TIME, rate BYTES/s, rate-up BYTES/s, rate-down BYTES/s";
const CONDITIONS: &str = "from TIME, to TIME, first TIME of TIME, number N-M, every N, chance N%";

/// Each with what it is in nanoseconds.
const TIMES: [(&str, u64); 5] =
    [("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000)];
/// Each with what it is in bytes.
const SIZES: [(&str, u64); 6] =
    [("B", 1), ("kB", 1000), ("KiB", 1 << 10), ("MB", 1_000_000), ("MiB", 1 << 20), ("GB", 1_000_000_000)];

impl FromStr for Script {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Self, ScriptError> {
        let mut rules = Vec::new();
        for (number, line) in (1..).zip(text.split('\n')) {
            let mut begin = 0;
            for part in line.split(';') {
                let words = Words::of(line, begin, part);
                if !part.trim().is_empty() {
                    rules.push(rule(words).map_err(|(column, message)| {
                        let column = line[..column].chars().count() + 1;
                        ScriptError { line: number, column, message }
                    })?);
                }
                begin += part.len() + 1;
            }
        }
        Ok(Self { rules })
    }
}

/// A byte of the line, and what is wrong there.
type Wrong = (usize, String);
/// A word, and where it begins.
type Word<'a> = (usize, &'a str);

/// The words of one rule.
struct Words<'a> {
    words: std::vec::IntoIter<Word<'a>>,
    end: usize,
}

impl<'a> Words<'a> {
    /// Of the part of the line that begins there.
    fn of(line: &'a str, begin: usize, part: &'a str) -> Self {
        let at = |word: &str| word.as_ptr() as usize - line.as_ptr() as usize;
        let mut words = Vec::new();
        for word in part.split_whitespace() {
            match word.strip_suffix(':') {
                Some(before) => {
                    words.extend((!before.is_empty()).then_some((at(word), before)));
                    words.push((at(word) + before.len(), ":"));
                }
                None => words.push((at(word), word)),
            }
        }
        Self { words: words.into_iter(), end: begin + part.trim_end().len() }
    }

    fn next(&mut self, wanted: &str) -> Result<Word<'a>, Wrong> {
        self.words.next().ok_or_else(|| (self.end, format!("{wanted} is missing")))
    }

    fn value<T>(&mut self, wanted: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, Wrong> {
        let (at, word) = self.next(wanted)?;
        read(word).ok_or_else(|| (at, format!("{word:?} is not {wanted}")))
    }
}

fn rule(mut words: Words) -> Result<Rule, Wrong> {
    let (mut at, mut word) = words.next("a method or a pattern")?;
    let method = METHODS.into_iter().find(|method| method.eq_ignore_ascii_case(word)).map(str::to_owned);
    if method.is_some() {
        (at, word) = words.next("a pattern")?;
    }
    if word == ":" {
        return Err((at, "a pattern is missing; * stands for all".to_owned()));
    }
    let pattern = Pattern(word.to_owned());
    let when = when(&mut words)?;
    let (at, fault) = fault(&mut words)?;
    if let Some((at, more)) = words.words.next() {
        return Err((at, format!("{more:?} is too much; a ; or a new line begins another rule")));
    }
    let counts = when.number.is_some() || when.every.is_some() || when.chance.is_some();
    match fault {
        Fault::Away if counts || method.is_some() || pattern.0 != "*" => {
            Err((at, "away is for all: it takes * and times".to_owned()))
        }
        Fault::Rate(..) if counts => Err((at, "a rate takes a method, a pattern and times".to_owned())),
        _ => Ok(Rule { method, pattern, when, fault }),
    }
}

fn when(words: &mut Words) -> Result<When, Wrong> {
    let mut when = When::default();
    loop {
        let (at, word) = words.next("a : and what is to happen")?;
        let again = match word {
            ":" => return Ok(when),
            "from" => when.from.replace(words.value("a time, as 8s", time)?).is_some(),
            "to" => when.to.replace(words.value("a time, as 8s", time)?).is_some(),
            "number" => when.number.replace(words.value("numbers from 1 on, as 2-5", range)?).is_some(),
            "every" => when.every.replace(words.value("a number from 1 on", count)?).is_some(),
            "chance" => when.chance.replace(words.value("a part, as 10%", percent)?).is_some(),
            "first" => {
                let part = words.value("a time, as 8s", time)?;
                words.value("of", |word| (word == "of").then_some(()))?;
                let period =
                    words.value("a time longer than that", |word| time(word).filter(|all| *all > part))?;
                when.first_of.replace((part, period)).is_some()
            }
            _ => return Err((at, format!("{word:?} is no condition; there are {CONDITIONS}, then a :"))),
        };
        if again {
            return Err((at, format!("{word} is there twice")));
        }
        if when.to.is_some_and(|to| to <= when.from.unwrap_or_default()) {
            return Err((at, "it ends before it begins".to_owned()));
        }
    }
}

fn fault(words: &mut Words) -> Result<(usize, Fault), Wrong> {
    let (at, word) = words.next("what is to happen")?;
    let fault = match word {
        "away" => Fault::Away,
        "drop" => Fault::Drop,
        "hang" => Fault::Hang,
        "lose-reply" => Fault::LoseReply,
        "status" => Fault::Status(words.value("a status from 200 to 599", status)?),
        "replace-reply" => Fault::ReplaceReply(words.value("a status from 200 to 599", status)?),
        "cut-request" => Fault::CutRequest(words.value("an amount, as 100kB or 50%", amount)?),
        "cut-reply" => Fault::CutReply(words.value("an amount, as 100kB or 50%", amount)?),
        "delay" => Fault::Delay(words.value("a time, as 8s", time)?),
        "delay-reply" => Fault::DelayReply(words.value("a time, as 8s", time)?),
        "rate" | "rate-up" | "rate-down" => {
            let rate = words
                .value("a rate, as 100kB/s", |word| size(word.strip_suffix("/s")?).filter(|n| *n > 0))?;
            let ways = [("rate-up", Way::Up), ("rate-down", Way::Down)].into_iter();
            Fault::Rate(rate, ways.filter(|(name, _)| *name == word).map(|(_, way)| way).next())
        }
        _ => return Err((at, format!("{word:?} is no fault; there are {FAULTS}"))),
    };
    Ok((at, fault))
}

/// A number and its unit.
fn measure(word: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, unit) = word.split_at(word.find(|c: char| !c.is_ascii_digit())?);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn time(word: &str) -> Option<Duration> {
    measure(word, &TIMES).map(Duration::from_nanos)
}

fn size(word: &str) -> Option<u64> {
    measure(word, &SIZES)
}

fn amount(word: &str) -> Option<Amount> {
    size(word).map(Amount::Bytes).or_else(|| percent(word).map(Amount::Percent))
}

fn percent(word: &str) -> Option<u64> {
    word.strip_suffix('%')?.parse().ok().filter(|percent| *percent <= 100)
}

fn count(word: &str) -> Option<u64> {
    word.parse().ok().filter(|count| *count > 0)
}

fn range(word: &str) -> Option<(u64, Option<u64>)> {
    match word.split_once('-') {
        None => count(word).map(|only| (only, Some(only))),
        Some((first, "")) => count(first).map(|first| (first, None)),
        Some((first, last)) => {
            let (first, last) = (count(first)?, count(last)?);
            (first <= last).then_some((first, Some(last)))
        }
    }
}

fn status(word: &str) -> Option<u16> {
    word.parse().ok().filter(|status| (200..600).contains(status))
}

/// The number with the largest unit that leaves no rest.
fn measured(number: u64, units: &[(&str, u64)]) -> String {
    let mut whole = units.iter().filter(|(_, factor)| number.is_multiple_of(*factor));
    let smallest = units.first().expect("units");
    let unit = if number == 0 { smallest } else { whole.next_back().unwrap_or(smallest) };
    format!("{}{}", number / unit.1, unit.0)
}

fn timed(time: Duration) -> String {
    measured(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), &TIMES)
}

fn sized(bytes: u64) -> String {
    measured(bytes, &SIZES)
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, rule) in self.rules.iter().enumerate() {
            if place > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{rule}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(method) = &self.method {
            write!(f, "{} ", method.to_ascii_lowercase())?;
        }
        write!(f, "{}{}: {}", self.pattern.0, self.when, self.fault)
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(from) = self.from {
            write!(f, " from {}", timed(from))?;
        }
        if let Some(to) = self.to {
            write!(f, " to {}", timed(to))?;
        }
        if let Some((part, period)) = self.first_of {
            write!(f, " first {} of {}", timed(part), timed(period))?;
        }
        match self.number {
            None => {}
            Some((first, None)) => write!(f, " number {first}-")?,
            Some((first, Some(last))) if first == last => write!(f, " number {first}")?,
            Some((first, Some(last))) => write!(f, " number {first}-{last}")?,
        }
        if let Some(every) = self.every {
            write!(f, " every {every}")?;
        }
        if let Some(chance) = self.chance {
            write!(f, " chance {chance}%")?;
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind())?;
        match self {
            Self::Away | Self::Drop | Self::Hang | Self::LoseReply => Ok(()),
            Self::Status(status) | Self::ReplaceReply(status) => write!(f, " {status}"),
            Self::CutRequest(amount) | Self::CutReply(amount) => write!(f, " {amount}"),
            Self::Delay(time) | Self::DelayReply(time) => write!(f, " {}", timed(*time)),
            Self::Rate(rate, None) => write!(f, " {}/s", sized(*rate)),
            Self::Rate(rate, Some(Way::Up)) => write!(f, "-up {}/s", sized(*rate)),
            Self::Rate(rate, Some(Way::Down)) => write!(f, "-down {}/s", sized(*rate)),
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => f.write_str(&sized(*bytes)),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}
