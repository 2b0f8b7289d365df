//! The lines of a playlist, made harmless for what reads them.
//!
//! In: bytes. Out: lines counted from 1, without their ends (LF or CRLF), a leading byte order mark,
//! and blanks around them; what is no UTF-8 and every control character is replaced by U+FFFD.
//! Whatever was mended is said. A line above the cap is an error: no tag or URI is that long, and
//! the file is then no playlist at all.

/// A line longer than this is refused, in bytes.
pub const MAX_LINE: usize = 64 * 1024;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// Counted from 1.
    pub number: usize,
    /// The text, trimmed.
    pub text: String,
    /// Whether an end of line followed. Only the last line can lack it: it may be cut.
    pub terminated: bool,
    /// What had to be mended.
    pub mended: Vec<&'static str>,
}

/// The number of a line above [`MAX_LINE`].
#[derive(Debug, PartialEq, Eq)]
pub struct TooLong(pub usize);

/// The lines of a text. Blank lines are among them, with empty text.
pub struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
}

impl<'a> Lines<'a> {
    /// The lines of `text`.
    pub fn new(text: &'a [u8]) -> Self {
        Self { rest: text, number: 0 }
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<Line, TooLong>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let (line, rest, terminated) = match memchr::memchr(b'\n', self.rest) {
            Some(end) => {
                let (line, rest) = self.rest.split_at(end);
                (line, rest.get(1..).unwrap_or_default(), true)
            }
            None => (self.rest, Default::default(), false),
        };
        self.rest = rest;
        if line.len() > MAX_LINE {
            self.rest = &[];
            return Some(Err(TooLong(self.number)));
        }
        Some(Ok(mend(line, self.number, terminated)))
    }
}

fn mend(mut bytes: &[u8], number: usize, terminated: bool) -> Line {
    let mut mended = Vec::new();
    if number == 1
        && let Some(rest) = bytes.strip_prefix(BOM)
    {
        mended.push("byte order mark dropped");
        bytes = rest;
    }
    let text = String::from_utf8_lossy(bytes);
    if matches!(text, std::borrow::Cow::Owned(_)) {
        mended.push("bytes that are no UTF-8 replaced");
    }
    let blank = |c: char| c == ' ' || c == '\t';
    let mut text = text.trim_end_matches(|c: char| blank(c) || c == '\r').to_string();
    if text.starts_with(blank) {
        mended.push("blanks before the line dropped");
        text = text.trim_start_matches(blank).to_string();
    }
    if text.contains(char::is_control) {
        mended.push("control characters replaced");
        text = text.replace(char::is_control, "\u{FFFD}");
    }
    Line { number, text, terminated, mended }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_bare_and_counted() {
        let text = b"\xEF\xBB\xBFa\r\n\n \tb \nc\xFF\x07\rd\ne";
        let lines: Vec<_> = Lines::new(text).map(Result::unwrap).collect();
        let texts: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["a", "", "b", "c\u{FFFD}\u{FFFD}\u{FFFD}d", "e"]);
        assert_eq!(lines.iter().map(|line| line.mended.len()).collect::<Vec<_>>(), [1, 0, 1, 2, 0]);
        assert!(lines.iter().all(|line| line.terminated == (line.number < 5)));
    }

    #[test]
    fn a_line_over_the_cap_ends_it() {
        let text = [vec![b'x'; MAX_LINE], b"\n".to_vec(), vec![b'y'; MAX_LINE + 1], b"\nz".to_vec()].concat();
        let mut lines = Lines::new(&text);
        assert!(lines.next().is_some_and(|line| line.is_ok()));
        assert_eq!(lines.next(), Some(Err(TooLong(2))));
        assert_eq!(lines.next(), None);
    }
}
