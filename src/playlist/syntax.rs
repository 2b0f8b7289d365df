//! The strict forms of playlist values, for the check alone.
//!
//! In: text of one line. Out: what is wrong with it, or the value. Durations and dates come out as
//! integer milliseconds. Nothing is forgiven here and nothing is shared with reading, so that the two
//! can contradict each other in tests.

use chrono::DateTime;

/// An attribute list (RFC 8216, 4.2), as names and raw values.
pub fn attributes(text: &str) -> Result<Vec<(&str, &str)>, String> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    let mut rest = text;
    loop {
        let Some((name, after)) = rest.split_once('=') else {
            return Err(format!("no '=' in {:?}", shorten(rest)));
        };
        let legal = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-';
        if name.is_empty() || !name.bytes().all(legal) {
            return Err(format!("{:?} is no attribute name", shorten(name)));
        }
        let (value, after) =
            value(after).ok_or_else(|| format!("the value of {} is malformed", shorten(name)))?;
        found.push((name, value));
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.is_empty() => break,
            None => return Err(format!("no comma after the value of {}", shorten(name))),
        }
    }
    // Sorted, since a list of 30,000 attributes fits on a line and must not cost its square.
    let mut names: Vec<_> = found.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair.first() == pair.last()).and_then(|pair| pair.first()) {
        Some(name) => Err(format!("{} comes twice", shorten(name))),
        None => Ok(found),
    }
}

/// One attribute's value, quotes included, and what follows it.
fn value(text: &str) -> Option<(&str, &str)> {
    let end = match text.strip_prefix('"') {
        Some(inner) => inner.find('"')? + 2,
        None => text.find(',').unwrap_or(text.len()),
    };
    let (value, rest) = text.split_at_checked(end)?;
    let plain = |b: u8| b.is_ascii_graphic() && b != b'"';
    (value.starts_with('"') || (!value.is_empty() && value.bytes().all(plain))).then_some((value, rest))
}

/// The duration of an `EXTINF`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duration {
    /// Whole milliseconds, the rest cut.
    pub millis: u64,
    /// Rounded to the nearest second, halves up, as the target duration is compared.
    pub seconds: u64,
    /// It has a decimal point, which needs version 3.
    pub decimal: bool,
}

/// The value of an `EXTINF`: `<duration>,[<title>]`.
pub fn extinf(text: &str) -> Result<Duration, &'static str> {
    let (number, _title) = text.split_once(',').ok_or("no comma after the duration")?;
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (number, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || fraction.is_some_and(|fraction| !digits(fraction)) {
        return Err("the duration is no decimal number");
    }
    let tenths = fraction.unwrap_or("0");
    let thousandths: String = tenths.chars().chain("000".chars()).take(3).collect();
    let number = || {
        let whole: u64 = whole.parse().ok()?;
        let millis = whole.checked_mul(1000)?.checked_add(thousandths.parse().ok()?)?;
        let seconds = whole + u64::from(tenths.starts_with(['5', '6', '7', '8', '9']));
        Some(Duration { millis, seconds, decimal: fraction.is_some() })
    };
    number().ok_or("the duration is too large")
}

/// A date with time and offset (ISO 8601 in the form of RFC 3339), in milliseconds since 1970.
pub fn date(text: &str) -> Option<i64> {
    // chrono also takes a blank or a small letter.
    let upper = text.as_bytes().get(10) == Some(&b'T') && !text.ends_with('z');
    Some(DateTime::parse_from_rfc3339(text).ok().filter(|_| upper)?.timestamp_millis())
}

/// The same with an offset that lacks its colon, mended; `None` for anything else.
pub fn date_without_colon(text: &str) -> Option<i64> {
    let (rest, minutes) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let sign = rest.as_bytes().get(rest.len().checked_sub(3)?)?;
    matches!(sign, b'+' | b'-').then(|| date(&format!("{rest}:{minutes}")))?
}

/// `<length>[@<offset>]`
pub fn byte_range(text: &str) -> bool {
    let (length, offset) = text.split_once('@').unwrap_or((text, "0"));
    integer(length) && integer(offset)
}

/// A decimal integer of at most 64 bits.
pub fn integer(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u64>().is_ok()
}

/// Whether a URI reference is legal (RFC 3986), or what is wrong with it.
pub fn uri(text: &str) -> Result<(), String> {
    if let Some(bad) = text.chars().find(|c| !legal_in_uri(*c)) {
        return Err(format!("{bad:?} must be percent-encoded"));
    }
    for (at, _) in text.match_indices('%') {
        let digits = text.as_bytes().get(at + 1..at + 3).unwrap_or_default();
        if digits.len() != 2 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err("'%' without two hexadecimal digits".to_string());
        }
    }
    if text.matches('#').count() > 1 {
        return Err("a second '#'".to_string());
    }
    // Brackets are for IP addresses of version 6 alone.
    if text.contains(['[', ']']) && !text.contains("//") {
        return Err("'[' and ']' must be percent-encoded".to_string());
    }
    let first = text.split(['/', '?', '#']).next().unwrap_or(text);
    if let Some((scheme, _)) = first.split_once(':') {
        let letters = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.chars().all(letters) {
            return Err("':' in the first part of a relative URI must be percent-encoded".to_string());
        }
    }
    Ok(())
}

/// The same as an answer.
pub(crate) fn is_uri(text: &str) -> bool {
    uri(text).is_ok()
}

fn legal_in_uri(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c)
}

/// The beginning of a text, for messages.
pub fn shorten(text: &str) -> &str {
    text.char_indices().nth(80).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}
