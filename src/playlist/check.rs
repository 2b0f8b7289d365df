//! A strict check of a media playlist, line by line.
//!
//! In: a text. Out: [`Finding`]s in the order of their lines, none for a legal list. The [`Rule`]s are
//! those of RFC 8216, rfc8216bis (`EXT-X-GAP`) and this project. Independent of reading and rendering.
//! Unknown tags are legal, clients ignore them (RFC 8216, 6.3.1). Cost is linear in the text.

use super::rule::{Finding, Rule};
use super::syntax::{self, Duration, shorten};
use super::tags::{self, Form, Place};

/// Checks a media playlist.
pub fn check(text: &[u8]) -> Vec<Finding> {
    let mut check = Check::default();
    let mut rest = text;
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest);
        let (line, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after.get(1..).unwrap_or_default();
        check.line += 1;
        if end.is_none() {
            check.find(Rule::LineEnd, "the last line has no line end");
        }
        check.bytes(line.strip_suffix(b"\r").unwrap_or(line));
    }
    check.finish()
}

/// Checks that a later text of an `EVENT` list only appended to an earlier one.
///
/// Says nothing about either text alone.
pub fn check_append(old: &[u8], new: &[u8]) -> Vec<Finding> {
    let same = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let line = 1 + memchr::memchr_iter(b'\n', new.get(..same).unwrap_or_default()).count();
    let find = |rule, message: &str| vec![Finding { line, rule, message: message.to_string() }];
    if same < old.len() {
        let how = if same == new.len() { "is cut" } else { "differs" };
        return find(Rule::Append, &format!("the earlier text {how} after {same} bytes"));
    }
    let ended = old.split(|b| *b == b'\n').any(|line| line.trim_ascii_end() == b"#EXT-X-ENDLIST");
    if ended && new.len() > same {
        return find(Rule::AfterEnd, "an ended list has grown");
    }
    Vec::new()
}

/// What stands before the next URI.
#[derive(Default)]
struct Open {
    first_line: usize,
    tags: Vec<&'static str>,
    duration: Option<Duration>,
    date: Option<i64>,
}

#[derive(Default)]
struct Check {
    line: usize,
    findings: Vec<Finding>,
    started: bool,
    list_tags: Vec<&'static str>,
    open: Open,
    /// An `EXTINF` or a URI has come.
    in_segments: bool,
    any_discontinuity: bool,
    any_date: bool,
    first_range: Option<usize>,
    first_map: Option<usize>,
    /// The line of `EXT-X-PLAYLIST-TYPE:VOD`.
    vod: Option<usize>,
    version: Option<u64>,
    /// The highest version needed so far, where and what for.
    needed: Option<(u64, usize, &'static str)>,
    target: Option<u64>,
    /// Lines and seconds of durations, for a target that may come later.
    durations: Vec<(usize, u64)>,
    last_date: Option<i64>,
    expected_date: Option<i64>,
    after_end: bool,
}

impl Check {
    fn bytes(&mut self, mut line: &[u8]) {
        if self.line == 1
            && let Some(rest) = line.strip_prefix(b"\xEF\xBB\xBF")
        {
            self.find(Rule::ByteOrderMark, "a byte order mark");
            line = rest;
        }
        let mut text = String::from_utf8_lossy(line);
        if std::str::from_utf8(line).is_err() {
            self.find(Rule::Utf8, format!("no UTF-8: {:?}", shorten(&text)));
            // Read on with something harmless, so that one fault is not found twice.
            text = text.replace(char::REPLACEMENT_CHARACTER, "_").into();
        }
        if text.contains(char::is_control) {
            self.find(Rule::ControlCharacter, format!("a control character in {:?}", shorten(&text)));
            text = text.replace(char::is_control, "_").into();
        }
        if !self.started {
            self.started = true;
            if text != "#EXTM3U" {
                self.find(Rule::FirstLine, "the first line is not #EXTM3U");
            }
        }
        if text.starts_with("#EXT") {
            self.tag(&text);
        } else if !text.is_empty() && !text.starts_with('#') {
            self.uri(&text);
        }
    }

    fn tag(&mut self, text: &str) {
        let (name, value) = match text.split_once(':') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        if tags::MULTIVARIANT.contains(&name) {
            return self.find(Rule::MediaPlaylist, format!("{name} belongs in a multivariant playlist"));
        }
        let Some((name, place, form, version)) = tags::find(name) else {
            return;
        };
        self.needs(version, name);
        self.place(name, place);
        match (form, value) {
            (Form::Nothing, None) => self.any_discontinuity |= name == "#EXT-X-DISCONTINUITY",
            (Form::Nothing, Some(_)) => self.find(Rule::Value, format!("{name} takes no value")),
            (_, None) => self.find(Rule::Value, format!("{name} needs a value")),
            (Form::Integer, Some(value)) => self.integer(name, value),
            (Form::Attributes(required), Some(value)) => self.attributes(name, value, required),
            (Form::Own, Some(value)) => self.own(name, value),
        }
    }

    fn place(&mut self, name: &'static str, place: Place) {
        if place == Place::Anywhere {
            return;
        }
        if place == Place::List {
            if self.list_tags.contains(&name) {
                self.find(Rule::Duplicate, format!("{name} stands twice"));
            } else {
                self.list_tags.push(name);
            }
            return;
        }
        self.not_after_end(name);
        if self.open.tags.is_empty() {
            self.open.first_line = self.line;
        }
        if !self.open.tags.contains(&name) {
            self.open.tags.push(name);
        } else if place == Place::Segment {
            self.find(Rule::Duplicate, format!("{name} stands twice before one URI"));
        }
    }

    fn integer(&mut self, name: &'static str, value: &str) {
        let Some(number) = syntax::integer(value).then(|| value.parse().ok()).flatten() else {
            return self.find(Rule::Value, format!("{name} is no integer: {:?}", shorten(value)));
        };
        match name {
            "#EXT-X-VERSION" => self.version = Some(number),
            "#EXT-X-TARGETDURATION" => self.target = Some(number),
            "#EXT-X-MEDIA-SEQUENCE" if self.in_segments => {
                self.find(Rule::SequencePlace, format!("{name} after a segment"));
            }
            "#EXT-X-DISCONTINUITY-SEQUENCE" if self.in_segments || self.any_discontinuity => {
                self.find(Rule::SequencePlace, format!("{name} after a segment or a discontinuity"));
            }
            _ => {}
        }
    }

    fn attributes(&mut self, name: &'static str, value: &str, required: &[&str]) {
        let found = match syntax::attributes(value) {
            Ok(found) => found,
            Err(what) => return self.find(Rule::Attributes, format!("{name}: {what}")),
        };
        if let Some(missing) = required.iter().find(|wanted| !found.iter().any(|(name, _)| name == *wanted)) {
            self.find(Rule::Attributes, format!("{name}: no {missing}"));
        }
        for (attribute, value) in &found {
            match (name, *attribute, *value) {
                ("#EXT-X-KEY", "IV", _) => self.needs(2, "the IV of #EXT-X-KEY"),
                ("#EXT-X-KEY", "KEYFORMAT" | "KEYFORMATVERSIONS", _) => {
                    self.needs(5, "the KEYFORMAT of #EXT-X-KEY")
                }
                ("#EXT-X-KEY", "METHOD", "SAMPLE-AES") => self.needs(5, "SAMPLE-AES"),
                ("#EXT-X-TAPELINE-MEDIA", "START", ticks) if ticks.parse::<i64>().is_err() => {
                    self.find(Rule::Attributes, format!("{name}: START is no integer"));
                }
                ("#EXT-X-TAPELINE-MEDIA", "CLOCK", id) if id.parse::<u32>().is_err() => {
                    self.find(Rule::Attributes, format!("{name}: CLOCK is no integer"));
                }
                (_, "URI", uri) if !uri.starts_with('"') => {
                    self.find(Rule::Attributes, format!("{name}: URI is not quoted"));
                }
                _ => {}
            }
        }
        match name {
            "#EXT-X-DATERANGE" => _ = self.first_range.get_or_insert(self.line),
            "#EXT-X-MAP" => _ = self.first_map.get_or_insert(self.line),
            _ => {}
        }
    }

    fn own(&mut self, name: &str, value: &str) {
        match name {
            "#EXTINF" => self.extinf(value),
            "#EXT-X-PROGRAM-DATE-TIME" => {
                self.any_date = true;
                self.open.date = syntax::date(value);
                if self.open.date.is_none() {
                    self.open.date = syntax::date_without_colon(value);
                    if self.open.date.is_some() {
                        return self
                            .find(Rule::DateOffset, format!("no colon in the offset: {:?}", shorten(value)));
                    }
                    self.find(Rule::Date, format!("no date with time and offset: {:?}", shorten(value)));
                }
            }
            "#EXT-X-PLAYLIST-TYPE" if value == "VOD" => self.vod = Some(self.line),
            "#EXT-X-PLAYLIST-TYPE" if value != "EVENT" => {
                self.find(Rule::Value, format!("no playlist type: {:?}", shorten(value)));
            }
            "#EXT-X-BYTERANGE" if !syntax::byte_range(value) => {
                self.find(Rule::Value, format!("no byte range: {:?}", shorten(value)));
            }
            _ => {}
        }
    }

    fn extinf(&mut self, value: &str) {
        self.in_segments = true;
        match syntax::extinf(value) {
            Ok(duration) => {
                if duration.decimal {
                    self.needs(3, "a decimal EXTINF");
                }
                self.durations.push((self.line, duration.seconds));
                self.open.duration = Some(duration);
            }
            Err(what) => self.find(Rule::Extinf, format!("{what}: {:?}", shorten(value))),
        }
    }

    fn uri(&mut self, uri: &str) {
        self.in_segments = true;
        self.not_after_end("a segment");
        if let Err(what) = syntax::uri(uri) {
            self.find(Rule::Uri, format!("{what}: {:?}", shorten(uri)));
        }
        let open = std::mem::take(&mut self.open);
        if !open.tags.contains(&"#EXTINF") {
            self.find(Rule::ExtinfMissing, format!("no EXTINF for {:?}", shorten(uri)));
        }
        self.date(&open);
    }

    fn date(&mut self, open: &Open) {
        if open.tags.contains(&"#EXT-X-DISCONTINUITY") {
            self.last_date = None;
            self.expected_date = None;
        }
        if let Some(date) = open.date {
            let off = self.expected_date.map_or(0, |expected| date.saturating_sub(expected));
            if self.last_date.is_some_and(|last| date < last) {
                self.find(Rule::DateOrder, "the date lies before that of an earlier segment");
            } else if off.abs() > 1000 {
                self.find(
                    Rule::DateDrift,
                    format!("the date is {off} ms from the one before plus its durations"),
                );
            }
            self.last_date = Some(date);
            self.expected_date = Some(date);
        }
        let millis = open.duration.map_or(0, |duration| i64::try_from(duration.millis).unwrap_or(i64::MAX));
        self.expected_date = self.expected_date.map(|date| date.saturating_add(millis));
    }

    /// One finding is enough, however much follows the end.
    fn not_after_end(&mut self, what: &str) {
        if self.list_tags.contains(&"#EXT-X-ENDLIST") && !self.after_end {
            self.after_end = true;
            self.find(Rule::AfterEnd, format!("{what} after #EXT-X-ENDLIST"));
        }
    }

    fn needs(&mut self, version: u64, what: &'static str) {
        if self.needed.is_none_or(|(needed, ..)| needed < version) {
            self.needed = Some((version, self.line, what));
        }
    }

    fn find(&mut self, rule: Rule, message: impl Into<String>) {
        self.findings.push(Finding { line: self.line, rule, message: message.into() });
    }

    fn find_at(&mut self, line: usize, rule: Rule, message: impl Into<String>) {
        self.findings.push(Finding { line, rule, message: message.into() });
    }

    fn finish(mut self) -> Vec<Finding> {
        // A list of lists breaks half the rules below for one reason.
        if let Some(first) = self.findings.iter().find(|finding| finding.rule == Rule::MediaPlaylist) {
            return vec![first.clone()];
        }
        if !self.started {
            self.find_at(1, Rule::FirstLine, "an empty text");
            return self.findings;
        }
        match self.target {
            Some(target) => {
                for (line, seconds) in std::mem::take(&mut self.durations) {
                    if seconds > target {
                        let message = format!("{seconds} s is over the target duration of {target} s");
                        self.find_at(line, Rule::TargetExceeded, message);
                    }
                }
            }
            None if !self.list_tags.contains(&"#EXT-X-TARGETDURATION") => {
                self.find_at(1, Rule::TargetMissing, "no EXT-X-TARGETDURATION");
            }
            None => {}
        }
        self.versions();
        if !self.after_end && self.open.tags.iter().any(|name| *name != "#EXT-X-KEY") {
            self.find_at(
                self.open.first_line,
                Rule::Dangling,
                format!("no URI follows {:?}", self.open.tags),
            );
        }
        if let Some(line) = self.first_range.filter(|_| !self.any_date) {
            self.find_at(line, Rule::DateRange, "EXT-X-DATERANGE, but no EXT-X-PROGRAM-DATE-TIME");
        }
        if let Some(line) = self.vod.filter(|_| !self.list_tags.contains(&"#EXT-X-ENDLIST")) {
            self.find_at(line, Rule::VodEnd, "EXT-X-PLAYLIST-TYPE:VOD, but no EXT-X-ENDLIST");
        }
        self.findings.sort_by_key(|finding| finding.line);
        self.findings
    }

    fn versions(&mut self) {
        if let Some(map) = self.first_map
            && !self.list_tags.contains(&"#EXT-X-I-FRAMES-ONLY")
        {
            let needed = self.needed.filter(|(needed, ..)| *needed >= 6);
            self.needed = needed.or(Some((6, map, "#EXT-X-MAP among whole segments")));
        }
        let declared = self.version.unwrap_or(1);
        let unreadable = self.version.is_none() && self.list_tags.contains(&"#EXT-X-VERSION");
        if let Some((needed, line, what)) = self.needed
            && needed > declared
            && !unreadable
        {
            self.find_at(
                line,
                Rule::Version,
                format!("{what} needs version {needed}, declared is {declared}"),
            );
        }
    }
}
