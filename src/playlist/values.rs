//! The values of tags, as reading takes them.
//!
//! In: the text behind a tag's colon, or a URI. Out: integers, or nothing when the text is something
//! else. No floats: durations go from decimal text to milliseconds digit by digit.

use crate::time::MediaTime;

/// `EXTINF` and the like: a decimal number in milliseconds, rounded to the nearest (halves up).
///
/// Signs and exponents are no part of the form (RFC 8216, 4.2), nor is a number above u64.
pub fn decimal_millis(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let seconds: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut places = fraction.bytes().map(|b| u64::from(b - b'0'));
    let mut millis = 0;
    for _ in 0..3 {
        millis = millis * 10 + places.next().unwrap_or(0);
    }
    millis += u64::from(places.next().unwrap_or(0) >= 5);
    seconds.checked_mul(1000)?.checked_add(millis)
}

/// `EXT-X-TAPELINE-MEDIA`: `START` in ticks of 90 kHz and `CLOCK`, in any order and no other.
pub fn media_time(attributes: &str) -> Option<(MediaTime, u32)> {
    let (mut start, mut clock) = (None, None);
    for attribute in attributes.split(',') {
        match attribute.trim().split_once('=')? {
            ("START", ticks) if start.is_none() => start = Some(ticks.parse().ok()?),
            ("CLOCK", id) if clock.is_none() => clock = Some(id.parse().ok()?),
            _ => return None,
        }
    }
    Some((MediaTime::from_ticks(start?), clock?))
}

/// Whether a URI's path ends in an extension that segments have.
pub fn media_extension(uri: &str) -> bool {
    const KNOWN: [&str; 22] = [
        "ts", "m2ts", "mts", "webm", "weba", "mkv", "mp4", "m4s", "m4v", "m4a", "m4f", "cmfv", "cmfa", "aac",
        "mp3", "ac3", "ec3", "ogg", "opus", "vtt", "webvtt", "jpg",
    ];
    let path = uri.split(['?', '#']).next().unwrap_or(uri);
    path.rsplit_once('.')
        .is_some_and(|(_, found)| KNOWN.iter().any(|known| known.eq_ignore_ascii_case(found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_to_the_millisecond() {
        for (text, millis) in [
            ("6", Some(6000)),
            ("15.019000", Some(15_019)),
            ("6.0005", Some(6001)),
            ("6.00049999999", Some(6000)),
            ("0.9999", Some(1000)),
            (".5", Some(500)),
            ("5.", Some(5000)),
            ("18446744073709551.615", Some(u64::MAX)),
            ("18446744073709551.616", None),
            ("18446744073709551615", None),
            ("", None),
            (".", None),
            ("-1", None),
            ("+1", None),
            ("1e3", None),
            ("1.2.3", None),
            ("6,5", None),
            ("\u{0661}", None),
        ] {
            assert_eq!(decimal_millis(text), millis, "{text:?}");
        }
    }

    #[test]
    fn media_times_need_both_halves_once() {
        let time = |ticks, clock| Some((MediaTime::from_ticks(ticks), clock));
        for (text, expected) in [
            ("START=8100000000,CLOCK=1", time(8_100_000_000, 1)),
            ("CLOCK=2, START=-5", time(-5, 2)),
            ("START=1", None),
            ("START=1,CLOCK=1,CLOCK=1", None),
            ("START=1,CLOCK=1,NEW=1", None),
            ("START=1,CLOCK=4294967296", None),
            ("", None),
        ] {
            assert_eq!(media_time(text), expected, "{text:?}");
        }
    }

    #[test]
    fn cut_names_have_no_known_extension() {
        for (uri, known) in [
            ("a_20261123010203456.ts", true),
            ("dir.x/a.TS?token=1#f", true),
            ("a_20261123010203456.t", false),
            ("a_2026112301020345", false),
            ("ts", false),
            ("a.ts?token=1.x", true),
        ] {
            assert_eq!(media_extension(uri), known, "{uri:?}");
        }
    }
}
