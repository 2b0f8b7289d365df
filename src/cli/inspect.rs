//! `tapeline inspect`: what is in one file, told by its content and never by its name.
//!
//! Media are read once, in pieces, whatever their size; a playlist is read whole.

use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Args;
use serde_json::{Value, json};

use super::terminal::print;
use super::text::{Table, size};
use crate::error::{Error, ErrorKind, Result};
use crate::input::cannot_read;
use crate::media::{AudioFormat, Container, VideoFormat};
use crate::playlist::{ParseErrorKind, Playlist, PlaylistType, check, parse};
use crate::stitch::PLAYLIST_LIMIT;
use crate::time::{MediaSpan, MediaTime};
use crate::ts::{PACKET_LEN, StreamKind, StreamSurvey, Survey, TsSurvey};
use crate::webm::{WebmLook, WebmSurvey};

/// Read at a time.
const CHUNK: usize = 1 << 20;

/// Tell what is in one file: an MPEG transport stream, WebM or a playlist
#[derive(Debug, Args)]
pub struct Arguments {
    /// The file, or - for standard input
    file: PathBuf,
    /// JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// Reads, and tells.
pub fn run(arguments: &Arguments) -> Result<()> {
    let name = if arguments.file == Path::new("-") {
        "standard input".to_owned()
    } else {
        arguments.file.display().to_string()
    };
    let mut input: Box<dyn Read> = if arguments.file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(&arguments.file).map_err(|error| cannot_read(&name, error))?)
    };
    let first = chunk(&mut input, &name)?;
    let text = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&first).trim_ascii_start();
    let (value, words) = if text.starts_with(b"#EXTM3U") {
        playlist(&name, &rest(&mut input, first.clone(), &name)?)?
    } else if Container::of_stream(&first) == Container::WebM {
        webm(&name, &mut input, first)?
    } else {
        stream(&name, &mut input, first)?
    };
    print(if arguments.json { value.to_string() } else { words });
    Ok(())
}

/// The next bytes; none at the end.
fn chunk(input: &mut impl Read, name: &str) -> Result<Bytes> {
    let mut bytes = Vec::with_capacity(CHUNK);
    let read = input.by_ref().take(CHUNK as u64).read_to_end(&mut bytes);
    read.map_err(|error| cannot_read(name, error))?;
    Ok(Bytes::from(bytes))
}

fn rest(input: &mut impl Read, first: Bytes, name: &str) -> Result<Vec<u8>> {
    let mut all = Vec::from(first);
    loop {
        let more = chunk(input, name)?;
        if more.is_empty() {
            return Ok(all);
        }
        all.extend_from_slice(&more);
        if all.len() as u64 > PLAYLIST_LIMIT {
            let message = format!("{name} begins as a playlist does, and is larger than any");
            return Err(Error::new(ErrorKind::Malformed, message));
        }
    }
}

fn stream(name: &str, input: &mut impl Read, first: Bytes) -> Result<(Value, String)> {
    let refuse = |what: &str| {
        let message =
            format!("{name} is {what}; MPEG transport streams, WebM and playlists can be inspected");
        Err(Error::new(ErrorKind::Malformed, message))
    };
    if let Some(kind) = known(&first) {
        return refuse(kind);
    }
    let mut survey = Survey::new();
    let mut next = first;
    while !next.is_empty() {
        survey.push(&next);
        next = chunk(input, name)?;
    }
    let survey = survey.finish();
    if survey.bytes == 0 {
        return refuse("empty");
    }
    // In enough bytes of any kind something looks like a packet.
    if survey.packets.saturating_mul(2 * PACKET_LEN as u64) < survey.bytes {
        return refuse("none of them");
    }
    Ok((stream_json(name, &survey), stream_words(name, &survey)))
}

fn webm(name: &str, input: &mut impl Read, first: Bytes) -> Result<(Value, String)> {
    let mut look = WebmLook::new();
    let mut next = first;
    while !next.is_empty() {
        look.push(&next);
        next = chunk(input, name)?;
    }
    let survey = look.finish();
    Ok((webm_json(name, &survey), webm_words(name, &survey)))
}

/// What other kinds of files begin with.
fn known(begin: &[u8]) -> Option<&'static str> {
    match begin {
        [_, _, _, _, b'f', b't', b'y', b'p', ..] | [_, _, _, _, b's', b't', b'y', b'p', ..] => Some("MP4"),
        [b'F', b'L', b'V', ..] => Some("FLV"),
        [b'I', b'D', b'3', ..] => Some("packed audio with an ID3 tag"),
        _ => None,
    }
}

fn codec(stream: &StreamSurvey) -> String {
    match stream.kind {
        StreamKind::Video(Some(codec)) => codec.to_string(),
        StreamKind::Audio(Some(codec)) => codec.to_string(),
        StreamKind::Video(None) => format!("video, type {:#04x}", stream.stream_type.0),
        StreamKind::Audio(None) => format!("audio, type {:#04x}", stream.stream_type.0),
        StreamKind::Data => format!("data, type {:#04x}", stream.stream_type.0),
        StreamKind::Sections => format!("sections, type {:#04x}", stream.stream_type.0),
    }
}

fn shape(video: Option<VideoFormat>, audio: Option<AudioFormat>) -> String {
    match (video, audio) {
        (Some(format), _) => match format.codec_string() {
            Some(codec) => format!("{format}, {codec}"),
            None => format.to_string(),
        },
        (_, Some(format)) => format!("{format}, {}", format.codec_string()),
        _ => "-".to_owned(),
    }
}

fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn stream_words(name: &str, survey: &TsSurvey) -> String {
    let mut lines =
        vec![format!("{name}: MPEG transport stream, {}, {} packets", size(survey.bytes), survey.packets)];
    let clock = match (survey.pcr_pid, survey.longest_pcr_silence) {
        (Some(pid), Some(silence)) => format!("clock on PID {pid}, told every {silence} s or oftener"),
        (Some(pid), None) => format!("clock on PID {pid}, told {} times", survey.pcrs),
        (None, _) => "no clock".to_owned(),
    };
    let program = or_dash(survey.programs.first());
    lines.push(format!("program {program}, map on PID {}, {clock}", or_dash(survey.pmt_pid)));
    if survey.programs.len() > 1 {
        lines.push(format!("the first of {} programs; the others were not looked at", survey.programs.len()));
    }
    let mut table =
        Table::new(["PID", "STREAM", "SHAPE", "BEGIN", "END", "LENGTH", "UNITS", "SIZE", "KEY FRAMES"]);
    for stream in &survey.streams {
        let keys = match (stream.first_is_key, stream.longest_gop) {
            (None, _) => "-".to_owned(),
            (Some(_), Some(gop)) => format!("{}, {gop} s apart or less", stream.key_units),
            (Some(_), None) => stream.key_units.to_string(),
        };
        let begin = stream.first_pts.map(|first| MediaSpan::from_ticks(first.ticks()));
        let end = stream.end().map(|end| MediaSpan::from_ticks(end.ticks()));
        table.row([
            stream.pid.to_string(),
            codec(stream),
            shape(stream.video_format, stream.audio_format),
            or_dash(begin),
            or_dash(end),
            or_dash(stream.length()),
            stream.units.to_string(),
            size(stream.bytes),
            keys,
        ]);
    }
    lines.push(table.to_string());
    if let Some(base) = survey.base {
        lines.push(format!("times are in seconds from the first time stamp, {}", base.bits()));
    }
    let keyless = survey.lead().is_some_and(|lead| lead.first_is_key == Some(false));
    lines.extend(lag(survey.sound_lag(), keyless));
    lines.extend(survey.faults.iter().map(|fault| format!("{}: {fault}", fault.kind.severity())));
    lines.extend(fault_count(survey.faults.len(), survey.counts.values().sum()));
    lines.join("\n")
}

fn webm_words(name: &str, survey: &WebmSurvey) -> String {
    let mut lines = vec![format!(
        "{name}: WebM, {}, {} Clusters, {} cues",
        size(survey.bytes),
        survey.clusters,
        survey.cues
    )];
    let length =
        survey.duration.map_or_else(|| "of unknown length".to_owned(), |length| format!("{length} s long"));
    lines.push(match survey.date {
        Some(date) => format!("{length}, begins at {date}"),
        None => format!("{length}, without a date"),
    });
    let mut table =
        Table::new(["TRACK", "CODEC", "SHAPE", "BEGIN", "END", "LENGTH", "BLOCKS", "SIZE", "KEY FRAMES"]);
    for track in &survey.tracks {
        let keys = match track.longest_gop.filter(|_| track.is_video) {
            Some(gop) => format!("{}, {gop} s apart or less", track.key_blocks),
            None if track.is_video => track.key_blocks.to_string(),
            None => "-".to_owned(),
        };
        let since = |time: Option<MediaTime>| or_dash(time.map(|time| time - MediaTime::default()));
        table.row([
            track.number.to_string(),
            track.codec.clone(),
            shape(track.video_format, track.audio_format),
            since(track.first),
            since(track.end()),
            or_dash(track.length()),
            track.blocks.to_string(),
            size(track.bytes),
            keys,
        ]);
    }
    lines.push(table.to_string());
    let keyless = survey.lead().is_some_and(|lead| lead.first_is_key == Some(false));
    lines.extend(lag(survey.sound_lag(), keyless));
    lines.extend(survey.faults.iter().map(|fault| format!("{}: {fault}", fault.kind.severity())));
    lines.extend(fault_count(survey.faults.len(), survey.counts.values().sum()));
    lines.join("\n")
}

fn webm_json(name: &str, survey: &WebmSurvey) -> Value {
    let tracks = survey.tracks.iter().map(|track| {
        json!({
            "number": track.number,
            "codec": track.codec,
            "video": track.video_format.map(video_json),
            "audio": track.audio_format.map(audio_json),
            "blocks": track.blocks,
            "frames": track.frames,
            "bytes": track.bytes,
            "key_blocks": track.key_blocks,
            "first_is_key": track.first_is_key,
            "longest_gop_90k": track.longest_gop.map(MediaSpan::ticks),
            "first_90k": track.first.map(MediaTime::ticks),
            "end_90k": track.end().map(MediaTime::ticks),
        })
    });
    let faults = survey.faults.iter().map(|fault| {
        json!({
            "code": fault.kind.code(),
            "severity": fault.kind.severity(),
            "offset": fault.offset,
            "message": fault.message,
        })
    });
    let counts: serde_json::Map<String, Value> =
        survey.counts.iter().map(|(kind, count)| (kind.code().to_owned(), (*count).into())).collect();
    json!({
        "file": name,
        "content": "webm",
        "bytes": survey.bytes,
        "duration_90k": survey.duration.map(MediaSpan::ticks),
        "date": survey.date,
        "clusters": survey.clusters,
        "cues": survey.cues,
        "sound_lag_90k": survey.sound_lag().map(MediaSpan::ticks),
        "tracks": tracks.collect::<Vec<_>>(),
        "faults": faults.collect::<Vec<_>>(),
        "fault_counts": counts,
    })
}

/// How sound and pictures lie to each other, and whether decoding can begin at once.
fn lag(lag: Option<MediaSpan>, keyless: bool) -> impl Iterator<Item = String> {
    let lag = lag.map(|lag| {
        let (way, lag) = if lag < MediaSpan::ZERO { ("before", -lag) } else { ("after", lag) };
        format!("the sound begins {lag} s {way} the pictures")
    });
    lag.into_iter().chain(keyless.then(|| "it does not begin with a key frame".to_owned()))
}

/// What there is beside the faults that were told.
fn fault_count(told: usize, all: u64) -> Option<String> {
    match all.saturating_sub(told as u64) {
        _ if all == 0 => Some("no fault".to_owned()),
        0 => None,
        more => Some(format!("and {more} more faults of these kinds")),
    }
}

fn video_json(format: VideoFormat) -> Value {
    json!({ "width": format.width, "height": format.height, "codec_string": format.codec_string() })
}

fn audio_json(format: AudioFormat) -> Value {
    json!({
        "sample_rate": format.sample_rate,
        "channels": format.channels,
        "codec_string": format.codec_string(),
    })
}

fn stream_json(name: &str, survey: &TsSurvey) -> Value {
    let streams = survey.streams.iter().map(|stream| {
        json!({
            "pid": stream.pid.get(),
            "stream_type": stream.stream_type.0,
            "codec": codec(stream),
            "video": stream.video_format.map(video_json),
            "audio": stream.audio_format.map(audio_json),
            "packets": stream.packets,
            "bytes": stream.bytes,
            "units": stream.units,
            "key_units": stream.key_units,
            "first_is_key": stream.first_is_key,
            "longest_gop_90k": stream.longest_gop.map(MediaSpan::ticks),
            "first_pts_90k": stream.first_pts.map(MediaTime::ticks),
            "end_90k": stream.end().map(MediaTime::ticks),
        })
    });
    let faults = survey.faults.iter().map(|fault| {
        json!({
            "code": fault.kind.code(),
            "severity": fault.kind.severity(),
            "pid": fault.pid.map(crate::ts::Pid::get),
            "packet": fault.packet,
            "message": fault.message,
        })
    });
    let counts: serde_json::Map<String, Value> =
        survey.counts.iter().map(|(kind, count)| (kind.code().to_owned(), (*count).into())).collect();
    json!({
        "file": name,
        "content": "ts",
        "bytes": survey.bytes,
        "packets": survey.packets,
        "programs": survey.programs,
        "pmt_pid": survey.pmt_pid.map(crate::ts::Pid::get),
        "pcr_pid": survey.pcr_pid.map(crate::ts::Pid::get),
        "longest_pcr_silence_90k": survey.longest_pcr_silence.map(MediaSpan::ticks),
        "base_pts": survey.base.map(crate::time::Pts33::bits),
        "sound_lag_90k": survey.sound_lag().map(MediaSpan::ticks),
        "streams": streams.collect::<Vec<_>>(),
        "faults": faults.collect::<Vec<_>>(),
        "fault_counts": counts,
    })
}

fn playlist(name: &str, text: &[u8]) -> Result<(Value, String)> {
    match parse(text) {
        Ok(playlist) => Ok(media_playlist(name, &playlist, text)),
        Err(error) if error.kind == ParseErrorKind::NotMedia => Ok(multivariant(name, text)),
        Err(error) => Err(Error::new(ErrorKind::Malformed, format!("{name} is no playlist: {error}"))),
    }
}

fn media_playlist(name: &str, playlist: &Playlist, text: &[u8]) -> (Value, String) {
    let findings = check(text);
    let segments = &playlist.segments;
    let millis: u64 = segments.iter().map(|segment| segment.duration_millis).sum();
    let gaps = segments.iter().filter(|segment| segment.gap).count();
    let breaks = segments.iter().filter(|segment| segment.discontinuity).count();
    let longest = segments.iter().map(|segment| segment.duration_millis).max().unwrap_or(0);
    let dates = || segments.iter().filter_map(|segment| segment.date);
    let (first, last) = (dates().next(), dates().next_back());
    let mut clocks: Vec<u32> = segments.iter().filter_map(|segment| Some(segment.media?.1)).collect();
    clocks.sort_unstable();
    clocks.dedup();
    let kind = match (playlist.playlist_type, playlist.ended) {
        (Some(PlaylistType::Vod), true) => "VOD",
        (Some(PlaylistType::Event), true) => "EVENT, ended",
        (Some(PlaylistType::Event), false) => "EVENT, open",
        (Some(PlaylistType::Vod), false) => "VOD without an end",
        (None, true) => "ended",
        (None, false) => "live",
    };
    let mut lines = vec![
        format!(
            "{name}: media playlist, {kind}, version {}, target duration {} s",
            or_dash(playlist.version),
            or_dash(playlist.target_duration)
        ),
        format!(
            "{} segments of {} s, the longest of {} s; {gaps} gaps, {breaks} discontinuities",
            segments.len(),
            seconds(millis),
            seconds(longest)
        ),
    ];
    if let Some((first, last)) = first.zip(last) {
        lines.push(format!("the first begins at {first}, the last at {last}"));
    }
    if !clocks.is_empty() {
        let names: Vec<String> = clocks.iter().map(ToString::to_string).collect();
        lines.push(format!("media clocks: {}", names.join(", ")));
    }
    lines.extend(playlist.notes.iter().map(|note| format!("forgiven: line {}: {}", note.line, note.what)));
    lines.extend(findings.iter().map(|finding| format!("{}: {finding}", finding.rule.severity())));
    if findings.is_empty() {
        lines.push("no fault".to_owned());
    }
    let faults = findings.iter().map(|finding| {
        json!({
            "code": finding.rule.code(),
            "severity": finding.rule.severity(),
            "line": finding.line,
            "message": finding.message,
        })
    });
    let notes = playlist.notes.iter().map(|note| json!({ "line": note.line, "what": note.what }));
    let value = json!({
        "file": name,
        "content": "media playlist",
        "version": playlist.version,
        "target_duration": playlist.target_duration,
        "playlist_type": playlist.playlist_type.map(|kind| match kind {
            PlaylistType::Event => "EVENT",
            PlaylistType::Vod => "VOD",
        }),
        "ended": playlist.ended,
        "independent_segments": playlist.independent_segments,
        "media_sequence": playlist.media_sequence,
        "segments": segments.len(),
        "duration_millis": millis,
        "longest_millis": longest,
        "gaps": gaps,
        "discontinuities": breaks,
        "first_date": first,
        "last_date": last,
        "media_clocks": clocks,
        "forgiven": notes.collect::<Vec<_>>(),
        "faults": faults.collect::<Vec<_>>(),
    });
    (value, lines.join("\n"))
}

/// A list of lists is shown as it stands: its lines say what there is.
fn multivariant(name: &str, text: &[u8]) -> (Value, String) {
    let text = String::from_utf8_lossy(text);
    let (mut variants, mut renditions) = (Vec::new(), Vec::new());
    let mut attributes = None;
    for line in text.lines().map(str::trim) {
        if let Some(value) = line.strip_prefix("#EXT-X-STREAM-INF:") {
            attributes = Some(value);
        } else if let Some(value) = line.strip_prefix("#EXT-X-MEDIA:") {
            renditions.push(value);
        } else if !line.is_empty() && !line.starts_with('#') {
            variants.push((line, attributes.take().unwrap_or("")));
        }
    }
    let mut lines = vec![format!(
        "{name}: multivariant playlist, {} variants, {} renditions",
        variants.len(),
        renditions.len()
    )];
    lines.extend(variants.iter().map(|(uri, attributes)| format!("variant {uri}: {attributes}")));
    lines.extend(renditions.iter().map(|attributes| format!("rendition: {attributes}")));
    let variants: Vec<Value> =
        variants.iter().map(|(uri, attributes)| json!({ "uri": uri, "attributes": attributes })).collect();
    let value = json!({
        "file": name,
        "content": "multivariant playlist",
        "variants": variants,
        "renditions": renditions,
    });
    (value, lines.join("\n"))
}

/// Milliseconds as seconds with three decimals.
fn seconds(millis: u64) -> String {
    MediaSpan::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)).to_string()
}
