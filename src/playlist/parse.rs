//! Reading a media playlist, with tolerance.
//!
//! In: bytes. Out: a [`Playlist`] with a note for everything that was forgiven, or a [`ParseError`]
//! for what is no media playlist at all. The grammar is the crate `m3u8-rs`; but that crate loses
//! tags, takes a comma in a title or a decimal target duration for a segment, and stops without a word
//! at a byte that is no UTF-8. So a guard goes over the lines first. It hands the crate only lines of
//! the forms it reads right, keeps the rest itself by segment, and joins the two at the end.
//!
//! Invariants: no tag is dropped without a note; as many segments come out as there are URIs; cost
//! is linear in the text. What a text means, such as whether dates run on, is not judged here.

use std::fmt;

use super::line::{Line, Lines, TooLong};
use super::model::{Note, Playlist, PlaylistType, Segment};
use super::values::{decimal_millis, media_extension, media_time};
use crate::time::{MediaTime, WallTime};

pub use super::line::MAX_LINE;

/// What kind of thing a refused text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParseErrorKind {
    /// It does not begin with `#EXTM3U`: no playlist.
    NoHeader,
    /// A list of lists (RFC 8216: master playlist), or one that is mixed with segments.
    NotMedia,
    /// A line above [`MAX_LINE`] bytes.
    LineTooLong,
    /// The guard and the grammar disagree on the segments: a defect of this module.
    Inconsistent,
}

/// Why a text was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// What kind of thing the text is.
    pub kind: ParseErrorKind,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for ParseError {}

impl From<TooLong> for ParseError {
    fn from(TooLong(line): TooLong) -> Self {
        Self { kind: ParseErrorKind::LineTooLong, line, what: format!("longer than {MAX_LINE} bytes") }
    }
}

/// Reads a media playlist.
pub fn parse(text: &[u8]) -> Result<Playlist, ParseError> {
    let mut guard = Guard::default();
    for line in Lines::new(text) {
        guard.line(line?)?;
    }
    guard.finish()
}

/// What the guard keeps of a segment itself.
#[derive(Debug, Default)]
struct Lifted {
    duration_millis: Option<u64>,
    title: Option<String>,
    gap: bool,
    media: Option<(MediaTime, u32)>,
    /// Every tag since the last URI, and whether the model has a field that holds it.
    tags: Vec<(Held, String)>,
    line: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    InField,
    Verbatim,
}

#[derive(Debug, Default)]
struct Guard {
    started: bool,
    line: usize,
    /// Fields that the guard fills itself.
    playlist: Playlist,
    /// `EXT-X-MEDIA-SEQUENCE` and `EXT-X-DISCONTINUITY-SEQUENCE`, whose absence the model does not show.
    media_sequence: Option<u64>,
    discontinuity_sequence: Option<u64>,
    open: Lifted,
    open_discontinuity: bool,
    open_date: Option<WallTime>,
    closed: Vec<Lifted>,
    /// The segments in the forms that `m3u8-rs` reads right.
    canonical: String,
}

impl Guard {
    fn line(&mut self, line: Line) -> Result<(), ParseError> {
        self.line = line.number;
        for what in &line.mended {
            self.note(*what);
        }
        let text = line.text.as_str();
        if text.is_empty() {
            return Ok(());
        }
        if !self.started {
            return self.first(text);
        }
        if !text.starts_with('#') {
            return self.uri(text, line.terminated);
        }
        if !text.starts_with("#EXT") {
            return Ok(());
        }
        // A cut tag can look whole: "#EXT-X-MEDIA-SEQUENCE:12" may once have been 123. Only the last
        // line of a finished list needs no line end, nothing can have stood behind it.
        if !line.terminated && !self.playlist.ended && text != "#EXT-X-ENDLIST" {
            self.note(format!("last line {text:?} may be cut, dropped"));
            return Ok(());
        }
        self.tag(text)
    }

    fn first(&mut self, text: &str) -> Result<(), ParseError> {
        match text.strip_prefix("#EXTM3U") {
            Some("") => {}
            Some(rest) if rest.starts_with([' ', '\t', ':']) => self.note("text after #EXTM3U ignored"),
            _ => return Err(self.error(ParseErrorKind::NoHeader, "no playlist: #EXTM3U does not come first")),
        }
        self.started = true;
        Ok(())
    }

    fn tag(&mut self, text: &str) -> Result<(), ParseError> {
        let (name, value) = match text.split_once(':') {
            Some((name, value)) => (name, value.trim()),
            None => (text, ""),
        };
        match name {
            "#EXTM3U" => self.note("#EXTM3U again, ignored"),
            "#EXT-X-VERSION" => {
                let number = value.parse().ok();
                self.once(text, number, |guard| &mut guard.playlist.version);
            }
            "#EXT-X-TARGETDURATION" => self.target_duration(text, value),
            "#EXT-X-MEDIA-SEQUENCE" => {
                self.once(text, whole(value), |guard| &mut guard.media_sequence);
            }
            "#EXT-X-DISCONTINUITY-SEQUENCE" => {
                self.once(text, whole(value), |guard| &mut guard.discontinuity_sequence);
            }
            "#EXT-X-PLAYLIST-TYPE" => {
                let kind = match value {
                    "EVENT" => Some(PlaylistType::Event),
                    "VOD" => Some(PlaylistType::Vod),
                    _ => None,
                };
                self.once(text, kind, |guard| &mut guard.playlist.playlist_type);
            }
            "#EXT-X-INDEPENDENT-SEGMENTS" => self.playlist.independent_segments = true,
            "#EXT-X-ENDLIST" => self.playlist.ended = true,
            "#EXTINF" => self.extinf(text, value),
            "#EXT-X-DISCONTINUITY" => {
                self.open_discontinuity = true;
                self.hold(Held::InField, text);
            }
            "#EXT-X-GAP" => {
                self.open.gap = true;
                self.hold(Held::InField, text);
            }
            "#EXT-X-PROGRAM-DATE-TIME" => {
                let date = WallTime::parse_rfc3339(value);
                self.once_per_segment(text, date, |guard| &mut guard.open_date);
            }
            "#EXT-X-TAPELINE-MEDIA" => {
                self.once_per_segment(text, media_time(value), |guard| &mut guard.open.media);
            }
            "#EXT-X-STREAM-INF"
            | "#EXT-X-I-FRAME-STREAM-INF"
            | "#EXT-X-MEDIA"
            | "#EXT-X-SESSION-DATA"
            | "#EXT-X-SESSION-KEY"
            | "#EXT-X-CONTENT-STEERING" => {
                let what = format!("a list of playlists, not of segments: {name}");
                return Err(self.error(ParseErrorKind::NotMedia, what));
            }
            "#EXT-X-START"
            | "#EXT-X-I-FRAMES-ONLY"
            | "#EXT-X-ALLOW-CACHE"
            | "#EXT-X-DEFINE"
            | "#EXT-X-SERVER-CONTROL"
            | "#EXT-X-PART-INF" => self.playlist.header_tags.push(text.to_string()),
            _ => self.hold(Held::Verbatim, text),
        }
        Ok(())
    }

    fn target_duration(&mut self, text: &str, value: &str) {
        let mut seconds = whole(value);
        if seconds.is_none()
            && let Some(millis) = decimal_millis(value)
        {
            // It is an upper bound, so the integer above is what it means.
            self.note(format!("{text:?} is no integer, rounded up"));
            seconds = Some(millis.div_ceil(1000));
        }
        self.once(text, seconds, |guard| &mut guard.playlist.target_duration);
    }

    fn extinf(&mut self, text: &str, value: &str) {
        let (duration, title) = match value.split_once(',') {
            Some((duration, title)) => (duration.trim(), title),
            None => {
                self.note("EXTINF without its comma");
                (value, "")
            }
        };
        let millis = decimal_millis(duration);
        if millis.is_none() {
            self.note(format!("duration {duration:?} is no number, taken as 0"));
        }
        if self.open.duration_millis.is_some() {
            self.note("second EXTINF for one segment, the last one holds");
        }
        self.open.duration_millis = Some(millis.unwrap_or(0));
        self.open.title = Some(title).filter(|title| !title.is_empty()).map(str::to_string);
        self.hold(Held::InField, text);
    }

    fn uri(&mut self, uri: &str, terminated: bool) -> Result<(), ParseError> {
        if !terminated && !self.playlist.ended {
            // Half a name is a segment that was never stored; a whole one ends in its extension.
            if !media_extension(uri) {
                self.note(format!("last line {uri:?} may be cut, dropped"));
                return Ok(());
            }
            self.note("last line has no line end, its name looks whole and is kept");
        }
        if self.open.duration_millis.is_none() {
            if uri.ends_with(".m3u8") {
                let what = format!("a list of playlists, not of segments: {uri:?}");
                return Err(self.error(ParseErrorKind::NotMedia, what));
            }
            self.note("segment without EXTINF, its duration taken as 0");
        }
        if self.playlist.ended {
            self.note("segment after EXT-X-ENDLIST, kept");
        }
        let mut lifted = std::mem::take(&mut self.open);
        lifted.line = self.line;
        if std::mem::take(&mut self.open_discontinuity) {
            self.canonical.push_str("#EXT-X-DISCONTINUITY\n");
        }
        if let Some(date) = self.open_date.take() {
            self.canonical.push_str(&format!("#EXT-X-PROGRAM-DATE-TIME:{date}\n"));
        }
        let millis = lifted.duration_millis.unwrap_or(0);
        // The blank line: m3u8-rs takes a comma at the start of the line after EXTINF for its own.
        self.canonical.push_str(&format!("#EXTINF:{}.{:03},\n\n{uri}\n", millis / 1000, millis % 1000));
        self.closed.push(lifted);
        Ok(())
    }

    /// Fills a field that holds for the whole list. What cannot be read, and what comes again, is kept
    /// verbatim.
    fn once<T>(&mut self, text: &str, value: Option<T>, field: fn(&mut Self) -> &mut Option<T>) {
        let odd = match value {
            None => "cannot be read, kept as text",
            Some(_) if field(self).is_some() => "comes again, the first one holds",
            Some(value) => {
                *field(self) = Some(value);
                return;
            }
        };
        self.note(format!("{text:?} {odd}"));
        self.playlist.header_tags.push(text.to_string());
    }

    /// Fills a field of the open segment, likewise.
    fn once_per_segment<T>(&mut self, text: &str, value: Option<T>, field: fn(&mut Self) -> &mut Option<T>) {
        let odd = match value {
            None => "cannot be read, kept as text",
            Some(_) if field(self).is_some() => "comes again, the first one holds",
            Some(value) => {
                *field(self) = Some(value);
                return self.hold(Held::InField, text);
            }
        };
        self.note(format!("{text:?} {odd}"));
        self.hold(Held::Verbatim, text);
    }

    fn hold(&mut self, held: Held, text: &str) {
        self.open.tags.push((held, text.to_string()));
    }

    fn note(&mut self, what: impl Into<String>) {
        self.playlist.notes.push(Note { line: self.line, what: what.into() });
    }

    fn error(&self, kind: ParseErrorKind, what: impl Into<String>) -> ParseError {
        ParseError { kind, line: self.line.max(1), what: what.into() }
    }

    fn header(&self) -> String {
        let mut text = String::from("#EXTM3U\n");
        let mut number = |name: &str, value: Option<u64>| {
            if let Some(value) = value {
                text.push_str(&format!("#EXT-X-{name}:{value}\n"));
            }
        };
        number("VERSION", self.playlist.version.map(u64::from));
        number("TARGETDURATION", self.playlist.target_duration);
        number("MEDIA-SEQUENCE", self.media_sequence);
        number("DISCONTINUITY-SEQUENCE", self.discontinuity_sequence);
        text
    }

    fn finish(mut self) -> Result<Playlist, ParseError> {
        if !self.started {
            return Err(self.error(ParseErrorKind::NoHeader, "no playlist: empty"));
        }
        if self.open.duration_millis.is_some() {
            self.note("the last EXTINF has no URI");
        }
        let text = self.header() + &self.canonical;
        let read = m3u8_rs::parse_media_playlist_res(text.as_bytes())
            .map_err(|_| self.error(ParseErrorKind::Inconsistent, "the grammar refuses the list"))?;
        if read.segments.len() != self.closed.len() {
            let what = format!("{} URIs, but {} segments read", self.closed.len(), read.segments.len());
            return Err(self.error(ParseErrorKind::Inconsistent, what));
        }
        let mut playlist = self.playlist;
        playlist.media_sequence = read.media_sequence;
        playlist.discontinuity_sequence = read.discontinuity_sequence;
        playlist.segments = read.segments.into_iter().zip(self.closed).map(join).collect();
        playlist.trailing_tags = self.open.tags.into_iter().map(|(_, text)| text).collect();
        Ok(playlist)
    }
}

/// One segment from its two halves.
fn join((read, lifted): (m3u8_rs::MediaSegment, Lifted)) -> Segment {
    let verbatim = |(held, text)| (held == Held::Verbatim).then_some(text);
    Segment {
        uri: read.uri,
        duration_millis: lifted.duration_millis.unwrap_or(0),
        title: lifted.title,
        discontinuity: read.discontinuity,
        gap: lifted.gap,
        date: read.program_date_time.map(|date| WallTime::from_millis(date.timestamp_millis())),
        media: lifted.media,
        other_tags: lifted.tags.into_iter().filter_map(verbatim).collect(),
        line: lifted.line,
    }
}

fn whole(text: &str) -> Option<u64> {
    text.parse().ok()
}
